"""The cells that vectors are sorted into, and which of them are nearest to a vector, all in whole numbers.

A cell is known by its centre, a vector of int8 as the codes are. Products of codes with centres are exact and so
are sums of codes, so the cells do not depend on the number of threads.
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

CELLS_ASKED = 5
"""Cells in which a text asks for its neighbours, of all in which it lies: those that are nearest to it."""

_SAMPLE_PER_CELL = 64
_TRAINING_ROUNDS = 8
_SEED = 20
_LARGEST_VALUE = 127
_BLOCK = 1 << 16
_ROWS = 512
_ABOVE_PRODUCTS = 1 << 25


def find_centres(codes: Codes, progress: Progress = no_progress) -> Codes:
    """Return the centres (c, d) of 2^round(log2(4 sqrt n)) cells for ``codes`` (n, d): spherical k-means.

    They come from a seeded sample of at most 64 codes for each cell. All are scaled alike, the largest value to
    127, and so nearly of one length. ``progress`` hears of ``cells``.
    """
    cells = 1 << round(math.log2(4 * math.sqrt(len(codes))))
    generator = np.random.default_rng(_SEED)
    sample = codes
    if len(codes) > cells * _SAMPLE_PER_CELL:
        sample = codes[np.sort(generator.choice(len(codes), cells * _SAMPLE_PER_CELL, replace=False))]
    centres = sample[generator.choice(len(sample), cells, replace=False)]
    total = _TRAINING_ROUNDS * len(sample)
    for start in range(0, total, len(sample)):
        sums = np.zeros(centres.shape)
        for at in range(0, len(sample), _BLOCK):
            block = sample[at : at + _BLOCK]
            sums += _sums(block, nearest_cells(block, centres, 1)[:, 0], cells)
            progress("cells", start + at + len(block), total)
        lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums))
        empty = lengths == 0
        sums[empty], lengths[empty] = centres[empty], np.linalg.norm(centres[empty], axis=1)  # it stays where it is
        directions = sums / np.maximum(lengths, 1)[:, None]
        centres = np.rint(directions * (_LARGEST_VALUE / np.abs(directions).max())).astype(np.int8)
    return centres


def _sums(codes: Codes, cells: NDArray[np.integer[Any]], count: int) -> NDArray[np.int32]:
    """Return the sum of the codes (n, d) of each of so many cells, given the cell of each (n,)."""
    from scipy.sparse import csr_array  # a tenth of a second, which a query would wait for

    is_in = csr_array((np.ones(len(codes), np.int32), cells, np.arange(len(codes) + 1)), shape=(len(codes), count))
    sums: NDArray[np.int32] = is_in.T @ codes.astype(np.int32)
    return sums


def nearest_cells(codes: Codes, centres: Codes, count: int, progress: Progress = no_progress) -> Cells:
    """Return the ``count`` cells of each of ``codes`` (n, d) that have the largest products with their ``centres``.

    (n, count), the largest first, ties by the lower cell; in 16 bits if there are no more than 65,536 cells.
    ``progress`` hears of ``cells of texts``.
    """
    cells = np.empty((len(codes), count), np.uint16 if len(centres) <= 1 << 16 else np.int32)

    def assign(start: int) -> None:
        block = slice(start, start + _ROWS)
        cells[block] = _largest(products(codes[block], centres), count)

    for block, _ in enumerate(threads.in_order(assign, range(0, len(codes), _ROWS)), 1):
        progress("cells of texts", min(block * _ROWS, len(codes)), len(codes))
    return cells


def _largest(values: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Return the columns of the ``count`` largest of each row; ties by the lower column.

    Columns are taken in groups. The count-th largest maximum of a group is a bound that few more values reach.
    """
    if count == 1:
        nearest: NDArray[np.int64] = values.argmax(axis=1, keepdims=True)
        return nearest
    rows, width = values.shape
    groups = min(width, 1 << (3 * count - 1).bit_length())
    maxima = values.reshape(rows, -1, groups).max(axis=1)
    bounds = np.partition(maxima, groups - count, axis=1)[:, groups - count]
    hits = np.flatnonzero((values >= bounds[:, None]).ravel())
    order = (np.int64(_ABOVE_PRODUCTS) - values.ravel()[hits]) * width + hits % width
    order += hits // width << 44
    order.sort()
    first = np.searchsorted(order, np.arange(rows) << 44)
    largest: NDArray[np.int64] = order[first[:, None] + np.arange(count)] % width
    return largest
