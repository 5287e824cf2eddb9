"""Average linkage of large components, with samples in place of most probabilities: linear in their members.

Groups are merged only if a known pair connects them, and the mean probability between them is that of a few of
their pairs. Each group merges with its best neighbour if that is a best one of the neighbour, too, up to a small
difference; so many groups merge at once, and few rounds are needed (Dhulipala, Eisenstat, Łącki, Mirrokni and Shi,
"Hierarchical agglomerative graph clustering in poly-logarithmic depth", NeurIPS 2022).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np
from numpy.typing import NDArray

from dedup.clustering.linkage import NEVER, Bools, Floats, Ints, Weakest, weakest_of

SAMPLE = 8
"""Pairs of members that two groups are judged by; all of them if there are no more."""

_LEVELS = 32
"""Mean probabilities in the same interval of this width, 1/32, count as equally good."""

_TOO_HIGH = 0.2
"""How much a mean is too high, about, that does not stand for enough pairs: those that are known are the best."""

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


def link_by_samples(
    n: int,
    first: Ints,
    second: Ints,
    values: Floats,
    min_probability: float,
    compare: Callable[[Ints], Floats],
    start: Ints | None = None,
) -> tuple[Ints, Weakest]:
    """Merge groups of items 0 to n-1 while the mean probability between them is at least ``min_probability``.

    ``values`` (p,) are the known probabilities of the pairs ``first`` < ``second`` (p,), at least that high, or
    ``NEVER``; only they connect groups. ``compare`` returns the probabilities (q,) of any pairs (q, 2). ``start`` (n,)
    are the groups to begin with, as the lowest item of each; None if each item begins alone. Returns the group of each
    item, (n,), as its lowest item, and by that item the weakest of its pairs that were compared or known.
    """
    bonds = _Bonds(n, first, second, values)
    pairs, found = [np.column_stack([first, second])], [values]
    if start is not None:
        tied = np.flatnonzero(start != np.arange(n))
        pairs.append(np.column_stack([start[tied], tied]))
        found.append(compare(pairs[-1]))
        bonds.merge((tied, start[tied]))
    for number in count():
        best = bonds.best(min_probability)
        chosen = np.unique(best[best >= 0])
        if not len(chosen):
            break
        is_sampled = bonds.are_sampled()
        merging = bonds.merging(best, is_sampled, number)
        unsampled = chosen[~is_sampled[chosen]]
        if len(unsampled):
            which, cells = bonds.sample(unsampled)
            pairs.append(cells)
            found.append(compare(cells))
            bonds.set_means(unsampled, np.bincount(which, found[-1]) / np.bincount(which))
        bonds.merge(merging)
    groups = _by_lowest(bonds.groups)
    asked = np.concatenate(pairs)
    inside = groups[asked[:, 0]] == groups[asked[:, 1]]
    return groups, weakest_of(groups, asked[inside], np.concatenate(found)[inside])


class _Bonds:
    """Pairs of groups ``first`` < ``second`` (b,) that known pairs connect.

    ``total`` is the estimated sum of the probabilities of ``covered`` pairs of their members, and ``groups`` (n,) the
    group of each item, which has ``sizes`` (n,) members.
    """

    def __init__(self, n: int, first: Ints, second: Ints, values: Floats) -> None:
        self.first, self.second, self.total = first, second, values
        self.covered = np.ones(len(first))
        self.groups, self.sizes = np.arange(n), np.ones(n, np.int64)

    def _cells(self) -> Ints:
        """Return the number of pairs of members, (b,)."""
        result: Ints = self.sizes[self.first] * self.sizes[self.second]
        return result

    def are_sampled(self) -> Bools:
        """Return whether the total stands for enough pairs of members, (b,); otherwise it is probably too high.

        Enough are half of many, and all of a few.
        """
        cells = self._cells()
        result: Bools = self.covered >= np.where(cells > SAMPLE, cells / 2, cells)
        return result

    def best(self, min_probability: float) -> Ints:
        """Return the best bond of each group, (n,), -1 for none; only a mean of ``min_probability`` counts."""
        means = self.total / self.covered
        strong = np.flatnonzero(means >= min_probability)
        means[~self.are_sampled()] -= _TOO_HIGH
        # Ties are broken at random: in order of the items, one group would get all merges of a round, one at a time.
        key = _mixed(self.first[strong] * len(self.groups) + self.second[strong])
        strong = strong[np.lexsort((key, means[strong]))]
        result = np.full(len(self.groups), -1)
        ends = np.column_stack([self.first[strong], self.second[strong]]).ravel()
        result[ends] = np.repeat(strong, 2)  # the last one, which is the best, stays
        return result

    def sample(self, which: Ints) -> tuple[Ints, Ints]:
        """Return up to ``SAMPLE`` evenly spread pairs of members (q, 2) of these bonds, and the place of each bond."""
        order = np.argsort(self.groups, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.groups, minlength=len(self.groups)))])
        cells = self._cells()[which]
        taken = np.minimum(cells, SAMPLE)
        place = np.repeat(np.arange(len(which)), taken)
        number = np.arange(len(place)) - np.repeat(np.cumsum(taken) - taken, taken)
        key = (self.first[which] * len(self.groups) + self.second[which])[place] + number
        offset = (_mixed(key) % cells[place].astype(np.uint64)).astype(np.int64)
        cell = (number * cells[place] + offset) // taken[place]
        at = np.divmod(cell, self.sizes[self.second[which]][place])
        sides = [order[starts[side[which]][place] + of] for side, of in zip((self.first, self.second), at, strict=True)]
        return place, np.sort(np.column_stack(sides), axis=1)

    def set_means(self, which: Ints, means: Floats) -> None:
        """Let the means of samples stand for all pairs of members."""
        self.covered[which] = self._cells()[which]
        self.total[which] = means * self.covered[which]

    def merging(self, best: Ints, is_sampled: Bools, number: int) -> tuple[Ints, Ints]:
        """Return groups and those that they merge into in the round ``number``, which stay where they are.

        A group at most doubles, so its mean with the others that merge into it is not far from what it was.
        """
        groups = np.flatnonzero(best >= 0)
        bond = best[groups]
        into = self.first[bond] + self.second[bond] - groups
        is_mutual = best[into] == bond
        level = np.floor(self.total / self.covered * _LEVELS)
        stays = _mixed(np.arange(len(best)) + number * len(best)) % np.uint64(2) == 0
        stays[groups[is_mutual]] = (groups < into)[is_mutual]
        merges = is_sampled[bond] & ~stays[groups] & stays[into] & (is_mutual | (level[bond] >= level[best[into]]))
        groups, into, bond, is_mutual = groups[merges], into[merges], bond[merges], is_mutual[merges]
        order = np.lexsort((groups, -(self.total / self.covered)[bond], ~is_mutual, into))
        groups, into = groups[order], into[order]
        added = np.cumsum(self.sizes[groups]) - self.sizes[groups]
        _, begins, of_begin = np.unique(into, return_index=True, return_inverse=True)
        fits = added - added[begins][of_begin] < self.sizes[into]
        return self._compatible(groups[fits], into[fits])

    def _compatible(self, groups: Ints, into: Ints) -> tuple[Ints, Ints]:
        """Leave out merges into the same group, the last ones, of groups that must not be together."""
        never = self.total == NEVER
        first, second = self.first[never], self.second[never]
        target, rank = np.arange(len(self.groups)), np.full(len(self.groups), -1)
        target[groups], rank[groups] = into, np.arange(len(groups))
        while len(clashes := np.flatnonzero(target[first] == target[second])):
            last = groups[np.maximum(rank[first[clashes]], rank[second[clashes]])]
            target[last] = last
        stay = target[groups] == into
        return groups[stay], into[stay]

    def merge(self, merging: tuple[Ints, Ints]) -> None:
        """Merge groups into others, and combine the bonds that then connect the same two."""
        groups, into = merging
        if not len(groups):
            return
        moved = np.arange(len(self.groups))
        moved[groups] = into
        np.add.at(self.sizes, into, self.sizes[groups])
        self.sizes[groups] = 0
        self.groups = moved[self.groups]
        first, second = np.sort([moved[self.first], moved[self.second]], axis=0)
        between = first != second
        keys, place = np.unique((first * len(moved) + second)[between], return_inverse=True)
        self.first, self.second = np.divmod(keys, len(moved))
        self.total = np.bincount(place, self.total[between], len(keys)).astype(np.float64)
        self.covered = np.bincount(place, self.covered[between], len(keys)).astype(np.float64)


def _mixed(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return pseudo-random numbers made of numbers (Steele, Lea and Flood, "SplitMix", OOPSLA 2014)."""
    mixed = values.astype(np.uint64) * _STEP
    for shift, factor in _MIXERS:
        mixed = (mixed ^ (mixed >> shift)) * factor
    return mixed ^ (mixed >> np.uint64(31))


def _by_lowest(groups: Ints) -> Ints:
    """Return the lowest item of each item's group, (n,)."""
    lowest = np.full(len(groups), len(groups))
    np.minimum.at(lowest, groups, np.arange(len(groups)))
    return lowest[groups]
