"""A registry of features: pieces of evidence on a pair, each defined once.

A new feature takes one entry in the registry of its kind of texts, a function that computes it and a function that
puts it into words. The scorer, the explanations, the training and the upper bounds read the rest from here. A model is
tied to its features, so a change of their names or order needs a new model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Compute = Callable[[Any], Mapping[str, NDArray[Any]]]
"""Takes a batch of pairs of its kind (``kinds``) and returns columns (n,) by feature name.

Features that are cheaper to compute together share one function.
"""

Label = Callable[[Any], str]
"""Puts the evidence of one pair of its kind into words. Features that share a label count as one reason."""


class Batch(Protocol):
    """What evidence is computed from: n pairs, and more that depends on their kind."""

    @property
    def pairs(self) -> Sequence[Any]:
        """The pairs (n,)."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One piece of evidence, a column of the evidence matrix.

    ``direction``: 1 if more of it can only support a match, -1 if it can only count against one, 0 if either.
    ``neutral``: the value that shows nothing; None if every value does.
    ``one_script_only``: whether it is 0 for names in two scripts, because a word and its transliteration are
    rarely spelt alike.
    ``decided_by``: the pairs that its curve is fitted to last. Labelled company pairs hardly ever show some
    features, and say less about spelling than place names in many scripts do.
    """

    name: str
    direction: Literal[1, 0, -1]
    compute: Compute
    label: Label | None
    neutral: float | None = 0.0
    one_script_only: bool = False
    decided_by: Literal["labelled", "generated", "places", "remainder"] = "labelled"


class Registry:
    """An ordered set of features, which are the columns of the evidence matrix."""

    def __init__(self, features: Iterable[Feature]) -> None:
        self._features = tuple(features)
        self.names = tuple(feature.name for feature in self._features)
        self._computations = tuple(dict.fromkeys(feature.compute for feature in self._features))
        self._one_script_only = [i for i, feature in enumerate(self._features) if feature.one_script_only]

    def __iter__(self) -> Iterator[Feature]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)

    def evidence(self, batch: Batch) -> NDArray[np.float32]:
        """Return the evidence on n pairs, (n, features) float32."""
        rows = np.zeros((len(batch.pairs), len(self)), dtype=np.float32)
        if len(rows):
            columns: dict[str, NDArray[Any]] = {}
            for compute in self._computations:
                columns.update(compute(batch))
            for i, name in enumerate(self.names):
                rows[:, i] = columns[name]
            if self._one_script_only:
                rows[np.ix_([pair.are_of_two_scripts for pair in batch.pairs], self._one_script_only)] = 0
        return rows

    def neutral(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``rows`` (n, features) with every feature at the value that shows nothing."""
        result = rows.copy()
        for i, feature in enumerate(self._features):
            if feature.neutral is not None:
                result[:, i] = feature.neutral
        return result

    def reasons(self) -> Mapping[Label, Sequence[str]]:
        """Return the names of the features that each label puts into words."""
        result: dict[Label, list[str]] = {}
        for feature in self._features:
            if feature.label is not None:
                result.setdefault(feature.label, []).append(feature.name)
        return result
