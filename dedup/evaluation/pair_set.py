"""Labelled pairs of texts: same or different, one of several classes, or a grade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dedup.errors import InputRefused

Labels = Literal["binary", "classes", "graded"]

HIGHEST_GRADE = 5.0
SAME_GRADE = 0.6
"""Share of the highest grade from which a graded pair counts as the same: 3 of 5, "roughly equivalent"."""


@dataclass(frozen=True, slots=True)
class PairSet:
    """n pairs of normal forms with their labels.

    Attributes:
        left: The first texts.
        right: The second texts.
        targets: (n,) 1 for the same and 0 for different, the number of the class, or the grade divided by 5.
        labels: What the targets are.
        classes: The names of the classes by their numbers; empty for graded pairs.
        same: The numbers of the classes that count as the same.

    """

    left: Sequence[str]
    right: Sequence[str]
    targets: NDArray[np.float64]
    labels: Labels = "binary"
    classes: tuple[str, ...] = ("0", "1")
    same: frozenset[int] = frozenset({1})

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which pairs count as the same, (n,)."""
        if self.labels == "graded":
            return self.targets >= SAME_GRADE
        return np.isin(self.targets, sorted(self.same))

    def check_same(self) -> None:
        """Raise ``InputRefused`` if no class counts as the same."""
        if self.labels == "classes" and not self.same:
            raise InputRefused(
                f"None of the classes {', '.join(self.classes)} counts as the same; name those that do with --same.",
                "E_LABELS",
            )

    def select(self, rows: NDArray[np.int64]) -> PairSet:
        """Return the pairs with these numbers, in this order."""
        left, right = ([side[row] for row in rows] for side in (self.left, self.right))
        return replace(self, left=left, right=right, targets=self.targets[rows])

    def binary(self) -> PairSet:
        """Return the same pairs, labelled 1 where they count as the same and 0 elsewhere."""
        return replace(
            self, targets=self.positive.astype(np.float64), labels="binary", classes=("0", "1"), same=frozenset({1})
        )

    def with_more(self, left: Sequence[str], right: Sequence[str], target: float) -> PairSet:
        """Return these pairs and more, all with one target."""
        targets = np.concatenate([self.targets, np.full(len(left), target)])
        return replace(self, left=[*self.left, *left], right=[*self.right, *right], targets=targets)

    def texts(self) -> list[str]:
        """Return the distinct texts in order of appearance."""
        return list(dict.fromkeys(text for pair in zip(self.left, self.right, strict=True) for text in pair))
