"""What a model says of labelled pairs of any kind, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import pair_similarities
from dedup.evaluation.classified import best_threshold, measure, positive_scores
from dedup.evaluation.evaluate import PAIRS_PER_STEP, probabilities_of, probability_measures
from dedup.evaluation.pair_set import PairSet
from dedup.model import Model
from dedup.runtime.progress import Progress, no_progress

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predicted:
    """Labelled pairs and what a model says of them.

    Attributes:
        pairs: The pairs, with the classes that the model has learnt.
        found: Its own predictions: similarities or probabilities (n,), or probabilities of classes (n, classes).
        threshold: How much of these calls a pair the same.
        probabilities: Those that an index would decide by, (n,).
        similarities: Cosines of the vectors, (n,).
        default_probability: From which an index calls a pair the same.
        truth: Which pairs are labelled as the same, (n,).

    """

    pairs: PairSet
    found: Floats
    threshold: float
    probabilities: Floats
    similarities: NDArray[np.float32]
    default_probability: float
    truth: NDArray[np.bool_]

    @property
    def scores(self) -> Floats:
        """How much the model's own predictions say that a pair is the same, (n,)."""
        return positive_scores(self.pairs, self.found)

    @property
    def is_network(self) -> bool:
        """Whether the model has predictions of its own, besides the probabilities of an index."""
        return self.found is not self.probabilities

    def measures(self) -> dict[str, Any]:
        """Return the measures of both kinds of predictions.

        Raises:
            InputRefused: all pairs are the same, or all are different.
        """
        by_index = probability_measures(
            self.pairs.left,
            self.pairs.right,
            self.truth.astype(np.int64),
            self.probabilities,
            self.similarities,
            self.default_probability,
        )
        baselines = by_index.pop("baselines")
        own = measure(self.pairs, self.found, self.threshold)
        return {"labels": self.pairs.labels, **own, "probability": by_index, "baselines": baselines}

    def best_threshold(self) -> float:
        """Return the threshold with the best F1 on these very pairs."""
        return best_threshold(self.pairs, self.found)


def predict(model: Model, pairs: PairSet, progress: Progress = no_progress) -> Predicted:
    """Return what a model says of labelled pairs.

    The predictions of a network are those of its head, called the same from the threshold in its manifest; other
    models predict by their probability. Stages reported to ``progress``: ``compare``.

    Raises:
        InputRefused: the labels are classes, and neither the pairs nor the model say which of them are the same.
    """
    pairs = _with_same(pairs, model)
    pairs.check_same()
    similarities = pair_similarities(model.encoder, pairs.left, pairs.right)
    probabilities = probabilities_of(model, pairs.left, pairs.right, similarities, progress, PAIRS_PER_STEP)
    default, truth = model.default_probability, pairs.positive
    if model.head is None:
        return Predicted(pairs, probabilities, default, probabilities, similarities, default, truth)
    head = model.manifest["head"]
    pairs, found = as_learnt(pairs, model.head.compare(pairs.left, pairs.right), head)
    return Predicted(pairs, found, float(head["threshold"]), probabilities, similarities, default, truth)


def _with_same(pairs: PairSet, model: Model) -> PairSet:
    """Return pairs of classes of which none is known to be the same with those that count as such for the model."""
    if pairs.labels != "classes" or pairs.same or model.head is None:
        return pairs
    head = model.manifest["head"]
    alike = {head["classes"][at] for at in head["same"]}
    return replace(pairs, same=frozenset(at for at, name in enumerate(pairs.classes) if name in alike))


def as_learnt(pairs: PairSet, found: Floats, head: Mapping[str, Any]) -> tuple[PairSet, Floats]:
    """Return the pairs with the classes that a head has learnt, and its probabilities of these.

    If the pairs have other labels, the probabilities of the classes that mean the same are added up.
    """
    if found.ndim == 1:
        return pairs, found
    learnt, same = list(head["classes"]), sorted(head["same"])
    if pairs.labels != "classes" or not set(pairs.classes) <= set(learnt):
        return pairs.binary() if pairs.labels == "classes" else pairs, np.asarray(found[:, same].sum(axis=1))
    number = np.array([learnt.index(name) for name in pairs.classes], dtype=np.float64)
    targets = number[pairs.targets.astype(np.int64)]
    return replace(pairs, targets=targets, classes=tuple(learnt), same=frozenset(same)), found
