"""Comparison of many pairs out of one set of texts, in blocks that fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dedup.model import Model
from dedup.nearest import cosine

_PAIRS_AT_ONCE = 100_000


def _nobody(done: int, total: int) -> None:
    """Tell nobody."""


class Comparison:
    """Asks a model for the probabilities of pairs of ``normal_forms`` (n) with their ``codes`` (n, d)."""

    def __init__(self, model: Model, codes: NDArray[np.int8], normal_forms: Sequence[str]) -> None:
        self._model = model
        self._codes = codes
        self._normal_forms = normal_forms

    def probabilities(
        self,
        pairs: NDArray[np.int64],
        similarities: NDArray[np.float32],
        on_progress: Callable[[int, int], None] = _nobody,
    ) -> NDArray[np.float64]:
        """Return the probabilities (p,) of ``pairs`` (p, 2), as places, with their cosines (p,).

        ``on_progress`` is called with the number of pairs compared and of all pairs.
        """
        result = np.empty(len(pairs), np.float64)
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            block = slice(start, start + _PAIRS_AT_ONCE)
            left, right = ([self._normal_forms[place] for place in side] for side in pairs[block].T.tolist())
            result[block] = self._model.compare(left, right, similarities[block])
            on_progress(min(block.stop, len(pairs)), len(pairs))
        return result

    def of_any(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probabilities (q,) of any ``pairs`` (q, 2)."""
        similarities = np.empty(len(pairs), np.float32)
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            first, second = pairs[start : start + _PAIRS_AT_ONCE].T
            similarities[start : start + _PAIRS_AT_ONCE] = cosine(self._codes[first], self._codes[second])
        return self.probabilities(pairs, similarities)
