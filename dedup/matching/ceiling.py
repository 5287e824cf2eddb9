"""How probable a pair can be at most, worked out on arrays for many pairs at once.

The log-odds of a pair are a sum of curves, each of one column of evidence. What the curves can reach within
``bounds`` on their columns adds up to a ceiling of the log-odds, and a pair whose ceiling is too low need
not be compared. A curve of a column without bounds counts with its maximum.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.features import FEATURES
from dedup.evidence.scorer import Curve, Scorer, logistic
from dedup.matching.bounds import Bound, bounds_of_names, bounds_of_parts, likeness_of_consonants
from dedup.matching.name_table import Bools, Floats, Ints, NameTable
from dedup.runtime.arrays import ranges

_SLACK = 1e-6
"""Relative error of bounds and of the float32 evidence that they are for."""

_MOST_MEETINGS = 2_000_000
"""Pairs of words, of all pairs of names together, that are looked at at once: a few hundred megabytes."""

_MOST_MEETINGS_OF_A_PAIR = 4_096
"""Of more words than that, as of documents, a ceiling takes longer than comparing them."""


class Ceiling:
    """Bounds the log-odds of pairs of the names of a table."""

    def __init__(self, scorer: Scorer, table: NameTable) -> None:
        self._scorer = scorer
        self._curves = dict(zip(FEATURES, scorer.curves, strict=True))
        self._table = table

    def log_odds(self, pairs: Ints, similarities: NDArray[np.float32]) -> Floats:
        """Return what the log-odds (n,) of ``pairs`` (n, 2) of names, as places, are at most.

        ``similarities`` (n,) are their cosines. No ceiling is known for names in two scripts and for documents.
        """
        starts, parts = self._table.starts, self._table.parts
        meetings = (starts[parts[pairs + 1]] - starts[parts[pairs]]).prod(axis=1)
        known = np.flatnonzero((meetings <= _MOST_MEETINGS_OF_A_PAIR) & ~self._are_of_two_scripts(pairs))
        result = np.full(len(pairs), np.inf)
        ends = np.flatnonzero(np.diff(np.cumsum(meetings[known]) // _MOST_MEETINGS)) + 1
        for block in np.split(known, ends):
            if len(block):
                result[block] = self._log_odds(pairs[block], similarities[block])
        return result

    def _are_of_two_scripts(self, pairs: Ints) -> Bools:
        return np.asarray(self._table.is_latin[pairs[:, 0]] != self._table.is_latin[pairs[:, 1]])

    def _log_odds(self, pairs: Ints, similarities: NDArray[np.float32]) -> Floats:
        of_names = bounds_of_names(self._table, *pairs.T) | {"similarity": (similarities, "exactly")}
        # Which parts of two names are compared is not known: the best of all their pairs counts.
        counts = [self._table.parts[names + 1] - self._table.parts[names] for names in pairs.T]
        numbers = counts[0] * counts[1]
        owner = np.repeat(np.arange(len(pairs)), numbers)
        which = np.divmod(ranges(np.zeros_like(numbers), numbers), counts[1][owner])
        first, second = (self._table.parts[names][owner] + at for names, at in zip(pairs.T, which, strict=True))
        consonants = likeness_of_consonants(self._table, *pairs.T)
        of_parts = bounds_of_parts(self._table, first, second, consonants[owner])
        best = np.maximum.reduceat(self._reach(of_parts, len(owner)), np.cumsum(numbers) - numbers)
        unbounded = sum(max(c.values) for f, c in self._curves.items() if f not in of_names and f not in of_parts)
        return self._scorer.intercept + unbounded + self._reach(of_names, len(pairs)) + best + _SLACK

    def probabilities(self, pairs: Ints, similarities: NDArray[np.float32]) -> Floats:
        """Return what the probabilities (n,) of ``pairs`` (n, 2) are at most, as ``log_odds``."""
        return logistic(self.log_odds(pairs, similarities))

    def _reach(self, bounds: Mapping[str, Bound], n: int) -> Floats:
        """Return the most that the curves of these columns can add up to, (n,)."""
        total = np.zeros(n)
        for feature, (values, kind) in bounds.items():
            curve = self._curves[feature]
            if kind == "at most":
                curve = Curve(curve.knots, tuple(np.maximum.accumulate(curve.values).tolist()))
                values = values + _SLACK * (1 + np.abs(values))
            elif kind == "at least":
                curve = Curve(curve.knots, tuple(np.maximum.accumulate(curve.values[::-1])[::-1].tolist()))
                values = values - _SLACK * (1 + np.abs(values))
            total += curve(values)
        return total
