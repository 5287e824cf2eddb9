"""Weights of agreement by expectation maximisation, without labels.

Fellegi and Sunter, "A theory for record linkage", JASA 64, 1969; Winkler, "Using the EM algorithm for weight
computation in the Fellegi-Sunter model", 1988. Unlike there, each pair has its own prior, the log-odds of its names,
and weights are shrunk toward shipped ones: a level seen in few pairs keeps what it shipped with. Agreement on a rare
value is worth more: among pairs that agree, the logarithm of the value's rarity has a normal distribution of one width
and two means, so its weight is a line whose slope follows from the means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from dedup.evidence.scorer import logistic

Floats = NDArray[np.float64]
Levels = NDArray[np.int8]

STRENGTH = 40.0
"""Pairs of each class that the shipped weights stand for."""
NAME_STRENGTH = 100.0
"""Pairs of each group of names that the names' own probability stands for."""
STEEPEST = 2.0
_ROUNDS = 50
_TOLERANCE = 1e-4
_LARGEST = 8.0
_EPSILON = 1e-9
_RAREST = 2.0
"""The most that a rare value adds to what an average one is worth, in nats."""
_EVERYTHING = 1e12


@dataclass(frozen=True, slots=True)
class Observed:
    """One piece of evidence on p pairs.

    Attributes:
        levels: Level of each pair (p,); negative where it is missing.
        rarity: Minus the logarithm of the number of records with the agreeing value (p,); NaN where none agrees.
        ordered: Whether a lower level is better agreement, so that its weight is never less.
        certain: Levels whose shipped weights hold, as long as nobody labels pairs.

    """

    levels: Levels
    rarity: Floats
    ordered: bool
    certain: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Weights:
    """What a piece of evidence adds to the log-odds.

    Attributes:
        levels: Weight of each level (n,), in nats, at its centre of rarity.
        slope: What each nat of rarity adds.
        centres: Rarity of an average agreeing value at each level (n,).

    """

    levels: Floats
    slope: float
    centres: Floats

    def log_odds(self, observed: Observed) -> Floats:
        """Return what the evidence adds for each pair (p,); 0 where it is missing.

        Agreement on the most frequent value is worth nothing at worst.
        """
        present = observed.levels >= 0
        at = np.where(present, observed.levels, 0)
        base = self.levels[at]
        rarity = np.minimum(self.slope * (observed.rarity - self.centres[at]), _RAREST)
        found = np.where(np.isnan(rarity), base, np.where(base > 0, np.maximum(base + rarity, 0.0), base))
        return np.where(present, np.clip(found, -_LARGEST, _LARGEST), 0.0)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights of each piece, and what each group of names adds (groups,)."""

    pieces: tuple[Weights, ...]
    offsets: Floats

    def log_odds(self, observed: Sequence[Observed], groups: Levels) -> Floats:
        """Return what fields and the names' group add for each pair (p,); 0 where all fields are missing."""
        total = np.where(any_present(observed, len(groups)), self.offsets[groups], 0.0)
        for weights, one in zip(self.pieces, observed, strict=True):
            total += weights.log_odds(one)
        return total


def any_present(observed: Sequence[Observed], n: int) -> NDArray[np.bool_]:
    """Return for each of n pairs whether there is any evidence."""
    found = np.zeros(n, dtype=bool)
    for one in observed:
        found |= one.levels >= 0
    return found


def fit(
    observed: Sequence[Observed],
    name_log_odds: Floats,
    groups: Levels,
    shipped: Fitted,
    labels: Floats | None = None,
    times: Floats | None = None,
) -> Fitted:
    """Learn weights from p pairs: their evidence, the log-odds of their names (p,) and the groups of these (p,).

    ``labels`` (p,) are 1 for the same and 0 for different; without them, the weights tell which pairs are the same.
    ``times`` (p,) is how often each pair occurs; None: once.
    """
    fitted, known = shipped, any_present(observed, len(groups))
    times = np.ones(len(groups)) if times is None else times
    for _ in range(_ROUNDS):
        same = logistic(name_log_odds + fitted.log_odds(observed, groups)) if labels is None else labels
        certain = [list(one.certain) if labels is None else [] for one in observed]
        of_pieces = zip(observed, certain, shipped.pieces, strict=True)
        pieces = tuple(_weights(one, same, times, held, own) for one, held, own in of_pieces)
        of_known = name_log_odds[known], groups[known], same[known], times[known]
        new = Fitted(pieces, _offsets(*of_known, fitted.offsets, shipped.offsets))
        change = np.abs(new.offsets - fitted.offsets).max(initial=0.0)
        for before, after in zip(fitted.pieces, new.pieces, strict=True):
            change = max(change, np.abs(before.levels - after.levels).max())
        fitted = new
        if change < _TOLERANCE:
            break
    return fitted


def _weights(observed: Observed, same: Floats, times: Floats, certain: list[int], shipped: Weights) -> Weights:
    """Return the weights that fit pairs of which each is the same with a probability (p,)."""
    present = observed.levels >= 0
    if not present.any():
        return shipped
    levels, one, other = observed.levels[present], (same * times)[present], ((1 - same) * times)[present]
    size = len(shipped.levels)
    matched = np.bincount(levels, one, size)
    others = np.bincount(levels, other, size)
    seen = matched + others
    share = seen + _EPSILON * seen.sum()
    odds = np.exp(shipped.levels)
    rate = one.sum() / seen.sum()
    expected = share / (rate * odds + 1 - rate)
    m = matched + STRENGTH * expected * odds / (expected * odds).sum()
    u = others + STRENGTH * expected / expected.sum()
    # few pairs at one level would say that it is no evidence, since all have it
    told = seen.sum() / (seen.sum() + STRENGTH)
    learnt = (1 - told) * shipped.levels + told * (np.log(m / m.sum()) - np.log(u / u.sum()))
    weights = np.where(seen > 0, learnt, shipped.levels)
    held = seen + _EPSILON
    weights[certain], held[certain] = shipped.levels[certain], _EVERYTHING
    if observed.ordered:
        weights = isotonic_regression(weights, weights=held, increasing=False).x
    slope, centres = _rarity(observed.rarity[present], levels, one, other, shipped)
    return Weights(np.clip(weights, -_LARGEST, _LARGEST), slope, centres)


def _rarity(rarity: Floats, levels: Levels, same: Floats, other: Floats, shipped: Weights) -> tuple[float, Floats]:
    """Return the slope of rarity and the rarity halfway between the means of both classes at each level."""
    agrees = ~np.isnan(rarity)
    x, at, q, r, size = rarity[agrees], levels[agrees], same[agrees], other[agrees], len(shipped.levels)
    totals = [np.bincount(at, p, size) for p in (q, r)]
    sums = [np.bincount(at, p * x, size) for p in (q, r)]
    if not len(x):
        return shipped.slope, shipped.centres
    means = [(total + STRENGTH * shipped.centres) / (n + STRENGTH) for total, n in zip(sums, totals, strict=True)]
    spread = np.bincount(at, q * (x - means[0][at]) ** 2 + r * (x - means[1][at]) ** 2, size)
    n = totals[0] * totals[1] / np.maximum(totals[0] + totals[1], _EPSILON)
    variance = spread.sum() / max(float(q.sum() + r.sum()), 1.0)
    evidence = float(n.sum())
    if evidence < 1 or variance < _EPSILON:
        return shipped.slope, (means[0] + means[1]) / 2
    slope = float((n * (means[0] - means[1])).sum() / evidence / variance)
    mixed = (evidence * slope + STRENGTH * shipped.slope) / (evidence + STRENGTH)
    return float(np.clip(mixed, 0.0, STEEPEST)), (means[0] + means[1]) / 2


def _offsets(
    name_log_odds: Floats, groups: Levels, same: Floats, times: Floats, now: Floats, shipped: Floats
) -> Floats:
    """Return what brings the names' own probability in each group closer to the share of pairs that are the same."""
    n = np.bincount(groups, times, len(now))
    current = np.bincount(groups, times * logistic(name_log_odds + now[groups]), len(now))
    own = np.bincount(groups, times * logistic(name_log_odds + shipped[groups]), len(now))
    found = np.bincount(groups, times * same, len(now))
    known = np.maximum(n, 1)
    wanted = (found + NAME_STRENGTH * own / known) / (n + NAME_STRENGTH)
    step = _logit(wanted) - _logit(current / known)
    return np.where(n > 0, np.clip(now + step, -_LARGEST, _LARGEST), shipped)


def _logit(share: Floats) -> Floats:
    share = np.clip(share, _EPSILON, 1 - _EPSILON)
    return np.log(share) - np.log1p(-share)
