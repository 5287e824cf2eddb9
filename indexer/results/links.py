"""What ``link`` returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dedup.clustering.assignment import assign
from dedup.errors import InputRefused, UsageError
from dedup.matching.matcher import Matcher
from indexer.jobs.fielding.field_evidence import FieldEvidence
from indexer.jobs.link import LinkedTexts
from indexer.results.pairs import PairSequence
from indexer.results.records import MEASURES, PAIR_COLUMNS, RECORD_COLUMNS, Pair, Record, Rejected
from indexer.results.tables import Rows, check_threshold, counted, rows_of

Keep = Literal["best", "one-to-one", "all"]
"""Which links of a left record to keep: the best one, the best so that each right record has one too, or all."""

_NEARLY_ONE = 1 - 1e-9
_SHOWN_DIGITS = 6
"""Probabilities that agree so far are equally good."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A left record and the right record it is linked to, None where there is none.

    ``ties`` is the number of other ids whose right records are as probable as the best of this left record.
    """

    left: Record
    pair: Pair | None
    ties: int = 0


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
    # with fields, both are the items of the left side, then those of the right one
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
    def one_to_one(self) -> Rows[Pair]:
        """The most probable links in which no record occurs twice, in the order of the left list.

        Their log-odds above ``min_probability`` sum to the most possible; an equal text counts more than any other.
        """
        linked = self._linked
        sides = zip(linked.pairs.T, (self._left_groups, self._right_groups), strict=True)
        copies = [np.array([len(group) for group in groups], np.int64) for _, groups in sides]
        weights = _log_odds(linked.probabilities) - float(_log_odds(np.array([self.min_probability]))[0])
        weights += linked.outranks + (linked.similarities + 2) * 1e-6  # above 0; ties to the more similar
        counts = assign(linked.pairs, weights, *copies)
        free_left, free_right = (
            [iter(group) for group in groups] for groups in (self._left_groups, self._right_groups)
        )
        found: dict[int, Pair] = {}
        for at in np.lexsort((np.arange(len(counts)), -weights)).tolist():
            left, right = linked.pairs[at].tolist()
            for _ in range(int(counts[at])):
                record = next(free_left[left])
                found[id(record)] = self._pair(at, record, next(free_right[right]))
        return rows_of([found[id(record)] for record in self.left if id(record) in found], Pair.columns, PAIR_COLUMNS)

    def rows(self, keep: Keep = "best", columns: Sequence[str] | None = None) -> Rows[Linked]:
        """Return a row or more for each left record, in the order given, and one for those without a link.

        As a table it has all columns of both records, or these other ``columns`` of the side that has them: ``city_1``
        is that of the left one, ``city_2`` of the right.

        Raises:
            UsageError: ``keep`` is not ``best``, ``one-to-one`` or ``all``.
            InputRefused: neither side has one of the columns.
        """
        if keep not in get_args(Keep):
            raise UsageError(f"keep is {keep!r}; give 'best', 'one-to-one' or 'all'.")
        kept = {"best": lambda: self.matches, "one-to-one": lambda: self.one_to_one, "all": lambda: self.pairs}[keep]()
        pairs: dict[int, list[Pair]] = {}
        for pair in kept:
            pairs.setdefault(id(pair.left), []).append(pair)
        ties = self._ties
        rows = [
            Linked(record, pair, ties.get(id(record), 0))
            for record in self.left
            for pair in pairs.get(id(record), [None])
        ]
        table = _Columns(self.left, self.right, columns)
        return rows_of(rows, table.of, table.names)

    @property
    def cut_off(self) -> int:
        """The number of left texts that have as many links as are found for one (``limit``), so there may be more."""
        return int((np.unique(self._linked.pairs[:, 0], return_counts=True)[1] >= self._linked.limit).sum())

    @cached_property
    def _ties(self) -> dict[int, int]:
        """The number of ids of right records as good as the best, without its own, by ``id()`` of the left record."""
        linked, found = self._linked, {}
        lefts, firsts = np.unique(linked.pairs[:, 0], return_index=True)
        ends = [*firsts[1:], len(linked.pairs)][: len(firsts)]
        for left, start, end in zip(lefts.tolist(), firsts, ends, strict=True):
            shown = np.round(linked.probabilities[start:end], _SHOWN_DIGITS)
            best = (shown == shown[0]) & (linked.outranks[start:end] == linked.outranks[start])
            rights = linked.pairs[start:end][best, 1].tolist()
            count = len({(record.source, record.id) for right in rights for record in self._right_groups[right]}) - 1
            found.update({id(record): count for record in self._left_groups[left]})
        return found

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

    @property
    def _evidence(self) -> FieldEvidence | None:
        return self._linked.evidence

    @property
    def _items(self) -> Iterable[tuple[int, Sequence[Record]]]:
        return enumerate(self._left_groups)

    def _pair(self, at: int, left: Record, right: Record) -> Pair:
        linked = self._linked
        return Pair(
            left, right, float(linked.probabilities[at]), float(linked.similarities[at]), bool(linked.exact[at])
        )


class _Columns:
    """The columns of the rows of a link: those of the records of a side end in ``_1`` or ``_2``."""

    def __init__(self, left: Sequence[Record], right: Sequence[Record], wanted: Sequence[str] | None) -> None:
        known = [dict.fromkeys(name for record in side for name in record.fields) for side in (left, right)]
        for name in wanted or ():
            if not any(name in names for names in known):
                listed = ", ".join(map(repr, known[0] | known[1])) or "none besides text and id"
                raise InputRefused(f"Neither side has a column {name!r}; they have {listed}.", "E_MISSING_COLUMN")
        self._sides = [
            (suffix, "source" in own, [name for name in (names if wanted is None else wanted) if name in names])
            for suffix, side, names in zip(("_1", "_2"), (left, right), known, strict=True)
            for own in [{name for record in side[:1] for name in record.columns()}]
        ]
        self.names = tuple(self._row(None, None, dict.fromkeys((*MEASURES, "ties"))))

    def of(self, row: Linked) -> dict[str, Any]:
        pair = row.pair
        measures = {name: pair and getattr(pair, name) for name in MEASURES}
        return self._row(row.left, pair.right if pair else None, measures | {"ties": row.ties if pair else None})

    def _row(self, left: Record | None, right: Record | None, measures: dict[str, Any]) -> dict[str, Any]:
        cells: dict[str, Any] = {}
        for (suffix, has_source, _), record in zip(self._sides, (left, right), strict=True):
            empty = {f"source{suffix}": None} if has_source else {}
            cells |= record.columns(suffix) if record else empty | {f"id{suffix}": None, f"text{suffix}": None}
        cells |= measures
        for (suffix, _, names), record in zip(self._sides, (left, right), strict=True):
            for name in names:
                shown = f"{name}{suffix}"
                while shown in cells:
                    shown = f"column_{shown}"
                cells[shown] = record.fields.get(name) if record else None
        return cells


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(probabilities, 1 - _NEARLY_ONE, _NEARLY_ONE)
    odds: NDArray[np.float64] = np.log(bounded / (1 - bounded))
    return odds


def _without(records: Sequence[Record], groups: Sequence[Sequence[Record]], linked: list[int]) -> Rows[Record]:
    """Return the records that are in none of the groups at these positions."""
    dropped = {id(record) for place in set(linked) for record in groups[place]}
    return rows_of([record for record in records if id(record) not in dropped], Record.columns, RECORD_COLUMNS)
