"""The nearest neighbours of all texts among all: each text lies in several cells, and a cell compares its own.

A text belongs to the cells whose centres are nearest to it. All texts of a cell are compared with each other,
so a pair is compared if the two share a cell, and near texts nearly always share one of several. That is the
divide and conquer of Wang et al., "Scalable k-NN graph construction for visual descriptors", CVPR 2012, with
cells that overlap in place of random divisions.

All arithmetic is that of whole numbers, so the result does not depend on threads or on any order.
A thread is given at most 8,192 texts to compare with 8,192, so memory stays small where a cell is large, and a
signal is heard soon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations_with_replacement
from threading import Event, Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, get_index_dtype

from dedup import threads
from dedup.nearest import norms
from dedup.neighbour_lists import NeighbourLists
from dedup.products import products
from indexer.cells import Cells
from indexer.store import Codes

Rows = NDArray[np.integer[Any]]

_TILE = 512
_PART = 1 << 13
_MOST_FOUND = 1 << 17
_FIRST_CELLS = 2
"""Cells of each text that are compared first: they hold most neighbours, and later ones must be nearer."""


def all_neighbours(
    codes: Codes,
    k: int,
    least_similarity: float,
    cells: Cells | None,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> NeighbourLists:
    """Return the ``k`` nearest others of every row of ``codes`` (n, d), of those that share a cell with it.

    ``cells`` (n, m) are the cells of each row, the most likely first; None: one cell that holds all, which
    is an exact search. Listed are those with a cosine of at least ``least_similarity``, ties by the lower row.
    Time Σ s² d over cells of s rows; memory 8 k + 10 m bytes a row. ``progress`` hears how many rows are as good
    as done, both passes taken together.
    """
    if least_similarity < 0:
        raise ValueError(f"{least_similarity} is no similarity of near texts")
    n = len(codes)
    search = _Search(codes, NeighbourLists(n, k, least_similarity))
    if cells is None:
        search.run([np.arange(n)], lambda share: progress(int(share * n)))
        return search.lists
    first = cells[:, :_FIRST_CELLS]
    of_first, of_all = _work(first), _work(cells)
    of_first /= of_first + of_all
    search.run(_members(first), lambda share: progress(int(share * of_first * n)))
    search.run(_members(cells), lambda share: progress(int((1 - (1 - share) * (1 - of_first)) * n)))
    return search.lists


def _work(cells: Cells) -> float:
    """Return how many products the comparison within each of ``cells`` (n, m) takes."""
    count = int(cells.max()) + 1
    sizes = sum((np.bincount(column, minlength=count) for column in cells.T), np.zeros(count))
    return float(sizes @ sizes)


def _members(cells: Cells) -> Iterator[Rows]:
    """Yield the rows of each cell, the largest cell first."""
    starts = np.arange(0, cells.size + 1, cells.shape[1], dtype=get_index_dtype(maxval=cells.size))
    by_cell = csr_array((np.ones(cells.size, np.int8), cells.ravel(), starts)).tocsc()
    ends = by_cell.indptr
    sizes = np.diff(ends)
    for cell in np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)].tolist():
        yield by_cell.indices[ends[cell] : ends[cell + 1]]


class _Search:
    """What the threads share: they read codes, and take turns in changing the lists."""

    def __init__(self, codes: Codes, lists: NeighbourLists) -> None:
        self.lists = lists
        self._codes = codes
        blocks = [norms(codes[start : start + _PART]) for start in range(0, len(codes), _PART)]
        self._norms = np.concatenate(blocks)
        self._lock = Lock()
        self._stopped = Event()

    def run(self, in_cells: Iterable[Rows], progress: Callable[[float], None]) -> None:
        """Compare within each of the cells; ``progress`` hears of the share that is done."""
        tasks = [task for rows in in_cells for task in _tasks(rows)]
        work = sum(len(left) * len(right) for left, right in tasks)
        done = 0
        with ThreadPoolExecutor(threads.count()) as executor:
            try:
                for pairs in executor.map(lambda task: self._compare(*task), tasks):
                    done += pairs
                    progress(done / work)
            except BaseException:
                self._stopped.set()
                executor.shutdown(cancel_futures=True)
                raise

    def _compare(self, left: Rows, right: Rows) -> int:
        """Compare rows of ``left`` with those of ``right``, or with each other if it is the same; return how many.

        Rows that need much of a neighbour come last, so that one bound for a tile is close to that of its rows.
        """
        is_one = left is right
        left = self._by_need(left)
        right = left if is_one else self._by_need(right)
        codes = self._codes[right]
        for start in range(0, len(left), _TILE):
            if self._stopped.is_set():
                break
            block = left[start : start + _TILE]
            skipped = start if is_one else 0
            self._compare_block(block, right[skipped:], codes[skipped:], is_one=is_one)
        return len(left) * len(right)

    def _by_need(self, rows: Rows) -> Rows:
        return rows[np.argsort(self.lists.worst(rows), kind="stable")]

    def _compare_block(self, block: Rows, right: Rows, codes: Codes, *, is_one: bool) -> None:
        """Offer to each other the rows of ``block`` and ``right`` that may be near enough.

        With ``is_one``, ``right`` begins with the block, and each pair is taken once.
        """
        left = self._codes[block]
        starts = np.arange(0, len(right), _TILE)
        needed = np.minimum.reduceat(self.lists.worst(right), starts)
        bounds = np.minimum(needed, self.lists.worst(block).min())
        bounds *= np.minimum.reduceat(self._norms[right], starts) * self._norms[block].min()
        found: list[tuple[Rows, Rows, Rows]] = []
        for start, bound in zip(starts.tolist(), np.floor(bounds).astype(np.int32).tolist(), strict=True):
            tile = products(left, codes[start : start + _TILE])
            hits = np.flatnonzero(tile.ravel() >= bound)
            rows, columns = np.divmod(hits, tile.shape[1])
            if is_one and not start:
                once = columns > rows
                hits, rows, columns = hits[once], rows[once], columns[once]
            found.append((block[rows], right[start + columns], tile.ravel()[hits]))
            if sum(len(hits) for *_, hits in found) > _MOST_FOUND:
                self._offer(found)
                found = []
        self._offer(found)

    def _offer(self, found: list[tuple[Rows, Rows, Rows]]) -> None:
        """Offer pairs to both of their rows: first rows, second rows and products, in parts."""
        if not found:
            return
        first, second, dots = (np.concatenate(parts) for parts in zip(*found, strict=True))
        cosines = (dots / (self._norms[first] * self._norms[second])).astype(np.float32)
        with self._lock:
            self.lists.offer(first, second, cosines)
            self.lists.offer(second, first, cosines)


def _tasks(rows: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Divide the comparison of all ``rows`` with each other into parts that take a moment each."""
    parts = np.array_split(rows, -(-len(rows) // _PART))
    return combinations_with_replacement(parts, 2)
