"""The k-nearest-neighbour graph of all texts.

Each text is assigned to several cells and searches the nearest few, where it is compared with all texts assigned there.
So a pair is compared if one of its texts searches a cell that the other is assigned to. This is an inverted index with
several probes (Jégou et al., "Product quantization for nearest neighbor search", PAMI 2011), but its lists overlap, and
all queries of a cell are answered together.

All arithmetic is exact, so the graph does not depend on threads or on the order of comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, combinations_with_replacement, product
from threading import Event, Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import norms
from dedup.runtime import threads
from indexer.store.store import Codes
from indexer.vectors.cells import CELLS_SEARCHED, Cells
from indexer.vectors.int8_products import products
from indexer.vectors.top_k import NeighbourLists, reaching

Rows = NDArray[np.integer[Any]]
Task = tuple[Rows, Rows]
"""Rows to compare with other rows, or with each other if both are the same object."""
Found = tuple[Rows, Rows, NDArray[np.float32]]
"""Rows, those that they may be near to, and the cosines."""


class Tiles(NamedTuple):
    """How comparisons are divided, to limit memory and the time until Ctrl-C takes effect.

    Attributes:
        rows: Rows of a tile; a tile of products is computed at once, large enough that the overhead of calls and of
            waiting for the interpreter lock is small.
        columns: Columns of a tile.
        task: Rows on either side of a task, the work that a thread takes at once.
        pairs: Pairs collected before they are offered to the neighbour lists.

    """

    rows: int = 1 << 10
    columns: int = 1 << 11
    task: int = 1 << 13
    pairs: int = 1 << 17


TILES = Tiles()

_GROUPS = 256
"""Groups of cells, which threads take in turn; the number of a group fits into a byte."""
_ASSIGNMENTS = 1 << 20
_BOUND_CELLS = 2
"""Cells of each text used for the first bounds: they hold most neighbours. At most ``CELLS_SEARCHED``, so that the
pairs behind a bound are compared later."""
_MAXIMA = 64


def build_knn_graph(
    codes: Codes,
    k: int,
    min_similarity: float,
    cells: Cells | None,
    *,
    tiles: Tiles = TILES,
    progress: Callable[[int], None] = lambda done: None,
) -> NeighbourLists:
    """Return the ``k`` nearest neighbours of every row of ``codes`` (n, d) among the rows that it is compared with.

    ``cells`` (n, m) are the cells that each row is assigned to, nearest first; it searches the first
    ``CELLS_SEARCHED``. None: every pair is compared. Neighbours have a cosine of at least ``min_similarity``; ties go
    to the lower row. ``progress`` is called with the number of rows done, estimated from the share of the work.

    Time: the sum of a·s·d over all cells, where s rows are assigned to a cell and a of them search it. Memory: 8 k + 3
    m + 14 bytes per row.

    Raises:
        ValueError: ``min_similarity`` is negative.
    """
    if min_similarity < 0:
        raise ValueError(f"min_similarity is {min_similarity}, but it must not be negative")
    lists = NeighbourLists(len(codes), k, min_similarity)
    _fill(lists, codes, cells, None, tiles, progress)
    return lists


def search_again(
    lists: NeighbourLists,
    codes: Codes,
    cells: Cells | None,
    wanted: NDArray[np.bool_],
    *,
    tiles: Tiles = TILES,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Compare the ``wanted`` rows (n,) with all rows as ``build_knn_graph`` does; both sides may list each other.

    The lists of wanted rows must be empty. Time: as for a full search, times twice the share of wanted rows.
    """
    if wanted.any():
        _fill(lists, codes, cells, wanted, tiles, progress)


def _fill(
    lists: NeighbourLists,
    codes: Codes,
    cells: Cells | None,
    wanted: NDArray[np.bool_] | None,
    tiles: Tiles,
    progress: Callable[[int], None],
) -> None:
    """Offer all pairs of rows that may be compared to their lists; with ``wanted``, those of a wanted row."""
    n = len(codes)
    # few wanted rows make many small tasks, whose pairs are offered together
    search = _Search(codes, lists, tiles, waiting=0 if wanted is None else tiles.pairs)
    if cells is None:
        rows, others = (np.arange(n), np.arange(0)) if wanted is None else map(np.flatnonzero, (wanted, ~wanted))
        tasks = [[task] for task in _tasks(rows, others, tiles.task)]
        work = _work(rows, rows) + _work(rows, others)
        search.run(search.compare_all, tasks, work, lambda share: progress(int(share * n)))
        return
    bounding = _InvertedLists(cells[:, :_BOUND_CELLS], tiles, wanted)
    comparing = _InvertedLists(cells, tiles, wanted)
    first = bounding.work / (bounding.work + comparing.work)
    search.run(search.bound_all, bounding.groups(), bounding.work, lambda share: progress(int(share * first * n)))
    del bounding
    last = 1 - first
    search.run(
        search.compare_all, comparing.groups(), comparing.work, lambda share: progress(int((first + share * last) * n))
    )


class _InvertedLists:
    """The rows of each cell: those that search it, and the others assigned to it.

    With ``wanted`` (n,), only pairs of a wanted row are compared. ``work`` is the number of products that this takes.
    """

    def __init__(self, cells: Cells, tiles: Tiles, wanted: NDArray[np.bool_] | None = None) -> None:
        self._task = tiles.task
        self._wanted = wanted
        self._cells = np.ascontiguousarray(cells)
        count = int(cells.max()) + 1
        self._size = -(-count // _GROUPS)
        self._group = np.empty(cells.size, np.uint8)
        np.floor_divide(self._cells.ravel(), self._size, out=self._group, casting="unsafe")
        parts = cells[:, :CELLS_SEARCHED], cells[:, CELLS_SEARCHED:]
        searching, others = (_sizes(part, count) for part in parts)
        work = searching * (searching / 2 + others)
        if wanted is not None:  # without the pairs of two other rows
            searching, others = (_sizes(part[~wanted], count) for part in parts)
            work -= searching * (searching / 2 + others)
        self._work = np.add.reduceat(work, np.arange(0, count, self._size))
        self.work = float(self._work.sum())
        self._by_group: list[NDArray[np.int64]] | None = None
        if wanted is not None:  # little work, of which reading all assignments for each group would be most
            ends = np.cumsum(np.bincount(self._group, minlength=len(self._work)))
            self._by_group = np.split(np.argsort(self._group, kind="stable"), ends[:-1])

    def groups(self) -> Iterator[Iterable[Task]]:
        """Yield the tasks of each group of cells, most work first; the tasks of a group are created lazily."""
        return (self._tasks_of(group) for group in np.argsort(-self._work).tolist())

    def _tasks_of(self, group: int) -> Iterator[Task]:
        if self._by_group is not None:
            places = self._by_group[group]
        else:
            blocks = ((at, self._group[at : at + _ASSIGNMENTS]) for at in range(0, len(self._group), _ASSIGNMENTS))
            places = np.concatenate([at + np.flatnonzero(block == group) for at, block in blocks])
        rows, ranks = np.divmod(places, self._cells.shape[1])
        cells = self._cells.ravel()[places].astype(np.int64) - group * self._size
        lists = (cells * 2 + (ranks >= CELLS_SEARCHED)).astype(np.uint16)  # few bits are sorted faster
        rows = rows[np.argsort(lists, kind="stable")].astype(np.int32)
        ends = np.cumsum(np.bincount(lists, minlength=2 * self._size))
        of_lists = np.split(rows, ends[:-1])
        for searching, others in zip(of_lists[::2], of_lists[1::2], strict=True):
            if self._wanted is None:
                yield from _tasks(searching, others, self._task)
            else:
                yield from self._tasks_of_wanted(self._wanted, searching, others)

    def _tasks_of_wanted(self, wanted: NDArray[np.bool_], searching: Rows, others: Rows) -> Iterator[Task]:
        """Yield the comparisons in a cell that have a wanted row, which comes first."""
        searching_wanted, others_wanted = searching[wanted[searching]], others[wanted[others]]
        searching_known, others_known = searching[~wanted[searching]], others[~wanted[others]]
        yield from _tasks(searching_wanted, others_wanted, self._task)
        known = _split(np.concatenate([searching_known, others_known]), self._task)
        yield from product(_split(searching_wanted, self._task), known)
        yield from product(_split(others_wanted, self._task), _split(searching_known, self._task))


def _sizes(cells: Cells, count: int) -> NDArray[np.float64]:
    """Return the number of rows (count,) in each cell, given the cells of each row (n, m)."""
    sizes = np.zeros(count)
    for column in cells.T:  # one column at a time saves memory
        sizes += np.bincount(column, minlength=count)
    return sizes


class _Search:
    """State shared by the threads: they read the codes, and update the neighbour lists one at a time.

    At most ``waiting`` pairs of a task wait for those of the next tasks of a group before they are offered.
    """

    def __init__(self, codes: Codes, lists: NeighbourLists, tiles: Tiles, waiting: int) -> None:
        self.lists = lists
        self._waiting = waiting
        self._codes = codes
        self._tiles = tiles
        blocks = [norms(codes[start : start + tiles.task]) for start in range(0, len(codes), tiles.task)]
        self._norms = np.concatenate([np.empty(0, np.float32), *blocks])
        self._lock = Lock()
        self._stopped = Event()

    def run(
        self,
        function: Callable[[Iterable[Task]], float],
        groups: Iterable[Iterable[Task]],
        work: float,
        progress: Callable[[float], None],
    ) -> None:
        """Call ``function`` with the tasks of each group; ``progress`` gets the share of the ``work`` that is done.

        This is not ``threads.in_order``, because running tasks must be told to stop before they are waited for.
        """
        done = 0.0
        with ThreadPoolExecutor(threads.count()) as executor:
            try:
                for part in executor.map(function, groups):
                    done += part
                    progress(done / work)
            except BaseException:
                self._stopped.set()
                executor.shutdown(cancel_futures=True)
                raise

    def bound_all(self, tasks: Iterable[Task]) -> float:
        """Bound the rows of tasks; return the work."""
        return sum(self._bound(*task) for task in tasks if not self._stopped.is_set())

    def compare_all(self, tasks: Iterable[Task]) -> float:
        """Compare the rows of tasks; return the work."""
        found: list[Found] = []
        work = 0.0
        for task in tasks:
            if self._stopped.is_set():
                break
            work += self._compare(*task, found)
            if sum(len(part[0]) for part in found) > self._waiting:
                self._offer(found)
        self._offer(found)
        return work

    def _bound(self, left: Rows, right: Rows) -> float:
        """Raise the thresholds of ``left`` to the cosine of their k-th nearest in ``right``; return the work.

        ``left`` is one with ``right`` or has nothing in common with it, and its rows list nothing yet. The bound is
        safe under rounding: for the same pair, ``compare`` never divides a smaller product or divides by larger norms.
        """
        if len(right) <= self.lists.k or not len(left):
            return _work(left, right)
        codes, lengths = self._codes[right], self._norms[left]
        left_codes, longest = (codes, lengths.max()) if left is right else (self._codes[left], self._norms[right].max())
        for start in range(0, len(left), self._tiles.rows):
            if self._stopped.is_set():
                break
            block = slice(start, start + self._tiles.rows)
            tile = products(left_codes[block], codes)
            if left is right:
                own = np.arange(len(tile))
                tile[own, start + own] = 0
            cosines = _kth_largest(tile, self.lists.k) / (lengths[block] * longest)
            with self._lock:
                self.lists.raise_thresholds(left[block], cosines.astype(np.float32))
        return _work(left, right)

    def _compare(self, left: Rows, right: Rows, found: list[Found]) -> float:
        """Add to ``found`` the pairs of ``left`` and ``right`` that may be near enough; return the work.

        Rows are sorted by threshold, so that one bound for a block of ``left`` is close to the thresholds of its rows.
        Each row of ``right`` has its own bound.
        """
        is_one = left is right
        left = self._by_threshold(left)
        right = left if is_one else self._by_threshold(right) if len(right) > self._tiles.columns else right
        left_codes = self._codes[left]
        right_codes = left_codes if is_one else self._codes[right]
        left_norms, right_norms = self._norms[left], self._norms[right]
        left_thresholds, right_thresholds = self.lists.thresholds(left), self.lists.thresholds(right)
        count = 0
        for start in range(0, len(left), self._tiles.rows):
            if self._stopped.is_set():
                break
            block = slice(start, start + self._tiles.rows)
            cosines = np.minimum(right_thresholds, left_thresholds[block].min())
            bounds = np.floor(cosines * (right_norms * left_norms[block].min())).astype(np.int32)
            for column in range(start if is_one else 0, len(right), self._tiles.columns):
                columns = slice(column, column + self._tiles.columns)
                tile = products(left_codes[block], right_codes[columns])
                for rows, others, dots in reaching(tile, bounds[columns], self._tiles.pairs):
                    rows, others = rows + start, others + column
                    if is_one and column < block.stop:
                        once = others > rows
                        rows, others, dots = rows[once], others[once], dots[once]
                    lengths = left_norms[rows] * right_norms[others]
                    found.append((left[rows], right[others], (dots / lengths).astype(np.float32)))
                    count += len(dots)
                    if count > self._tiles.pairs:
                        self._offer(found)
                        count = 0
        return _work(left, right)

    def _by_threshold(self, rows: Rows) -> Rows:
        return rows[np.argsort(self.lists.thresholds(rows))]

    def _offer(self, found: list[Found]) -> None:
        """Offer pairs to both of their rows, and forget them."""
        if not found:
            return
        first, second, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
        found.clear()
        near = (cosines >= self.lists.thresholds(first)) | (cosines >= self.lists.thresholds(second))
        first, second, cosines = first[near], second[near], cosines[near]
        if self._waiting:  # two rows may have met in several cells
            keys = np.minimum(first, second).astype(np.int64) * len(self._codes) + np.maximum(first, second)
            once = np.unique(keys, return_index=True)[1]
            first, second, cosines = first[once], second[once], cosines[once]
        with self._lock:
            self.lists.offer(first, second, cosines)
            self.lists.offer(second, first, cosines)


def _work(left: Rows, right: Rows) -> float:
    """Return the number of products that a comparison takes."""
    return len(left) * len(right) / (2 if left is right else 1)


def _kth_largest(tile: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """Return a lower bound of the ``k``-th largest product of each row; in a wide tile, that of the group maxima."""
    width = tile.shape[1] // _MAXIMA * _MAXIMA
    if width > _MAXIMA > k:
        tile = tile[:, :width].reshape(len(tile), -1, _MAXIMA).max(axis=1)
    largest: NDArray[np.int32] = np.partition(tile, -k, axis=1)[:, -k]
    return largest


def _tasks(searching: Rows, others: Rows, size: int) -> Iterator[Task]:
    """Yield the comparisons of ``searching`` with each other and with ``others``, at most ``size`` rows a side."""
    parts, other_parts = _split(searching, size), _split(others, size)
    return chain(combinations_with_replacement(parts, 2), product(other_parts, parts))


def _split(rows: Rows, size: int) -> list[Rows]:
    if len(rows) <= size:  # most of many small tasks
        return [rows] if len(rows) else []
    return np.array_split(rows, -(-len(rows) // size))
