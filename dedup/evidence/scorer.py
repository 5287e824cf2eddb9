"""Evidence to a calibrated probability: a monotone additive logistic model, stored as readable JSON.

The log-odds of "same" are an intercept plus one piecewise-linear function of each feature, a generalised
additive model (Hastie and Tibshirani, "Generalized additive models", Statistical Science 1, 1986). The functions
of features with a direction are monotone, so more agreement never lowers a probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.errors import VersionMismatch
from dedup.evidence.features import FEATURES

_LARGEST = 1e6
"""Numbers of a model beyond this, 20,000 times what makes a pair certain, come from a damaged file."""


def logistic(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert log-odds (n,) to probabilities (n,)."""
    result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(log_odds, -50, 50)))
    return result


@dataclass(frozen=True, slots=True)
class Curve:
    """One feature's contribution to the log-odds: linear between ``values`` at ``knots``.

    ``values`` are centred: their weighted mean over the training pairs is 0.
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.knots) == len(self.values):
            raise ValueError(f"a curve has {len(self.knots)} knots and {len(self.values)} values")
        if max(map(abs, (*self.knots, *self.values))) > _LARGEST:
            raise ValueError(f"a curve has a number over {_LARGEST:,.0f}")
        if list(self.knots) != sorted(self.knots):
            raise ValueError("the knots of a curve are not in order")

    def __call__(self, feature: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the contribution of each value of the feature, (n,); constant beyond the outer knots."""
        return np.interp(feature, self.knots, self.values)


@dataclass(frozen=True, slots=True)
class Scorer:
    """Computes the probability that a pair is the same from its evidence."""

    intercept: float
    curves: tuple[Curve, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any], features: Sequence[str] = FEATURES) -> Scorer:
        """Read a scorer of these features in the form that ``to_json`` writes.

        Raises:
            VersionMismatch: it was trained on other features than this version computes.
            ArithmeticError, LookupError, TypeError, ValueError: the data have another form.
        """
        if tuple(data["features"]) != tuple(features):
            raise VersionMismatch(
                f"The scorer was trained on the features {', '.join(data['features'])}, which this version of "
                "neardup does not compute; use the model that ships with it or train one with `dedup train`."
            )
        curves = tuple(Curve(tuple(c["knots"]), tuple(c["values"])) for c in data["curves"])
        if len(curves) != len(features) or not abs(data["intercept"]) <= _LARGEST:
            raise ValueError(f"{len(curves)} curves for {len(features)} features, intercept {data['intercept']!r}")
        return cls(float(data["intercept"]), curves)

    def to_json(self, features: Sequence[str] = FEATURES) -> dict[str, Any]:
        """Return the scorer as plain JSON data, with the names of its features."""
        curves = [{"knots": list(c.knots), "values": list(c.values)} for c in self.curves]
        return {"features": list(features), "intercept": self.intercept, "curves": curves}

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return each feature's contribution, (n, features); with the intercept they sum to the log-odds."""
        return np.column_stack([curve(rows[:, i]) for i, curve in enumerate(self.curves)])

    def log_odds(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds of "same", (n,), for (n, features) evidence."""
        total = np.full(len(rows), self.intercept)
        for i, curve in enumerate(self.curves):
            total += curve(rows[:, i])
        return total

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of "same", (n,), for (n, features) evidence."""
        return logistic(self.log_odds(rows))
