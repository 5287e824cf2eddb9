"""Array helpers for ragged data: rows of different lengths stored one after another in a flat array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the concatenation of ``range(start, start + count)`` for each start and count.

    ``starts`` and ``counts`` are (n,); the result is (sum of counts,).
    """
    ends = np.cumsum(counts)
    result: NDArray[np.int64] = np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts)
    return result
