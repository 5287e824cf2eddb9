"""The tables of a report: pairs and clusters, with all columns of the records; ``docs/output-files.md`` describes them.

The records of the texts in a pair or a cluster are held in memory, each as one string, because pairs are written in the
order of their probability.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.runtime.progress import Progress
from indexer.jobs.duplicates import Duplicates, check_text_of
from indexer.jobs.reporting.cluster_facts import FACT_COLUMNS, ClusterFacts, Keep
from indexer.outputs.reasons import in_a_cell, reasons_of
from indexer.outputs.record_pairs import MAX_PAIRS, RecordPairs
from indexer.outputs.table_files import Column, Style, TableFormat, TableWriter
from indexer.store.integrity.values import damaged
from indexer.store.store import Record, Store

PAIR_COLUMNS = (
    *map(Column, ("source_1", "id_1", "text_1", "source_2", "id_2", "text_2")),
    *(Column("probability", float), Column("similarity", float), Column("kind"), Column("cluster_id")),
)
REASON_COLUMNS = (Column("log_odds", float), Column("explanation"))
"""Columns of a pair, if reasons are asked for."""
LINK_COLUMNS = PAIR_COLUMNS[:8]
"""The first columns of the pairs across two sources."""
CLUSTER_COLUMNS = (*map(Column, ("cluster_id", "source", "id", "text")), Column("weakest_probability", float))

_Pair = tuple[str, str, tuple[Any, ...]]
"""Two held records and what was measured."""

_AT_ONCE = 5_000
_OWN = 3
"""A held record begins with its source, id and text."""
_GLUE = "\0"
"""Between the cells of a held record; no cell has one (``E_NUL``)."""


@dataclass(frozen=True, slots=True)
class Tables:
    """How the tables of a report are written.

    Attributes:
        layout: Their format.
        style: How their cells are written.
        columns: Other columns of the input to write, in this order; None for all, in that of their first occurrence.
        explain: Whether each pair has its reasons.
        max_pairs: Most pairs of records listed for two texts, or for one (``outputs.record_pairs``).
        keep: Which record of a cluster is marked as the one to keep.

    """

    layout: TableFormat = TableFormat.csv
    style: Style = field(default_factory=Style)
    columns: Sequence[str] | None = None
    explain: bool = False
    max_pairs: int = MAX_PAIRS
    keep: Keep = field(default_factory=Keep)


def beginning_of(columns: Sequence[Column]) -> re.Pattern[bytes]:
    """Return how a table with these columns begins, whatever its delimiter."""
    first, *others = (re.escape(column.name.encode()) for column in columns)
    return re.compile(rb"(?:\xef\xbb\xbf)?" + first + rb"(.{1,4}?)" + rb"\1".join(others))


@dataclass(frozen=True, slots=True)
class TextRecords:
    """The records of n texts.

    Attributes:
        counts: Number of records of each text (n,).
        first_records: Smallest ``record_id`` of each text (n,).
        held: Records by position of the text, for texts in a pair or a cluster: cells joined by ``_GLUE``.
        columns: Other columns of the input.
        facts: What is said of each record of a cluster.

    """

    counts: NDArray[np.int64]
    first_records: NDArray[np.int64]
    held: dict[int, list[str]]
    columns: list[str]
    facts: ClusterFacts

    def cells(self, held: str) -> list[str]:
        """Return the cells of a held record: source, id, text and the value of each of ``columns``."""
        cells = held.split(_GLUE)
        missing = _OWN + len(self.columns) - len(cells)  # columns that were not known when it was read
        return cells + [""] * missing if missing else cells


class Labels:
    """The clusters of n texts: which texts are in clusters of two records or more, and what these are called.

    A cluster is named ``c`` followed by the smallest ``record_id`` in it, so it keeps its name as long as that record
    stays in it.

    Attributes:
        of_text: Label of each text (n,).
        is_clustered: Whether the cluster of a text has two records or more (n,).

    """

    def __init__(self, of_text: NDArray[np.int64], records: TextRecords) -> None:
        n = len(of_text)
        sizes = np.zeros(n, np.int64)
        np.add.at(sizes, of_text, records.counts)
        self.of_text, self.is_clustered = of_text, sizes[of_text] > 1
        self._first_records = np.full(n, np.iinfo(np.int64).max)
        np.minimum.at(self._first_records, of_text, records.first_records)

    def name(self, label: int) -> str:
        """Return the name of a cluster."""
        return f"c{self._first_records[label]}"

    def places(self) -> NDArray[np.int64]:
        """Return the clustered texts: those of a cluster are adjacent, clusters in the order of their first record."""
        places = np.flatnonzero(self.is_clustered)
        return places[np.lexsort((places, self._first_records[self.of_text[places]]))]


def read_records(
    store: Store,
    duplicates: Duplicates,
    wanted: Sequence[str] | None,
    prepare: Callable[[str], str],
    keep: Keep,
    progress: Progress,
) -> TextRecords:
    """Read all records, and hold those of texts in a pair or a cluster; ``prepare`` makes a cell of a text.

    Raises ``CorruptStore``: a text has no record, or a record no text.
    """
    text_ids, labels = duplicates.text_ids.tolist(), duplicates.near.clusters.labels
    counts, first_records = np.zeros(len(labels), np.int64), np.zeros(len(labels), np.int64)
    is_written = (np.bincount(labels, minlength=len(labels)) > 1)[labels]
    is_written[duplicates.near.pairs] = True
    held: dict[int, list[str]] = {}
    facts = ClusterFacts(duplicates.near, keep)
    columns = dict.fromkeys(wanted or ())
    place = 0
    for text_id, group in groupby(store.iter_records(), attrgetter("text_id")):
        records = list(group)
        while place < len(text_ids) and text_ids[place] < text_id:
            place += 1
        check_text_of(records[0], text_ids[place : place + 1])
        if wanted is None:
            for record in records:
                columns.update(dict.fromkeys(record.fields))
        for item, part in duplicates.parts_of(place, records):
            counts[item], first_records[item] = len(part), part[0].record_id
            if is_written[item] or len(part) > 1:
                held[item] = [_held(record, columns, prepare) for record in part]
                facts.see(item, part)
        if not place % _AT_ONCE:
            progress("read records", place, len(text_ids))
    if len(bare := np.flatnonzero(counts == 0)):
        raise damaged(f"Text {text_ids[int(bare[0])]} has no record.")
    facts.choose(counts, first_records)
    progress("read records", len(text_ids), len(text_ids))
    return TextRecords(counts, first_records, held, list(columns), facts)


def _held(record: Record, columns: Iterable[str], prepare: Callable[[str], str]) -> str:
    others = [record.fields.get(column, "") for column in columns]
    return _GLUE.join(map(prepare, (record.source, record.external_id, record.raw, *others)))


def pair_columns(columns: Sequence[str], *, explain: bool) -> list[Column]:
    """Return the columns of the table of pairs; those of the input stand side by side, as ``city_1`` and ``city_2``."""
    others = [Column(f"{name}_{side}") for name in _unique_names(columns) for side in (1, 2)]
    return [*PAIR_COLUMNS, *(REASON_COLUMNS if explain else ()), *others]


def cluster_columns(columns: Sequence[str]) -> list[Column]:
    """Return the columns of the table of clusters."""
    return [*CLUSTER_COLUMNS, *FACT_COLUMNS, *map(Column, _unique_names(columns))]


def write_pairs(
    table: TableWriter, duplicates: Duplicates, records: TextRecords, labels: Labels, asked: Tables, progress: Progress
) -> int:
    """Write near pairs, most probable first, then exact ones; return the number of pairs."""
    listed = RecordPairs(records.held, _source_of, asked.max_pairs)
    found = chain(
        _near_pairs(duplicates, labels, listed, asked, progress),
        _exact_pairs(records, labels, listed, asked, progress),
    )
    written = 0

    def rows() -> Iterator[list[Any]]:
        nonlocal written
        for first, second, measures in found:
            left, right = records.cells(first), records.cells(second)
            written += 1
            others = [cell for both in zip(left[_OWN:], right[_OWN:], strict=True) for cell in both]
            yield [*left[:_OWN], *right[:_OWN], *measures, *others]

    table.write(rows())
    return written


def _near_pairs(
    duplicates: Duplicates, labels: Labels, listed: RecordPairs[str], asked: Tables, progress: Progress
) -> Iterator[_Pair]:
    near, texts, of_text = duplicates.near, duplicates.near.comparison.normal_forms, labels.of_text.tolist()
    order = np.lexsort((-near.similarities, -near.probabilities))  # stable: ties by text
    for block in _blocks(order, "pairs", progress):
        pairs = near.sides(near.pairs[block])
        found = pairs.tolist(), near.probabilities[block].tolist(), near.similarities[block].tolist()
        judged = near.are_judged_same(pairs).tolist()
        for (one, other), probability, similarity, is_judged in zip(*found, judged, strict=True):
            cluster = labels.name(of_text[one]) if of_text[one] == of_text[other] else ""
            kind = "judged" if is_judged else "near"
            measures: tuple[Any, ...] = (probability, similarity, kind, cluster)
            if asked.explain:
                measures += _reasons(reasons_of(near.model.explain(str(texts[one]), str(texts[other]), similarity)))
            for first, second in listed.across(one, other):
                yield first, second, measures


def _exact_pairs(
    records: TextRecords, labels: Labels, listed: RecordPairs[str], asked: Tables, progress: Progress
) -> Iterator[_Pair]:
    equal = _reasons(reasons_of(None)) if asked.explain else ()
    for block in _blocks(np.flatnonzero(records.counts > 1), "exact pairs", progress):
        for place in block.tolist():
            measures = (1.0, 1.0, "exact", labels.name(labels.of_text[place]), *equal)
            for first, second in listed.within(place):
                yield first, second, measures


def write_clusters(
    table: TableWriter, duplicates: Duplicates, records: TextRecords, labels: Labels, progress: Progress
) -> list[int]:
    """Write the clusters and return the number of records of each."""
    weakest, places = duplicates.near.clusters.weakest, labels.places()
    for block in _blocks(places, "clusters", progress):
        for place, label in zip(block.tolist(), labels.of_text[block].tolist(), strict=True):
            name, least = labels.name(label), weakest.get(label, 1.0)
            held = records.held[place]
            cells = zip(map(records.cells, held), records.facts.of(place, len(held)), strict=True)
            table.write([name, *one[:_OWN], least, *facts, *one[_OWN:]] for one, facts in cells)
    sizes: list[int] = np.bincount(labels.of_text[places], records.counts[places]).astype(np.int64).tolist()
    return [size for size in sizes if size]


def _source_of(held: str) -> str:
    return held[: held.index(_GLUE)]


def _reasons(reasons: dict[str, Any]) -> tuple[float | None, str]:
    return reasons["log_odds"], in_a_cell(reasons["explanation"])


def _blocks(values: NDArray[np.int64], stage: str, progress: Progress) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
        progress(f"write {stage}", min(start + _AT_ONCE, len(values)), len(values))


def _unique_names(columns: Sequence[str]) -> list[str]:
    """Return names for the columns of the input that differ from ours and from each other."""
    ours = {column.name for column in (*CLUSTER_COLUMNS, *FACT_COLUMNS)}
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
