"""One side of a link: the records of a file, or of some sources of an index, by their texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from indexer.jobs.query import searchable_rows
from indexer.reading.rejects import Reject
from indexer.reading.rows import Table
from indexer.results.records import Record
from indexer.store import store as stored

Parsers = dict[str, Callable[[str], Any]]


class Side:
    """Records, in the order given.

    Attributes:
        records: All of them.
        groups: Those of each normal form, in the order of their first record.

    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.groups: dict[str, list[Record]] = {}

    def add(self, normal: str, record: Record) -> None:
        """Add a record with this normal form."""
        self.records.append(record)
        self.groups.setdefault(normal, []).append(record)


def side_of_table(table: Table, on_reject: Callable[[Reject], None]) -> Side:
    """Return the records of an input; without an id column the id of a row is its line."""
    side = Side()
    for row, normal in searchable_rows(table, on_reject):
        record_id = str(row.line) if row.external_id is None else row.external_id
        side.add(normal, Record(record_id, row.raw, "", row.fields, row.record_no - 1))
    return side


def side_of_index(normals: Sequence[str], groups: Sequence[Sequence[stored.Record]], parsers: Parsers) -> Side:
    """Return the records of texts of an index."""
    side = Side()
    for normal, group in zip(normals, groups, strict=True):
        for record in group:
            side.add(normal, record_of(record, parsers))
    return side


def record_of(record: stored.Record, parsers: Parsers) -> Record:
    """Return a record of an index as the Python API gives it."""
    fields = {name: value for name, value in record.fields.items() if value}
    return Record(parsers[record.source](record.external_id), record.raw, record.source, fields)
