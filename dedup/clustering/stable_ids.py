"""Cluster ids that outlive a run: clusters of two moments are matched by the members they share.

Both moments are sets of members with a cluster each. Overlaps are taken in order, most shared members first, then the
older id, then the cluster with the lowest member; an overlap is accepted if neither side has been. So the larger part
of a cluster that splits keeps its id, and so does the largest of those that merge. All other clusters get new ids, and
each id that nothing keeps has a successor: the cluster that took most of its members. After Spiliopoulou et al.,
"MONIC: modeling and monitoring cluster transitions", KDD 2006, and Greene, Doyle and Cunningham, "Tracking the
evolution of communities in dynamic social networks", ASONAM 2010.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ints = NDArray[np.int64]
Move = tuple[int, int | None, int | None]
"""A member, and the clusters that it left and joined, if any."""


class Membership(NamedTuple):
    """Members (m,), ascending and distinct, and the cluster of each (m,)."""

    members: Ints
    clusters: Ints


@dataclass(frozen=True, slots=True)
class Event:
    """What became of some clusters: their ids before and after, ascending, and the members that moved.

    ``kind``: ``new``, ``grown``, ``shrunk`` or ``changed`` (members joined and left), ``merged`` (several into one),
    ``split`` (one into several), ``rearranged`` (several into several) or ``dissolved``.
    """

    kind: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """The clusters of a moment under their ids.

    Attributes:
        now: All members with the ids of their clusters.
        events: What became of every cluster that is not the same as before, in the order of their lowest id.
        opened: New ids, ascending.
        successors: For each id that is no longer in use, the one that took most of its members, if any.

    """

    now: Membership
    events: list[Event]
    opened: list[int]
    successors: dict[int, int | None]


def carry_over(before: Membership, now: Membership, next_id: int) -> Carried:
    """Give the clusters of ``now``, which have any labels, the ids of ``before``; new ids begin at ``next_id``."""
    labels, of_now = np.unique(now.clusters, return_inverse=True)
    lowest = np.full(len(labels), np.iinfo(np.int64).max)
    np.minimum.at(lowest, of_now, now.members)
    order = np.argsort(lowest, kind="stable")  # number clusters by their lowest member
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels))
    groups = rank[of_now]
    old_ids, olds = np.unique(before.clusters, return_inverse=True)
    overlaps = _overlaps(Membership(before.members, olds), Membership(now.members, groups))
    ids = _accept(overlaps, old_ids, len(labels))
    fresh = np.flatnonzero(ids < 0)
    ids[fresh] = next_id + np.arange(len(fresh))
    carried = Membership(now.members, ids[groups])
    events = _events(before, carried)
    closed = np.setdiff1d(old_ids, ids, assume_unique=True).tolist()
    heirs = {int(old_ids[one]): int(ids[other]) for one, other, _ in overlaps[::-1].tolist()}  # the first one stays
    return Carried(carried, events, ids[fresh].tolist(), {id_: heirs.get(id_) for id_ in closed})


def classify(before: Membership, now: Membership) -> list[Event]:
    """Return what became of clusters between two moments at which all of them have their ids."""
    return _events(before, now)


def replay(state: Membership, moves: Sequence[Move], *, backwards: bool = False) -> Membership:
    """Return the members and their clusters after these moves, or before them."""
    places: dict[int, int] = dict(zip(state.members.tolist(), state.clusters.tolist(), strict=True))
    for member, left, joined in reversed(moves) if backwards else moves:
        target = left if backwards else joined
        if target is None:
            places.pop(member, None)
        else:
            places[member] = target
    return membership(places)


def membership(places: Mapping[int, int]) -> Membership:
    """Return members and their clusters, given as a mapping."""
    members = np.fromiter(places.keys(), np.int64, len(places))
    clusters = np.fromiter(places.values(), np.int64, len(places))
    order = np.argsort(members)
    return Membership(members[order], clusters[order])


def _overlaps(before: Membership, now: Membership) -> Ints:
    """Return each old and new cluster that share members, with their number, (o, 3), in the order of acceptance."""
    _, at_before, at_now = np.intersect1d(before.members, now.members, assume_unique=True, return_indices=True)
    width = int(now.clusters.max(initial=0)) + 1
    keys, shared = np.unique(before.clusters[at_before] * width + now.clusters[at_now], return_counts=True)
    old, new = np.divmod(keys, width)
    order = np.lexsort((new, old, -shared))
    result: Ints = np.column_stack([old, new, shared])[order]
    return result


def _accept(overlaps: Ints, old_ids: Ints, count: int) -> Ints:
    """Return the old id of each new cluster (count,), -1 for none."""
    ids, taken = [-1] * count, set[int]()
    for old, new, _ in overlaps.tolist():
        if ids[new] < 0 and old not in taken:
            ids[new] = int(old_ids[old])
            taken.add(old)
    return np.array(ids, np.int64)


def _events(before: Membership, now: Membership) -> list[Event]:
    """Group the clusters that differ by what they share, and name what became of each group."""
    members = np.union1d(before.members, now.members)
    left, joined = _places(before, members), _places(now, members)
    moved = left != joined
    touched = np.unique(np.concatenate([left[moved], joined[moved]]))
    is_touched = np.isin(left, touched[touched >= 0]) | np.isin(joined, touched[touched >= 0])
    members, left, joined, moved = members[is_touched], left[is_touched], joined[is_touched], moved[is_touched]
    if not len(members):
        return []
    before_ids, now_ids = np.unique(left[left >= 0]), np.unique(joined[joined >= 0])
    n = len(before_ids)
    both = (left >= 0) & (joined >= 0)
    one, other = np.searchsorted(before_ids, left), n + np.searchsorted(now_ids, joined)
    size = n + len(now_ids)
    graph = coo_array((np.ones(int(both.sum()), np.int8), (one[both], other[both])), shape=(size, size))
    _, part = connected_components(graph, directed=False)
    own = np.where(left >= 0, part[np.minimum(one, size - 1)], part[np.minimum(other, size - 1)])
    parts: dict[int, tuple[list[int], list[int]]] = {}
    for id_, number in zip(before_ids.tolist(), part[:n].tolist(), strict=True):
        parts.setdefault(number, ([], []))[0].append(id_)
    for id_, number in zip(now_ids.tolist(), part[n:].tolist(), strict=True):
        parts.setdefault(number, ([], []))[1].append(id_)
    events = []
    order = np.argsort(own, kind="stable")
    cuts = [0, *(np.flatnonzero(np.diff(own[order])) + 1).tolist(), len(order)]
    for start, end in pairwise(cuts):
        rows = order[start:end]
        olds, news = parts[int(own[rows[0]])]
        rows = rows[moved[rows]]
        moves = tuple(
            (member, was if was >= 0 else None, is_ if is_ >= 0 else None)
            for member, was, is_ in zip(members[rows].tolist(), left[rows].tolist(), joined[rows].tolist(), strict=True)
        )
        is_gain, is_loss = any(was is None for _, was, _ in moves), any(is_ is None for _, _, is_ in moves)
        events.append(Event(_kind(len(olds), len(news), is_gain, is_loss), tuple(olds), tuple(news), moves))
    return sorted(events, key=lambda event: min(event.before + event.after))


def _places(state: Membership, members: Ints) -> Ints:
    """Return the cluster of each of ``members`` (m,), -1 for none."""
    if not len(state.members):
        return np.full(len(members), -1)
    at = np.minimum(np.searchsorted(state.members, members), len(state.members) - 1)
    return np.where(state.members[at] == members, state.clusters[at], -1)


def _kind(olds: int, news: int, is_gain: bool, is_loss: bool) -> str:
    if not olds:
        return "new"
    if not news:
        return "dissolved"
    if olds > 1:
        return "merged" if news == 1 else "rearranged"
    if news > 1:
        return "split"
    return "changed" if is_gain == is_loss else "grown" if is_gain else "shrunk"
