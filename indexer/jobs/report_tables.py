"""The tables of a report: pairs and clusters, with all columns of the records; ``docs/output-files.md`` describes them.

The records of the texts in a pair or a cluster are held in memory, each as one string, because pairs are written in the
order of their probability.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice, repeat
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.runtime.progress import Progress
from indexer.jobs.duplicates import Duplicates, lost_record
from indexer.outputs.reasons import in_a_cell, reasons_of
from indexer.outputs.record_pairs import MAX_PAIRS, RecordPairs
from indexer.outputs.report_formats import ReportFormats
from indexer.outputs.table_files import Column, Style, TableFormat, TableWriter
from indexer.store.integrity.values import damaged
from indexer.store.store import Ids, Record, Store

PAIR_COLUMNS = (
    *map(Column, ("source_1", "id_1", "text_1", "source_2", "id_2", "text_2")),
    *(Column("probability", float), Column("similarity", float), Column("kind"), Column("cluster_id")),
)
REASON_COLUMNS = (Column("log_odds", float), Column("explanation"))
"""Columns of a pair, if reasons are asked for."""
LINK_COLUMNS = PAIR_COLUMNS[:8]
"""The first columns of the pairs across two sources."""
CLUSTER_COLUMNS = (*map(Column, ("cluster_id", "source", "id", "text")), Column("weakest_probability", float))
RECORD_COLUMNS = (*map(Column, ("source", "id", "text", "cluster_id")), Column("representative", bool))

_Pair = tuple[str, str, tuple[Any, ...]]
"""Two held records and what was measured."""

_AT_ONCE = 5_000
_MANY = 0.3
"""Share of the texts from which on reading all records is faster than finding those of some texts."""
_OWN = 3
"""A held record begins with its source, id and text."""
_GLUE = "\0"
"""Between the cells of a held record; no cell has one (``E_NUL``)."""


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

    """

    formats: ReportFormats = field(default_factory=ReportFormats)
    style: Style = field(default_factory=Style)
    columns: Sequence[str] | None = None
    explain: bool = False
    max_pairs: int = MAX_PAIRS
    records: bool = False


def beginning_of(columns: Sequence[Column], layout: TableFormat) -> re.Pattern[bytes] | None:
    """Return how a table with these columns begins, whatever its delimiter; None if the format is not text."""
    if not layout.is_text:
        return None
    if not layout.is_delimited:
        keys = (rb'"%s": ' % re.escape(column.name.encode()) for column in columns[:3])
        return re.compile(rb"\{" + rb'"[^\n]*?", '.join(keys))
    first, *others = (re.escape(column.name.encode()) for column in columns)
    return re.compile(rb"(?:\xef\xbb\xbf)?" + first + rb"(.{1,4}?)" + rb"\1".join(others))


@dataclass(frozen=True, slots=True)
class TextRecords:
    """The records of n texts.

    Attributes:
        counts: Number of records of each text (n,).
        ids: Ids of all records (r,), text by text.
        held: Records by position of the text, for texts in a pair or a cluster: cells joined by ``_GLUE``.
        columns: Other columns of the input.
        prepare: Makes a cell of a text; held cells are prepared.

    """

    counts: NDArray[np.int64]
    ids: NDArray[np.int64]
    held: dict[int, list[str]]
    columns: list[str]
    prepare: Callable[[str], str]

    @property
    def first_records(self) -> NDArray[np.int64]:
        """Smallest ``record_id`` of each text (n,)."""
        result: NDArray[np.int64] = self.ids[np.cumsum(self.counts) - self.counts]
        return result

    def cells(self, held: str) -> list[str]:
        """Return the cells of a held record: source, id, text and the value of each of ``columns``."""
        return held.split(_GLUE)


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


def read_records(
    store: Store, duplicates: Duplicates, columns: Sequence[str], prepare: Callable[[str], str], progress: Progress
) -> TextRecords:
    """Count all records, and hold those of texts in a pair or a cluster; ``prepare`` makes a cell of a text.

    Raises ``CorruptStore``: a text has no record, or a record no text.
    """
    text_ids, labels = duplicates.text_ids, duplicates.near.clusters.labels
    of_record, ids = store.places_of_records()
    places = np.minimum(np.searchsorted(text_ids, of_record), len(text_ids) - 1)
    if len(lost := np.flatnonzero(text_ids[places] != of_record)):
        raise lost_record(int(ids[lost[0]]), int(of_record[lost[0]]))
    counts = np.bincount(places, minlength=len(text_ids))
    if len(bare := np.flatnonzero(counts == 0)):
        raise damaged(f"Text {text_ids[int(bare[0])]} has no record.")
    is_held = (np.bincount(labels, minlength=len(labels)) > 1)[labels] | (counts > 1)
    is_held[duplicates.near.pairs] = True
    held: dict[int, list[str]] = {}
    wanted = np.flatnonzero(is_held)
    for text_id, records in _records_of(store, text_ids, wanted):
        place = int(np.searchsorted(text_ids, text_id))
        held[place] = [_held(record, columns, prepare) for record in records]
        if not len(held) % _AT_ONCE:
            progress("read records", len(held), len(wanted))
    progress("read records", len(wanted), len(wanted))
    return TextRecords(counts, ids, held, list(columns), prepare)


def _records_of(store: Store, text_ids: Ids, places: NDArray[np.int64]) -> Iterator[tuple[int, list[Record]]]:
    """Yield the records of the texts at these places; all are read in one go if these are many."""
    if len(places) > _MANY * len(text_ids):
        wanted = set(text_ids[places].tolist())
        for text_id, group in groupby(store.iter_records(), attrgetter("text_id")):
            if text_id in wanted:
                yield text_id, list(group)
        return
    for start in range(0, len(places), _AT_ONCE):
        yield from store.records_of_texts(text_ids[places[start : start + _AT_ONCE]]).items()


def _held(record: Record, columns: Iterable[str], prepare: Callable[[str], str]) -> str:
    others = [record.fields.get(column, "") for column in columns]
    return _GLUE.join(map(prepare, (record.source, record.external_id, record.raw, *others)))


def pair_columns(columns: Sequence[str], *, explain: bool) -> list[Column]:
    """Return the columns of the table of pairs; those of the input stand side by side, as ``city_1`` and ``city_2``."""
    others = [Column(f"{name}_{side}") for name in _unique_names(columns) for side in (1, 2)]
    return [*PAIR_COLUMNS, *(REASON_COLUMNS if explain else ()), *others]


def cluster_columns(columns: Sequence[str]) -> list[Column]:
    """Return the columns of the table of clusters."""
    return [*CLUSTER_COLUMNS, *map(Column, _unique_names(columns))]


def record_columns(columns: Sequence[str]) -> list[Column]:
    """Return the columns of the table of records."""
    return [*RECORD_COLUMNS, *map(Column, _unique_names(columns))]


def write_pairs_table(
    table: TableWriter, duplicates: Duplicates, records: TextRecords, labels: Labels, asked: Tables, progress: Progress
) -> int:
    """Write near pairs, most probable first, then exact ones; return the number of pairs."""
    listed = RecordPairs(records.held, _source_of, asked.max_pairs)
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
            others = [cell for both in zip(left[_OWN:], right[_OWN:], strict=True) for cell in both]
            yield [*left[:_OWN], *right[:_OWN], *measures, *others]

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
    near, texts, of_text = duplicates.near, duplicates.near.comparison.normal_forms, labels.of_text.tolist()
    order = np.lexsort((-near.similarities, -near.probabilities))  # stable: ties by text
    for block in _blocks(order, "pairs", progress):
        found = near.pairs[block].tolist(), near.probabilities[block].tolist(), near.similarities[block].tolist()
        reasons: Iterable[tuple[Any, ...]] = repeat((), len(block))
        if asked.explain:
            left, right = (texts[side].tolist() for side in near.pairs[block].T)
            explained = near.model.explain_pairs(left, right, near.similarities[block].tolist())
            reasons = (_reasons(reasons_of(one), prepare) for one in explained)
        for (one, other), probability, similarity, why in zip(*found, reasons, strict=True):
            cluster = labels.name(of_text[one]) if of_text[one] == of_text[other] else ""
            measures = (probability, similarity, "near", cluster, *why)
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
            cells = map(records.cells, records.held[place])
            table.write([name, *one[:_OWN], least, *one[_OWN:]] for one in cells)
    sizes: list[int] = np.bincount(labels.of_text[places], records.counts[places]).astype(np.int64).tolist()
    return [size for size in sizes if size]


def _identity_of(cells: list[str]) -> list[str]:
    return cells[:2]


def write_records_table(
    table: TableWriter, store: Store, text_ids: Ids, records: TextRecords, labels: Labels, progress: Progress
) -> None:
    """Write every record in the order in which it was added, with its cluster if it is in one.

    The first record of a cluster is its representative, and so is a record in no cluster: those are the records without
    duplicates.
    """
    added, prepare = store.iter_records_as_added(), records.prepare
    total, done = int(records.counts.sum()), 0
    first = np.full(len(labels.of_text), np.iinfo(np.int64).max)
    np.minimum.at(first, labels.of_text, records.first_records)
    while page := list(islice(added, _AT_ONCE)):
        places = np.searchsorted(text_ids, [record.text_id for record in page])
        of_text, is_clustered = labels.of_text[places].tolist(), labels.is_clustered[places].tolist()
        rows = []
        for record, label, clustered in zip(page, of_text, is_clustered, strict=True):
            cluster = labels.name(label) if clustered else ""
            is_first = not clustered or record.record_id == first[label]
            own = map(prepare, (record.source, record.external_id, record.raw))
            rows.append([*own, cluster, is_first, *(prepare(record.fields.get(name, "")) for name in records.columns)])
        table.write(rows)
        done += len(page)
        progress("write records", done, total)


def _source_of(held: str) -> str:
    return held[: held.index(_GLUE)]


def _reasons(reasons: dict[str, Any], prepare: Callable[[str], str]) -> tuple[float | None, str]:
    return reasons["log_odds"], prepare(in_a_cell(reasons["explanation"]))


def _blocks(values: NDArray[np.int64], stage: str, progress: Progress) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
        progress(f"write {stage}", min(start + _AT_ONCE, len(values)), len(values))


def _unique_names(columns: Sequence[str]) -> list[str]:
    """Return names for the columns of the input that differ from ours and from each other."""
    ours = {column.name for column in (*CLUSTER_COLUMNS, *RECORD_COLUMNS)}
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
