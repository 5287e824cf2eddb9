"""The nearest neighbours of all texts among all: each text lies in several cells, and asks in the nearest of these.

A text lies in the cells whose centres are nearest to it, and it is compared with all texts of the few cells that are
nearest of all. So a pair is compared if one of the two asks in a cell in which the other lies. That is probing
several cells of an inverted index (Jégou et al., "Product quantization for nearest neighbor search", PAMI 2011)
whose lists overlap, with all queries of a cell answered at once.

All arithmetic is that of whole numbers, so the result does not depend on threads or on any order.
A thread is given at most 8,192 texts to compare with 8,192, so memory stays small where a cell is large, and a
signal is heard soon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, combinations_with_replacement, product
from threading import Event, Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import norms
from dedup.runtime import threads
from indexer.store.store import Codes
from indexer.vectors.cells import CELLS_ASKED, Cells
from indexer.vectors.int8_products import products
from indexer.vectors.top_k import NeighbourLists

Rows = NDArray[np.integer[Any]]
Task = tuple[Rows, Rows]
"""Rows that are compared with rows; with each other if both are the same object."""

_TILE_ROWS = 1 << 10
_TILE_COLUMNS = 1 << 11
"""Products worked out at once: so many that calls, and waiting for the interpreter between them, take little."""
_PART = 1 << 13
_MOST_FOUND = 1 << 17
_GROUPS = 256
"""Parts of the cells that threads take in turn; a number of a byte."""
_PLACES = 1 << 20
_BOUND_CELLS = 2
"""Cells of each text that give the first bounds: they hold most neighbours. It asks in them, so bounds are kept."""
_MAXIMA = 64


def all_neighbours(
    codes: Codes,
    k: int,
    min_similarity: float,
    cells: Cells | None,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> NeighbourLists:
    """Return the ``k`` nearest others of every row of ``codes`` (n, d), of those that it is compared with.

    ``cells`` (n, m) are the cells of each row, the most likely first; two rows are compared if they share one that is
    among the first ``CELLS_ASKED`` of either. None: all are compared with all. Listed are those with a cosine of at
    least ``min_similarity``, ties by the lower row.
    Time Σ a s d over cells of s rows, a of which ask, each in one thread; memory 8 k + 3 m + 14 bytes a row.
    ``progress`` hears how many rows are as good as done, all passes taken together.
    """
    if min_similarity < 0:
        raise ValueError(f"{min_similarity} is no similarity of near texts")
    n = len(codes)
    search = _Search(codes, NeighbourLists(n, k, min_similarity))
    if cells is None:
        tasks = [[task] for task in _tasks(np.arange(n), np.arange(0))]
        search.run(search.compare, tasks, n * n / 2, lambda share: progress(int(share * n)))
        return search.lists
    bounding, comparing = _Members(cells[:, :_BOUND_CELLS]), _Members(cells)
    first = bounding.work / (bounding.work + comparing.work)
    search.run(search.bound, bounding.groups(), bounding.work, lambda share: progress(int(share * first * n)))
    del bounding
    last = 1 - first
    search.run(
        search.compare, comparing.groups(), comparing.work, lambda share: progress(int((first + share * last) * n))
    )
    return search.lists


class _Members:
    """The rows of each cell: those that ask in it, and those that only lie in it.

    ``work`` is the number of products that comparing them takes.
    """

    def __init__(self, cells: Cells) -> None:
        self._cells = np.ascontiguousarray(cells)
        count = int(cells.max()) + 1
        self._size = -(-count // _GROUPS)
        self._group = np.empty(cells.size, np.uint8)
        np.floor_divide(self._cells.ravel(), self._size, out=self._group, casting="unsafe")
        asking, lying = (_sizes(part, count) for part in (cells[:, :CELLS_ASKED], cells[:, CELLS_ASKED:]))
        self._work = np.add.reduceat(asking * (asking / 2 + lying), np.arange(0, count, self._size))
        self.work = float(self._work.sum())

    def groups(self) -> Iterator[Iterable[Task]]:
        """Yield the tasks of each group of cells, most work first; nothing is worked out before these are asked for."""
        return (self._of(group) for group in np.argsort(-self._work).tolist())

    def _of(self, group: int) -> Iterator[Task]:
        blocks = ((at, self._group[at : at + _PLACES]) for at in range(0, len(self._group), _PLACES))
        places = np.concatenate([at + np.flatnonzero(block == group) for at, block in blocks])
        rows, ranks = np.divmod(places, self._cells.shape[1])
        cells = self._cells.ravel()[places].astype(np.int64) - group * self._size
        parts = (cells * 2 + (ranks >= CELLS_ASKED)).astype(np.uint16)  # a short sort
        rows = rows[np.argsort(parts, kind="stable")].astype(np.int32)
        ends = np.cumsum(np.bincount(parts, minlength=2 * self._size))
        asking_and_lying = np.split(rows, ends[:-1])
        for asking, lying in zip(asking_and_lying[::2], asking_and_lying[1::2], strict=True):
            yield from _tasks(asking, lying)


def _sizes(cells: Cells, count: int) -> NDArray[np.float64]:
    """Return how many rows lie in each of so many cells, given those of each row (n, m); a column at a time."""
    sizes = np.zeros(count)
    for column in cells.T:
        sizes += np.bincount(column, minlength=count)
    return sizes


class _Search:
    """What the threads share: they read codes, and take turns in changing the lists."""

    def __init__(self, codes: Codes, lists: NeighbourLists) -> None:
        self.lists = lists
        self._codes = codes
        blocks = [norms(codes[start : start + _PART]) for start in range(0, len(codes), _PART)]
        self._norms = np.concatenate([np.empty(0, np.float32), *blocks])
        self._lock = Lock()
        self._stopped = Event()

    def run(
        self,
        function: Callable[[Rows, Rows], float],
        groups: Iterable[Iterable[Task]],
        work: float,
        progress: Callable[[float], None],
    ) -> None:
        """Give the tasks of each group to ``function``; ``progress`` hears of the share of the work that is done.

        Not ``threads.in_order``: what is at work has to hear of Ctrl-C before anyone waits for it.
        """

        def do(tasks: Iterable[Task]) -> float:
            return sum(function(*task) for task in tasks if not self._stopped.is_set())

        done = 0.0
        with ThreadPoolExecutor(threads.count()) as executor:
            try:
                for part in executor.map(do, groups):
                    done += part
                    progress(done / work)
            except BaseException:
                self._stopped.set()
                executor.shutdown(cancel_futures=True)
                raise

    def bound(self, left: Rows, right: Rows) -> float:
        """Let the lists of ``left`` expect what is nearest to them among each other; return how much work that was.

        Nothing is listed yet, but what comes later must be at least as near as these. Rounding is no matter: a cosine
        of ``compare`` divides no smaller product by no larger norms.
        """
        if left is not right or len(left) <= self.lists.k:
            return _work(left, right)
        codes, lengths = self._codes[left], self._norms[left]
        for start in range(0, len(left), _TILE_ROWS):
            if self._stopped.is_set():
                break
            block = slice(start, start + _TILE_ROWS)
            tile = products(codes[block], codes)
            own = np.arange(len(tile))
            tile[own, start + own] = 0
            cosines = _kth_largest(tile, self.lists.k) / (lengths[block] * lengths.max())
            with self._lock:
                self.lists.expect(left[block], cosines.astype(np.float32))
        return _work(left, right)

    def compare(self, left: Rows, right: Rows) -> float:
        """Offer to each other the rows of ``left`` and ``right`` that may be near enough; return how much work it was.

        Rows that need much of a neighbour come last, so that one bound for a block of ``left`` is close to that of its
        rows. Those of ``right`` have a bound each.
        """
        is_one = left is right
        left = self._by_need(left)
        right = left if is_one else self._by_need(right)
        left_codes = self._codes[left]
        right_codes = left_codes if is_one else self._codes[right]
        left_norms, right_norms = self._norms[left], self._norms[right]
        needed_left, needed_right = self.lists.worst(left), self.lists.worst(right)
        found: list[tuple[Rows, Rows, NDArray[np.float32]]] = []
        count = 0
        for start in range(0, len(left), _TILE_ROWS):
            if self._stopped.is_set():
                break
            block = slice(start, start + _TILE_ROWS)
            bounds = np.minimum(needed_right, needed_left[block].min()) * (right_norms * left_norms[block].min())
            bounds = np.floor(bounds).astype(np.int32)
            for column in range(start if is_one else 0, len(right), _TILE_COLUMNS):
                columns = slice(column, column + _TILE_COLUMNS)
                tile = products(left_codes[block], right_codes[columns])
                for rows, others, dots in _reaching(tile, bounds[columns]):
                    rows, others = rows + start, others + column
                    if is_one and column < block.stop:
                        once = others > rows
                        rows, others, dots = rows[once], others[once], dots[once]
                    lengths = left_norms[rows] * right_norms[others]
                    found.append((left[rows], right[others], (dots / lengths).astype(np.float32)))
                    count += len(dots)
                    if count > _MOST_FOUND:
                        self._offer(found)
                        found, count = [], 0
        self._offer(found)
        return _work(left, right)

    def _by_need(self, rows: Rows) -> Rows:
        return rows[np.argsort(self.lists.worst(rows))]

    def _offer(self, found: list[tuple[Rows, Rows, NDArray[np.float32]]]) -> None:
        """Offer pairs to both of their rows: first rows, second rows and cosines, in parts."""
        if not found:
            return
        first, second, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
        near = (cosines >= self.lists.worst(first)) | (cosines >= self.lists.worst(second))
        first, second, cosines = first[near], second[near], cosines[near]
        with self._lock:
            self.lists.offer(first, second, cosines)
            self.lists.offer(second, first, cosines)


def _work(left: Rows, right: Rows) -> float:
    """Return how many products comparing takes."""
    return len(left) * len(right) / (2 if left is right else 1)


def _reaching(tile: NDArray[np.int32], bounds: NDArray[np.int32]) -> Iterator[tuple[Rows, Rows, NDArray[np.int32]]]:
    """Yield the products that reach the bound of their column: rows, columns and products, in parts.

    Where texts are equal all do, which would take much memory at once.
    """
    hits = np.flatnonzero(tile >= bounds)
    for at in range(0, len(hits), _MOST_FOUND):
        part = hits[at : at + _MOST_FOUND]
        yield *np.divmod(part, tile.shape[1]), tile.ravel()[part]


def _kth_largest(tile: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """Return for each row a number that at least ``k`` of its products reach; of many, only maxima are looked at."""
    width = tile.shape[1] // _MAXIMA * _MAXIMA
    if width > _MAXIMA > k:
        tile = tile[:, :width].reshape(len(tile), -1, _MAXIMA).max(axis=1)
    largest: NDArray[np.int32] = np.partition(tile, -k, axis=1)[:, -k]
    return largest


def _tasks(asking: Rows, lying: Rows) -> Iterator[Task]:
    """Divide the comparison of rows with each other, and of others with them, into parts that take a moment each."""
    parts, others = _parts(asking), _parts(lying)
    return chain(combinations_with_replacement(parts, 2), product(others, parts))


def _parts(rows: Rows) -> list[Rows]:
    return np.array_split(rows, -(-len(rows) // _PART)) if len(rows) else []
