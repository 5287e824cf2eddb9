"""Average linkage of many small components at once, with upper bounds in place of most probabilities.

Two groups that are each other's best match are merged. If several pairs of groups qualify, their order makes
no difference, because average linkage is reducible (Murtagh, "A survey of recent advances in hierarchical
clustering algorithms", Computer Journal 26, 1983), so all of them are merged in one round. Members are compared
only if, by the bounds, their groups could be each other's best match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER = -np.inf
"""The probability of a pair that must not be in one group: the mean of any groups that it lies between is the same."""


class Probabilities(Protocol):
    """Source of the probabilities of any pairs (q, 2) of items."""

    def probabilities(self, pairs: Ints) -> Floats:
        """Return the probabilities (q,)."""

    def upper_bounds(self, pairs: Ints) -> Floats:
        """Return upper bounds on the probabilities (q,), which are cheaper to compute."""


@dataclass(frozen=True, slots=True)
class Links:
    """All pairs within components: positions ``first`` < ``second`` (p,) in ``members`` (n,), ascending.

    ``values`` (p,) are probabilities where ``is_known``, and upper bounds elsewhere. ``start`` (n,) are the groups to
    begin with, each member's as the position of the group's first member; None if each member begins alone.
    """

    members: Ints
    first: Ints
    second: Ints
    values: Floats
    is_known: Bools
    start: Ints | None = None

    def compare(self, which: Ints, comparison: Probabilities) -> None:
        """Replace the upper bounds among ``which`` by probabilities."""
        which = which[~self.is_known[which]]
        if len(which):
            pairs = np.column_stack([self.members[self.first[which]], self.members[self.second[which]]])
            self.values[which] = comparison.probabilities(pairs)
            self.is_known[which] = True


class Weakest(NamedTuple):
    """The least probable pair in each of n groups: its ``probability`` (n,), 1 in a group of one, and itself (n, 2)."""

    probability: Floats
    pair: Ints


def weakest_of(groups: Ints, pairs: Ints, probabilities: Floats) -> Weakest:
    """Return the weakest of ``pairs`` (p, 2) in each of the ``groups`` of items (n,)."""
    found = Weakest(np.ones(len(groups)), np.zeros((len(groups), 2), np.int64))
    order = np.lexsort((pairs[:, 1], pairs[:, 0], probabilities))[::-1]
    group = groups[pairs[order, 0]]
    found.probability[group], found.pair[group] = probabilities[order], pairs[order]  # the last one stays
    return found


def link(links: Links, min_probability: float, comparison: Probabilities) -> tuple[Ints, Weakest]:
    """Merge groups of members while the mean probability between them is at least ``min_probability``.

    Returns the group of each member, (n,), as the position of the group's first member, and by that position
    the weakest pair of members of the group. In case of a tie the first group is merged.
    """
    groups = np.arange(len(links.members))
    bonds = _Bonds(links)
    if links.start is not None:
        groups = links.start
        bonds.merge_into(groups)
    while True:
        of_one, of_both = bonds.best(min_probability)
        if not len(of_one):
            break
        unknown = of_one[bonds.unknown[of_one] > 0]
        of_both = of_both[bonds.unknown[of_both] == 0]
        if len(unknown):
            bonds.compare(unknown, comparison)
        if len(of_both):
            groups = bonds.merge(of_both)[groups]
    inside = np.flatnonzero(groups[links.first] == groups[links.second])
    links.compare(inside, comparison)
    pairs = np.column_stack([links.first[inside], links.second[inside]])
    return groups, weakest_of(groups, pairs, links.values[inside])


class _Bonds:
    """Pairs of groups ``first`` < ``second`` (b,): the total over the links between them, and how many are unknown.

    ``links`` are the pairs of members in different groups, and ``bond`` the pair of groups that each belongs to.
    """

    def __init__(self, links: Links) -> None:
        self._all = links
        self.first, self.second, self.total = links.first, links.second, links.values.copy()
        self.unknown = (~links.is_known).astype(np.int64)
        self.links = np.arange(len(links.first))
        self.bond = self.links
        self.sizes = np.ones(len(links.members), np.int64)

    def best(self, min_probability: float) -> tuple[Ints, Ints]:
        """Return the bonds that are the best of one of their groups, and those that are the best of both.

        Only bonds with a mean of at least ``min_probability`` count. Groups without one are dropped, because by
        reducibility a merge cannot bring another group closer to them.
        """
        is_strong = self._means() >= min_probability
        alive = np.zeros(len(self.sizes), np.bool_)
        alive[self.first[is_strong]] = alive[self.second[is_strong]] = True
        self._keep(alive[self.first] & alive[self.second])
        means = self._means()
        strong = np.flatnonzero(means >= min_probability)
        order = strong[np.lexsort((self.second[strong], self.first[strong], -means[strong]))]
        rank = np.arange(len(order))
        best = np.full(len(self.sizes), len(order))
        np.minimum.at(best, self.first[order], rank)
        np.minimum.at(best, self.second[order], rank)
        of_first, of_second = best[self.first[order]] == rank, best[self.second[order]] == rank
        return order[of_first | of_second], order[of_first & of_second]

    def _means(self) -> Floats:
        return self.total / (self.sizes[self.first] * self.sizes[self.second])

    def _keep(self, which: Bools) -> None:
        """Drop all other bonds."""
        if not which.all():
            place = np.where(which, np.cumsum(which) - 1, -1)[self.bond]
            self.links, self.bond = self.links[place >= 0], place[place >= 0]
            self.first, self.second = self.first[which], self.second[which]
            self.total, self.unknown = self.total[which], self.unknown[which]

    def compare(self, which: Ints, comparison: Probabilities) -> None:
        """Replace the upper bounds in these bonds by probabilities."""
        chosen = np.zeros(len(self.first), np.bool_)
        chosen[which] = True
        at = chosen[self.bond]
        links, bond = self.links[at], self.bond[at]
        self._all.compare(links, comparison)
        self.total[which] = np.bincount(bond, self._all.values[links], len(chosen))[which]
        self.unknown[which] = 0

    def merge(self, merging: Ints) -> Ints:
        """Merge the groups of bonds that have no group in common; return the new group of each group, (n,)."""
        into = np.arange(len(self.sizes))
        into[self.second[merging]] = self.first[merging]
        self.merge_into(into)
        return into

    def merge_into(self, into: Ints) -> None:
        """Merge each group into one that stays as it is, (n,)."""
        moved = np.flatnonzero(into != np.arange(len(into)))
        self.sizes += np.bincount(into[moved], self.sizes[moved], len(into)).astype(np.int64)
        touched = np.zeros(len(into), np.bool_)
        touched[moved] = touched[into[moved]] = True
        self._keep(into[self.first] != into[self.second])
        self._add_up(touched[self.first] | touched[self.second], into)

    def _add_up(self, which: Bools, into: Ints) -> None:
        """Combine those bonds of ``which`` that now connect the same two groups."""
        first, second = np.sort([into[self.first[which]], into[self.second[which]]], axis=0)
        keys, bond = np.unique(first * len(into) + second, return_inverse=True)
        others = ~which
        n_others = int(others.sum())
        place = np.cumsum(others) - 1
        place[which] = n_others + bond
        first, second = np.divmod(keys, len(into))
        self.first = np.concatenate([self.first[others], first])
        self.second = np.concatenate([self.second[others], second])
        self.total = np.concatenate([self.total[others], np.bincount(bond, self.total[which], len(keys))])
        unknown = np.bincount(bond, self.unknown[which], len(keys)).astype(np.int64)
        self.unknown = np.concatenate([self.unknown[others], unknown])
        self.bond = place[self.bond]
