"""Judgements, as the Python API gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dedup.errors import UsageError
from indexer.ingest import id_types
from indexer.jobs.reviewing.exchange import COLUMNS
from indexer.jobs.reviewing.judgement_table import Identity, is_storable, read_judgements
from indexer.results.records import Record
from indexer.results.tables import Rows, rows_of
from indexer.store.store import Store

RecordOrIdentity = Record | tuple[str, Any]
"""A record of an index, or its source and id."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a person said about two records: ``same``, ``different`` or ``unsure``.

    Attributes:
        left: Source and id of one record.
        right: Source and id of the other.
        verdict: What was said.
        by: Who said it.
        at: When, in ISO 8601.
        note: A remark.

    """

    left: tuple[str, Any]
    right: tuple[str, Any]
    verdict: str
    by: str
    at: str
    note: str

    def columns(self) -> dict[str, Any]:
        """Return the columns of a table of judgements."""
        cells = (*self.left, *self.right, self.verdict, self.by, self.at, self.note)
        return dict(zip(COLUMNS, cells, strict=True))


def judged_rows(store: Store) -> Rows[Judged]:
    """Return all judgements of a store, the oldest first."""
    parsers = id_types.parsers(store)

    def given(one: Identity) -> tuple[str, Any]:
        return one.source, parsers.get(one.source, str)(one.id)

    found = [
        Judged(given(one.left), given(one.right), one.verdict, one.judged_by, one.judged_at, one.note)
        for one in read_judgements(store)
    ]
    return rows_of(found, Judged.columns, COLUMNS)


def identity_of(value: RecordOrIdentity) -> Identity:
    """Return the identity of a record. Raises ``UsageError`` if the value has none."""
    if isinstance(value, Record):
        return Identity(value.source, *id_types.to_stored([value.id]))
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and is_storable(value[0]):
        return Identity(value[0], *id_types.to_stored([value[1]]))
    raise UsageError(f"{value!r} is no record; give one of a result, or a tuple of source and id.")
