"""Why a pair has its probability: contributions in words that add up to the log-odds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.compare import FEATURES, Rarity, evidence, word_evidence
from dedup.names import Name, parse
from dedup.score import Scorer

_GROUPS: tuple[tuple[str, ...], ...] = (
    ("similarity",),
    ("ratio", "core_ratio", "core_jaro_winkler", "sorted_ratio", "joined_ratio", "partial_ratio"),
    ("shared_words", "contained_words", "first_word"),
    ("rare_words_on_both_sides", "rare_word_on_one_side"),
    ("numbers_differ", "number_on_one_side", "numbers_equal"),
    ("forms_differ", "forms_equal"),
    ("acronym",),
    ("cut_off",),
    ("length",),
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


def explain(left: str, right: str, similarity: float, scorer: Scorer, rarity: Rarity) -> Explanation:
    """Explain one pair of normal forms with the siamese cosine ``similarity``, -1 to 1."""
    first, second = (right, left) if right < left else (left, right)
    rows = evidence([first], [second], np.array([similarity], dtype=np.float32), rarity)
    shares = scorer.contributions(rows)[0]
    labels = _labels(first, second, rows[0], rarity)
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


def _labels(left: str, right: str, row: NDArray[np.float32], rarity: Rarity) -> tuple[str, ...]:
    """Return the words for each group of ``_GROUPS``, in order."""
    value = dict(zip(FEATURES, row.tolist(), strict=True))
    first, second = parse(left), parse(right)
    return (
        f"siamese similarity {value['similarity']:.2f}",
        f"spelling {value['core_ratio']:.0%} alike",
        f"words {value['shared_words']:.0%} shared, weighed by rarity",
        _rare_words(first, second, rarity),
        _compared("number", first.numbers, second.numbers),
        _compared("legal form", first.forms, second.forms),
        "one is the acronym of the other" if value["acronym"] else "neither is an acronym of the other",
        "one is the other cut off" if value["cut_off"] else "neither is cut off",
        f"shorter core of {len(min(first.core, second.core, key=len))} characters",
    )


def _quoted(words: frozenset[str] | tuple[str, ...]) -> str:
    return "‘" + " ".join(sorted(words)) + "’"


def _rare_words(left: Name, right: Name, rarity: Rarity) -> str:
    words = word_evidence(left, right, rarity)
    if words.left_only and words.right_only:
        return f"‘{words.left_only}’ and ‘{words.right_only}’ differ"
    only = words.left_only or words.right_only
    return f"‘{only}’ is on one side only" if only else "every word has its partner"


def _compared(noun: str, left: frozenset[str] | tuple[str, ...], right: frozenset[str] | tuple[str, ...]) -> str:
    if left == right:
        return f"{noun} {_quoted(left)} on both sides" if left else f"no {noun}s"
    if left and right:
        return f"{noun}s {_quoted(left)} and {_quoted(right)} differ"
    return f"{noun} {_quoted(left or right)} on one side only"
