"""The k nearest neighbours of each of many rows, collected from candidates in any order.

A neighbour is a 64-bit key: the bits of its cosine, mapped so that they sort as integers, above the complement of its
id. A larger key is a nearer neighbour, ties go to the lower id, and the result does not depend on the order in which
candidates are offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Rows = NDArray[np.integer[Any]]
_NO_ID = np.uint64((1 << 32) - 1)
_LOW = np.uint64(32)
_BLOCK = 1 << 16


class NearPairs(NamedTuple):
    """Pairs of rows ``pairs`` (p, 2), the lower row first, and their ``cosines`` (p,)."""

    pairs: NDArray[np.int32]
    cosines: NDArray[np.float32]


class NeighbourLists:
    """The ``k`` nearest neighbours of ``count`` rows among those offered with a cosine of at least ``min_cosine``."""

    def __init__(self, count: int, k: int, min_cosine: float) -> None:
        empty = _keys(np.array([min_cosine], np.float32), np.array([_NO_ID.astype(np.int64)]))
        self.k = k
        self._keys = np.full((count, k), empty[0], np.uint64)  # ascending in each row
        self._thresholds = np.full(count, min_cosine, np.float32)

    def thresholds(self, rows: Rows) -> NDArray[np.float32]:
        """Return the cosine that a new neighbour of each of ``rows`` needs."""
        return self._thresholds[rows]

    def raise_thresholds(self, rows: Rows, cosines: NDArray[np.float32]) -> None:
        """Reject, from now on, neighbours of distinct ``rows`` (m,) with a cosine below ``cosines`` (m,).

        The caller knows that each row has ``k`` neighbours at least that near, and will offer them.
        """
        self._thresholds[rows] = np.maximum(self._thresholds[rows], cosines)

    def offer(self, rows: Rows, ids: Rows, cosines: NDArray[np.float32]) -> None:
        """Offer to each of ``rows`` (m,) the neighbour in ``ids`` (m,), below 2^32 - 1; no pair may occur twice."""
        near = np.flatnonzero(cosines >= self._thresholds[rows])
        rows, keys = rows[near], _keys(cosines[near], ids[near])
        nearer = np.flatnonzero(keys > self._keys[rows, 0])  # rejects most of many equal cosines
        rows, keys = rows[nearer], keys[nearer]
        is_new = np.ones(len(rows), np.bool_)
        is_new[np.flatnonzero(self._keys[rows] == keys[:, None]) // self.k] = False  # a list holds it at most once
        rows, keys = rows[is_new], keys[is_new]
        if not len(rows):
            return
        order = np.lexsort((keys, rows))
        rows, keys = rows[order], keys[order]
        found, starts = np.unique(rows, return_index=True)
        counts = np.diff(starts, append=len(rows))
        places = np.repeat(starts + counts, counts) - np.arange(len(rows)) - 1  # 0 for the nearest of a row
        nearest = places < self.k
        offered = np.zeros((len(found), min(self.k, int(counts.max()))), np.uint64)
        offered[np.repeat(np.arange(len(found)), counts)[nearest], places[nearest]] = keys[nearest]
        merged = np.hstack([self._keys[found], offered])
        merged.sort(axis=1)
        self._keys[found] = merged[:, -self.k :]
        self.raise_thresholds(found, _cosines(merged[:, -self.k]))

    def pairs(self, progress: Callable[[int], None] = lambda done: None) -> NearPairs:
        """Return each pair of a row and a neighbour in its list, once.

        Pairs are in the order of the rows that list them; two rows that list each other are a pair of the lower one.
        ``progress`` is called with the number of rows done.
        """
        found, cosines = [np.empty((0, 2), np.int32)], [np.empty(0, np.float32)]
        for start in range(0, len(self._keys), _BLOCK):
            block = self._keys[start : start + _BLOCK, ::-1]
            rows, places = np.nonzero(_ids(block) >= 0)
            keys, rows = block[rows, places], rows + start
            others = _ids(keys)
            once = others > rows
            back = np.flatnonzero(~once)
            of_rows = keys[back] & ~_NO_ID | (_NO_ID - rows[back].astype(np.uint64))
            once[back] = (self._keys[others[back]] != of_rows[:, None]).all(axis=1)
            both = np.column_stack([rows[once], others[once]]).astype(np.int32)
            both.sort(axis=1)
            found.append(both)
            cosines.append(_cosines(keys[once]))
            progress(min(start + _BLOCK, len(self._keys)))
        return NearPairs(np.concatenate(found), np.concatenate(cosines))

    def nearest(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return ids and cosines, both (count, k), nearest first; id -1 and cosine -1 where there are fewer."""
        ids, cosines = np.empty(self._keys.shape, np.int64), np.empty(self._keys.shape, np.float32)
        for start in range(0, len(ids), _BLOCK):
            block = slice(start, start + _BLOCK)
            keys = self._keys[block, ::-1]
            ids[block] = _ids(keys)
            cosines[block] = np.where(ids[block] < 0, np.float32(-1), _cosines(keys))
        return ids, cosines


def reaching(
    tile: NDArray[np.int32], bounds: NDArray[np.int32], at_once: int
) -> Iterator[tuple[Rows, Rows, NDArray[np.int32]]]:
    """Yield the products that reach the ``bounds`` of their rows or columns: rows, columns and products, in parts.

    Where many texts are almost equal, all products do, and would take much memory at once.
    """
    hits = np.flatnonzero(tile >= bounds)
    for at in range(0, len(hits), at_once):
        part = hits[at : at + at_once]
        yield *np.divmod(part, tile.shape[1]), tile.ravel()[part]


def _keys(cosines: NDArray[np.float32], ids: Rows) -> Keys:
    bits = cosines.view(np.int32)
    ordered = np.where(bits < 0, ~bits, bits | np.int32(-(1 << 31))).view(np.uint32)
    return ordered.astype(np.uint64) << _LOW | (_NO_ID - ids.astype(np.uint64))


def _ids(keys: Keys) -> NDArray[np.int64]:
    low = ~keys & _NO_ID
    return np.where(low == _NO_ID, -1, low.astype(np.int64))


def _cosines(keys: Keys) -> NDArray[np.float32]:
    ordered = (keys >> _LOW).astype(np.uint32).view(np.int32)
    return np.where(ordered < 0, ordered & np.int32((1 << 31) - 1), ~ordered).view(np.float32)
