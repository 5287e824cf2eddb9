"""Upper bounds on the probabilities of many pairs at once, computed on arrays.

The log-odds of a pair are a sum of curves, one for each feature. The highest value that each curve reaches
within the bounds on its feature (``evidence_bounds``) adds up to an upper bound on the log-odds; a pair whose
bound is below the threshold need not be compared. A feature without bounds counts with its curve's maximum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.features import FEATURES
from dedup.evidence.scorer import Curve, Scorer, logistic
from dedup.matching.evidence_bounds import Bound, bounds_of_names, bounds_of_parts, consonant_bounds
from dedup.matching.name_table import Bools, Floats, Ints, NameTable
from dedup.runtime.arrays import ranges
from dedup.text.names import LONG_TEXT

_SLACK = 1e-6
"""Relative error of the bounds and of the float32 evidence that they bound."""

_MAX_WORD_PAIRS = 2_000_000
"""Number of pairs of words, over all pairs of names, in one block: a few hundred megabytes."""

_MAX_WORD_PAIRS_OF_A_PAIR = 4_096
"""For pairs of more words, as in documents, a bound takes longer than the comparison."""


def are_read_alike(table: NameTable, pairs: Ints) -> Bools:
    """Return whether each of ``pairs`` (n, 2) may be compared as one name would be read in the other's spelling, (n,).

    They have no bounds: names compared by sound or in kana, and those with umlauts beside others without.
    """
    first, second = pairs.T
    result = table.is_in_kana[first] | table.is_in_kana[second]
    for script in (table.is_latin, table.has_han):
        result |= script[first] != script[second]
    for one, other in ((first, second), (second, first)):
        result |= table.has_umlaut[one] & table.may_be_written_out[other]
    return np.asarray(result)


class ProbabilityBounds:
    """Computes upper bounds on the log-odds and probabilities of pairs of names in a table."""

    def __init__(self, scorer: Scorer, table: NameTable) -> None:
        self._scorer = scorer
        self._curves = dict(zip(FEATURES, scorer.curves, strict=True))
        self._table = table

    def log_odds(self, pairs: Ints, similarities: NDArray[np.float32]) -> Floats:
        """Return upper bounds (n,) on the log-odds of ``pairs`` (n, 2) of row numbers in the table.

        ``similarities`` (n,) are their cosines. The bound is infinite for names compared by sound and for long texts.
        """
        starts, parts = self._table.starts, self._table.parts
        word_pairs = (starts[parts[pairs + 1]] - starts[parts[pairs]]).prod(axis=1)
        is_unbounded = (word_pairs > _MAX_WORD_PAIRS_OF_A_PAIR) | are_read_alike(self._table, pairs)
        bounded = np.flatnonzero(~(is_unbounded | (self._table.size[pairs].min(axis=1) >= LONG_TEXT)))
        result = np.full(len(pairs), np.inf)
        ends = np.flatnonzero(np.diff(np.cumsum(word_pairs[bounded]) // _MAX_WORD_PAIRS)) + 1
        for block in np.split(bounded, ends):
            if len(block):
                result[block] = self._log_odds(pairs[block], similarities[block])
        return result

    def _log_odds(self, pairs: Ints, similarities: NDArray[np.float32]) -> Floats:
        of_names = bounds_of_names(self._table, *pairs.T) | {"similarity": (similarities, "exactly")}
        # Which parts of two names fit best is not known here, so the best of all combinations counts.
        counts = [self._table.parts[names + 1] - self._table.parts[names] for names in pairs.T]
        combinations = counts[0] * counts[1]
        pair = np.repeat(np.arange(len(pairs)), combinations)
        which = np.divmod(ranges(np.zeros_like(combinations), combinations), counts[1][pair])
        first, second = (self._table.parts[names][pair] + at for names, at in zip(pairs.T, which, strict=True))
        consonants = consonant_bounds(self._table, *pairs.T)
        of_parts = bounds_of_parts(self._table, first, second, consonants[pair])
        best = np.maximum.reduceat(self._highest(of_parts, len(pair)), np.cumsum(combinations) - combinations)
        unbounded = sum(max(c.values) for f, c in self._curves.items() if f not in of_names and f not in of_parts)
        return self._scorer.intercept + unbounded + self._highest(of_names, len(pairs)) + best + _SLACK

    def probabilities(self, pairs: Ints, similarities: NDArray[np.float32]) -> Floats:
        """Return upper bounds (n,) on the probabilities of ``pairs`` (n, 2), as in ``log_odds``."""
        return logistic(self.log_odds(pairs, similarities))

    def _highest(self, bounds: Mapping[str, Bound], n: int) -> Floats:
        """Return the highest sum, (n,), that the curves of the bounded features can reach."""
        total = np.zeros(n)
        for feature, (values, relation) in bounds.items():
            curve = _highest_curve(self._curves[feature], relation)
            if len(set(curve.values)) == 1:
                total += curve.values[0]
            elif values.dtype == np.bool_:
                of_false, of_true = curve(_relaxed(np.array([0.0, 1.0]), relation)).tolist()
                total += np.where(values, of_true, of_false)
            else:
                total += curve(_relaxed(values, relation))
        return total


def _highest_curve(curve: Curve, relation: str) -> Curve:
    """Return the highest value that a curve reaches where the feature stands in this relation to each value."""
    if relation == "at most":
        return Curve(curve.knots, tuple(np.maximum.accumulate(curve.values).tolist()))
    if relation == "at least":
        return Curve(curve.knots, tuple(np.maximum.accumulate(curve.values[::-1])[::-1].tolist()))
    return curve


def _relaxed(values: NDArray[Any], relation: str) -> NDArray[Any]:
    """Return bounds (n,) with some slack."""
    if relation == "exactly":
        return values
    slack = _SLACK * (1 + np.abs(values))
    relaxed: NDArray[Any] = values + slack if relation == "at most" else values - slack
    return relaxed
