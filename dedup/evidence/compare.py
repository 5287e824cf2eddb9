"""Evidence for and against a pair: siamese similarity, string measures, words, numbers, places, legal forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.process import cpdist

from dedup.runtime import threads
from dedup.text.gazetteer import any_body, any_place
from dedup.text.names import Name, Parts, take_apart
from dedup.text.pairing import Pairing, pair_parts
from dedup.text.word_weights import InverseDocumentFrequency, WordModel

DIRECTIONS = {
    "similarity": 1, "ratio": 1, "core_ratio": 1, "joined_ratio": 1, "partial_ratio": 1, "first_word": 1,
    "first_part_ratio": 1, "length": 0,
    "shared_words": 1, "contained_words": 1, "shared_rarity": 1, "rarest_shared_word": 1,
    "rare_words_on_both_sides": -1, "rare_word_on_one_side": -1, "word_exchanged": -1, "word_weights": 1,
    "respelling": 1, "known_words_respelt": -1, "short_names_differ": -1,
    "numbers_differ": -1, "number_on_one_side": -1, "numbers_equal": 1, "places_differ": -1, "place_on_one_side": -1,
    "forms_differ": -1, "form_on_one_side": 0, "forms_equal": 1, "another_body": -1, "acronym": 1, "trade_names": 0,
    "consonants": 1,
}  # fmt: skip
"""Columns of the evidence matrix, in order, and +1 where more can only speak for a pair, -1 only against, 0 either."""

FEATURES = tuple(DIRECTIONS)
"""Names of the columns; a scorer refuses a model trained on others."""

_FIRST_OF_WORDS = FEATURES.index("shared_words")
_CONSONANTS = FEATURES.index("consonants")
_ONE_SCRIPT_ONLY = [
    FEATURES.index(feature)
    for feature in (
        "rare_words_on_both_sides", "rare_word_on_one_side", "word_exchanged", "word_weights", "known_words_respelt",
        "short_names_differ",
    )
]  # fmt: skip
"""Columns that are 0 for names in two scripts: a word and its transliteration are seldom spelt alike."""

LONGEST_SHORT_NAME = 8
"""Letters from which on a name is not short."""

_TELLING = 5.0
"""Inverse document frequency, in nats, from which a shared word makes a misspelling likely; at twice that two known
words are no evidence against a pair."""

_FEW = 2_000
_LONGEST_NAME = 256
"""Characters up to which a core is looked for within another, which takes the square of them."""

_LEAST_INITIALS = 3
_MOST_INITIALS = 6


class Compared(NamedTuple):
    """Two names, the part of each that fits the other best, and how the words of these parts pair up."""

    left: Parts
    right: Parts
    first: Name
    second: Name
    pairing: Pairing

    @property
    def are_of_two_scripts(self) -> bool:
        """Whether one name alone is in Latin letters."""
        return self.left.is_latin != self.right.is_latin


def compare_names(left: Sequence[str], right: Sequence[str]) -> list[Compared]:
    """Pair up the best fitting parts of each pair of normal forms; the lesser of a pair counts as the left one."""
    # One order for a pair, so that measures which are not quite symmetric give one answer.
    swapped = [(b, a) if b < a else (a, b) for a, b in zip(left, right, strict=True)]
    names = [(take_apart(a), take_apart(b)) for a, b in swapped]
    return [
        Compared(a, b, first, second, pair_parts(a, b, first, second))
        for (a, b), (first, second) in zip(names, _best_parts(names), strict=True)
    ]


def _best_parts(names: list[tuple[Parts, Parts]]) -> list[tuple[Name, Name]]:
    """Return for each pair the parts whose sorted words are most alike, the first of equals."""
    best = [(a.parts[0], b.parts[0]) for a, b in names]
    options = [
        (row, first, second)
        for row, (a, b) in enumerate(names)
        if len(a.parts) + len(b.parts) > 2
        for first in a.parts
        for second in b.parts
    ]
    if options:
        ratios = _distances(fuzz.token_sort_ratio, [f.core for _, f, _ in options], [s.core for _, _, s in options])
        highest: dict[int, float] = {}
        for (row, first, second), ratio in zip(options, ratios.tolist(), strict=True):
            if ratio > highest.get(row, -1.0):
                highest[row], best[row] = ratio, (first, second)
    return best


def _distances(scorer: Callable[..., float], left: list[str], right: list[str]) -> NDArray[np.float32]:
    workers = threads.count() if len(left) > _FEW else 1  # starting a thread takes as long as some hundred pairs
    return cpdist(left, right, scorer=scorer, workers=workers, dtype=np.float32)


def evidence(
    left: Sequence[str], right: Sequence[str], similarities: NDArray[np.float32], word_model: WordModel
) -> NDArray[np.float32]:
    """Return the evidence on pairs of normal forms, (n, len(FEATURES)) float32; symmetric in the sides.

    ``similarities`` (n,) are the siamese cosines, -1 to 1. String measures and shares run from 0 to 1,
    rarities and weights are in nats, length is the logarithm of the shorter core's character count.
    """
    return evidence_of(compare_names(left, right), similarities, word_model)


def evidence_of(pairs: list[Compared], similarities: NDArray[np.float32], word_model: WordModel) -> NDArray[np.float32]:
    """Return the ``evidence`` on pairs of names that are compared already."""
    rows = np.zeros((len(pairs), len(FEATURES)), dtype=np.float32)
    if pairs:
        rows[:, 0] = similarities
        rows[:, 1:_FIRST_OF_WORDS] = _strings(pairs)
        rows[:, _FIRST_OF_WORDS:_CONSONANTS] = [
            (*_word_columns(pair.pairing, word_model), *_other_columns(pair)) for pair in pairs
        ]
        rows[:, _CONSONANTS] = _consonants(pairs)
        rows[np.ix_([pair.are_of_two_scripts for pair in pairs], _ONE_SCRIPT_ONLY)] = 0
    return rows


def _strings(pairs: list[Compared]) -> NDArray[np.float32]:
    cores = [p.first.core for p in pairs], [p.second.core for p in pairs]
    joined = [core.replace(" ", "") for core in cores[0]], [core.replace(" ", "") for core in cores[1]]
    first_parts = [p.left.parts[0].core for p in pairs], [p.right.parts[0].core for p in pairs]
    first_words = [p.first.words[0] for p in pairs], [p.second.words[0] for p in pairs]
    shorter = np.array([list(map(len, side)) for side in cores], dtype=np.float32).min(axis=0)
    of_cores = _distances(fuzz.ratio, *cores) / np.float32(100)
    columns = [
        _distances(fuzz.ratio, [p.left.whole.folded for p in pairs], [p.right.whole.folded for p in pairs]) / 100,
        of_cores,
        _distances(fuzz.ratio, *joined) / 100,
        _partial_ratios(*cores, of_cores),
        _distances(JaroWinkler.normalized_similarity, *first_words),
        _distances(fuzz.token_sort_ratio, *first_parts) / 100,
        np.log(shorter),
    ]
    return np.column_stack(columns)


def _partial_ratios(left: list[str], right: list[str], ratios: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how alike, 0 to 1, the shorter core is to the best fitting part of the other; of documents, the ratio."""
    at = [row for row, sides in enumerate(zip(left, right, strict=True)) if min(map(len, sides)) <= _LONGEST_NAME]
    result = ratios.copy()
    result[at] = _distances(fuzz.partial_ratio, [left[row] for row in at], [right[row] for row in at]) / 100
    return result


def _word_columns(pairing: Pairing, word_model: WordModel) -> tuple[float, ...]:
    """Return the columns from ``shared_words`` to ``known_words_respelt``."""
    of = word_model.idf.of
    shared = [of(word) for word in pairing.shared]
    left, right = [of(word) for word in pairing.left_only], [of(word) for word in pairing.right_only]
    matched = sum(shared)
    whole = 2 * matched + sum(left) + sum(right)
    least, known = 1.0, 0.0
    for spelt in pairing.respelt:
        weight = (of(spelt.left) + of(spelt.right)) / 2
        matched += spelt.likeness * weight
        whole += 2 * weight
        least = min(least, spelt.likeness)
        if not spelt.is_short_form:
            known = max(known, commonness(word_model.idf, spelt.left, spelt.right))
    rarest = max(shared, default=0.0)
    low, high = sorted((max(left, default=0.0), max(right, default=0.0)))
    fewer = min(matched + sum(left), matched + sum(right))
    return (
        2 * matched / whole if whole > 0 else 1.0,
        matched / fewer if fewer > 0 else 1.0,
        matched,
        rarest,
        low,
        high,
        float(len(left) == len(right) == 1),
        word_model.weights.total(pairing),
        least,
        known * min(1.0, max(0.0, 1 - (rarest - _TELLING) / _TELLING)),
    )


def commonness(rarity: InverseDocumentFrequency, left: str, right: str) -> float:
    """Return how well known the rarer of two words is, for the company it keeps: log(count / sqrt(other count)).

    A slip of the pen makes a word that hardly anybody else writes, least of all beside a common word: where
    both are well known they are two words. 0 for a word never seen.
    """
    rarer, commoner = sorted((rarity.unseen - rarity.of(left), rarity.unseen - rarity.of(right)))
    return max(0.0, rarer - commoner / 2)


def _other_columns(pair: Compared) -> tuple[float, ...]:
    first, second, pairing = pair.first, pair.second, pair.pairing
    placed = any_place(pairing.left_only), any_place(pairing.right_only)
    is_acronym = _is_acronym(first, second)
    bodies = any_body(pairing.left_only), any_body(pairing.right_only)
    return (
        0.0 if pairing.shared or is_acronym else _shortness(first.core, second.core),
        *_number_columns(pair),
        float(all(placed)),
        float(placed[0] != placed[1]),
        float(bool(first.forms and second.forms and first.forms != second.forms and not pair.are_of_two_scripts)),
        float(bool(first.forms) != bool(second.forms)),
        float(bool(first.forms) and first.forms == second.forms),
        float(bodies[0] != bodies[1] and not is_acronym),  # the words of an acronym are no more than it says
        float(is_acronym),
        float(len(pair.left.parts) > 1) + float(len(pair.right.parts) > 1),
    )


def _consonants(pairs: list[Compared]) -> NDArray[np.float32]:
    """Return how alike, 0 to 1, the consonants of names are that have no other evidence in common.

    Those are names in two scripts, and names in Latin letters without a word in common and without legal
    forms, where short ones count for less; 0 for all others.
    """
    trust = np.array([_trust_in_consonants(pair) for pair in pairs], dtype=np.float32)
    chosen = [pair for pair, weight in zip(pairs, trust.tolist(), strict=True) if weight]
    left, right = [pair.left.consonants for pair in chosen], [pair.right.consonants for pair in chosen]
    trust[trust > 0] *= _distances(fuzz.ratio, left, right) / 100
    return trust


def _trust_in_consonants(pair: Compared) -> float:
    if pair.are_of_two_scripts:
        return 1.0
    if pair.pairing.shared or pair.first.forms or pair.second.forms or not pair.left.is_latin:
        return 0.0
    return 1 - _shortness(pair.first.core, pair.second.core)


def _shortness(left: str, right: str) -> float:
    """Return how short, 0 to 1, the shorter of two different cores is; 0 from 8 letters on and for equal ones."""
    left, right = left.replace(" ", ""), right.replace(" ", "")
    return 0.0 if left == right else max(0.0, 1 - (min(len(left), len(right)) - 1) / (LONGEST_SHORT_NAME - 1))


def _number_columns(pair: Compared) -> tuple[float, float, float]:
    """Return (differ, on one side only, equal), each 0 or 1.

    Numbers of paired words are equal (``3 d``, ``3d``). Names that differ in one letter standing alone, or
    in how often it is repeated, differ as numbers do (series a and b, two initials, ``aa`` and ``aaa``).
    """
    alone = pair.pairing.left_only, pair.pairing.right_only
    left, right = not pair.first.numbers.isdisjoint(alone[0]), not pair.second.numbers.isdisjoint(alone[1])
    letters = len(alone[0]) == len(alone[1]) == 1 and all(len(set(words[0])) == 1 for words in alone)
    equal = bool(pair.first.numbers) and not left and not right
    return float((left and right) or letters), float(left != right), float(equal)


def _is_acronym(left: Name, right: Name) -> bool:
    short, long = (left, right) if len(left.core) < len(right.core) else (right, left)
    return (
        len(short.words) == 1
        and len(long.words) > 1
        and _LEAST_INITIALS <= len(short.core) <= _MOST_INITIALS
        and short.core == long.initials
    )
