"""Measures of a model that returns similarities or classes, on pairs labelled 0 and 1, with classes, or with grades."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from dedup.evaluation import measures
from dedup.evaluation.pair_set import PairSet

Floats = NDArray[np.float64]


def positive_scores(pairs: PairSet, found: Floats) -> Floats:
    """Return how much speaks for the same, (n,): a similarity, or the probability of the classes that mean the same."""
    return found if found.ndim == 1 else np.asarray(found[:, sorted(pairs.same)].sum(axis=1))


def measure(pairs: PairSet, found: Floats, threshold: float | None = None) -> dict[str, Any]:
    """Measure predictions on pairs.

    ``found`` are similarities (n,) or probabilities of classes (n, classes). ``threshold`` is the similarity from which
    a pair is called the same; None for the one with the best F1 on these very pairs. Keys depend on the labels; a
    measure that is not defined, such as an AUC of one class, is left out.
    """
    if pairs.labels == "graded":
        return {**_graded(pairs.targets, positive_scores(pairs, found)), **_binary(pairs, found, threshold)}
    if pairs.labels == "classes" and found.ndim == 2:
        return _classes(pairs, found) | (_binary(pairs, found, threshold) if pairs.same else {})
    return _binary(pairs, found, threshold)


def best_threshold(pairs: PairSet, found: Floats) -> float:
    """Return the similarity or probability from which the F1 is best; 0.5 if only one class is there."""
    truth = pairs.positive
    if truth.all() or not truth.any():
        return 0.5
    return measures.best_f1(truth.astype(int), positive_scores(pairs, found))[1]


def pearson(left: Floats, right: Floats) -> float:
    """Return Pearson's correlation; 0 if one side is constant."""
    a, b = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else 0.0


def spearman(left: Floats, right: Floats) -> float:
    """Return Spearman's correlation of ranks, ties with their middle rank; 0 if one side is constant."""
    return pearson(rankdata(left), rankdata(right))


def _graded(targets: Floats, found: Floats) -> dict[str, Any]:
    return {"pearson": pearson(targets, found), "spearman": spearman(targets, found)}


def _classes(pairs: PairSet, found: Floats) -> dict[str, Any]:
    truth, chosen = pairs.targets.astype(np.int64), found.argmax(axis=1)
    n = len(pairs.classes)
    table = np.zeros((n, n), dtype=np.int64)
    np.add.at(table, (truth, chosen), 1)
    by_class = {
        name: dict(
            zip(("precision", "recall", "f1"), measures.precision_recall_f1(truth == at, chosen == at), strict=True)
        )
        for at, name in enumerate(pairs.classes)
    }
    return {
        "class_accuracy": float((truth == chosen).mean()),
        "macro_f1": float(np.mean([one["f1"] for one in by_class.values()])),
        "classes": by_class,
        "class_confusion": {
            name: dict(zip(pairs.classes, map(int, row), strict=True))
            for name, row in zip(pairs.classes, table, strict=True)
        },
    }


def _binary(pairs: PairSet, found: Floats, threshold: float | None) -> dict[str, Any]:
    truth, scores = pairs.positive, positive_scores(pairs, found)
    line = best_threshold(pairs, found) if threshold is None else threshold
    chosen = scores >= line
    precision, recall, f1 = measures.precision_recall_f1(truth, chosen)
    result: dict[str, Any] = {
        "n": len(truth),
        "positives": int(truth.sum()),
        "threshold": line,
        "accuracy": float((truth == chosen).mean()),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "confusion": {
            "same": {"called same": int((truth & chosen).sum()), "called different": int((truth & ~chosen).sum())},
            "different": {
                "called same": int((~truth & chosen).sum()),
                "called different": int((~truth & ~chosen).sum()),
            },
        },
    }
    if truth.any() and not truth.all():
        best, at = measures.best_f1(truth.astype(int), scores)
        result |= {
            "auc": measures.auc(truth.astype(int), scores),
            "average_precision": measures.average_precision(truth.astype(int), scores),
            "best_f1": best,
            "best_threshold": at,
        }
    return result | {"best_accuracy": _best_accuracy(truth, scores)}


def _best_accuracy(truth: NDArray[np.bool_], scores: Floats) -> float:
    """Return the highest share of right answers over all thresholds, "all different" included."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    gained = np.cumsum(np.where(truth[order], 1, -1))[last_of_ties]
    return float((max(0, int(gained.max())) + int((~truth).sum())) / len(truth))
