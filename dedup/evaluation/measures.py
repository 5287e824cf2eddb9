"""Measures of scores, probabilities, rankings and clusters against known truth.

Pure functions on arrays. ``labels`` are 1 for a true pair and 0 for a false one; a cluster labelling assigns equal
values to the records of one cluster. A ratio with denominator 0 (the precision of an empty prediction, for instance)
is 0. ``docs/measures.md`` defines each measure in one line.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

CALIBRATION_BINS = 10


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve: the probability that a true pair scores higher than a false one.

    Ties count half. Computed as the rank statistic of Mann & Whitney (1947); Hanley & McNeil (1982).

    Raises:
        ValueError: the arrays differ in length, a score is not finite, or the labels do not include both 0 and 1.
    """
    truth, values = _both_classes(labels, scores)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle_ranks = np.cumsum(counts) - (counts - 1) / 2
    positives = int(truth.sum())
    rank_sum = float(middle_ranks[inverse][truth].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * (len(truth) - positives))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the precision-recall curve, step-wise and without interpolation.

    The sum of (R_i - R_(i-1)) * P_i over distinct scores, highest first (Manning, Raghavan & Schütze 2008, 8.4).

    Raises:
        ValueError: as ``auc``.
    """
    true_positives, predicted, _ = _at_thresholds(*_both_classes(labels, scores))
    gained = np.diff(true_positives, prepend=0) / true_positives[-1]
    return float(np.sum(gained * true_positives / predicted))


def best_f1(labels: ArrayLike, scores: ArrayLike) -> tuple[float, float]:
    """Return the highest F1 over all thresholds, and that threshold.

    A pair is predicted true if its score is at least the threshold. The threshold is one of the scores, the highest
    if several reach the same F1. It is chosen on the pairs it is measured on, so the F1 is an upper bound
    (F1: van Rijsbergen 1979).

    Raises:
        ValueError: as ``auc``.
    """
    true_positives, predicted, thresholds = _at_thresholds(*_both_classes(labels, scores))
    f1 = 2 * true_positives / (predicted + true_positives[-1])
    best = int(np.argmax(f1))
    return float(f1[best]), float(thresholds[best])


def precision_recall_f1(labels: ArrayLike, predicted: ArrayLike) -> tuple[float, float, float]:
    """Return precision, recall and F1 of predictions that are 0 or 1.

    Precision is the share of predicted pairs that are true, recall the share of true pairs that are predicted, F1
    their harmonic mean (van Rijsbergen 1979).

    Raises:
        ValueError: the arrays differ in length, or a label or prediction is neither 0 nor 1.
    """
    truth, chosen = _binary(labels), _binary(predicted)
    _same_length(truth, chosen)
    return _shares(int((truth & chosen).sum()), int(chosen.sum()), int(truth.sum()))


def brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean squared difference of probability and label (Brier 1950); 0 is best and 1 worst.

    Raises:
        ValueError: the arrays differ in length or are empty, a label is neither 0 nor 1, or a probability is
            outside 0 to 1.
    """
    truth, values = _labelled_probabilities(labels, probabilities)
    return float(np.mean((values - truth) ** 2))


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean absolute difference between probability and share of true pairs, over 10 equal bins.

    The bins are [0, 0.1], (0.1, 0.2] and so on, each weighted by its number of pairs. The probability of being true
    is binned, as in Naeini et al. (2015), not the confidence in the predicted class, as in Guo et al. (2017), so that
    an error near 0 cannot cancel one near 1.

    Raises:
        ValueError: as ``brier``.
    """
    truth, values = _labelled_probabilities(labels, probabilities)
    edges = np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS
    bins = np.digitize(values, edges, right=True)
    excess = np.bincount(bins, weights=values - truth, minlength=CALIBRATION_BINS)
    return float(np.abs(excess).sum() / len(truth))


def recall_at(neighbours: NDArray[np.int64], mates: Sequence[Collection[int]], k: int) -> float:
    """Return capped recall at ``k``: the share of a record's mates among its ``k`` nearest, averaged over records.

    ``neighbours`` is (n, at least k) int64, nearest first, without the record itself; -1 marks a missing neighbour.
    ``mates`` are the numbers to find for each record; records without mates do not count. The share is of
    min(k, number of mates), so that 1 is always attainable (Thakur et al. 2021).

    Raises:
        ValueError: there are fewer than ``k`` columns, the lengths differ, or no record has a mate.
    """
    if len(neighbours) != len(mates):
        raise ValueError(f"{len(neighbours)} rows of neighbours do not fit {len(mates)} records")
    if not 1 <= k <= neighbours.shape[1]:
        raise ValueError(f"recall at {k} needs {k} neighbours, not {neighbours.shape[1]}")
    shares = [
        sum(other in wanted for other in set(row)) / sum(1 for _ in islice(wanted, k))
        for row, wanted in zip(neighbours[:, :k].tolist(), mates, strict=True)
        if wanted
    ]
    if not shares:
        raise ValueError("no record has a mate to find")
    return float(np.mean(shares))


def pair_precision_recall_f1(truth: ArrayLike, found: ArrayLike) -> tuple[float, float, float]:
    """Return precision, recall and F1 of the pairs of records that share a cluster.

    Precision is the share of pairs together in ``found`` that are together in ``truth``, recall the reverse. Pairs
    are counted in O(n log n) from the contingency table of the two labellings: the sum of n*(n-1)/2 over its cells
    and margins (Hubert & Arabie 1985).

    Raises:
        ValueError: the labellings differ in length or are empty.
    """
    cells, _, _, true_sizes, found_sizes = _contingency(truth, found)
    return _shares(_pairs_within(cells), _pairs_within(found_sizes), _pairs_within(true_sizes))


def b_cubed(truth: ArrayLike, found: ArrayLike) -> tuple[float, float, float]:
    """Return B-cubed precision, recall and F1 of a clustering (Bagga & Baldwin 1998).

    The precision of a record is the share of its found cluster that belongs to its true cluster, itself included; its
    recall is the share of its true cluster that is in its found cluster. Both are averaged over records; F1 is the
    harmonic mean of the averages.

    Raises:
        ValueError: the labellings differ in length or are empty.
    """
    cells, true_rows, found_rows, true_sizes, found_sizes = _contingency(truth, found)
    squares = cells.astype(np.float64) ** 2
    precision = float(np.sum(squares / found_sizes[found_rows]) / cells.sum())
    recall = float(np.sum(squares / true_sizes[true_rows]) / cells.sum())
    return precision, recall, 2 * precision * recall / (precision + recall)


def _same_length(left: NDArray[Any], right: NDArray[Any]) -> None:
    if left.ndim != 1 or left.shape != right.shape:
        raise ValueError(f"shapes {left.shape} and {right.shape} are not two columns of equal length")


def _binary(values: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(values)
    result: NDArray[np.bool_] = array == 1
    if not np.all(result | (array == 0)):
        raise ValueError("a label or prediction is neither 0 nor 1")
    return result


def _both_classes(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    truth, values = _binary(labels), np.asarray(scores, dtype=np.float64)
    _same_length(truth, values)
    if not np.isfinite(values).all():
        raise ValueError("a score is not finite")
    if truth.all() or not truth.any():
        raise ValueError("the labels must include both 0 and 1")
    return truth, values


def _labelled_probabilities(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    truth, values = _binary(labels), np.asarray(probabilities, dtype=np.float64)
    _same_length(truth, values)
    if len(truth) == 0:
        raise ValueError("there are no probabilities to measure")
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError("a probability is outside 0 to 1")
    return truth, values


def _at_thresholds(
    truth: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return true positives, predicted positives and the threshold at each distinct score, highest first."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last_of_ties = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    true_positives = np.cumsum(truth[order], dtype=np.int64)[last_of_ties]
    return true_positives, last_of_ties.astype(np.int64) + 1, ordered[last_of_ties]


def _shares(both: int, predicted: int, actual: int) -> tuple[float, float, float]:
    """Return precision, recall and F1 from counts; 0 where the denominator is 0."""
    precision = both / predicted if predicted else 0.0
    recall = both / actual if actual else 0.0
    return precision, recall, 2 * both / (predicted + actual) if predicted + actual else 0.0


def _contingency(
    truth: ArrayLike, found: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the contingency table of two labellings: counts, rows and columns of non-empty cells, and both margins."""
    left, right = np.asarray(truth), np.asarray(found)
    _same_length(left, right)
    if len(left) == 0:
        raise ValueError("there are no records to measure")
    _, rows, true_sizes = np.unique(left, return_inverse=True, return_counts=True)
    _, columns, found_sizes = np.unique(right, return_inverse=True, return_counts=True)
    keys, cells = np.unique(rows * len(found_sizes) + columns, return_counts=True)
    true_rows, found_rows = np.divmod(keys, len(found_sizes))
    return cells, true_rows, found_rows, true_sizes, found_sizes


def _pairs_within(sizes: NDArray[np.int64]) -> int:
    return int(np.sum(sizes * (sizes - 1) // 2))
