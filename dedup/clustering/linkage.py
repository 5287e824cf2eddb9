"""Average linkage of many small groups of items at once, where most probabilities have only an upper bound.

Two groups that are each other's best join; which of several such pairs joins first makes no difference to
average linkage (it is reducible; Murtagh 1983), so all of them join in one round. A pair of groups that
could be the best by the bounds of its members' probabilities is compared before it is decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Probabilities(Protocol):
    """What knows the probabilities of pairs (q, 2) of items, and what they are at most, both (q,)."""

    def of_any(self, pairs: Ints) -> Floats:
        """Return probabilities."""

    def at_most(self, pairs: Ints) -> Floats:
        """Return bounds that probabilities do not exceed."""


@dataclass(frozen=True, slots=True)
class Links:
    """All pairs inside components: places ``first`` < ``second`` (p,) of ``members`` (n,), ascending in each.

    ``values`` (p,) are probabilities where ``is_known``, else what they are at most.
    """

    members: Ints
    first: Ints
    second: Ints
    values: Floats
    is_known: Bools

    def find_out(self, which: Ints, comparison: Probabilities) -> None:
        """Have those of ``which`` compared that are not known."""
        which = which[~self.is_known[which]]
        if len(which):
            pairs = np.column_stack([self.members[self.first[which]], self.members[self.second[which]]])
            self.values[which] = comparison.of_any(pairs)
            self.is_known[which] = True


def link(links: Links, least: float, comparison: Probabilities) -> tuple[Ints, Floats]:
    """Join groups of members while the mean probability between them is at least ``least``.

    Returns the group of each member, (n,), as the place of the group's first member; and by that place the
    lowest probability between two members of the group, (n,), 1 for a single one. Of groups that are equally
    good for a third the first joins it.
    """
    groups = np.arange(len(links.members))
    bonds = _Bonds(links)
    while True:
        of_one, of_both = bonds.best(least)
        if not len(of_one):
            break
        unknown = of_one[bonds.unknown[of_one] > 0]
        of_both = of_both[bonds.unknown[of_both] == 0]
        if len(unknown):
            bonds.find_out(unknown, comparison)
        if len(of_both):
            groups = bonds.join(of_both)[groups]
    inside = np.flatnonzero(groups[links.first] == groups[links.second])
    links.find_out(inside, comparison)
    weakest = np.ones(len(groups))
    np.minimum.at(weakest, groups[links.first[inside]], links.values[inside])
    return groups, weakest


class _Bonds:
    """Pairs of groups ``first`` < ``second`` (b,): the sum of what is between their members, how much is unknown.

    ``links`` are the pairs of members between groups, and ``bond`` says of each to which bond it belongs.
    """

    def __init__(self, links: Links) -> None:
        self._all = links
        self.first, self.second, self.total = links.first, links.second, links.values.copy()
        self.unknown = (~links.is_known).astype(np.int64)
        self.links = np.arange(len(links.first))
        self.bond = self.links
        self.sizes = np.ones(len(links.members), np.int64)

    def best(self, least: float) -> tuple[Ints, Ints]:
        """Return the bonds that are the best of one of their groups or of both, of means of at least ``least``.

        Bonds of groups without any such bond are forgotten: what joins cannot come nearer to them.
        """
        is_strong = self._means() >= least
        alive = np.zeros(len(self.sizes), np.bool_)
        alive[self.first[is_strong]] = alive[self.second[is_strong]] = True
        self._keep(alive[self.first] & alive[self.second])
        means = self._means()
        strong = np.flatnonzero(means >= least)
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
        """Forget all bonds but these."""
        if not which.all():
            place = np.where(which, np.cumsum(which) - 1, -1)[self.bond]
            self.links, self.bond = self.links[place >= 0], place[place >= 0]
            self.first, self.second = self.first[which], self.second[which]
            self.total, self.unknown = self.total[which], self.unknown[which]

    def find_out(self, which: Ints, comparison: Probabilities) -> None:
        """Have all members of these bonds compared."""
        asked = np.zeros(len(self.first), np.bool_)
        asked[which] = True
        at = asked[self.bond]
        links, bond = self.links[at], self.bond[at]
        self._all.find_out(links, comparison)
        self.total[which] = np.bincount(bond, self._all.values[links], len(asked))[which]
        self.unknown[which] = 0

    def join(self, joining: Ints) -> Ints:
        """Join the groups of bonds that have none in common; return the group of each one, (n,)."""
        into = np.arange(len(self.sizes))
        into[self.second[joining]] = self.first[joining]
        self.sizes += np.bincount(self.first[joining], self.sizes[self.second[joining]], len(into)).astype(np.int64)
        touched = np.zeros(len(into), np.bool_)
        touched[self.first[joining]] = touched[self.second[joining]] = True
        self._keep(into[self.first] != into[self.second])
        self._add_up(touched[self.first] | touched[self.second], into)
        return into

    def _add_up(self, which: Bools, into: Ints) -> None:
        """Make one bond of those bonds of ``which`` that are now between the same two groups."""
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
