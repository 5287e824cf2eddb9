"""The tables of a report: pairs and clusters, with all columns of the records; ``docs/output-files.md`` describes them.

Pairs are written in the order of their probability, so the records come from memory (``reporting.text_records``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.runtime.progress import Progress
from indexer.jobs.duplicates import Duplicates
from indexer.jobs.reporting.cluster_facts import FACT_COLUMNS, Keep
from indexer.jobs.reporting.text_records import OWN, TextRecords, source_of_held
from indexer.outputs.reasons import in_a_cell, reasons_of
from indexer.outputs.record_pairs import MAX_PAIRS, RecordPairs
from indexer.outputs.report_formats import ReportFormats
from indexer.outputs.table_files import Column, Style, TableFormat, TableWriter
from indexer.store.store import Store

PAIR_COLUMNS = (
    *map(Column, ("source_1", "id_1", "text_1", "source_2", "id_2", "text_2")),
    *(Column("probability", float), Column("similarity", float), Column("kind"), Column("cluster_id")),
)
REASON_COLUMNS = (Column("log_odds", float), Column("explanation"))
"""Columns of a pair, if reasons are asked for."""
LINK_COLUMNS = PAIR_COLUMNS[:8]
"""The first columns of the pairs across two sources."""
CLUSTER_COLUMNS = (*map(Column, ("cluster_id", "source", "id", "text")), Column("weakest_probability", float))
RECORD_COLUMNS = (*map(Column, ("source", "id", "text", "cluster_id")), *FACT_COLUMNS[:2])

_Pair = tuple[str, str, tuple[Any, ...]]
"""Two held records and what was measured."""

_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Tables:
    """How the tables of a report are written.

    Attributes:
        formats: Their formats, and whether there is a page.
        style: How their cells are written.
        columns: Other columns of the input to write, in this order; None for all, in that of their first occurrence.
        explain: Whether each pair has its reasons.
        max_pairs: Most pairs of records listed for two texts, or for one (``outputs.record_pairs``).
        records: Whether there is a table of all records.
        keep: Which record of a cluster is marked as the one to keep.

    """

    formats: ReportFormats = field(default_factory=ReportFormats)
    style: Style = field(default_factory=Style)
    columns: Sequence[str] | None = None
    explain: bool = False
    max_pairs: int = MAX_PAIRS
    records: bool = False
    keep: Keep = field(default_factory=Keep)


def beginning_of(columns: Sequence[Column], layout: TableFormat) -> re.Pattern[bytes] | None:
    """Return how a table with these columns begins, whatever its delimiter; None if the format is not text."""
    if not layout.is_text:
        return None
    if not layout.is_delimited:
        keys = (rb'"%s": ' % re.escape(column.name.encode()) for column in columns[:3])
        return re.compile(rb"\{" + rb'"[^\n]*?", '.join(keys))
    first, *others = (re.escape(column.name.encode()) for column in columns)
    return re.compile(rb"(?:\xef\xbb\xbf)?" + first + rb"(.{1,4}?)" + rb"\1".join(others))


class Labels:
    """The clusters of n texts: which texts are in clusters of two records or more, and what these are called.

    ``ids`` are the ids of these clusters by their label.

    Attributes:
        of_text: Label of each text (n,).
        is_clustered: Whether the cluster of a text has two records or more (n,).

    """

    def __init__(self, of_text: NDArray[np.int64], ids: Mapping[int, int]) -> None:
        self.of_text, self._ids = of_text, ids
        labels = np.fromiter(ids, np.int64, len(ids))
        self._id_of_label = np.zeros(len(of_text), np.int64)
        self._id_of_label[labels] = np.fromiter(ids.values(), np.int64, len(ids))
        self.is_clustered = self._id_of_label[of_text] > 0

    def name(self, label: int) -> str:
        """Return the name of a cluster."""
        return f"c{self._ids[label]}"

    def places(self) -> NDArray[np.int64]:
        """Return the clustered texts: those of a cluster are adjacent, clusters in the order of their ids."""
        places = np.flatnonzero(self.is_clustered)
        return places[np.lexsort((places, self._id_of_label[self.of_text[places]]))]


def pair_columns(columns: Sequence[str], *, explain: bool) -> list[Column]:
    """Return the columns of the table of pairs; those of the input stand side by side, as ``city_1`` and ``city_2``."""
    others = [Column(f"{name}_{side}") for name in other_columns(columns) for side in (1, 2)]
    return [*PAIR_COLUMNS, *(REASON_COLUMNS if explain else ()), *others]


def cluster_columns(columns: Sequence[str]) -> list[Column]:
    """Return the columns of the table of clusters."""
    return [*CLUSTER_COLUMNS, *FACT_COLUMNS, *map(Column, other_columns(columns))]


def record_columns(columns: Sequence[str]) -> list[Column]:
    """Return the columns of the table of records."""
    return [*RECORD_COLUMNS, *map(Column, other_columns(columns))]


def write_pairs_table(
    table: TableWriter, duplicates: Duplicates, records: TextRecords, labels: Labels, asked: Tables, progress: Progress
) -> int:
    """Write near pairs, most probable first, then exact ones; return the number of pairs."""
    listed = RecordPairs(records.held, source_of_held, asked.max_pairs)
    found = chain(
        _near_pairs(duplicates, labels, listed, asked, records.prepare, progress),
        _exact_pairs(records, labels, listed, asked, progress),
    )
    written = 0

    def rows() -> Iterator[list[Any]]:
        nonlocal written
        for first, second, measures in found:
            # by identity, so that a pair has the same sides in every report
            left, right = sorted((records.cells(first), records.cells(second)), key=_identity_of)
            written += 1
            others = [cell for both in zip(left[OWN:], right[OWN:], strict=True) for cell in both]
            yield [*left[:OWN], *right[:OWN], *measures, *others]

    table.write(rows())
    return written


def _near_pairs(
    duplicates: Duplicates,
    labels: Labels,
    listed: RecordPairs[str],
    asked: Tables,
    prepare: Callable[[str], str],
    progress: Progress,
) -> Iterator[_Pair]:
    near, of_text = duplicates.near, labels.of_text.tolist()
    order = np.lexsort((-near.similarities, -near.probabilities))  # stable: ties by text
    for block in _blocks(order, "pairs", progress):
        pairs = near.sides(near.pairs[block])
        measured = near.probabilities[block].tolist(), near.similarities[block].tolist()
        judged = near.are_judged_same(pairs).tolist()
        reasons: Iterable[tuple[Any, ...]] = repeat((), len(block))
        if asked.explain:
            explained = near.explain(pairs, near.similarities[block].tolist())
            reasons = (_reasons(reasons_of(one), prepare) for one in explained)
        found = zip(pairs.tolist(), *measured, judged, reasons, strict=True)
        for (one, other), probability, similarity, is_judged, why in found:
            cluster = labels.name(of_text[one]) if of_text[one] == of_text[other] else ""
            measures = (probability, similarity, "judged" if is_judged else "near", cluster, *why)
            for first, second in listed.across(one, other):
                yield first, second, measures


def _exact_pairs(
    records: TextRecords, labels: Labels, listed: RecordPairs[str], asked: Tables, progress: Progress
) -> Iterator[_Pair]:
    equal = _reasons(reasons_of(None), records.prepare) if asked.explain else ()
    for block in _blocks(np.flatnonzero(records.counts > 1), "exact pairs", progress):
        for place in block.tolist():
            measures = (1.0, 1.0, "exact", labels.name(labels.of_text[place]), *equal)
            for first, second in listed.within(place):
                yield first, second, measures


def write_clusters_table(
    table: TableWriter, duplicates: Duplicates, records: TextRecords, labels: Labels, progress: Progress
) -> list[int]:
    """Write the clusters and return the number of records of each."""
    weakest, places = duplicates.near.clusters.weakest, labels.places()
    for block in _blocks(places, "clusters", progress):
        for place, label in zip(block.tolist(), labels.of_text[block].tolist(), strict=True):
            name, least = labels.name(label), weakest.get(label, 1.0)
            held = records.held[place]
            cells = zip(map(records.cells, held), records.facts.of(place, len(held)), strict=True)
            table.write([name, *one[:OWN], least, *facts, *one[OWN:]] for one, facts in cells)
    sizes: list[int] = np.bincount(labels.of_text[places], records.counts[places]).astype(np.int64).tolist()
    return [size for size in sizes if size]


def _identity_of(cells: list[str]) -> list[str]:
    return cells[:2]


def write_records_table(
    table: TableWriter, store: Store, duplicates: Duplicates, records: TextRecords, labels: Labels, progress: Progress
) -> None:
    """Write every record in the order in which it was added, with its cluster if it is in one.

    A record in no cluster is the representative and the one to keep: so those to keep are the list without duplicates.
    """
    added, prepare = store.iter_records_as_added(), records.prepare
    total, done = int(records.counts.sum()), 0
    named, kept = records.chosen(labels.places())
    while page := list(islice(added, _AT_ONCE)):
        places = duplicates.places_of(page)
        of_text, is_clustered = labels.of_text[places].tolist(), labels.is_clustered[places].tolist()
        rows = []
        for record, label, clustered in zip(page, of_text, is_clustered, strict=True):
            cluster = labels.name(label) if clustered else ""
            facts = [not clustered or record.record_id in chosen for chosen in (named, kept)]
            own = map(prepare, (record.source, record.external_id, record.raw))
            rows.append([*own, cluster, *facts, *(prepare(record.fields.get(name, "")) for name in records.columns)])
        table.write(rows)
        done += len(page)
        progress("write records", done, total)


def _reasons(reasons: dict[str, Any], prepare: Callable[[str], str]) -> tuple[float | None, str]:
    return reasons["log_odds"], prepare(in_a_cell(reasons["explanation"]))


def _blocks(values: NDArray[np.int64], stage: str, progress: Progress) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
        progress(f"write {stage}", min(start + _AT_ONCE, len(values)), len(values))


def other_columns(columns: Sequence[str]) -> list[str]:
    """Return names for the columns of the input that differ from ours and from each other."""
    ours = {column.name for column in (*CLUSTER_COLUMNS, *FACT_COLUMNS, *RECORD_COLUMNS)}
    taken = {*ours, *columns}
    names = []
    for column in columns:
        name = column
        if column in ours:
            while name in taken:
                name = f"column_{name}"
            taken.add(name)
        names.append(name)
    return names
