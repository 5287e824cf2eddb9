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
        self.k = k
        self._keys = np.full((count, k), _empty(min_cosine), np.uint64)  # ascending in each row
        self._thresholds = np.full(count, min_cosine, np.float32)
        self._floors: Keys | None = None

    @classmethod
    def resumed(cls, keys: Keys, floors: Keys, min_cosine: float) -> NeighbourLists:
        """Return lists that hold ``keys`` (count, k), as from ``keys``, and take nothing below ``floors`` (count,)."""
        lists = cls(0, keys.shape[1], min_cosine)
        lists._keys, lists._floors = keys, floors
        lists._thresholds = np.maximum(np.float32(min_cosine), cosines_of(np.maximum(keys[:, 0], floors)))
        return lists

    @property
    def keys(self) -> Keys:
        """The neighbours of each row as keys (count, k), ascending; those without an id stand for none."""
        return self._keys

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
        rows, keys = rows[near], keys_of(cosines[near], ids[near])
        lowest = self._keys[rows, 0]
        if self._floors is not None:
            lowest = np.maximum(lowest, self._floors[rows])
        nearer = np.flatnonzero(keys > lowest)  # rejects most of many equal cosines
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
        self.raise_thresholds(found, cosines_of(merged[:, -self.k]))

    def pairs(self, progress: Callable[[int], None] = lambda done: None) -> NearPairs:
        """Return each pair of a row and a neighbour in its list, once, as ``pairs_of``."""
        return pairs_of(self._keys, progress=progress)

    def nearest(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return ids and cosines, both (count, k), nearest first; id -1 and cosine -1 where there are fewer."""
        ids, cosines = np.empty(self._keys.shape, np.int64), np.empty(self._keys.shape, np.float32)
        for start in range(0, len(ids), _BLOCK):
            block = slice(start, start + _BLOCK)
            keys = self._keys[block, ::-1]
            ids[block] = ids_of(keys)
            cosines[block] = np.where(ids[block] < 0, np.float32(-1), cosines_of(keys))
        return ids, cosines


def pairs_of(keys: Keys, before: Keys | None = None, progress: Callable[[int], None] = lambda done: None) -> NearPairs:
    """Return each pair of a row and a neighbour in ``keys`` (n, k), once; without those in ``before`` (n, k), if given.

    Pairs are in the order of the rows that list them; two rows that list each other are a pair of the lower one.
    ``progress`` is called with the number of rows done.
    """
    found, cosines = [np.empty((0, 2), np.int32)], [np.empty(0, np.float32)]
    for start in range(0, len(keys), _BLOCK):
        block = keys[start : start + _BLOCK, ::-1]
        is_listed = ids_of(block) >= 0
        if before is not None:
            changed = np.flatnonzero((block != before[start : start + _BLOCK, ::-1]).any(axis=1))
            is_new = np.zeros_like(is_listed)
            is_new[changed] = (block[changed, :, None] != before[changed + start][:, None, :]).all(axis=2)
            is_listed &= is_new
        rows, places = np.nonzero(is_listed)
        listed, rows = block[rows, places], rows + start
        others = ids_of(listed)
        once = others > rows
        back = np.flatnonzero(~once)
        once[back] = ~_lists(keys, others[back], rows[back], listed[back])
        if before is not None:
            # a lower row that lists the other one for longer does not make a pair of it now
            ahead = np.flatnonzero(once)
            once[ahead] = ~_lists(before, others[ahead], rows[ahead], listed[ahead])
        both = np.column_stack([rows[once], others[once]]).astype(np.int32)
        both.sort(axis=1)
        found.append(both)
        cosines.append(cosines_of(listed[once]))
        progress(min(start + _BLOCK, len(keys)))
    return NearPairs(np.concatenate(found), np.concatenate(cosines))


def are_listed(keys: Keys, pairs: NDArray[np.int64], cosines: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return whether a row of each of ``pairs`` (p, 2) with these ``cosines`` (p,) is a neighbour of the other (p,)."""
    first, second = pairs.T
    return _lists(keys, first, second, keys_of(cosines, second)) | _lists(keys, second, first, keys_of(cosines, first))


def _lists(keys: Keys, rows: Rows, others: Rows, listed: Keys) -> NDArray[np.bool_]:
    """Return whether each of ``rows`` (m,) lists the one of ``others`` (m,), with the cosines of ``listed`` (m,)."""
    wanted = listed & ~_NO_ID | (_NO_ID - others.astype(np.uint64))
    found: NDArray[np.bool_] = (keys[rows] == wanted[:, None]).any(axis=1)
    return found


def renumbered(keys: Keys, numbers: NDArray[np.int64], min_cosine: float) -> Keys:
    """Return ``keys`` (m, k) whose ids are places in ``numbers``: the new ids, in the same order, -1 for none."""
    ids = ids_of(keys)
    new = np.where(ids >= 0, numbers[ids], -1)
    result = np.where(new >= 0, keys & ~_NO_ID | (_NO_ID - new.astype(np.uint64)), _empty(min_cosine))
    gone = np.flatnonzero(((new < 0) & (ids >= 0)).any(axis=1))
    result[gone] = np.sort(result[gone], axis=1)
    return result


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


def _empty(min_cosine: float) -> np.uint64:
    """Return what stands for no neighbour, and is below every key of a neighbour."""
    key: np.uint64 = keys_of(np.array([min_cosine], np.float32), np.array([_NO_ID.astype(np.int64)]))[0]
    return key


def keys_of(cosines: NDArray[np.float32], ids: Rows) -> Keys:
    """Return the keys (m,) of neighbours with these ``cosines`` (m,) and ``ids`` (m,)."""
    bits = cosines.view(np.int32)
    ordered = np.where(bits < 0, ~bits, bits | np.int32(-(1 << 31))).view(np.uint32)
    return ordered.astype(np.uint64) << _LOW | (_NO_ID - ids.astype(np.uint64))


def ids_of(keys: Keys) -> NDArray[np.int64]:
    """Return the ids of keys; -1 for none."""
    low = ~keys & _NO_ID
    return np.where(low == _NO_ID, -1, low.astype(np.int64))


def cosines_of(keys: Keys) -> NDArray[np.float32]:
    """Return the cosines of keys."""
    ordered = (keys >> _LOW).astype(np.uint32).view(np.int32)
    return np.where(ordered < 0, ordered & np.int32((1 << 31) - 1), ~ordered).view(np.float32)
