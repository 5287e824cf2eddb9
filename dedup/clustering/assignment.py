"""Match the items of two sides one to one, so that the weights of the matches sum to the most possible.

Items may come in several copies. Each connected component is a minimum-weight matching of its own, found by the sparse
Jonker–Volgenant algorithm of SciPy; an item may stay without a match, at weight 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

Counts = NDArray[np.int64]


def assign(pairs: NDArray[np.int64], weights: NDArray[np.float64], left_copies: Counts, right_copies: Counts) -> Counts:
    """Return how many copies of each of ``pairs`` (p, 2) to match, (p,), so that each copy has one match at most.

    ``pairs`` are positions on the left and on the right, with ``weights`` (p,) above 0; an item has as many copies as
    ``left_copies`` (m,) or ``right_copies`` (n,) say.
    """
    m, n = len(left_copies), len(right_copies)
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], m + pairs[:, 1])), shape=(m + n, m + n))
    component = connected_components(graph, directed=False)[1][pairs[:, 0]]
    order = np.argsort(component, kind="stable")
    counts = np.minimum(left_copies[pairs[:, 0]], right_copies[pairs[:, 1]])  # right for components of one pair
    for rows in np.split(order, np.flatnonzero(np.diff(component[order])) + 1):
        if len(rows) > 1:
            counts[rows] = _assign_component(pairs[rows], weights[rows], left_copies, right_copies)
    return counts


def _assign_component(
    pairs: NDArray[np.int64], weights: NDArray[np.float64], left_copies: Counts, right_copies: Counts
) -> Counts:
    lefts, rights = (_Copies(side, copies) for side, copies in zip(pairs.T, (left_copies, right_copies), strict=True))
    lefts.limit(right_copies[pairs[:, 1]])
    rights.limit(left_copies[pairs[:, 0]])
    sizes = lefts.of_pair() * rights.of_pair()
    pair = np.repeat(np.arange(len(pairs)), sizes)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    width = rights.of_pair()[pair]
    row, column = lefts.starts()[pair] + place // width, rights.starts()[pair] + place % width
    spare = np.arange(lefts.total)  # a column of its own for each row, so that all rows can be matched
    highest = float(weights.max()) + 1
    costs = coo_array(
        (
            np.concatenate([highest - weights[pair], np.full(len(spare), highest)]),
            (np.concatenate([row, spare]), np.concatenate([column, rights.total + spare])),
        ),
        shape=(lefts.total, rights.total + lefts.total),
    ).tocsr()
    matched = np.column_stack(min_weight_full_bipartite_matching(costs)).astype(np.int64)
    matched = matched[matched[:, 1] < rights.total]
    key = row * rights.total + column
    by_key = np.argsort(key)
    found = by_key[np.searchsorted(key, matched[:, 0] * rights.total + matched[:, 1], sorter=by_key)]
    return np.bincount(pair[found], minlength=len(pairs)).astype(np.int64)


class _Copies:
    """The copies of the items on one side of the pairs of a component."""

    def __init__(self, side: NDArray[np.int64], copies: Counts) -> None:
        items, self._at = np.unique(side, return_inverse=True)
        self._counts = copies[items]

    def limit(self, others: Counts) -> None:
        """Leave out copies beyond those of all items that an item is paired with, given for each pair."""
        partners = np.zeros(len(self._counts), np.int64)
        np.add.at(partners, self._at, others)
        self._counts = np.minimum(self._counts, partners)

    @property
    def total(self) -> int:
        return int(self._counts.sum())

    def of_pair(self) -> Counts:
        """Return the number of copies of the item of each pair."""
        counts: Counts = self._counts[self._at]
        return counts

    def starts(self) -> Counts:
        """Return the first copy of the item of each pair."""
        starts: Counts = (np.cumsum(self._counts) - self._counts)[self._at]
        return starts
