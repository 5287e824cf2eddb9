"""Evidence from the words of two names: shared, unpaired, respelt, and their learnt weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.name_pairs import NamePair, PairBatch, named_columns
from dedup.evidence.phrases import MAX_WORDS, ExplainedPair, heaviest, listed, quote
from dedup.text.pairing import KNOWN_SPELLING_RATIO, Pairing, Respelling
from dedup.text.word_weights import Clue, InverseDocumentFrequency, WordModel, clues

_DISTINCTIVE = 5.0
"""Inverse document frequency, in nats, from which a shared word starts to excuse two known words that are alike.

At twice this they are no evidence against the pair: one of them is probably a misspelling.
"""


MAX_RESPELT = 10.0
"""Rarity, in nats, that a word spelt in two ways can count with: misspelt, every word is rare."""

MOST_ADDED = 4
"""Number of added words from which more say no more."""

ACRONYM_RATIO = 0.5
"""How much an acronym says of what the words it stands for would say."""

_COLUMNS = (
    "shared_words", "contained_words", "shared_rarity", "rarest_shared_word", "rare_words_on_both_sides",
    "rare_word_on_one_side", "rarest_exchanged_word", "distinctive_word_shared", "words_added", "word_exchanged",
    "word_weights", "respelling", "known_words_respelt", "unusual_short_form", "short_form_is_word",
    "typing_error", "frame_exchanged", "frame_extended",
    "word_in_one_script_only",
)  # fmt: skip


def word_measures(batch: PairBatch) -> Mapping[str, NDArray[np.float32]]:
    """Return the columns that depend on how words pair up.

    Shares and ratios run from 0 to 1; rarities (inverse document frequencies) and weights are in nats.
    """
    short_forms = batch.word_model.corpus.short_forms
    pairings = (_as_in_corpus(pair.pairing, short_forms) for pair in batch.pairs)
    rows = [
        (*_columns_of(pairing, batch.word_model), _across_scripts(pair, batch.word_model.idf))
        for pair, pairing in zip(batch.pairs, pairings, strict=True)
    ]
    return named_columns(_COLUMNS, rows)


def _across_scripts(pair: NamePair, idf: InverseDocumentFrequency) -> float:
    """Return the rarity of the rarest unpaired word of two names in two scripts, else 0.

    It may be the transliteration of another word, so it says less than an unpaired word in one script.
    """
    unpaired = (*pair.pairing.left_only, *pair.pairing.right_only)
    return max(idf.of_each(unpaired)) if unpaired and pair.are_of_two_scripts else 0.0


def _as_in_corpus(pairing: Pairing, short_forms: Mapping[str, int]) -> Pairing:
    """Return a pairing in which the short forms that the corpus uses are usual."""
    if not short_forms or not pairing.respelt:
        return pairing
    respelt = tuple(
        spelt._replace(ratio=KNOWN_SPELLING_RATIO, is_usual=True)
        if " ".join(sorted((spelt.left, spelt.right), key=len)) in short_forms
        else spelt
        for spelt in pairing.respelt
    )
    return pairing._replace(respelt=respelt)


def _columns_of(pairing: Pairing, word_model: WordModel) -> tuple[float, ...]:
    """Return the values of ``_COLUMNS`` for one pair."""
    idf = word_model.idf
    shared, left, right = idf.of_each(pairing.shared), idf.of_each(pairing.left_only), idf.of_each(pairing.right_only)
    matched = of_shared = idf.of_all(pairing.shared, shared)
    of_left, of_right = sum(left), sum(right)
    total = 2 * matched + of_left + of_right
    for acronym in pairing.acronyms:
        weight = idf.of_all(acronym.words, idf.of_each(acronym.words))
        matched += ACRONYM_RATIO * weight
        total += 2 * weight
    respelt = _Respelt()
    for spelt in pairing.respelt:
        one, other = idf.of_each(spelt[:2])
        weight = (one + other) / 2
        matched += spelt.ratio * weight
        total += 2 * weight
        respelt.add(spelt, one, other, idf.unseen)
        if spelt.is_usual:
            shared.append(min(one, other))
    rarest_shared = max(shared, default=0.0)
    lower, higher = max(left, default=0.0), max(right, default=0.0)
    if lower > higher:
        lower, higher = higher, lower
    are_exchanged, is_complete = bool(left and right), not (left or right)
    smaller_side = min(matched + of_left, matched + of_right)
    return (
        2 * matched / total if total > 0 else 1.0,
        matched / smaller_side if smaller_side > 0 else 1.0,
        matched,
        rarest_shared,
        lower,
        0.0 if are_exchanged else higher,
        higher if are_exchanged else 0.0,
        max(rarest_shared, respelt.rarest) - higher,
        0.0 if are_exchanged else float(min(MOST_ADDED, len(left) + len(right))),
        float(len(left) == len(right) == 1),
        word_model.weights.total(pairing),
        respelt.lowest_ratio,
        respelt.known * min(1.0, max(0.0, 1 - (rarest_shared - _DISTINCTIVE) / _DISTINCTIVE)),
        respelt.unusual,
        respelt.own_word,
        float(is_complete and respelt.has_typo and not respelt.has_other and not pairing.acronyms),
        *_frame(pairing, word_model.corpus.n_names, of_shared),
    )


class _Respelt:
    """What the words of a pair that are spelt in two ways say.

    ``rarest`` is their rarity, ``known`` the highest commonness of words that are no short forms, and ``own_word``
    that of unusual short forms, of which ``unusual`` is the rarest. ``has_typo`` tells of a typing error that hardly
    anyone makes, ``has_other`` of any other unusual spelling.
    """

    __slots__ = ("has_other", "has_typo", "known", "lowest_ratio", "own_word", "rarest", "unusual")

    def __init__(self) -> None:
        self.lowest_ratio = 1.0
        self.rarest = self.known = self.unusual = self.own_word = 0.0
        self.has_typo = self.has_other = False

    def add(self, spelt: Respelling, one: float, other: float, unseen: float) -> None:
        """Add a word of the rarities ``one`` and ``other``; ``unseen`` is that of a word never seen."""
        self.lowest_ratio = min(self.lowest_ratio, spelt.ratio)
        self.rarest = max(self.rarest, _rarity_of_respelt(spelt, one, other))
        if spelt.is_usual:
            return
        common = commonness(one, other, unseen)
        if spelt.is_typo and not common:
            self.has_typo = True
        else:
            self.has_other = True
        if not spelt.is_short_form:
            self.known = max(self.known, common)
        else:
            self.unusual = max(self.unusual, one if len(spelt.left) >= len(spelt.right) else other)
            self.own_word = max(self.own_word, common)


def _rarity_of_respelt(spelt: Respelling, one: float, other: float) -> float:
    return min((one + other) / 2, MAX_RESPELT * spelt.ratio)


def _frame(pairing: Pairing, n_names: int, rarity: float) -> tuple[float, float]:
    """Return how many of a corpus's names have the shared words, as log(1 + number), if other words differ.

    The first value is for names that exchange words (``Bank Spółdzielczy w X``), the second for one that adds some.
    """
    if not pairing.shared or not (pairing.left_only or pairing.right_only):
        return 0.0, 0.0
    size = math.log1p(n_names * math.exp(-rarity))
    return (size, 0.0) if pairing.left_only and pairing.right_only else (0.0, size)


def commonness(one: float, other: float, unseen: float) -> float:
    """Return how common the rarer of two words is, relative to the other: log(count / sqrt(other count)).

    ``one``, ``other`` and ``unseen`` are their rarities and that of a word never seen, for which it is 0. A typing
    error makes a word that hardly anyone else writes, least of all next to a common word. If both are common, they are
    two words.
    """
    rarer, commoner = unseen - one, unseen - other
    if rarer > commoner:
        rarer, commoner = commoner, rarer
    return max(0.0, rarer - commoner / 2)


def shared_label(pair: ExplainedPair) -> str:
    """Say what share of the words match, and which shared word is the rarest."""
    pairing = pair.names.pairing
    if not (pairing.shared or pairing.respelt or pairing.acronyms):
        return "every word of one name is matched"
    share = pair.values["shared_words"]
    if not pairing.shared:
        return f"words {share:.0%} similar, weighted by rarity"
    rarest = quote(max(pairing.shared, key=lambda word: (pair.rarity(word), word)))
    if share == 1:
        return f"all words match (rarest: {rarest})"
    return f"{share:.0%} of the words match, weighted by rarity (rarest: {rarest})"


def distinctive_label(pair: ExplainedPair) -> str:
    """Name the rarest word of both names, and say whether it has a counterpart."""
    pairing = pair.names.pairing
    if pair.values["distinctive_word_shared"] < 0:
        return f"rarest word {quote(max((*pairing.left_only, *pairing.right_only), key=pair.rarity))} in one name only"
    rarities = {word: pair.rarity(word) for word in pairing.shared}
    for spelt in pairing.respelt:
        rarities[spelt.left] = _rarity_of_respelt(spelt, pair.rarity(spelt.left), pair.rarity(spelt.right))
    return f"rarest word {quote(max(rarities, key=rarities.__getitem__))} matched"


def unpaired_label(pair: ExplainedPair) -> str:
    """Name the words without a counterpart."""
    return pair.contrasted("word", pair.unpaired)


def frame_label(pair: ExplainedPair) -> str:
    """Say in how many names of the corpus the shared words occur with others."""
    size = math.expm1(max(pair.values["frame_exchanged"], pair.values["frame_extended"]))
    shared = quote(" ".join(pair.names.pairing.shared))
    return f"about {max(2, round(size))} names of the corpus share {shared}"


def weights_label(pair: ExplainedPair) -> str:
    """Name the words whose learnt weights decide the sign, and say what was learnt about them."""
    sign = 1 if pair.values["word_weights"] > 0 else -1
    weights = {clue: sign * pair.word_model.weights.of(clue) for clue in clues(pair.names.pairing)}
    decisive = {clue: weight for clue, weight in weights.items() if weight > 0}
    if sign < 0:
        return _habit(decisive, "usually tells names apart", "usually tell names apart")
    by_kind = {kind: {clue: weight for clue, weight in decisive.items() if clue[0] == kind} for kind in _HABITS}
    return "; ".join(_habit(found, *_HABITS[kind]) for kind, found in by_kind.items() if found)


_HABITS = {
    "alone": ("is often added or dropped", "are often added or dropped"),
    "exchanged": ("is often replaced", "are often replaced"),
    "respelt": ("are often spellings of one word", "are often spellings of one word"),
}
"""What a positive weight of each kind of clue means, about one clue and about several."""


def _habit(weights: Mapping[Clue, float], singular: str, plural: str) -> str:
    by_words = {words.replace("|", "/"): weight for (_, words), weight in weights.items()}
    is_one_word = len(by_words) == 1 and "/" not in "".join(by_words)
    return f"{listed(by_words, by_words.__getitem__)} {singular if is_one_word else plural}"


def typing_error_label(pair: ExplainedPair) -> str:
    """Name the words that look like a typing error."""
    unusual = [spelt for spelt in pair.names.pairing.respelt if not spelt.is_usual]
    spellings = [f"{quote(spelt.left)} / {quote(spelt.right)}" for spelt in unusual[:MAX_WORDS]]
    noun = "typing errors" if len(spellings) > 1 else "a typing error"
    return f"{', '.join(spellings)}: one letter differs, as in {noun}"


def respelt_label(pair: ExplainedPair) -> str:
    """Name the words that are spelt differently; of many, the most common ones."""
    idf = pair.word_model.idf

    def weight(spelt: Respelling) -> tuple[float, float]:
        one, other = idf.of(spelt.left), idf.of(spelt.right)
        return 0.0 if spelt.is_short_form else commonness(one, other, idf.unseen), max(one, other)

    chosen, more = heaviest(pair.names.pairing.respelt, weight)
    are_known = pair.values["known_words_respelt"] > 0
    spellings = [
        f"{quote(spelt.left)} / {quote(spelt.right)}"
        + (" (both common words)" if are_known and weight(spelt)[0] else "")
        for spelt in chosen
    ]
    return f"spelt differently: {', '.join(spellings)}{more}"
