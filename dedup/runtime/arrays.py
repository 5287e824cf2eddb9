"""Ranges of whole numbers, one after the other: the places of rows of different lengths in one array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers from each start on, as many as its count, one range after the other."""
    ends = np.cumsum(counts)
    result: NDArray[np.int64] = np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts)
    return result
