"""Pairs to clusters: connected components, then average linkage within each.

Transitive closure alone lets one wrong pair create a wrong cluster of any size. So each component is split by
average linkage over the probabilities of all its pairs: two groups are merged while the mean probability
between their members is at least the threshold (``linkage``). In a large component, a sample of the pairs stands for
all of them (``sampled_linkage``), so the work grows with the number of items. Items that people judged to be the same
begin in one group; a pair of items that they judged to be different has the probability ``NEVER``, so no group with
both is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dedup.clustering.constraints import Constraints
from dedup.clustering.linkage import NEVER, Links, Probabilities, Weakest, link
from dedup.clustering.sampled_linkage import link_by_samples
from dedup.runtime.arrays import ranges

LARGEST_COMPONENT = 100
"""Number of items of the largest component of which all pairs are considered."""

_BLOCK_SIZE = 500_000


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of n items.

    ``labels`` (n,) int64: the smallest member of each item's cluster; an item in no cluster labels itself.
    ``weakest``: by label, the lowest probability of any pair in the cluster, for clusters of two items or more; in a
    sampled component, of any pair that was compared. ``weakest_pairs``: that pair, the lower item first.
    ``sampled``: the number of components that were too large to consider all pairs.
    ``items_sampled``: the number of items in these.
    """

    labels: NDArray[np.int64]
    weakest: dict[int, float]
    sampled: int
    items_sampled: int
    weakest_pairs: dict[int, tuple[int, int]] = field(default_factory=dict)


def cluster_pairs(
    pairs: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    n: int,
    *,
    min_probability: float,
    comparison: Probabilities,
    constraints: Constraints | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Clusters:
    """Cluster items 0 to n-1 by (p, 2) pairs with (p,) probabilities; deterministic.

    Only pairs of at least ``min_probability`` connect items, and groups of ``constraints``. Probabilities of other
    pairs within a component come from ``comparison``, if they can affect the result. ``progress`` is called with the
    number of pairs done and the total, both within components.
    """
    labels = np.arange(n, dtype=np.int64)
    weakest: dict[int, float] = {}
    edges: dict[int, tuple[int, int]] = {}
    keep = probabilities >= min_probability
    if constraints is not None:
        keep &= ~constraints.are_apart(pairs)
    if not keep.all():
        pairs, probabilities = pairs[keep], probabilities[keep]
    known = _Known(pairs, probabilities, n)
    ties = np.empty((0, 2), np.int64) if constraints is None else constraints.ties
    components = components_of(np.concatenate([known.pairs, ties]), n)
    small = [members for members in components if len(members) <= LARGEST_COMPONENT]
    large = [members for members in components if len(members) > LARGEST_COMPONENT]

    def assign(members: NDArray[np.int64], groups: NDArray[np.int64], lowest: Weakest) -> None:
        labels[members] = members[groups]
        several = np.unique(groups[np.flatnonzero(groups != np.arange(len(groups)))])
        names = members[several].tolist()
        weakest.update(zip(names, lowest.probability[several].tolist(), strict=True))
        one, other = members[lowest.pair[several]].T.tolist() if len(several) else ([], [])
        edges.update(zip(names, zip(one, other, strict=True), strict=True))

    done, total = 0, sum(len(members) * (len(members) - 1) // 2 for members in small)
    for members, first, second in _by_pairs(small):
        wanted = np.column_stack([members[first], members[second]])
        values, is_known = known.of(wanted)
        values[~is_known] = comparison.upper_bounds(wanted[~is_known])
        if constraints is not None:
            values[constraints.are_apart(wanted)] = NEVER
        links = Links(members, first, second, values, is_known, _start(members, constraints))
        assign(members, *link(links, min_probability, comparison))
        done += len(first)
        progress(done, total)
    for members in large:  # one by one: what becomes of a component must not depend on others
        assign(members, *_link_large(members, known, min_probability, comparison, constraints))
    return Clusters(labels, weakest, len(large), sum(map(len, large)), edges)


def _start(members: NDArray[np.int64], constraints: Constraints | None) -> NDArray[np.int64] | None:
    """Return the group in which each of ``members`` (m,), whole components, begins, as the position of its first."""
    if constraints is None:
        return None
    order = np.argsort(members)
    return order[np.searchsorted(members, constraints.groups[members], sorter=order)]


def _link_large(
    members: NDArray[np.int64],
    known: _Known,
    min_probability: float,
    comparison: Probabilities,
    constraints: Constraints | None,
) -> tuple[NDArray[np.int64], Weakest]:
    """Return the group of each of ``members`` (m,), a whole component, and what is weakest in it, as positions."""

    def compare(pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        wanted = members[pairs]
        values, is_known = known.of(wanted)
        values[~is_known] = comparison.probabilities(wanted[~is_known])
        return values

    inside = known.beginning_with(members)
    pairs: NDArray[np.int64] = np.searchsorted(members, known.pairs[inside])
    values = known.probabilities[inside]
    if constraints is not None:
        within = np.isin(constraints.apart, members).all(axis=1)
        apart = np.searchsorted(members, constraints.apart[within])
        pairs, values = np.concatenate([pairs, apart]), np.concatenate([values, np.full(len(apart), NEVER)])
    start = _start(members, constraints)
    return link_by_samples(len(members), pairs[:, 0], pairs[:, 1], values, min_probability, compare, start)


class _Known:
    """The known probabilities of (p, 2) pairs of items 0 to n-1, by pair.

    ``pairs`` and ``probabilities`` are sorted, with the lower item of a pair first; sorted input is not copied.
    """

    def __init__(self, pairs: NDArray[np.int64], probabilities: NDArray[np.float64], n: int) -> None:
        if (pairs[:, 0] > pairs[:, 1]).any():
            pairs = np.sort(pairs, axis=1)
        keys = pairs[:, 0] * n + pairs[:, 1]
        if (keys[1:] < keys[:-1]).any():
            order = np.argsort(keys, kind="stable")
            pairs, probabilities, keys = pairs[order], probabilities[order], keys[order]
        self.pairs, self.probabilities, self._keys, self._n = pairs, probabilities, keys, n

    def of(self, pairs: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the probabilities of (q, 2) pairs, and which of them are known, (q,) each."""
        if not len(self._keys):
            return np.zeros(len(pairs)), np.zeros(len(pairs), np.bool_)
        keys = pairs[:, 0] * self._n + pairs[:, 1]
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return self.probabilities[places], self._keys[places] == keys

    def beginning_with(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of the pairs whose lower item is one of ``items`` (m,), ascending."""
        starts, ends = (np.searchsorted(self.pairs[:, 0], items, side) for side in ("left", "right"))
        return ranges(starts, ends - starts)


def components_of(pairs: NDArray[np.int64], n: int) -> list[NDArray[np.int64]]:
    """Return the members, ascending, of each component of two items or more."""
    if not len(pairs):
        return []
    component = component_labels(pairs, n)
    touched = np.flatnonzero(np.bincount(pairs.ravel(), minlength=n))
    order = touched[np.argsort(component[touched], kind="stable")]
    cuts = np.flatnonzero(np.diff(component[order])) + 1
    return np.split(order, cuts)


def component_labels(pairs: NDArray[np.int64], n: int) -> NDArray[np.int32]:
    """Return the number of the component of each of n items, (n,), as pairs (p, 2) connect them."""
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return labels


def _by_pairs(
    components: list[NDArray[np.int64]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield groups of components whose pairs fit in memory: their members, and all pairs within them as positions."""
    sizes = np.array([len(members) for members in components], np.int64)
    batch = np.cumsum(sizes * (sizes - 1) // 2) // _BLOCK_SIZE
    for rows in np.split(np.arange(len(sizes)), np.flatnonzero(np.diff(batch)) + 1):
        if len(rows):
            ends = np.repeat(np.cumsum(sizes[rows]), sizes[rows])
            places = np.arange(len(ends))
            following = ends - places - 1
            first = np.repeat(places, following)
            yield np.concatenate([components[row] for row in rows]), first, ranges(places + 1, following)
