"""The nearest neighbours found so far of each of many rows.

A neighbour is one number of 64 bits, so that the larger is the nearer: the bits of its cosine, ordered as
integers are, above the complement of its id. Equal cosines thus go to the lower id, and what is found does
not depend on the order in which it is offered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Rows = NDArray[np.integer[Any]]
_NO_ID = np.uint64((1 << 32) - 1)
_LOW = np.uint64(32)
_BLOCK = 1 << 16


class NearPairs(NamedTuple):
    """Two rows each, ``pairs`` (p, 2), the lower first, and their ``cosines`` (p,)."""

    pairs: NDArray[np.int32]
    cosines: NDArray[np.float32]


class NeighbourLists:
    """The ``k`` nearest of ``count`` rows among all that were offered with at least the cosine ``least``."""

    def __init__(self, count: int, k: int, least: float) -> None:
        nothing = _keys(np.array([least], np.float32), np.array([_NO_ID.astype(np.int64)]))
        self.k = k
        self._keys = np.full((count, k), nothing[0], np.uint64)  # ascending in each row
        self._worst = np.full(count, least, np.float32)

    def worst(self, rows: Rows) -> NDArray[np.float32]:
        """Return the cosine that a neighbour of each of ``rows`` must have to be among its nearest."""
        return self._worst[rows]

    def expect(self, rows: Rows, cosines: NDArray[np.float32]) -> None:
        """Refuse from now on what is less near to ``rows`` (m,), each once, than ``cosines`` (m,).

        For a caller who knows that each has ``k`` neighbours as near as that, and will offer them.
        """
        self._worst[rows] = np.maximum(self._worst[rows], cosines)

    def offer(self, rows: Rows, ids: Rows, cosines: NDArray[np.float32]) -> None:
        """Offer neighbours: to ``rows`` (m,) those of ``ids`` (m,), below 2^32 - 1; no pair is in it twice."""
        near = np.flatnonzero(cosines >= self._worst[rows])
        rows, keys = rows[near], _keys(cosines[near], ids[near])
        nearer = np.flatnonzero(keys > self._keys[rows, 0])  # of many equal cosines most go here
        rows, keys = rows[nearer], keys[nearer]
        is_new = np.ones(len(rows), np.bool_)
        is_new[np.flatnonzero(self._keys[rows] == keys[:, None]) // self.k] = False  # each is there once at most
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
        self.expect(found, _cosines(merged[:, -self.k]))

    def pairs(self, progress: Callable[[int], None] = lambda done: None) -> NearPairs:
        """Return each pair of a row and one that it lists, once.

        In the order of the rows that list them; two that list each other come with the lower. ``progress`` hears
        how many rows are done.
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
        """Return ids and cosines, both (count, k), nearest first; id -1 and cosine -1 for none."""
        ids, cosines = np.empty(self._keys.shape, np.int64), np.empty(self._keys.shape, np.float32)
        for start in range(0, len(ids), _BLOCK):
            block = slice(start, start + _BLOCK)
            keys = self._keys[block, ::-1]
            ids[block] = _ids(keys)
            cosines[block] = np.where(ids[block] < 0, np.float32(-1), _cosines(keys))
        return ids, cosines


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
