"""Pairs to clusters: connected components, then average linkage inside each.

Transitive closure alone turns one wrong pair into a wrong cluster of any size. So each component is taken
apart by average linkage over the probabilities of all its pairs: two groups join while the mean
probability between their members is at least the threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

LARGEST_COMPONENT = 2_000
"""Components above this many items are first cut apart at ever higher probabilities."""

_HIGHER = (0.8, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999)

_PAIRS_AT_ONCE = 500_000


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of n items.

    ``labels`` (n,) int64: the smallest member of each item's cluster; a single item labels itself.
    ``weakest``: by label, the lowest pair probability inside, for clusters of two items or more.
    ``skipped``: how many components were too large to link at any probability; their items stay single.
    """

    labels: NDArray[np.int64]
    weakest: dict[int, float]
    skipped: int


def cluster_pairs(
    pairs: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    n: int,
    *,
    least_probability: float,
    compare: Callable[[NDArray[np.int64]], NDArray[np.float64]],
) -> Clusters:
    """Cluster items 0 to n-1 by (p, 2) pairs with (p,) probabilities; deterministic.

    Only pairs of at least ``least_probability`` connect. ``compare`` is asked for the probabilities of
    the pairs inside a component that are not among ``pairs``, (q, 2) to (q,).
    """
    labels = np.arange(n, dtype=np.int64)
    weakest: dict[int, float] = {}
    keep = probabilities >= least_probability
    pairs = np.sort(pairs[keep], axis=1)
    known = dict(zip(map(tuple, pairs.tolist()), probabilities[keep].tolist(), strict=True))
    components, skipped = _linkable(pairs, probabilities[keep], n)
    for batch in _by_pairs(components):
        wanted = np.concatenate([_all_pairs(members) for members in batch])
        missing = np.array([pair for pair in map(tuple, wanted.tolist()) if pair not in known], dtype=np.int64)
        extra = dict(zip(map(tuple, missing.tolist()), compare(missing).tolist(), strict=True)) if len(missing) else {}
        for members in batch:
            inside = [known.get(p, extra.get(p, 0.0)) for p in map(tuple, _all_pairs(members).tolist())]
            _link(members, np.array(inside), least_probability, labels, weakest)
    return Clusters(labels, weakest, skipped)


def _linkable(
    pairs: NDArray[np.int64], probabilities: NDArray[np.float64], n: int
) -> tuple[list[NDArray[np.int64]], int]:
    """Return components small enough to link, by lowest member, and how many are too large to the end.

    A component too large loses its weaker pairs until its parts are small enough.
    """
    small: list[NDArray[np.int64]] = []
    large = 0
    for least in (0.0, *_HIGHER):
        strong = probabilities >= least
        pairs, probabilities = pairs[strong], probabilities[strong]
        components = _components(pairs, n)
        small += [c for c in components if len(c) <= LARGEST_COMPONENT]
        too_large = [c for c in components if len(c) > LARGEST_COMPONENT]
        large = len(too_large)
        if not large:
            break
        inside = np.isin(pairs[:, 0], np.concatenate(too_large))
        pairs, probabilities = pairs[inside], probabilities[inside]
    return sorted(small, key=lambda members: int(members[0])), large


def _components(pairs: NDArray[np.int64], n: int) -> list[NDArray[np.int64]]:
    """Return the members, ascending, of each component of two items or more."""
    if not len(pairs):
        return []
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    touched = np.unique(pairs)
    order = touched[np.argsort(component[touched], kind="stable")]
    cuts = np.flatnonzero(np.diff(component[order])) + 1
    return np.split(order, cuts)


def _all_pairs(members: NDArray[np.int64]) -> NDArray[np.int64]:
    first, second = np.triu_indices(len(members), 1)
    return np.column_stack([members[first], members[second]])


def _by_pairs(components: list[NDArray[np.int64]]) -> list[list[NDArray[np.int64]]]:
    """Group components so that the pairs of a group fit in memory."""
    groups: list[list[NDArray[np.int64]]] = []
    room = 0
    for members in components:
        size = len(members) * (len(members) - 1) // 2
        if size > room:
            groups.append([])
            room = _PAIRS_AT_ONCE
        groups[-1].append(members)
        room -= size
    return groups


def _link(
    members: NDArray[np.int64],
    inside: NDArray[np.float64],
    least_probability: float,
    labels: NDArray[np.int64],
    weakest: dict[int, float],
) -> None:
    """Split one component by average linkage; ``inside`` are its pair probabilities in triangle order."""
    if len(members) == 2:
        labels[members] = members[0]
        weakest[int(members[0])] = float(inside[0])
        return
    groups = fcluster(linkage(1 - inside, method="average"), 1 - least_probability, criterion="distance")
    first, second = np.triu_indices(len(members), 1)
    for group in np.unique(groups):
        at = np.flatnonzero(groups == group)
        if len(at) > 1:
            label = int(members[at[0]])
            labels[members[at]] = label
            within = (groups[first] == group) & (groups[second] == group)
            weakest[label] = float(inside[within].min())
