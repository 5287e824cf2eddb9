"""What ``compare``, ``compare_many`` and ``explain`` return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.explain import Explanation
from indexer.results.tables import Tabular

EQUAL = "the texts are equal once normalised"


@dataclass(frozen=True, slots=True)
class Reason:
    """One piece of evidence in words, and what it adds to the log-odds, in nats; None where it decides alone."""

    label: str
    log_odds: float | None

    def __str__(self) -> str:
        return self.label if self.log_odds is None else f"{self.log_odds:+.2f} {self.label}"


@dataclass(frozen=True, slots=True)
class Comparison(Tabular):
    """Two texts, the probability (0 to 1) that they are the same, and the reasons for it.

    ``similarity`` is the cosine of their vectors (-1 to 1), ``exact`` is whether they are equal once normalised. The
    log-odds of the reasons add up to ``log_odds``, those of the probability; it is None for equal texts.
    """

    left: str
    right: str
    probability: float
    similarity: float
    exact: bool
    log_odds: float | None
    reasons: tuple[Reason, ...]

    @classmethod
    def of(cls, left: str, right: str, explanation: Explanation | None, *, exact: bool = False) -> Comparison:
        """Build a comparison from an explanation; None stands for texts that are equal once normalised.

        So does ``exact`` where fields were compared, too.
        """
        if explanation is None:
            return cls(left, right, 1.0, 1.0, True, None, (Reason(EQUAL, None),))
        reasons = tuple(Reason(item.label, item.log_odds) for item in explanation.contributions)
        found = explanation.probability, explanation.similarity
        return cls(left, right, *found, exact, explanation.log_odds, reasons)

    def __repr__(self) -> str:
        return f"Comparison({self.left!r}, {self.right!r}, probability={self.probability:.3f})"

    def __str__(self) -> str:
        total = "" if self.log_odds is None else f"\n  = {self.log_odds:+.2f} log-odds in total"
        return f"{self!r}\n  " + "\n  ".join(map(str, self.reasons)) + total

    def table_rows(self) -> list[Mapping[str, Any]]:
        """Return a row for each reason."""
        return [{"reason": reason.label, "log_odds": reason.log_odds} for reason in self.reasons]


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons(Tabular, Sequence[float]):
    """Arrays (n,) for n pairs of texts: probability, similarity, and whether both are equal once normalised.

    As a sequence it holds the probabilities.
    """

    left: Sequence[str]
    right: Sequence[str]
    probability: NDArray[np.float64]
    similarity: NDArray[np.float32]
    exact: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.probability)

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401 - as an array
        return self.probability[place]

    def __repr__(self) -> str:
        return f"Comparisons({len(self):,} pairs)"

    column_names = ("left", "right", "probability", "similarity", "exact")

    def table_rows(self) -> Iterator[Mapping[str, Any]]:
        """Return a row for each pair."""
        columns = self.probability.tolist(), self.similarity.tolist(), self.exact.tolist()
        return (
            dict(zip(self.column_names, row, strict=True)) for row in zip(self.left, self.right, *columns, strict=True)
        )
