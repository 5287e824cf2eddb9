"""Curves of a score against known truth, and the table of thresholds: what a page draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.evaluation.measures import CALIBRATION_BINS, precision_recall_f1

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

_MOST_POINTS = 400
STEP = 0.05
"""Distance of the thresholds in the table."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of similar probability: how many, their mean probability, and the share of them that is the same."""

    count: int
    probability: float
    share: float


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What calling all pairs the same from ``threshold`` on would mean."""

    threshold: float
    called: int
    precision: float
    recall: float
    f1: float
    accuracy: float


def precision_recall(truth: Truth, scores: Floats) -> tuple[Floats, Floats]:
    """Return recall and precision at each distinct score, highest first, thinned to at most 400 points.

    Begins with the precision of the highest score at recall 0; ``truth`` has both labels.
    """
    right, called = _cumulated(truth, scores)
    recall, precision = right / right[-1], right / called
    return _thinned(np.append(0.0, recall), np.append(precision[0], precision))


def roc(truth: Truth, scores: Floats) -> tuple[Floats, Floats]:
    """Return the share of different and of same pairs that are called the same at each distinct score, from 0 to 1."""
    right, called = _cumulated(truth, scores)
    wrong = called - right
    return _thinned(np.append(0.0, wrong / wrong[-1]), np.append(0.0, right / right[-1]))


def calibration(truth: Truth, probabilities: Floats) -> list[Bin]:
    """Return the bins of ``measures.expected_calibration_error`` that hold any pair, the lowest first."""
    edges = np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS
    number = np.digitize(probabilities, edges, right=True)
    found = []
    for at in range(CALIBRATION_BINS):
        own = number == at
        if own.any():
            found.append(Bin(int(own.sum()), float(probabilities[own].mean()), float(truth[own].mean())))
    return found


def threshold_table(truth: Truth, scores: Floats, *more: float) -> list[AtThreshold]:
    """Return a line for each multiple of 0.05 from below the lowest score to 1, and for the thresholds ``more``."""
    low = int(np.floor(min(float(scores.min()), 0.0) / STEP + 1e-9))
    wanted = {round(step * STEP, 2) for step in range(low, round(1 / STEP) + 1)} | set(more)
    found = []
    for threshold in sorted(wanted):
        called = scores >= threshold
        shares = precision_recall_f1(truth, called)
        found.append(AtThreshold(threshold, int(called.sum()), *shares, float((called == truth).mean())))
    return found


def _cumulated(truth: Truth, scores: Floats) -> tuple[Floats, Floats]:
    """Return how many pairs are rightly called, and how many are called, from each distinct score on."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    return np.cumsum(truth[order], dtype=np.float64)[last_of_ties], last_of_ties + 1.0


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    if len(x) <= _MOST_POINTS:
        return x, y
    kept = np.unique(np.linspace(0, len(x) - 1, _MOST_POINTS).round().astype(np.int64))
    return x[kept], y[kept]
