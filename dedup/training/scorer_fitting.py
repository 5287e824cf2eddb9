"""Fit word weights and a monotone additive model to labelled and generated pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from dedup.evidence.feature_registry import Registry
from dedup.evidence.features import FEATURES, REGISTRY
from dedup.evidence.scorer import Curve, Scorer
from dedup.text.word_weights import Clue, WordWeights

_KNOTS = 9
_NEARLY_ALL = (0.005, 0.995)
_RIDGE = 3.0
_CLUE_RIDGE = 10.0
_MIN_PAIRS = 8
_ITERATIONS = 300

VETOES = tuple(feature.name for feature in REGISTRY if feature.decided_by == "generated")
"""Features whose curves are fitted to labelled and generated pairs."""

SPELLING = tuple(feature.name for feature in REGISTRY if feature.decided_by == "places")
"""Features whose curves are fitted to place names in many scripts and random pairs as well."""

_NOT_WITH_CLUES = ("similarity", "word_weights", "consonants")
"""Features left out when fitting word weights: the first is too good on these pairs, the others are not known yet."""


def fit_word_weights(
    rows: NDArray[np.float32], clues: Sequence[Sequence[Clue]], labels: NDArray[np.float64]
) -> WordWeights:
    """Fit the weight of each clue, in addition to the other evidence ``rows`` (n, features), on n labelled pairs.

    Clues seen in fewer than 8 pairs get no weight. The ridge penalty shrinks the weights of rare clues toward 0,
    where inverse document frequency and the string measures decide.
    """
    pairs_with = Counter(clue for row in clues for clue in set(row))
    known = {clue: i for i, clue in enumerate(sorted(c for c, count in pairs_with.items() if count >= _MIN_PAIRS))}
    columns = [[known[clue] for clue in row if clue in known] for row in clues]
    matrix = csr_matrix(
        (
            np.ones(sum(map(len, columns)), dtype=np.float32),
            np.array([c for row in columns for c in row], dtype=np.int32),
            np.cumsum([0, *map(len, columns)]),
        ),
        shape=(len(rows), len(known)),
    )
    usable = [i for i, feature in enumerate(FEATURES) if feature not in _NOT_WITH_CLUES]
    ramps = np.concatenate([_ramps(rows[:, i], _knots(rows[:, i], labels)) for i in usable], axis=1)
    ones, free = np.ones(len(labels)), [(None, None)] * ramps.shape[1]
    parameters = _maximise_likelihood(ramps, matrix, labels, ones, [*free, (None, None)])
    found = parameters[ramps.shape[1] : -1].round(3)
    return WordWeights({clue: float(found[i]) for clue, i in known.items() if found[i]})


def fit_scorer(rows: NDArray[np.float32], labels: NDArray[np.float64], weights: NDArray[np.float64]) -> Scorer:
    """Fit the additive model to evidence (n, features) by weighted, ridge-penalised maximum likelihood.

    Monotone curves are sums of ramps with non-negative heights (L-BFGS-B with bounds). The curve of ``consonants``
    stays flat until ``fit_spelling``.
    """
    flat = Scorer(0.0, tuple(Curve((0.0, 1.0), (0.0, 0.0)) for _ in FEATURES))
    features = [feature for feature in FEATURES if feature != "consonants"]
    return fit_curves(flat, features, rows, labels, weights)


def fit_vetoes(
    scorer: Scorer, rows: NDArray[np.float32], labels: NDArray[np.float64], weights: NDArray[np.float64]
) -> Scorer:
    """Refit only the curves of ``VETOES``, on real and generated evidence.

    These features are rare in labelled pairs, and generated pairs would distort the other curves: fitting all curves
    together loses more on real pairs than it gains.
    """
    return fit_curves(scorer, VETOES, rows, labels, weights, (0.0, 0.0))


def fit_spelling(
    scorer: Scorer, rows: NDArray[np.float32], labels: NDArray[np.float64], weights: NDArray[np.float64]
) -> Scorer:
    """Refit only the curves of ``SPELLING`` and the intercept.

    ``rows`` include place names in many scripts and random pairs, which would distort the other curves: words say
    more about companies than about places.
    """
    return fit_curves(scorer, SPELLING, rows, labels, weights)


def adapt_scorer(
    scorer: Scorer,
    rows: NDArray[np.float32],
    labels: NDArray[np.float64],
    strength: float,
    new: Sequence[str] = (),
) -> Scorer:
    """Fit all curves to further pairs, shrunk with ``strength`` to those of ``scorer`` instead of to 0.

    The curves keep their knots, except those of the features in ``new``, which are fitted from nothing.
    """
    weights = np.ones(len(labels))
    knots, heights, strengths, bounds, start = [], [], [], [], scorer.intercept
    for i, (feature, curve) in enumerate(zip(REGISTRY, scorer.curves, strict=True)):
        is_new = feature.name in new
        places = _knots(rows[:, i], labels) if is_new else np.array(curve.knots)
        knots.append(places)
        heights.append(np.zeros(len(places) - 1) if is_new else np.diff(curve.values))
        strengths.append(np.full(len(places) - 1, _RIDGE if is_new else strength))
        bounds += [_bound(feature.direction)] * (len(places) - 1)
        start += 0.0 if is_new else curve.values[0]
    ramps = np.concatenate([_ramps(rows[:, i], k) for i, k in enumerate(knots)], axis=1).astype(np.float64)
    expected, ridge = np.concatenate(heights), np.concatenate(strengths)
    seen = np.flatnonzero(np.ptp(ramps, axis=0) > 0)  # the others keep their heights
    unseen = np.ones(len(expected), dtype=bool)
    unseen[seen] = False
    fixed = start + ramps[:, unseen] @ expected[unseen]
    none = csr_matrix(np.zeros((len(rows), 0)))
    parameters = np.append(expected, 0.0)
    parameters[[*seen, -1]] = _maximise_likelihood(
        ramps[:, seen],
        none,
        labels,
        weights,
        [*(bounds[at] for at in seen), (None, None)],
        fixed,
        (expected[seen], ridge[seen]),
    )
    return _with_curves(replace(scorer, intercept=start), range(len(knots)), knots, parameters, rows, weights)


def fit_curves(
    scorer: Scorer,
    features: Sequence[str],
    rows: NDArray[np.float32],
    labels: NDArray[np.float64],
    weights: NDArray[np.float64],
    intercept: tuple[float | None, float | None] = (None, None),
    registry: Registry = REGISTRY,
) -> Scorer:
    """Fit the curves of ``features`` and a change of the intercept within its bounds; keep all other curves."""
    columns = [registry.names.index(feature) for feature in features]
    others = np.setdiff1d(np.arange(len(registry)), columns)
    fixed = scorer.intercept + scorer.contributions(rows)[:, others].sum(axis=1)
    knots = [_knots(rows[:, i], labels) for i in columns]
    ramps = np.concatenate([_ramps(rows[:, i], k) for i, k in zip(columns, knots, strict=True)], axis=1)
    directions = {feature.name: feature.direction for feature in registry}
    bounds = [_bound(directions[f]) for f, k in zip(features, knots, strict=True) for _ in k[1:]]
    no_clues = csr_matrix(np.zeros((len(rows), 0), dtype=np.float32))
    parameters = _maximise_likelihood(ramps, no_clues, labels, weights, [*bounds, intercept], fixed)
    return _with_curves(scorer, columns, knots, parameters, rows, weights)


def _maximise_likelihood(
    ramps: NDArray[np.floating],
    clues: csr_matrix[np.floating],
    labels: NDArray[np.float64],
    weights: NDArray[np.float64],
    bounds: list[tuple[float | None, float | None]],
    fixed: NDArray[np.float64] | float = 0.0,
    prior: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """Return the heights of the ramps, the weights of the clues and the intercept, given ``fixed`` log-odds.

    ``bounds`` are for the ramps and the intercept; clues are unbounded. ``prior`` are the heights to which the ramps
    shrink and the strengths with which they do; by default 0 and ``_RIDGE``.
    """
    n_ramps, total = ramps.shape[1], weights.sum()
    ramps = ramps.astype(np.float64)  # once, instead of in each step
    ridge = np.repeat([_RIDGE, _CLUE_RIDGE, 0.0], [n_ramps, clues.shape[1], 1])
    expected = np.zeros(len(ridge))
    if prior is not None:
        expected[:n_ramps], ridge[:n_ramps] = prior

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        heights, clue_weights, intercept = np.split(parameters, [n_ramps, len(parameters) - 1])
        log_odds = ramps @ heights + clues @ clue_weights + intercept + fixed
        value = float(np.sum(weights * (np.logaddexp(0, log_odds) - labels * log_odds)))
        value += float(ridge @ (parameters - expected) ** 2) / 2
        residual = weights * (1 / (1 + np.exp(-log_odds)) - labels)
        gradient = np.concatenate([ramps.T @ residual, clues.T @ residual, [residual.sum()]])
        gradient += ridge * (parameters - expected)
        return value / total, gradient / total

    result = minimize(
        loss,
        expected,
        jac=True,
        method="L-BFGS-B",
        bounds=[*bounds[:-1], *[(None, None)] * clues.shape[1], bounds[-1]],
        options={"maxiter": _ITERATIONS, "maxfun": _ITERATIONS * 4 // 3},
    )
    parameters: NDArray[np.float64] = result.x
    return parameters


def _knots(feature: NDArray[np.float32], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quantiles of a feature among the pairs with each label, and of its values other than 0 and 1.

    Knots that are closer than a thirtieth of the range of nearly all values are left out.
    """
    levels = np.linspace(0, 1, _KNOTS)
    groups = feature[(feature != 0) & (feature != 1)], feature[labels == 1], feature[labels == 0]
    ends = float(feature.min()), float(feature.max())
    wanted = np.unique(np.concatenate([ends, *(np.quantile(group, levels) for group in groups if len(group))]).round(3))
    low, high = np.quantile(feature, _NEARLY_ALL) if ends[1] - ends[0] > 1.5 else ends
    knots = [float(wanted[0])]
    for knot in wanted[1:].tolist():
        if knot - knots[-1] > max(1e-3, (high - low) / 30) or knot == wanted[-1]:
            knots.append(knot)
    return np.array(knots)


def _ramps(feature: NDArray[np.float32], knots: NDArray[np.float64]) -> NDArray[np.float32]:
    low, high = knots[:-1], knots[1:]
    return np.clip((feature[:, None] - low) / (high - low), 0, 1).astype(np.float32)


def _bound(direction: int) -> tuple[float | None, float | None]:
    return {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}[direction]


def _with_curves(
    scorer: Scorer,
    columns: Sequence[int],
    knots: Sequence[NDArray[np.float64]],
    parameters: NDArray[np.float64],
    rows: NDArray[np.float32],
    weights: NDArray[np.float64],
) -> Scorer:
    """Turn ramp heights into curves with a weighted mean of 0 over ``rows``; the means move to the intercept."""
    intercept = scorer.intercept + float(parameters[-1])
    curves, at = list(scorer.curves), 0
    for i, k in zip(columns, knots, strict=True):
        values = np.concatenate([[0.0], np.cumsum(parameters[at : at + len(k) - 1])])
        at += len(k) - 1
        mean = float(np.average(np.interp(rows[:, i], k, values), weights=weights))
        intercept += mean
        curves[i] = Curve(tuple(k.tolist()), tuple((values - mean).round(5).tolist()))
    return Scorer(round(intercept, 5), tuple(curves))
