"""What ``link`` returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dedup.matching.matcher import Matcher
from indexer.jobs.link import LinkedTexts
from indexer.results.pairs import PairSequence
from indexer.results.records import PAIR_COLUMNS, RECORD_COLUMNS, Pair, Record, Rejected
from indexer.results.tables import Rows, check_threshold, counted, rows_of


@dataclass(frozen=True, eq=False)
class Links(PairSequence):
    """The pairs across two lists. As a sequence and as a table it is its pairs.

    Attributes:
        left, right: The records of both lists, in the order given.
        rejected_left, rejected_right: The rows that were not used because they have no text.
        min_probability: The lowest probability of a pair.

    """

    left: Sequence[Record]
    right: Sequence[Record]
    rejected_left: tuple[Rejected, ...]
    rejected_right: tuple[Rejected, ...]
    min_probability: float
    _left_groups: Sequence[Sequence[Record]]
    _right_groups: Sequence[Sequence[Record]]
    _linked: LinkedTexts

    def __repr__(self) -> str:
        return (
            f"Links({counted(self.pairs, 'pair')}, {len(self.matches):,} of {len(self.left):,} rows matched, "
            f"min_probability={self.min_probability:g})"
        )

    @cached_property
    def pairs(self) -> Rows[Pair]:
        """Every pair of a left and a right record, the pairs of a left text together, most probable first."""
        groups = self._left_groups, self._right_groups
        sizes = [len(groups[0][left]) * len(groups[1][right]) for left, right in self._linked.pairs.tolist()]
        ends = np.cumsum(sizes, dtype=np.int64)

        def make(place: int) -> Pair:
            at = int(np.searchsorted(ends, place, side="right"))
            left, right = self._linked.pairs[at].tolist()
            first, second = divmod(place - int(ends[at]) + sizes[at], len(groups[1][right]))
            return self._pair(at, groups[0][left][first], groups[1][right][second])

        return Rows(sum(sizes), make, Pair.columns, PAIR_COLUMNS)

    @cached_property
    def matches(self) -> Rows[Pair]:
        """The best match of each left record that has one, in the order of the left list.

        Of right records that are equally good the one with the higher similarity counts, then the one given first.
        """
        found: dict[int, Pair] = {}
        lefts, firsts = np.unique(self._linked.pairs[:, 0], return_index=True)
        for left, at in zip(lefts.tolist(), firsts.tolist(), strict=True):
            right = self._right_groups[int(self._linked.pairs[at, 1])][0]
            for record in self._left_groups[left]:
                found[id(record)] = self._pair(at, record, right)
        return rows_of([found[id(record)] for record in self.left if id(record) in found], Pair.columns, PAIR_COLUMNS)

    @cached_property
    def unmatched(self) -> Rows[Record]:
        """The left records without a match, in the order given."""
        return _without(self.left, self._left_groups, self._linked.pairs[:, 0].tolist())

    @cached_property
    def unmatched_right(self) -> Rows[Record]:
        """The right records that are in no pair, in the order given."""
        return _without(self.right, self._right_groups, self._linked.pairs[:, 1].tolist())

    def at(self, min_probability: float) -> Links:
        """Return the links at a higher threshold; nothing is encoded or compared again.

        Raises:
            UsageError: the threshold is lower than that of this result, or above 1.
        """
        check_threshold(min_probability, self.min_probability)
        return replace(self, min_probability=min_probability, _linked=self._linked.at(min_probability))

    @property
    def _matcher(self) -> Matcher:
        return self._linked.model

    def _pair(self, at: int, left: Record, right: Record) -> Pair:
        linked = self._linked
        return Pair(
            left, right, float(linked.probabilities[at]), float(linked.similarities[at]), bool(linked.exact[at])
        )


def _without(records: Sequence[Record], groups: Sequence[Sequence[Record]], linked: list[int]) -> Rows[Record]:
    """Return the records that are in none of the groups at these positions."""
    dropped = {id(record) for place in set(linked) for record in groups[place]}
    return rows_of([record for record in records if id(record) not in dropped], Record.columns, RECORD_COLUMNS)
