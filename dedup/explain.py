"""Why a pair has its probability: contributions in words that add up to the log-odds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.compare import FEATURES, Compared, compare_names, evidence_of
from dedup.lexicon import Lexicon
from dedup.names import Name
from dedup.score import Scorer
from dedup.vocabulary import is_place, makes_another_body

_GROUPS: tuple[tuple[str, ...], ...] = (
    ("similarity",),
    ("ratio", "core_ratio", "joined_ratio", "partial_ratio"),
    ("shared_words", "contained_words", "shared_rarity", "rarest_shared_word", "first_word"),
    ("rare_words_on_both_sides", "rare_word_on_one_side", "word_exchanged", "word_weights"),
    ("respelling", "known_words_respelt"),
    ("numbers_differ", "number_on_one_side", "numbers_equal"),
    ("places_differ", "place_on_one_side"),
    ("forms_differ", "form_on_one_side", "forms_equal"),
    ("another_body",),
    ("acronym",),
    ("trade_names", "first_part_ratio"),
    ("short_names_differ", "length"),
    ("consonants",),
)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One piece of evidence in words and what it adds to the log-odds, in nats."""

    label: str
    log_odds: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """A pair's probability and its reasons, strongest first; the contributions sum to ``log_odds``."""

    probability: float
    similarity: float
    log_odds: float
    contributions: tuple[Contribution, ...]


def explain(left: str, right: str, similarity: float, scorer: Scorer, lexicon: Lexicon) -> Explanation:
    """Explain one pair of normal forms with the siamese cosine ``similarity``, -1 to 1."""
    (pair,) = compare_names([left], [right])
    rows = evidence_of([pair], np.array([similarity], dtype=np.float32), lexicon)
    shares = scorer.contributions(rows)[0]
    labels = _labels(pair, rows[0], lexicon)
    contributions = [
        Contribution(label, float(sum(shares[FEATURES.index(feature)] for feature in group)))
        for group, label in zip(_GROUPS, labels, strict=True)
    ]
    contributions.append(Contribution("starting point", scorer.intercept))
    contributions.sort(key=lambda c: -abs(c.log_odds))
    return Explanation(
        float(scorer.probabilities(rows)[0]),
        similarity,
        float(scorer.log_odds(rows)[0]),
        tuple(contributions),
    )


def _labels(pair: Compared, row: NDArray[np.float32], lexicon: Lexicon) -> tuple[str, ...]:
    """Return the words for each group of ``_GROUPS``, in order."""
    value = dict(zip(FEATURES, row.tolist(), strict=True))
    first, second = pair.first, pair.second
    return (
        f"siamese similarity {value['similarity']:.2f}",
        f"spelling {value['core_ratio']:.0%} alike",
        _shared(pair, value["shared_words"], lexicon),
        _unpaired(pair, lexicon),
        _respelt(pair, value["known_words_respelt"] > 0),
        _compared("number", _numbers(first), _numbers(second)),
        _places(pair),
        _compared("legal form", first.forms, second.forms),
        _bodies(pair),
        "one is the acronym of the other" if value["acronym"] else "neither is an acronym of the other",
        _parts(pair),
        f"shorter core of {len(min(first.core, second.core, key=len))} characters"
        + (", yet not equal" if value["short_names_differ"] else ""),
        _consonants(pair, value["consonants"] > 0),
    )


def _quoted(words: Iterable[str]) -> str:
    return "‘" + " ".join(words) + "’"


def _shared(pair: Compared, share: float, lexicon: Lexicon) -> str:
    if not pair.pairing.shared:
        return "no word in common"
    rarest = max(pair.pairing.shared, key=lambda word: (lexicon.rarity.of(word), word))
    return f"words {share:.0%} shared, weighed by rarity; the rarest is ‘{rarest}’"


def _unpaired(pair: Compared, lexicon: Lexicon) -> str:
    if pair.are_of_two_scripts:
        return "in two scripts, where words are spelt in more than one way"
    sides = (pair.pairing.left_only, pair.pairing.right_only)
    rarest = [max(side, key=lambda word: (lexicon.rarity.of(word), word)) for side in sides if side]
    if len(rarest) > 1:
        return f"‘{rarest[0]}’ and ‘{rarest[1]}’ differ"
    return f"{_quoted(sides[0] or sides[1])} on one side only" if rarest else _without_partner(pair)


def _without_partner(pair: Compared) -> str:
    return "one name ends where the other is cut off" if pair.pairing.is_cut else "every word has its partner"


def _numbers(name: Name) -> tuple[str, ...]:
    return tuple(word for word in name.words if word in name.numbers)


def _respelt(pair: Compared, are_known: bool) -> str:
    if not pair.pairing.respelt:
        return "no word spelt in two ways"
    spellings = ", ".join(f"‘{spelt.left}’ for ‘{spelt.right}’" for spelt in pair.pairing.respelt)
    return spellings + (", both well known" if are_known else "")


def _places(pair: Compared) -> str:
    places = [[word for word in side if is_place(word)] for side in (pair.pairing.left_only, pair.pairing.right_only)]
    if all(places):
        return f"{_quoted(places[0])} and {_quoted(places[1])} are different places"
    return f"place {_quoted(places[0] or places[1])} on one side only" if any(places) else "no place differs"


def _bodies(pair: Compared) -> str:
    words = [w for w in pair.pairing.left_only + pair.pairing.right_only if makes_another_body(w)]
    return f"{_quoted(words)} may make it another body" if words else "no word makes it another body"


def _parts(pair: Compared) -> str:
    if len(pair.left.parts) + len(pair.right.parts) == 2:
        return "one name on either side"
    return f"of several names, ‘{pair.first.core}’ and ‘{pair.second.core}’ fit best"


def _consonants(pair: Compared, are_compared: bool) -> str:
    if not are_compared:
        return "consonants left to the words"
    return f"consonants ‘{pair.left.consonants}’ and ‘{pair.right.consonants}’"


def _compared(noun: str, left: Collection[str], right: Collection[str]) -> str:
    if left == right:
        return f"{noun} {_quoted(left)} on both sides" if left else f"no {noun}s"
    if left and right:
        return f"{noun}s {_quoted(left)} and {_quoted(right)} differ"
    return f"{noun} {_quoted(left or right)} on one side only"
