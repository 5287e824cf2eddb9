"""The share of true pairs among the candidates of a corpus, by which its probabilities are stated.

A model's probabilities hold for candidates of which a typical share is the same. A register without duplicates has a
smaller share, a list of aliases a larger one; the expectation-maximisation of Saerens, Latinne and Decaestecker,
"Adjusting the outputs of a classifier to new a priori probabilities", Neural Computation 14 (2002), estimates it from
the probabilities themselves.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SAMPLE = 20_000
"""Number of evenly spaced candidates that the share is estimated from."""

NEGLIGIBLE = 0.01
"""Probability below which a candidate counts as different."""

_TYPICAL_CANDIDATES = 500
"""Number of candidates with the typical share that are added to those of the corpus, so that few change little."""

_MAX_SHIFT = 3.0
_ITERATIONS = 50


def logit(probability: float) -> float:
    """Return the log-odds of a probability in (0, 1)."""
    return math.log(probability / (1 - probability))


def shifted(probabilities: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Return probabilities (n,) with ``shift`` nats added to their log-odds."""
    if not shift:
        return probabilities
    odds = probabilities * math.exp(shift)
    result: NDArray[np.float64] = odds / (odds + 1 - probabilities)
    return result


def prior_shift(probabilities: NDArray[np.float64], n_candidates: int, typical_share: float) -> float:
    """Return what the corpus's share of true pairs adds to the log-odds of its candidates, -3 to 3 nats.

    ``probabilities`` are those of the ``n_candidates`` that are not negligible; ``typical_share`` is the share of true
    pairs among the candidates that the model's probabilities hold for.
    """
    shift = 0.0
    total = n_candidates + _TYPICAL_CANDIDATES
    for _ in range(_ITERATIONS):
        expected = float(shifted(probabilities, shift).sum()) + _TYPICAL_CANDIDATES * typical_share
        share = min(max(expected / total, 1e-9), 1 - 1e-9)
        shift = min(max(logit(share) - logit(typical_share), -_MAX_SHIFT), _MAX_SHIFT)
    return shift
