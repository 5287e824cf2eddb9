"""Why a pair has its probability: reasons in words whose weights add up to the log-odds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.features import REGISTRY, Registry
from dedup.evidence.name_pairs import NamePair, PairBatch, pair_names
from dedup.evidence.own_words import tell_apart
from dedup.evidence.phrases import ExplainedPair, plural
from dedup.evidence.scorer import Scorer
from dedup.text.word_weights import WordModel


@dataclass(frozen=True, slots=True)
class Contribution:
    """A reason in words, and what its evidence adds to the log-odds, in nats, compared with neutral evidence."""

    label: str
    log_odds: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """A pair's probability and the reasons for it: the starting point, then the strongest first.

    The starting point is the log-odds of names of this length whose evidence is neutral: nothing alike and
    nothing that differs. Reasons that add nothing are left out; the contributions sum to ``log_odds``.
    """

    probability: float
    similarity: float
    log_odds: float
    contributions: tuple[Contribution, ...]


def explain(
    left: str, right: str, similarity: float, scorer: Scorer, word_model: WordModel, registry: Registry = REGISTRY
) -> Explanation:
    """Explain the probability of one pair of normal forms with the siamese cosine ``similarity``, -1 to 1.

    ``scorer`` must have one curve for each feature of ``registry``.
    """
    return explain_pairs([left], [right], [similarity], scorer, word_model, registry)[0]


def explain_pairs(
    left: Sequence[str],
    right: Sequence[str],
    similarities: Sequence[float],
    scorer: Scorer,
    word_model: WordModel,
    registry: Registry = REGISTRY,
) -> list[Explanation]:
    """Explain n pairs, each as ``explain`` does, at a fraction of the time for each."""
    named = [tell_apart(pair, word_model) for pair in pair_names(left, right, word_model.corpus.widths)]
    rows = registry.evidence(PairBatch(named, np.array(similarities, dtype=np.float32), word_model))
    starts = scorer.contributions(registry.neutral(rows))
    reasons = _reasons(left, right, named, rows, scorer.contributions(rows) - starts, word_model, registry)
    totals, probabilities = scorer.log_odds(rows).tolist(), scorer.probabilities(rows).tolist()
    measured = zip(probabilities, similarities, totals, strict=True)
    return [
        Explanation(*measures, (_starting_point(names, scorer, start), *found))
        for measures, names, start, found in zip(measured, named, starts, reasons, strict=True)
    ]


def _starting_point(names: NamePair, scorer: Scorer, start: NDArray[np.float64]) -> Contribution:
    length = len(min(names.left_part.core, names.right_part.core, key=len))
    label = f"starting point for names of {length} {plural('character', length)}"
    return Contribution(label, scorer.intercept + float(start.sum()))


def _reasons(
    left: Sequence[str],
    right: Sequence[str],
    named: Sequence[NamePair],
    rows: NDArray[np.float32],
    added: NDArray[np.float64],
    word_model: WordModel,
    registry: Registry,
) -> Iterator[list[Contribution]]:
    """Yield the reasons for each pair but the starting point, the strongest first."""
    labels = registry.reasons()
    for one, other, names, row, shares in zip(left, right, named, rows.tolist(), added.tolist(), strict=True):
        sides = _swapped(names) if other < one else names  # pairs are sorted
        pair = ExplainedPair((one, other), sides, dict(zip(registry.names, row, strict=True)), word_model)
        share_of = dict(zip(registry.names, shares, strict=True))
        found = [
            Contribution(label(pair), log_odds)
            for label, features in labels.items()
            if (log_odds := sum(share_of[feature] for feature in features))
        ]
        yield sorted(found, key=lambda contribution: -abs(contribution.log_odds))


def _swapped(names: NamePair) -> NamePair:
    """Return the same pair with its sides exchanged."""
    pairing = names.pairing
    respelt = tuple(spelt._replace(left=spelt.right, right=spelt.left) for spelt in pairing.respelt)
    swapped = pairing._replace(respelt=respelt, left_only=pairing.right_only, right_only=pairing.left_only)
    return NamePair(names.right, names.left, names.right_part, names.left_part, swapped)
