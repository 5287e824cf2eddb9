"""What ``link`` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dedup.errors import UsageError
from dedup.text.normalise import normalise
from indexer.jobs.link import LinkedTexts
from indexer.results.comparison import Comparison
from indexer.results.records import Pair, Record, Rejected
from indexer.results.tables import Rows, Tabular, counted, rows_of


@dataclass(frozen=True)
class Links(Tabular):
    """The pairs across two lists; as a sequence and as a table it is its pairs.

    ``left`` and ``right`` are the records of both lists in the order given, and the groups those with one text.
    ``rejected`` are rows of either list that were not used because they have no text.
    """

    min_probability: float
    left: Sequence[Record]
    right: Sequence[Record]
    rejected: tuple[Rejected, ...]
    left_groups: Sequence[Sequence[Record]]
    right_groups: Sequence[Sequence[Record]]
    linked: LinkedTexts

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        return (
            f"Links({counted(self.pairs, 'pair')}, {len(self.matches):,} of {len(self.left):,} rows matched, "
            f"min_probability={self.min_probability:g})"
        )

    def table_rows(self) -> Iterator[Mapping[str, Any]]:  # noqa: D102
        return self.pairs.table_rows()

    @cached_property
    def pairs(self) -> Rows[Pair]:
        """Every pair of a left and a right record, the pairs of a left text together, most probable first."""
        linked = self.linked
        sizes = [len(self.left_groups[left]) * len(self.right_groups[right]) for left, right in linked.pairs.tolist()]
        ends = np.cumsum(sizes, dtype=np.int64)

        def make(place: int) -> Pair:
            at = int(np.searchsorted(ends, place, side="right"))
            left, right = linked.pairs[at].tolist()
            first, second = divmod(place - int(ends[at]) + sizes[at], len(self.right_groups[right]))
            return self._pair(at, self.left_groups[left][first], self.right_groups[right][second])

        return Rows(sum(sizes), make, Pair.columns)

    @cached_property
    def matches(self) -> Rows[Pair]:
        """The best match of each left record that has one, in the order of the left list.

        Of right records that are equally good the one with the higher similarity counts, then the one given first.
        """
        found: dict[int, Pair] = {}
        lefts, firsts = np.unique(self.linked.pairs[:, 0], return_index=True)
        for left, at in zip(lefts.tolist(), firsts.tolist(), strict=True):
            right = self.right_groups[int(self.linked.pairs[at, 1])][0]
            for record in self.left_groups[left]:
                found[id(record)] = self._pair(at, record, right)
        return rows_of([found[id(record)] for record in self.left if id(record) in found], Pair.columns)

    @cached_property
    def unmatched(self) -> list[Record]:
        """The left records without a match, in the order given."""
        matched = {id(pair.left) for pair in self.matches}
        return [record for record in self.left if id(record) not in matched]

    def at(self, min_probability: float) -> Links:
        """Return the links at a higher threshold; nothing is encoded or compared again.

        Raises:
            UsageError: the threshold is lower than that of this result, or above 1.
        """
        if not self.min_probability <= min_probability <= 1:
            raise UsageError(
                f"This result holds pairs from {self.min_probability:g} to 1; to see others, compute again with "
                f"min_probability={min_probability:g}."
            )
        keep = self.linked.probabilities >= min_probability
        linked = LinkedTexts(
            self.linked.pairs[keep],
            self.linked.probabilities[keep],
            self.linked.similarities[keep],
            self.linked.exact[keep],
            self.linked.model,
        )
        return replace(self, min_probability=min_probability, linked=linked)

    def explain(self, pair: Pair) -> Comparison:
        """Return the reasons for the probability of a pair."""
        left, right = normalise(pair.left.text), normalise(pair.right.text)
        found = None if left == right else self.linked.model.explain(left, right, pair.similarity)
        return Comparison.of(pair.left.text, pair.right.text, found)

    def _pair(self, at: int, left: Record, right: Record) -> Pair:
        linked = self.linked
        return Pair(
            left, right, float(linked.probabilities[at]), float(linked.similarities[at]), bool(linked.exact[at])
        )
