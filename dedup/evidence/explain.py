"""Why a pair has its probability: reasons in words whose weights add up to the log-odds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.kinds import COMPANY, Kind
from dedup.evidence.phrases import plural
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
    left: str, right: str, similarity: float, scorer: Scorer, word_model: WordModel, kind: Kind = COMPANY
) -> Explanation:
    """Explain the probability of one pair of normal forms with the siamese cosine ``similarity``, -1 to 1.

    ``scorer`` must have one curve for each feature of this kind of texts.
    """
    return explain_pairs([left], [right], [similarity], scorer, word_model, kind)[0]


def explain_pairs(
    left: Sequence[str],
    right: Sequence[str],
    similarities: Sequence[float],
    scorer: Scorer,
    word_model: WordModel,
    kind: Kind = COMPANY,
) -> list[Explanation]:
    """Explain n pairs, each as ``explain`` does, at a fraction of the time for each."""
    batch = kind.batch_of(left, right, np.array(similarities, dtype=np.float32), word_model)
    rows = kind.registry.evidence(batch)
    starts = scorer.contributions(kind.registry.neutral(rows))
    # The two sides of a pair are sorted before they are compared.
    sides = [pair.swapped() if other < one else pair for one, other, pair in zip(left, right, batch.pairs, strict=True)]
    texts = list(zip(left, right, strict=True))
    reasons = _reasons(texts, sides, rows, scorer.contributions(rows) - starts, word_model, kind)
    totals, probabilities = scorer.log_odds(rows).tolist(), scorer.probabilities(rows).tolist()
    measured = zip(probabilities, similarities, totals, strict=True)
    return [
        Explanation(*measures, (_starting_point(kind.length_of(pair), kind, scorer, start), *found))
        for measures, pair, start, found in zip(measured, sides, starts, reasons, strict=True)
    ]


def _starting_point(length: int, kind: Kind, scorer: Scorer, start: NDArray[np.float64]) -> Contribution:
    label = f"starting point for {kind.noun} of {length} {plural('character', length)}"
    return Contribution(label, scorer.intercept + float(start.sum()))


def _reasons(
    texts: Sequence[tuple[str, str]],
    sides: Sequence[Any],
    rows: NDArray[np.float32],
    added: NDArray[np.float64],
    word_model: WordModel,
    kind: Kind,
) -> Iterator[list[Contribution]]:
    """Yield the reasons for each pair but the starting point, the strongest first."""
    labels, names = kind.registry.reasons(), kind.registry.names
    for both, pair, row, shares in zip(texts, sides, rows.tolist(), added.tolist(), strict=True):
        explained = kind.explained(both, pair, dict(zip(names, row, strict=True)), word_model)
        share_of = dict(zip(names, shares, strict=True))
        found = [
            Contribution(label(explained), log_odds)
            for label, features in labels.items()
            if (log_odds := sum(share_of[feature] for feature in features))
        ]
        yield sorted(found, key=lambda contribution: -abs(contribution.log_odds))
