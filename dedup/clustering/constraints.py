"""What people said about pairs: same is transitive, and different keeps whole groups apart.

Judgements come in the order in which they hold: every *different*, then each *same*, the oldest first. A same that
would join two groups that are different is left out and reported with the chain that contradicts it; nothing is
resolved in secret. This is a union-find with blocks between groups.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Constraints:
    """What holds for n items whatever their probabilities.

    Attributes:
        groups: The lowest of the items that each item is the same as (n,), itself if there is none.
        apart: Pairs of items that are not the same (q, 2), of different groups; this holds for all of these groups.

    """

    groups: NDArray[np.int64]
    apart: NDArray[np.int64]

    @property
    def ties(self) -> NDArray[np.int64]:
        """Pairs of items that connect those of a group (t, 2)."""
        tied = np.flatnonzero(self.groups != np.arange(len(self.groups)))
        result: NDArray[np.int64] = np.column_stack([self.groups[tied], tied])
        return result

    def are_apart(self, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pairs of items (p, 2) are not the same, (p,)."""
        return np.isin(self._keys(pairs), self._keys(self.apart))

    def are_same(self, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pairs of items (p, 2) are the same, (p,)."""
        result: NDArray[np.bool_] = self.groups[pairs[:, 0]] == self.groups[pairs[:, 1]]
        return result

    def _keys(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        low, high = np.sort(self.groups[pairs], axis=1).T
        keys: NDArray[np.int64] = low * len(self.groups) + high
        return keys


class Groups(Generic[K]):
    """Groups of things of which some must stay apart."""

    def __init__(self) -> None:
        self._parents: dict[K, K] = {}
        self._members: dict[K, list[K]] = {}
        self._apart: dict[K, set[K]] = {}

    def find(self, one: K) -> K:
        """Return what stands for the group of a thing; alone, it stands for itself."""
        root = one
        while (parent := self._parents.get(root, root)) != root:
            root = parent
        while one != root:
            self._parents[one], one = root, self._parents[one]
        return root

    def is_known(self, one: K) -> bool:
        """Return whether anything has been said about a thing."""
        return one in self._parents or one in self._members or one in self._apart

    def members(self, one: K) -> list[K]:
        """Return the things in the group of one."""
        root = self.find(one)
        return self._members.get(root, [root])

    def others(self, one: K) -> set[K]:
        """Return what stands for the groups that must stay apart from that of a thing."""
        return self._apart.get(self.find(one), set())

    def are_apart(self, one: K, other: K) -> bool:
        """Return whether the groups of two things must stay apart."""
        return self.find(other) in self.others(one)

    def separate(self, one: K, other: K) -> None:
        """Keep the groups of two things apart; they must not be one."""
        one, other = self.find(one), self.find(other)
        self._apart.setdefault(one, set()).add(other)
        self._apart.setdefault(other, set()).add(one)

    def join(self, one: K, other: K) -> bool:
        """Make the groups of two things one; return False, and do nothing, if they must stay apart."""
        one, other = self.find(one), self.find(other)
        if one == other:
            return True
        if self.are_apart(one, other):
            return False
        if len(self.members(one)) < len(self.members(other)):
            one, other = other, one
        self._members[one] = self.members(one) + self._members.pop(other, [other])
        self._parents[other] = one
        for third in self._apart.pop(other, set()):
            self._apart[third].remove(other)
            self._apart[third].add(one)
            self._apart.setdefault(one, set()).add(third)
        return True


@dataclass(frozen=True, slots=True)
class Contradiction(Generic[K]):
    """A *same* that does not hold: it would join what is different.

    Attributes:
        left_out: The number of that judgement.
        different: The number of the judgement that it contradicts.
        chain: Things from one side of ``different`` to the other, each judged the same as the next.

    """

    left_out: int
    different: int
    chain: tuple[K, ...]


def settle(same: Sequence[tuple[K, K]], different: Sequence[tuple[K, K]]) -> tuple[Groups[K], list[Contradiction[K]]]:
    """Return the groups that judgements make, and those of ``same`` that are left out; both lists oldest first."""
    groups, links = Groups[K](), dict[K, list[K]]()
    for one, other in different:
        groups.separate(one, other)
    left_out = []
    for number, (one, other) in enumerate(same):
        if not groups.join(one, other):
            left_out.append(number)
            continue
        links.setdefault(one, []).append(other)
        links.setdefault(other, []).append(one)
    of_ends = {frozenset((groups.find(one), groups.find(other))): n for n, (one, other) in enumerate(different)}
    found = []
    for number in left_out:
        one, other = same[number]
        which = of_ends[frozenset((groups.find(one), groups.find(other)))]
        start, end = different[which]
        if groups.find(start) != groups.find(one):
            start, end = end, start
        chain = (*_path(links, start, one), *_path(links, other, end))
        found.append(Contradiction(number, which, chain))
    return groups, found


def _path(links: dict[K, list[K]], start: K, end: K) -> tuple[K, ...]:
    """Return the shortest chain from ``start`` to ``end``, which are in one group."""
    came_from, waiting = {end: end}, deque([end])
    while start not in came_from:
        here = waiting.popleft()
        for there in links.get(here, ()):
            if there not in came_from:
                came_from[there] = here
                waiting.append(there)
    chain = [start]
    while chain[-1] != end:
        chain.append(came_from[chain[-1]])
    return tuple(chain)


def constraints_of(groups: Groups[K], items: Iterable[tuple[int, K]], n: int) -> Constraints:
    """Return what ``groups`` say about n items, of which some stand for a thing each."""
    of_root: dict[K, list[int]] = {}
    for item, thing in items:
        of_root.setdefault(groups.find(thing), []).append(item)
    lowest = {root: min(found) for root, found in of_root.items()}
    labels = np.arange(n, dtype=np.int64)
    for root, found in of_root.items():
        labels[found] = lowest[root]
    apart = {(lowest[root], lowest[other]) for root in lowest for other in groups.others(root) if other in lowest}
    pairs = sorted(pair for pair in apart if pair[0] < pair[1])
    return Constraints(labels, np.array(pairs, np.int64).reshape(-1, 2))
