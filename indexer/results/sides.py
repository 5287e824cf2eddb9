"""One side of a link: the records of a file, or of some sources of an index, by their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dedup.evidence.fields.field_table import Frequencies
from dedup.evidence.fields.normal_forms import Field
from indexer.jobs.fielding.field_records import FieldRecords, fields_in_memory
from indexer.jobs.fielding.slots import Slot
from indexer.jobs.query import searchable_rows
from indexer.reading.formats.python_rows import cell_of
from indexer.reading.rejects import Reject
from indexer.reading.rows import FieldKinds, Table
from indexer.results.records import Record
from indexer.store import store as stored

Parsers = dict[str, Callable[[str], Any]]


class Side:
    """Records, in the order given.

    Attributes:
        records: All of them.
        groups: Those of each normal form, in the order of their first record.
        fields: Their columns that serve as evidence, with their kinds.

    """

    def __init__(self, fields: FieldKinds = ()) -> None:
        self.records: list[Record] = []
        self.groups: dict[str, list[Record]] = {}
        self.fields = fields

    def add(self, normal: str, record: Record) -> None:
        """Add a record with this normal form."""
        self.records.append(record)
        self.groups.setdefault(normal, []).append(record)


def columns_of(side: Side) -> list[str]:
    """Return the names of the other columns of the records, in the order of their first occurrence."""
    return list(dict.fromkeys(name for record in side.records for name in record.fields))


def fields_of_sides(
    slots: Sequence[Slot], sides: Mapping[str, Side], frequencies: Frequencies | None = None
) -> FieldRecords:
    """Return the fields of the records of sides, whose texts follow one another.

    ``slots`` name the column of each side by its name in ``sides``, and that of an index by the source of the record.
    ``frequencies`` are those of a corpus; None: the records are the corpus.
    """
    groups = [(name, normal, group) for name, side in sides.items() for normal, group in side.groups.items()]
    fields = {
        slot.label: Field(
            slot.kind,
            [
                _written(record.fields.get(slot.columns.get(record.source or name, "")))
                for name, _, group in groups
                for record in group
            ],
        )
        for slot in slots
    }
    return fields_in_memory(
        [normal for _, normal, _ in groups], [len(group) for *_, group in groups], fields, frequencies
    )


def items_of_sides(records: FieldRecords, sides: Iterable[Side]) -> list[list[Record]]:
    """Return the records of each item, of the same sides."""
    of_item: list[list[Record]] = [[] for _ in range(len(records.row_of))]
    in_order = (record for side in sides for group in side.groups.values() for record in group)
    for item, record in zip(records.item_of.tolist(), in_order, strict=True):
        of_item[item].append(record)
    return of_item


def _written(value: object) -> str:
    cell = cell_of(value)
    return cell if isinstance(cell, str) else cell.stand_in


def side_of_table(table: Table, on_reject: Callable[[Reject], None]) -> Side:
    """Return the records of an input; without an id column the id of a row is its line."""
    side = Side(table.choice.fields)
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
