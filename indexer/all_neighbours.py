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
from scipy.sparse import csr_array

from dedup import threads
from dedup.nearest import norms
from dedup.neighbour_lists import NeighbourLists, RecentPairs
from dedup.products import products
from indexer.cells import Cells
from indexer.store import Codes, Ids

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
) -> tuple[Ids, NDArray[np.float32]]:
    """Return the ``k`` nearest others of every row of ``codes`` (n, d), of those that share a cell with it.

    ``cells`` (n, m) are the cells of each row, the most likely first; None: one cell that holds all, which
    is an exact search. Rows and cosines, both (n, k): nearest first, ties by the lower row; row -1 and
    cosine -1 where fewer have a cosine of at least ``least_similarity``. Time Σ s² d over cells of s rows;
    memory 8 k + 4 m bytes a row. ``progress`` hears how many rows are as good as done.
    """
    if least_similarity < 0:
        raise ValueError(f"{least_similarity} is no similarity of near texts")
    search = _Search(codes, NeighbourLists(len(codes), k, least_similarity))
    if cells is not None:
        search.run(_members(cells[:, :_FIRST_CELLS]), lambda share: None)
    search.run(
        [np.arange(len(codes))] if cells is None else _members(cells), lambda share: progress(int(share * len(codes)))
    )
    return search.lists.nearest()


def _members(cells: Cells) -> Iterator[Rows]:
    """Yield the rows of each cell, the largest cell first."""
    starts = np.arange(0, cells.size + 1, cells.shape[1])
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
        self._met = RecentPairs(8 * len(codes))
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
        left, needs = self._by_need(left)
        right, other_needs = (left, needs) if is_one else self._by_need(right)
        codes = self._codes[right]
        bounds = self._bounds(left, needs, right, other_needs)
        found: list[tuple[Rows, Rows, Rows]] = []
        count = 0
        for start, of_block in zip(range(0, len(left), _TILE), bounds, strict=True):
            if self._stopped.is_set():
                break
            block = left[start : start + _TILE]
            block_codes = self._codes[block]
            for other in range(start if is_one else 0, len(right), _TILE):
                tile = products(block_codes, codes[other : other + _TILE])
                hits = np.flatnonzero(tile.ravel() >= of_block[other // _TILE])
                rows = hits // tile.shape[1]
                columns = hits - rows * tile.shape[1]
                if is_one and other == start:  # each pair once
                    once = columns > rows
                    hits, rows, columns = hits[once], rows[once], columns[once]
                found.append((block[rows], right[other + columns], tile.ravel()[hits]))
                count += len(hits)
                if count > _MOST_FOUND:
                    self._offer(found)
                    found, count = [], 0
        self._offer(found)
        return len(left) * len(right)

    def _by_need(self, rows: Rows) -> tuple[Rows, NDArray[np.float32]]:
        """Return the rows in the order of the cosine that a neighbour must have, and these cosines."""
        needed = self.lists.worst(rows)
        order = np.argsort(needed, kind="stable")
        return rows[order], needed[order]

    def _bounds(
        self, left: Rows, needs: NDArray[np.float32], right: Rows, other_needs: NDArray[np.float32]
    ) -> NDArray[np.int32]:
        """Return what a product in each tile must be at least to matter to either of its rows, which are by need."""
        starts, other_starts = np.arange(0, len(left), _TILE), np.arange(0, len(right), _TILE)
        cosines = np.minimum(needs[starts][:, None], other_needs[other_starts])
        lengths = np.minimum.reduceat(self._norms[left], starts)
        other_lengths = np.minimum.reduceat(self._norms[right], other_starts)
        bounds: NDArray[np.int32] = np.floor(cosines * (lengths[:, None] * other_lengths)).astype(np.int32)
        return bounds

    def _offer(self, found: list[tuple[Rows, Rows, Rows]]) -> None:
        """Offer pairs to both of their rows: first rows, second rows and products, in parts."""
        if not found:
            return
        first, second, dots = (np.concatenate(parts) for parts in zip(*found, strict=True))
        new = self._met.add(first, second)
        first, second, dots = first[new], second[new], dots[new]
        cosines = (dots / (self._norms[first] * self._norms[second])).astype(np.float32)
        for rows, others in ((first, second), (second, first)):
            near = np.flatnonzero(cosines >= self.lists.worst(rows))
            with self._lock:
                self.lists.offer(rows[near], others[near], cosines[near])


def _tasks(rows: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Divide the comparison of all ``rows`` with each other into parts that take a moment each."""
    parts = np.array_split(rows, -(-len(rows) // _PART))
    return combinations_with_replacement(parts, 2)
