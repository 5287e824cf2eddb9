"""Fitting of the scorer: labelled pairs, generated variants and near misses to a monotone additive model."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from dedup.compare import DIRECTIONS, FEATURES
from dedup.names import parse
from dedup.score import Curve, Scorer
from dedup.training.data import LabelledPairs
from dedup.training.variants import sibling, variant

_KNOTS = 10
_RIDGE = 3.0
_LEAST_COUNT = 8


def count_words(names: Iterable[str]) -> tuple[dict[str, int], int]:
    """Return in how many names each core word occurs, at least 8, and the number of names."""
    counts: Counter[str] = Counter()
    total = 0
    for name in names:
        counts.update(set(parse(name).words))
        total += 1
    return {word: count for word, count in sorted(counts.items()) if count >= _LEAST_COUNT}, total


def generated_pairs(names: list[str], count: int, seed: int) -> LabelledPairs:
    """Return ``count`` variants (label 1) and up to as many near misses (label 0) of real names.

    A quarter of the near misses are numbered siblings: "x ii" and "x iii", "x 101" and "x 102".
    """
    rng = random.Random(seed)
    vocabulary = list(dict.fromkeys(word for name in names[:50_000] for word in name.split() if len(word) > 3))
    pairs = LabelledPairs([], [], [])

    def add(left: str, right: str, label: int) -> None:
        if left != right:
            pairs.left.append(left)
            pairs.right.append(right)
            pairs.labels.append(label)

    endings = [
        ("i", "ii"),
        ("ii", "iii"),
        ("iii", "iv"),
        ("1", "2"),
        ("2", "3"),
        ("101", "102"),
        ("2006", "2007"),
    ]
    for _ in range(count):
        add((name := rng.choice(names)), variant(name, rng), 1)
        near = sibling(name := rng.choice(names), rng, vocabulary)
        if rng.random() < 0.25:
            first, second = rng.choice(endings)
            add(f"{name} {first}", f"{name} {second}", 0)
        elif near is not None:
            add(name, near, 0)
    return pairs


def fit_scorer(rows: NDArray[np.float32], labels: NDArray[np.float64], weights: NDArray[np.float64]) -> Scorer:
    """Fit the additive model to (n, features) evidence by weighted, ridge-penalised maximum likelihood.

    Monotone curves are sums of ramps with non-negative heights (L-BFGS-B with bounds).
    """
    knots = [_knots(rows[:, i]) for i in range(len(FEATURES))]
    ramps = np.concatenate([_ramps(rows[:, i], k) for i, k in enumerate(knots)], axis=1)
    bounds = [b for k, direction in zip(knots, DIRECTIONS, strict=True) for b in [_bound(direction)] * (len(k) - 1)]
    total = weights.sum()

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        heights, intercept = parameters[:-1], parameters[-1]
        log_odds = ramps @ heights + intercept
        value = np.sum(weights * (np.logaddexp(0, log_odds) - labels * log_odds)) + _RIDGE / 2 * heights @ heights
        residual = weights * (1 / (1 + np.exp(-log_odds)) - labels)
        gradient = np.append(ramps.T @ residual + _RIDGE * heights, residual.sum())
        return float(value / total), gradient / total

    start = np.zeros(ramps.shape[1] + 1)
    result = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[*bounds, (None, None)],
        options={"maxiter": 300, "maxfun": 400},
    )
    return _centred(result.x, knots, rows)


def _knots(feature: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return up to 10 distinct quantiles of a feature; 0 and 1 for an indicator."""
    if set(np.unique(feature[:1_000])) <= {0.0, 1.0} and set(np.unique(feature)) <= {0.0, 1.0}:
        return np.array([0.0, 1.0])
    return np.unique(np.quantile(feature, np.linspace(0, 1, _KNOTS)).round(4))


def _ramps(feature: NDArray[np.float32], knots: NDArray[np.float64]) -> NDArray[np.float32]:
    low, high = knots[:-1], knots[1:]
    return np.clip((feature[:, None] - low) / (high - low), 0, 1).astype(np.float32)


def _bound(direction: int) -> tuple[float | None, float | None]:
    return {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}[direction]


def _centred(parameters: NDArray[np.float64], knots: list[NDArray[np.float64]], rows: NDArray[np.float32]) -> Scorer:
    """Turn ramp heights into curves whose mean over ``rows`` is 0, the means going to the intercept."""
    intercept = float(parameters[-1])
    curves, at = [], 0
    for i, k in enumerate(knots):
        values = np.concatenate([[0.0], np.cumsum(parameters[at : at + len(k) - 1])])
        at += len(k) - 1
        mean = float(np.interp(rows[:, i], k, values).mean())
        intercept += mean
        curves.append(Curve(tuple(k.tolist()), tuple((values - mean).round(5).tolist())))
    return Scorer(round(intercept, 5), tuple(curves))
