"""What is said of each record of a cluster: whether it names the cluster, is the one to keep, or hangs by a thread."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.clustering.cluster import LARGEST_COMPONENT
from dedup.errors import UsageError
from indexer.jobs.duplicates import NearDuplicates
from indexer.outputs.table_files import Column
from indexer.store.store import Record, Store, check_columns, check_sources

FACT_COLUMNS = tuple(Column(name, bool) for name in ("is_representative", "keep", "exact", "is_weakest"))
"""Columns of a record in a cluster."""

MOST_COMPLETE = "most-complete"
_RULES = f"{MOST_COMPLETE}, newest, oldest, newest:COLUMN, oldest:COLUMN or source:NAME"
_AT_ONCE = 200_000

Rank = Callable[[Record], Any]
"""The record of a cluster with the highest rank is kept."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Which record of a cluster is kept: the first by these rules, the later ones for ties; then the oldest."""

    rules: Sequence[str] = (MOST_COMPLETE,)

    def __post_init__(self) -> None:
        for rule in self.rules:
            _split(rule)

    def check(self, store: Store) -> None:
        """Raise ``UsageError`` or ``InputRefused`` unless the store has the sources and columns of the rules."""
        named = [_split(rule) for rule in self.rules]
        check_sources(store, [argument for name, argument in named if name == "source"])
        check_columns(store, [argument for name, argument in named if argument and name != "source"])

    def rank(self, record: Record) -> tuple[Any, ...]:
        """Return the rank of a record; no two are equal."""
        return (*(_RANKS[name](record, argument) for name, argument in map(_split, self.rules)), -record.record_id)


def _split(rule: str) -> tuple[str, str]:
    """Return a rule and what it names. Raises ``UsageError`` if there is no such rule."""
    name, colon, argument = rule.partition(":")
    takes = {"source": (True,), "newest": (True, False), "oldest": (True, False), MOST_COMPLETE: (False,)}
    if bool(argument) not in takes.get(name, ()) or bool(colon) != bool(argument):
        raise UsageError(f"The rule of the record to keep is {rule!r}; give {_RULES}.")
    return name, argument


def _completeness(record: Record, _: str) -> tuple[int, int]:
    return sum(1 for value in record.fields.values() if value.strip()), len(record.raw)


def _newness(record: Record, column: str) -> tuple[int, float, str]:
    """Rank by when a record was added, or by a column with numbers, or times as text."""
    value = record.fields.get(column, "").strip() if column else str(record.record_id)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    return (1, number, "") if math.isfinite(number) else (2 if value else 0, 0.0, value)


def _oldness(record: Record, column: str) -> tuple[int, float, tuple[int, ...]]:
    kind, number, text = _newness(record, column)
    return (-kind if kind else -3), -number, (*(-ord(letter) for letter in text), 1)


_RANKS: dict[str, Callable[[Record, str], Any]] = {
    MOST_COMPLETE: _completeness,
    "newest": _newness,
    "oldest": _oldness,
    "source": lambda record, name: record.source == name,
}


class ClusterFacts:
    """The record to keep, the representative and the weakest edge of each cluster, by its label.

    The representative text is that of most records; of several, the one that is most similar to the others of the
    cluster; then the oldest. Of its records the first with the most frequent spelling stands for it.
    """

    def __init__(self, near: NearDuplicates, keep: Keep) -> None:
        self._near, self._keep = near, keep
        self._kept: dict[int, tuple[Any, int, int]] = {}
        self._spelling: dict[int, int] = {}
        self._representative: dict[int, int] = {}

    def see(self, place: int, records: Sequence[Record]) -> None:
        """Take note of the records of a text."""
        label = int(self._near.clusters.labels[place])
        number, best = max(enumerate(map(self._keep.rank, records)), key=lambda one: one[1])
        if label not in self._kept or best > self._kept[label][0]:
            self._kept[label] = best, place, number
        spellings = [record.raw for record in records]
        if len(spellings) > 1:
            often = Counter(spellings)
            self._spelling[place] = spellings.index(max(often, key=lambda raw: often[raw]))  # the first of equals

    def choose(self, counts: NDArray[np.int64], first_records: NDArray[np.int64]) -> None:
        """Choose the representative texts, once all records have been seen; ``counts`` and others are by text."""
        labels = self._near.clusters.labels
        places = np.flatnonzero((np.bincount(labels, minlength=len(labels)) > 1)[labels])
        places = places[np.argsort(labels[places], kind="stable")]
        closeness = np.zeros(len(labels))
        for pairs in _pairs_within(labels[places], places):
            np.add.at(closeness, pairs[:, 0], np.round(self._near.comparison.similarities(pairs), 4))
        order = places[np.lexsort((first_records[places], -closeness[places], -counts[places]))]
        for place, label in zip(order.tolist(), labels[order].tolist(), strict=True):
            self._representative.setdefault(label, place)

    def chosen(self, place: int) -> tuple[int | None, int | None]:
        """Return which record of a clustered text is the representative, and which is kept; None if it has none."""
        label = int(self._near.clusters.labels[place])
        named = self._spelling.get(place, 0) if self._representative.get(label, place) == place else None
        _, kept_place, kept = self._kept[label]
        return named, kept if kept_place == place else None

    def of(self, place: int, size: int) -> Iterable[list[bool]]:
        """Yield the cells of ``FACT_COLUMNS`` for each of the ``size`` records of a clustered text."""
        label = int(self._near.clusters.labels[place])
        named, kept = self.chosen(place)
        is_weakest = place in self._near.clusters.weakest_pairs.get(label, ())
        for number in range(size):
            yield [number == named, number == kept, size > 1, is_weakest]


def _pairs_within(labels: NDArray[np.int64], places: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
    """Yield each text with the others of its cluster, (q, 2), or with a hundred of them; ``labels`` are sorted."""
    pairs: list[NDArray[np.int64]] = []
    waiting = 0
    for group in np.split(places, np.flatnonzero(np.diff(labels)) + 1):
        others = group[:: -(-len(group) // LARGEST_COMPONENT)] if len(group) else group
        pairs.append(np.column_stack([np.repeat(group, len(others)), np.tile(others, len(group))]))
        waiting += len(pairs[-1])
        if waiting >= _AT_ONCE:
            yield np.concatenate(pairs)
            pairs, waiting = [], 0
    if pairs:
        yield np.concatenate(pairs)
