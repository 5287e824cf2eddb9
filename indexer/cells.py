"""Which cells of an index are nearest to a vector, all in whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedup import threads
from dedup.products import products
from indexer.faiss_index import Index, centres_of
from indexer.store import Codes

Cells = NDArray[np.int32]

_ROWS = 256
_ABOVE_PRODUCTS = 1 << 25


def nearest_cells(codes: Codes, index: Index, count: int) -> Cells:
    """Return the ``count`` cells of each of ``codes`` (n, d) that have the largest products with their centres.

    (n, count), the largest first, ties by the lower cell. The centres are rounded to int8.
    """
    centres = centres_of(index)
    centres = np.rint(centres * (127 / np.abs(centres).max())).astype(np.int8)
    cells = np.empty((len(codes), count), np.int32)

    def assign(start: int) -> None:
        block = slice(start, start + _ROWS)
        cells[block] = _largest(products(codes[block], centres), count)

    for _ in threads.in_order(assign, range(0, len(codes), _ROWS)):
        pass
    return cells


def _largest(values: NDArray[np.int32], count: int) -> Cells:
    """Return the columns of the ``count`` largest of each row; ties by the lower column.

    Columns are taken in groups. The count-th largest maximum of a group is a bound that few more values reach.
    """
    rows, width = values.shape
    groups = min(width, 1 << (3 * count - 1).bit_length())
    maxima = values.reshape(rows, -1, groups).max(axis=1)
    bounds = np.partition(maxima, groups - count, axis=1)[:, groups - count]
    hits = np.flatnonzero((values >= bounds[:, None]).ravel())
    order = (np.int64(_ABOVE_PRODUCTS) - values.ravel()[hits]) * width + hits % width
    order += hits // width << 44
    order.sort()
    first = np.searchsorted(order, np.arange(rows) << 44)
    largest: Cells = (order[first[:, None] + np.arange(count)] % width).astype(np.int32)
    return largest
