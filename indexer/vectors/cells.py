"""The cells of an inverted index: their centres, and the cells nearest to a vector, in integer arithmetic.

Centres are int8 like the vectors. Products and sums of int8 vectors are exact, so cells do not depend on the number of
threads.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.runtime import threads
from dedup.runtime.progress import Progress, no_progress
from indexer.store.store import Codes
from indexer.vectors.int8_products import products

Cells = NDArray[np.uint16] | NDArray[np.int32]
"""The cells that each text is assigned to, (n, m), nearest first."""

CELLS_SEARCHED = 5
"""A text searches this many of the cells that it is assigned to: the nearest."""

_SAMPLE_PER_CELL = 64
_ITERATIONS = 8
_SEED = 20
_MAX_VALUE = 127
_BLOCK = 1 << 16
_ROWS = 512
_PRODUCT_LIMIT = 1 << 25
"""Larger than any product of two vectors."""


def find_centres(codes: Codes, progress: Progress = no_progress) -> Codes:
    """Return the centres (c, d) of c = 2^round(log2(4 sqrt n)) cells for ``codes`` (n, d), by spherical k-means.

    Training uses a seeded sample of at most 64 codes per cell. All centres are scaled by the same factor, which makes
    the largest value 127, so their norms are nearly equal. Stages reported to ``progress``: ``cells``.
    """
    cells = 1 << round(math.log2(4 * math.sqrt(len(codes))))
    generator = np.random.default_rng(_SEED)
    sample = codes
    if len(codes) > cells * _SAMPLE_PER_CELL:
        sample = codes[np.sort(generator.choice(len(codes), cells * _SAMPLE_PER_CELL, replace=False))]
    centres = sample[generator.choice(len(sample), cells, replace=False)]
    total = _ITERATIONS * len(sample)
    for start in range(0, total, len(sample)):
        sums = np.zeros(centres.shape)
        for at in range(0, len(sample), _BLOCK):
            block = sample[at : at + _BLOCK]
            sums += _sums(block, nearest_cells(block, centres, 1)[:, 0], cells)
            progress("cells", start + at + len(block), total)
        lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums))
        empty = lengths == 0
        sums[empty], lengths[empty] = centres[empty], np.linalg.norm(centres[empty], axis=1)  # keep its centre
        directions = sums / np.maximum(lengths, 1)[:, None]
        centres = np.rint(directions * (_MAX_VALUE / np.abs(directions).max())).astype(np.int8)
    return centres


def _sums(codes: Codes, cells: NDArray[np.integer[Any]], count: int) -> NDArray[np.int32]:
    """Return the sums (count, d) of the ``codes`` (n, d) in each cell, given the cell of each code (n,)."""
    from scipy.sparse import csr_array  # takes 0.1 s to import, which a query would wait for

    membership = csr_array((np.ones(len(codes), np.int32), cells, np.arange(len(codes) + 1)), shape=(len(codes), count))
    sums: NDArray[np.int32] = membership.T @ codes.astype(np.int32)
    return sums


def nearest_cells(codes: Codes, centres: Codes, count: int, progress: Progress = no_progress) -> Cells:
    """Return the ``count`` cells with the largest inner product of centre and code, for each of ``codes`` (n, d).

    (n, count), largest product first, ties by the lower cell; uint16 for up to 65,536 cells. Stages reported to
    ``progress``: ``assign to cells``.
    """
    cells = np.empty((len(codes), count), np.uint16 if len(centres) <= 1 << 16 else np.int32)

    def assign(start: int) -> None:
        block = slice(start, start + _ROWS)
        cells[block] = _top_columns(products(codes[block], centres), count)

    for block, _ in enumerate(threads.in_order(assign, range(0, len(codes), _ROWS)), 1):
        progress("assign to cells", min(block * _ROWS, len(codes)), len(codes))
    return cells


def _top_columns(values: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Return the columns of the ``count`` largest values of each row, largest first, ties by the lower column.

    Columns are divided into groups. The count-th largest group maximum is a lower bound that few other values reach, so
    only those are sorted.
    """
    if count == 1:
        nearest: NDArray[np.int64] = values.argmax(axis=1, keepdims=True)
        return nearest
    rows, width = values.shape
    groups = min(width, 1 << (3 * count - 1).bit_length())
    maxima = values.reshape(rows, -1, groups).max(axis=1)
    bounds = np.partition(maxima, groups - count, axis=1)[:, groups - count]
    hits = np.flatnonzero((values >= bounds[:, None]).ravel())
    order = (np.int64(_PRODUCT_LIMIT) - values.ravel()[hits]) * width + hits % width
    order += hits // width << 44
    order.sort()
    first = np.searchsorted(order, np.arange(rows) << 44)
    largest: NDArray[np.int64] = order[first[:, None] + np.arange(count)] % width
    return largest
