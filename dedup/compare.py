"""Evidence for and against a pair: siamese similarity, string measures, rarity, numbers, legal forms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import Indel, JaroWinkler
from rapidfuzz.process import cpdist

from dedup.names import Name, parse

FEATURES = (
    "similarity", "ratio", "core_ratio", "core_jaro_winkler", "sorted_ratio", "joined_ratio", "partial_ratio",
    "shared_words", "contained_words", "rare_words_on_both_sides", "rare_word_on_one_side", "first_word",
    "numbers_differ", "number_on_one_side", "numbers_equal", "forms_differ", "forms_equal", "acronym", "cut_off",
    "length",
)  # fmt: skip
"""Columns of the evidence matrix, in order; a scorer refuses a model trained on others."""

DIRECTIONS = (1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, 1, -1, -1, 1, -1, 1, 1, 1, 0)
"""For each feature: +1 if more of it can only speak for a pair, -1 only against, 0 either."""

_LEAST_LIKENESS = 0.75
"""Two words this alike (normalised Indel similarity) are spellings of one word."""

_ABBREVIATION_CREDIT = 0.85


class Rarity:
    """How much it says that two names share a word: the logarithm of how few names have it.

    Rarity of a word is log(N / number of names with it), N names in all; a word never seen has log N.
    """

    def __init__(self, counts: Mapping[str, int], n_names: int) -> None:
        self._unseen = math.log(n_names)
        self._rarity = {word: math.log(n_names / count) for word, count in counts.items()}

    def of(self, word: str) -> float:
        """Return the rarity of a folded word, in nats."""
        return self._rarity.get(word, self._unseen)


@dataclass(frozen=True, slots=True)
class WordEvidence:
    """How the words of two names pair up; rarities in nats.

    ``left_only`` and ``right_only`` are the rarest words without partner, or None.
    """

    shared: float
    contained: float
    left_rarest: float
    right_rarest: float
    left_only: str | None
    right_only: str | None


def abbreviates(short: str, long: str) -> bool:
    """Return whether ``short`` can stand for ``long``: same first letter, its letters in order, no digits."""
    if not (2 <= len(short) < len(long)) or short[0] != long[0] or not short.isalpha():
        return False
    position = 0
    for char in short:
        position = long.find(char, position) + 1
        if position == 0:
            return False
    return True


def word_likeness(left: str, right: str) -> float:
    """Return how far two words are spellings of one another, 0 to 1; words with digits only if equal."""
    if left == right:
        return 1.0
    if not (left.isalpha() and right.isalpha()):
        return 0.0
    short, long = (left, right) if len(left) < len(right) else (right, left)
    likeness = Indel.normalized_similarity(left, right, score_cutoff=_LEAST_LIKENESS)
    return max(likeness, _ABBREVIATION_CREDIT if abbreviates(short, long) else 0.0)


def _pair_up(left: list[str], right: list[str]) -> tuple[list[float], list[float]]:
    """Return for each word of each side how well its partner fits, 0 without one; best partners first."""
    if left and right and "".join(left) == "".join(right):  # "aero jet" and "aerojet"
        return [1.0] * len(left), [1.0] * len(right)
    fit_left, fit_right = [0.0] * len(left), [0.0] * len(right)
    likenesses = [
        (likeness, i, j) for i, a in enumerate(left) for j, b in enumerate(right) if (likeness := word_likeness(a, b))
    ]
    for likeness, i, j in sorted(likenesses, reverse=True):
        if not fit_left[i] and not fit_right[j]:
            fit_left[i] = fit_right[j] = likeness
    return fit_left, fit_right


def word_evidence(left: Name, right: Name, rarity: Rarity) -> WordEvidence:
    """Pair up the core words of two names, equal ones first, and weigh them by rarity."""
    rest_right = list(right.words)
    rest_left = []
    common = 0.0
    for word in left.words:
        if word in rest_right:
            rest_right.remove(word)
            common += rarity.of(word)
        else:
            rest_left.append(word)
    if not rest_left and not rest_right:
        return WordEvidence(1.0, 1.0, 0.0, 0.0, None, None)
    fit_left, fit_right = _pair_up(rest_left, rest_right)
    weights_left = [rarity.of(word) for word in rest_left]
    weights_right = [rarity.of(word) for word in rest_right]
    matched_left = common + sum(w * f for w, f in zip(weights_left, fit_left, strict=True))
    matched_right = common + sum(w * f for w, f in zip(weights_right, fit_right, strict=True))
    whole_left, whole_right = common + sum(weights_left), common + sum(weights_right)
    only_left, rarest_left = _rarest(rest_left, weights_left, fit_left)
    only_right, rarest_right = _rarest(rest_right, weights_right, fit_right)
    parts = (matched_left / max(whole_left, 1e-9), matched_right / max(whole_right, 1e-9))
    whole = max(whole_left + whole_right, 1e-9)
    return WordEvidence(
        (matched_left + matched_right) / whole, max(parts), rarest_left, rarest_right, only_left, only_right
    )


def _rarest(words: list[str], weights: list[float], fits: list[float]) -> tuple[str | None, float]:
    """Return the word that weighs most without a partner, and that weight; partial fits weigh less."""
    if not words:
        return None, 0.0
    missing = [w * (1 - f) for w, f in zip(weights, fits, strict=True)]
    at = max(range(len(words)), key=missing.__getitem__)
    return (words[at] if not fits[at] else None), missing[at]


def _number_evidence(left: Name, right: Name) -> tuple[float, float, float]:
    """Return (differ, on one side only, equal), each 0 or 1."""
    if left.numbers == right.numbers:
        return 0.0, 0.0, float(bool(left.numbers))
    if not left.numbers or not right.numbers or left.numbers < right.numbers or right.numbers < left.numbers:
        return 0.0, 1.0, 0.0
    return 1.0, 0.0, 0.0


def _is_acronym(left: Name, right: Name) -> bool:
    short, long = (left, right) if len(left.core) < len(right.core) else (right, left)
    return len(short.words) == 1 and len(long.words) > 2 and 2 < len(short.core) <= 6 and short.core == long.initials


def _is_cut_off(left: Name, right: Name) -> bool:
    """Whether one name is the other cut as fixed-width fields do (24 to 40 characters)."""
    short, long = (left, right) if len(left.folded) < len(right.folded) else (right, left)
    return 24 <= len(short.folded) <= 40 < len(long.folded) + 6 and long.folded.startswith(short.folded)


def _strings(left: Sequence[Name], right: Sequence[Name], rows: NDArray[np.float32]) -> None:
    folded = [n.folded for n in left], [n.folded for n in right]
    cores = [n.core for n in left], [n.core for n in right]
    joined = [n.core.replace(" ", "") for n in left], [n.core.replace(" ", "") for n in right]
    firsts = [n.words[0] for n in left], [n.words[0] for n in right]
    rows[:, 1] = cpdist(*folded, scorer=fuzz.ratio, workers=-1) / 100
    rows[:, 2] = cpdist(*cores, scorer=fuzz.ratio, workers=-1) / 100
    rows[:, 3] = cpdist(*cores, scorer=JaroWinkler.normalized_similarity, workers=-1)
    rows[:, 4] = cpdist(*cores, scorer=fuzz.token_sort_ratio, workers=-1) / 100
    rows[:, 5] = cpdist(*joined, scorer=fuzz.ratio, workers=-1) / 100
    rows[:, 6] = cpdist(*cores, scorer=fuzz.partial_ratio, workers=-1) / 100
    rows[:, 11] = cpdist(*firsts, scorer=JaroWinkler.normalized_similarity, workers=-1)


def evidence(
    left: Sequence[str], right: Sequence[str], similarities: NDArray[np.float32], rarity: Rarity
) -> NDArray[np.float32]:
    """Return the evidence on pairs of normal forms, (n, len(FEATURES)) float32; symmetric in the sides.

    ``similarities`` (n,) are the siamese cosines, -1 to 1. String measures and shares run from 0 to 1,
    rarities are in nats, length is the logarithm of the shorter core's character count.
    """
    # One order for a pair, so that measures which are not quite symmetric give one answer.
    swapped = [(b, a) if b < a else (a, b) for a, b in zip(left, right, strict=True)]
    names_left = [parse(a) for a, _ in swapped]
    names_right = [parse(b) for _, b in swapped]
    rows = np.zeros((len(swapped), len(FEATURES)), dtype=np.float32)
    if not swapped:
        return rows
    rows[:, 0] = similarities
    _strings(names_left, names_right, rows)
    rows[:, 7:11] = [_word_columns(word_evidence(a, b, rarity)) for a, b in zip(names_left, names_right, strict=True)]
    rows[:, 12:] = [_other_columns(a, b) for a, b in zip(names_left, names_right, strict=True)]
    return rows


def _word_columns(words: WordEvidence) -> tuple[float, float, float, float]:
    low, high = sorted((words.left_rarest, words.right_rarest))
    return words.shared, words.contained, low, high


def _other_columns(left: Name, right: Name) -> tuple[float, ...]:
    both_forms = bool(left.forms and right.forms)
    return (
        *_number_evidence(left, right),
        float(both_forms and left.forms != right.forms),
        float(both_forms and left.forms == right.forms),
        float(_is_acronym(left, right)),
        float(_is_cut_off(left, right)),
        math.log(max(1, min(len(left.core), len(right.core)))),
    )
