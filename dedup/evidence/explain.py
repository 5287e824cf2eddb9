"""Why a pair has its probability: contributions in words that add up to the log-odds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from dedup.evidence.compare import FEATURES, Compared, commonness, compare_names, evidence_of
from dedup.evidence.scorer import Scorer
from dedup.text.gazetteer import is_body, is_place
from dedup.text.legal_forms import split_legal_forms
from dedup.text.names import Name, Parts, take_apart
from dedup.text.pairing import Respelling
from dedup.text.word_weights import WordModel, clues

T = TypeVar("T")

_MOST_WORDS = 3
"""Words of one side that a reason names; of more, the rarest."""

_LONGEST_QUOTE = 60
"""Characters of a name that a reason quotes."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """One piece of evidence in words and what it adds to the log-odds, in nats, beyond showing nothing."""

    label: str
    log_odds: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """A pair's probability and its reasons: the starting point, then the strongest first.

    The starting point is the log-odds of names of that length where no evidence shows anything: nothing alike,
    and nothing that differs. Evidence that adds nothing is left out; the contributions sum to ``log_odds``.
    """

    probability: float
    similarity: float
    log_odds: float
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What labels are made of: two normal forms in the order given, how they compare, and their evidence by feature."""

    texts: tuple[str, str]
    pair: Compared
    value: dict[str, float]
    word_model: WordModel


def explain(left: str, right: str, similarity: float, scorer: Scorer, word_model: WordModel) -> Explanation:
    """Explain one pair of normal forms with the siamese cosine ``similarity``, -1 to 1."""
    (pair,) = compare_names([left], [right])
    row = evidence_of([pair], np.array([similarity], dtype=np.float32), word_model)
    nothing = np.zeros_like(row)
    nothing[0, FEATURES.index("respelling")] = 1  # the likeness of words that are spelt alike
    nothing[0, FEATURES.index("length")] = row[0, FEATURES.index("length")]  # speaks neither for nor against
    start, shares = scorer.contributions(np.vstack([nothing, row]))
    adds = dict(zip(FEATURES, (shares - start).tolist(), strict=True))
    if pair.left != take_apart(left):
        pair = _turned(pair)
    seen = _Seen((left, right), pair, dict(zip(FEATURES, row[0].tolist(), strict=True)), word_model)
    found = [
        Contribution(label(seen), log_odds)
        for label, features in _LABELS.items()
        if (log_odds := sum(adds[feature] for feature in features))
    ]
    size = len(min(pair.first.core, pair.second.core, key=len))
    starting_point = Contribution(
        f"starting point, with {size} character{_s(size)} to compare", scorer.intercept + float(start.sum())
    )
    return Explanation(
        float(scorer.probabilities(row)[0]),
        similarity,
        float(scorer.log_odds(row)[0]),
        (starting_point, *sorted(found, key=lambda c: -abs(c.log_odds))),
    )


def _turned(pair: Compared) -> Compared:
    """Return the same comparison with its sides exchanged."""
    pairing = pair.pairing
    respelt = tuple(spelt._replace(left=spelt.right, right=spelt.left) for spelt in pairing.respelt)
    turned = pairing._replace(respelt=respelt, left_only=pairing.right_only, right_only=pairing.left_only)
    return pair._replace(left=pair.right, right=pair.left, first=pair.second, second=pair.first, pairing=turned)


def _similarity(seen: _Seen) -> str:
    return f"siamese similarity {seen.value['similarity']:.2f}"


def _spelling(seen: _Seen) -> str:
    return f"spelling {seen.value['core_ratio']:.0%} alike"


def _shared(seen: _Seen) -> str:
    pairing = seen.pair.pairing
    if not (pairing.shared or pairing.respelt):
        return "one name has no word without a partner"
    share = f"{seen.value['shared_words']:.0%}"
    if not pairing.shared:
        return f"words {share} alike, weighed by rarity"
    rarest = max(pairing.shared, key=lambda word: (seen.word_model.idf.of(word), word))
    return f"words {share} shared, weighed by rarity; the rarest is {_quote(rarest)}"


def _unpaired(seen: _Seen) -> str:
    return _contrasted("word", _without_partner(seen.pair), seen.word_model)


def _habits(seen: _Seen) -> str:
    """Name the words whose weights, as learnt, decide."""
    sign = 1 if seen.value["word_weights"] > 0 else -1
    weights = {clue: sign * seen.word_model.weights.of(clue) for clue in clues(seen.pair.pairing)}
    found = {words.replace("|", "/"): weight for (_, words), weight in weights.items() if weight > 0}
    return f"such words as {_quoted(found, found.__getitem__)} {'seldom' if sign > 0 else 'often'} matter"


def _respelt(seen: _Seen) -> str:
    rarity = seen.word_model.idf

    def weight(spelt: Respelling) -> tuple[float, float]:
        known = 0.0 if spelt.is_short_form else commonness(rarity, spelt.left, spelt.right)
        return known, max(rarity.of(spelt.left), rarity.of(spelt.right))

    chosen, more = _heaviest(seen.pair.pairing.respelt, weight)
    are_known = seen.value["known_words_respelt"] > 0
    spellings = [
        f"{_quote(spelt.left)} for {_quote(spelt.right)}"
        + (", both well known" if are_known and weight(spelt)[0] else "")
        for spelt in chosen
    ]
    return "; ".join(spellings) + more


def _numbers_differ(seen: _Seen) -> str:
    left, right = _unpaired_numbers(seen.pair)
    if not (left and right):
        sides = _without_partner(seen.pair)
        are_letters = all(word.isalpha() for side in sides for word in side)
        return _contrasted("letter" if are_letters else "character", sides, seen.word_model)
    whole = _numbers(seen.pair.first), _numbers(seen.pair.second)
    shown = whole if max(map(len, whole)) <= _MOST_WORDS else (left, right)
    return _contrasted(_noun(shown), shown, seen.word_model)


def _number_on_one_side(seen: _Seen) -> str:
    sides = _unpaired_numbers(seen.pair)
    return _contrasted(_noun(sides), sides, seen.word_model)


def _numbers_equal(seen: _Seen) -> str:
    numbers = _numbers(seen.pair.first) or _numbers(seen.pair.second)
    return f"{_named(_noun((numbers,)), numbers, seen.word_model)} on both sides"


def _numbers(name: Name) -> Sequence[str]:
    return [word for word in name.words if word in name.numbers]


def _unpaired_numbers(pair: Compared) -> tuple[Sequence[str], Sequence[str]]:
    left, right = _without_partner(pair)
    return [w for w in left if w in pair.first.numbers], [w for w in right if w in pair.second.numbers]


def _noun(sides: Iterable[Sequence[str]]) -> str:
    """Return what words that count as numbers are: numbers, series letters or generations (``junior``)."""
    words = [word for side in sides for word in side]
    if not all(map(str.isalpha, words)):
        return "number"
    return "letter" if max(map(len, words)) == 1 else "generation"


def _places(seen: _Seen) -> str:
    left, right = ([word for word in side if is_place(word)] for side in _without_partner(seen.pair))
    return _contrasted("place", (left, right), seen.word_model)


def _legal_forms(seen: _Seen) -> str:
    left = _written_forms(seen.texts[0], seen.pair.left, seen.pair.first)
    right = _written_forms(seen.texts[1], seen.pair.right, seen.pair.second)
    if seen.value["forms_differ"]:
        return f"legal forms {_quote(left)} and {_quote(right)} differ"
    if not seen.value["forms_equal"]:
        return f"legal form {_quote(left or right)} in one of the names"
    if left == right:
        return f"legal form {_quote(left)} on both sides"
    return f"legal forms {_quote(left)} and {_quote(right)} agree"


def _written_forms(text: str, parts: Parts, name: Name) -> str:
    """Return the legal forms of a part of the name ``text`` as written there; in canonical form if that is unclear."""
    written = text if name == parts.whole else name.folded
    core, forms = split_legal_forms(written)
    rest = Counter(core)
    found = []
    for word in written.split():
        if rest[word]:
            rest[word] -= 1
        else:
            found.append(word)
    for piece in rest.elements():  # of a word with its legal form, in a script without spaces
        found = [word.removeprefix(piece).removesuffix(piece) for word in found]
    return " ".join(found if forms == name.forms and all(found) else name.forms).removeprefix("& ")


def _another_body(seen: _Seen) -> str:
    words = [word for side in _without_partner(seen.pair) for word in side if is_body(word)]
    return f"{_quoted(words, seen.word_model.idf.of)} may make it another body"


def _acronym(seen: _Seen) -> str:
    return f"{_quote(min(seen.pair.first.core, seen.pair.second.core, key=len))} is the acronym of the other"


def _trade_names(seen: _Seen) -> str:
    return f"of several names, {_quote(seen.pair.first.core)} and {_quote(seen.pair.second.core)} fit best"


def _short_names(seen: _Seen) -> str:
    return f"short names {_quote(seen.pair.first.core)} and {_quote(seen.pair.second.core)} differ"


def _consonants(seen: _Seen) -> str:
    return f"consonants {_quote(seen.pair.left.consonants)} and {_quote(seen.pair.right.consonants)}"


_LABELS: dict[Callable[[_Seen], str], tuple[str, ...]] = {
    _similarity: ("similarity",),
    _spelling: ("ratio", "core_ratio", "joined_ratio", "partial_ratio", "first_word", "first_part_ratio"),
    _shared: ("shared_words", "contained_words", "shared_rarity", "rarest_shared_word"),
    _unpaired: ("rare_words_on_both_sides", "rare_word_on_one_side", "word_exchanged"),
    _habits: ("word_weights",),
    _respelt: ("respelling", "known_words_respelt"),
    _numbers_differ: ("numbers_differ",),
    _number_on_one_side: ("number_on_one_side",),
    _numbers_equal: ("numbers_equal",),
    _places: ("places_differ", "place_on_one_side"),
    _legal_forms: ("forms_differ", "form_on_one_side", "forms_equal"),
    _another_body: ("another_body",),
    _acronym: ("acronym",),
    _trade_names: ("trade_names",),
    _short_names: ("short_names_differ",),
    _consonants: ("consonants",),
}
"""How to put evidence in words, and the features it is spread over: all but ``length``, each once."""


def _without_partner(pair: Compared) -> tuple[Sequence[str], Sequence[str]]:
    return pair.pairing.left_only, pair.pairing.right_only


def _contrasted(noun: str, sides: tuple[Sequence[str], Sequence[str]], word_model: WordModel) -> str:
    left, right = sides
    if not (left and right):
        return f"{_named(noun, left or right, word_model)} on one side only"
    return f"{noun}s {_quoted(left, word_model.idf.of)} and {_quoted(right, word_model.idf.of)} differ"


def _named(noun: str, words: Sequence[str], word_model: WordModel) -> str:
    return f"{noun}{_s(len(words))} {_quoted(words, word_model.idf.of)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _quoted(words: Iterable[str], weight: Callable[[str], float]) -> str:
    chosen, more = _heaviest(tuple(words), weight)
    return _quote(" ".join(chosen)) + more


def _heaviest(items: Sequence[T], weight: Callable[[T], float | tuple[float, float]]) -> tuple[list[T], str]:
    """Return the three heaviest items, the first of equals, in their order, and how many more there are."""
    best = sorted(range(len(items)), key=lambda i: weight(items[i]), reverse=True)[:_MOST_WORDS]
    more = len(items) - len(best)
    return [items[i] for i in sorted(best)], f" (and {more} more)" if more else ""


def _quote(text: str) -> str:
    return f"‘{text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + '…'}’"
