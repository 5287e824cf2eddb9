"""Why a pair has its probability: reasons in words whose weights add up to the log-odds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    widths = word_model.corpus.widths
    names = tell_apart(pair_names([left], [right], widths)[0], word_model)
    row = registry.evidence(PairBatch([names], np.array([similarity], dtype=np.float32), word_model))
    start, shares = scorer.contributions(np.vstack([registry.neutral(row), row]))
    added = dict(zip(registry.names, (shares - start).tolist(), strict=True))
    if right < left:  # pairs are sorted
        names = _swapped(names)
    values = dict(zip(registry.names, row[0].tolist(), strict=True))
    pair = ExplainedPair((left, right), names, values, word_model)
    found = [
        Contribution(label(pair), log_odds)
        for label, features in registry.reasons().items()
        if (log_odds := sum(added[feature] for feature in features))
    ]
    length = len(min(names.left_part.core, names.right_part.core, key=len))
    starting_point = Contribution(
        f"starting point for names of {length} {plural('character', length)}", scorer.intercept + float(start.sum())
    )
    return Explanation(
        float(scorer.probabilities(row)[0]),
        similarity,
        float(scorer.log_odds(row)[0]),
        (starting_point, *sorted(found, key=lambda c: -abs(c.log_odds))),
    )


def _swapped(names: NamePair) -> NamePair:
    """Return the same pair with its sides exchanged."""
    pairing = names.pairing
    respelt = tuple(spelt._replace(left=spelt.right, right=spelt.left) for spelt in pairing.respelt)
    swapped = pairing._replace(respelt=respelt, left_only=pairing.right_only, right_only=pairing.left_only)
    return NamePair(names.right, names.left, names.right_part, names.left_part, swapped)
