"""The database of a workspace: records and snapshots, besides the texts and vectors of ``texts``.

Input rows are written by ``indexer.ingest``, and runs by ``runs``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, tuple_

from dedup.errors import CorruptStore, InputRefused, UsageError
from indexer.store import schema
from indexer.store.engines import PAGE, RETRY_PAUSES_S
from indexer.store.integrity.values import damaged, fault_of, json_object, strings_of
from indexer.store.texts import BEFORE_ALL, Codes, Ids, Texts, make_model_key
from indexer.store.transactions import Writer, next_key

__all__ = ["Codes", "Counts", "Ids", "Record", "Snapshot", "Store", "to_json"]


@dataclass(frozen=True, slots=True)
class Record:
    """A row that the user gave: its text as written (``raw``) and its other columns."""

    record_id: int
    source: str
    external_id: str
    raw: str
    fields: dict[str, str]
    text_id: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A FAISS file over the vectors of all texts up to ``max_text_id`` at the time it was built."""

    generation: int
    file_name: str
    n_bytes: int
    sha256: str
    model_id: str
    max_text_id: int
    n_vectors: int
    digest: str
    parameters: dict[str, Any]
    created_at: str


@dataclass(frozen=True, slots=True)
class Counts:
    """The size of a store; ``sources`` maps the name of each source to its number of records."""

    records: int
    texts: int
    vectors: int
    sources: dict[str, int]


class Store(Texts):
    """The database of a workspace, at the current schema.

    Without a ``writer`` it is read-only, and an attempt to write is a bug. ``retry_pauses_s`` as for
    ``engines.retrying``.
    """

    def __init__(
        self, engine: Engine, writer: Writer | None = None, *, retry_pauses_s: Iterable[float] = RETRY_PAUSES_S
    ) -> None:
        super().__init__(engine, writer, retry_pauses_s=retry_pauses_s)
        self._source_names: dict[int, str] = {}  # a source is never renamed, and its key is never reused

    def meta(self, key: str) -> str | None:
        """Return a value of ``store_meta``, for example of ``store_uuid``."""
        column = schema.store_meta.c
        rows = self.read(select(column.value).where(column.key == key))
        return rows[0][0] if rows else None

    def counts(self) -> Counts:
        """Count records, texts, vectors and the records of each source."""
        record, source = schema.record.c, schema.source.c
        of_sources = (
            select(source.name, func.count(record.record_id))
            .outerjoin_from(schema.source, schema.record)
            .group_by(source.name)
            .order_by(source.name)
        )
        others = (select(func.count()).select_from(table) for table in (schema.text, schema.text_vector))
        *rows, (texts,), (vectors,) = self.read(of_sources, *others)
        sources = {name: number for name, number in rows}
        return Counts(sum(sources.values()), texts, vectors, sources)

    def records_of_texts(self, ids: Iterable[int]) -> dict[int, list[Record]]:
        """Return the records of each text in the order of ``record_id``; deleted texts are left out."""
        rows = sorted(self.find(_RECORD_COLUMNS, schema.record.c.text_id, np.fromiter(ids, np.int64)))
        result: defaultdict[int, list[Record]] = defaultdict(list)
        for record in self._to_records(rows):
            result[record.text_id].append(record)
        return dict(result)

    def records_per_text(self, text_ids: Ids) -> NDArray[np.int64]:
        """Return the number of records of each of these texts (n,), whose ids are ascending."""
        text_id = schema.record.c.text_id
        rows = self.read(select(text_id, func.count()).group_by(text_id).order_by(text_id))
        found = np.array([tuple(row) for row in rows], np.int64).reshape(-1, 2)
        counts = np.zeros(len(text_ids), np.int64)
        counts[np.searchsorted(text_ids, found[:, 0])] = found[:, 1]
        return counts

    def iter_records(self, page: int = PAGE, *, sources: Sequence[str] | None = None) -> Iterator[Record]:
        """Yield the records of ``sources``, or all, in the order of ``(text_id, record_id)``, ``page`` at a time."""
        order = tuple_(schema.record.c.text_id, schema.record.c.record_id)
        statement = select(*_RECORD_COLUMNS).order_by(schema.record.c.text_id, schema.record.c.record_id).limit(page)
        if sources is not None:
            statement = statement.where(_of_sources(sources))
        after = (BEFORE_ALL, BEFORE_ALL)
        while rows := self.read(statement.where(order > after)):
            yield from self._to_records(rows)
            after = (rows[-1].text_id, rows[-1].record_id)

    def iter_records_as_added(self, page: int = PAGE) -> Iterator[Record]:
        """Yield all records in the order in which they were added, ``page`` at a time."""
        key = schema.record.c.record_id
        statement, after = select(*_RECORD_COLUMNS).order_by(key).limit(page), BEFORE_ALL
        while rows := self.read(statement.where(key > after)):
            yield from self._to_records(rows)
            after = rows[-1].record_id

    def iter_fields(self, after_run: int, page: int = PAGE) -> Iterator[dict[str, str]]:
        """Yield the other columns of all records changed after a run, in the order of ``(text_id, record_id)``."""
        columns = schema.record.c["text_id", "record_id", "fields"]
        statement = select(*columns).where(schema.record.c.changed_by_run > after_run).order_by(*columns[:2])
        order, after = tuple_(*columns[:2]), (BEFORE_ALL, BEFORE_ALL)
        while rows := self.read(statement.where(order > after).limit(page)):
            for _, record_id, fields in rows:
                if fields != "{}":
                    yield _fields_of(record_id, fields)
            after = tuple(rows[-1][:2])

    def places_of_records(self, page: int = 10 * PAGE) -> tuple[Ids, Ids]:
        """Return the text and the id of every record, (r,) each, in the order of ``(text_id, record_id)``."""
        columns = schema.record.c["text_id", "record_id"]
        statement, after = select(*columns).order_by(*columns).limit(page), (BEFORE_ALL, BEFORE_ALL)
        parts = [np.empty((0, 2), np.int64)]
        while rows := self.read(statement.where(tuple_(*columns) > after)):
            parts.append(np.array([tuple(row) for row in rows], np.int64))
            after = tuple(rows[-1])
        text_ids, record_ids = np.concatenate(parts).T
        return text_ids, record_ids

    def texts_of_sources(self, sources: Sequence[str]) -> Ids:
        """Return the ids of the texts of all records of these sources (n,), ascending."""
        text_id = schema.record.c.text_id
        rows = self.read(select(text_id).where(_of_sources(sources)).distinct().order_by(text_id))
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def _to_records(self, rows: Sequence[Sequence[Any]]) -> Iterator[Record]:
        if unknown := {row[2] for row in rows} - self._source_names.keys():
            of_source = schema.source.c
            self._source_names |= dict(self.find(of_source["source_id", "name"], of_source.source_id, unknown))
        names = self._source_names
        for text_id, record_id, source_id, external_id, raw, fields in rows:
            if source_id not in names:
                raise _damaged_record(record_id, "source_id", source_id, "the key of a source")
            others = _fields_of(record_id, fields) if fields != "{}" else {}
            yield Record(record_id, names[source_id], external_id, raw, others, text_id)

    def publish_snapshot(
        self,
        *,
        file_name: str,
        n_bytes: int,
        sha256: str,
        model_id: str,
        max_text_id: int,
        n_vectors: int,
        digest: str,
        parameters: Mapping[str, Any],
        also: Callable[[Connection], None] = lambda connection: None,
    ) -> Snapshot:
        """Make a file that is already safely on disk the current snapshot, in one transaction with ``also``."""
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        values = {
            "file_name": file_name,
            "n_bytes": n_bytes,
            "sha256": sha256,
            "max_text_id": max_text_id,
            "n_vectors": n_vectors,
            "digest": digest,
            "parameters": to_json(parameters),
            "state": "ready",
            "created_at": created_at,
        }

        def work(connection: Connection) -> int:
            generation = next_key(connection, schema.snapshot.c.generation)
            keys = {"generation": generation, "model_key": make_model_key(connection, model_id)}
            connection.execute(insert(schema.snapshot).values(values | keys))
            also(connection)
            return generation

        published = (self.write(work), file_name, n_bytes, sha256, model_id, max_text_id, n_vectors, digest)
        return Snapshot(*published, dict(parameters), created_at)

    def current_snapshot(self) -> Snapshot | None:
        """Return the snapshot published last; None if there is none."""
        columns = schema.snapshot.c
        statement = (
            select(
                *columns["generation", "file_name", "n_bytes", "sha256"],
                schema.model.c.model_id,
                *columns["max_text_id", "n_vectors", "digest", "parameters", "created_at"],
            )
            .join_from(schema.snapshot, schema.model)
            .where(columns.state == "ready")
            .order_by(columns.generation.desc())
            .limit(1)
        )
        rows = self.read(statement)
        if not rows:
            return None
        *values, parameters, created_at = rows[0]
        return Snapshot(*[*values, json_object(parameters), created_at])


def check_columns(store: Store, wanted: Sequence[str] | None) -> None:
    """Raise ``InputRefused`` unless each of these columns is one of a record in the store."""
    missing, known = dict.fromkeys(wanted or ()), dict[str, None]()
    if not missing:
        return
    for record in store.iter_records():
        known.update(dict.fromkeys(record.fields))
        if missing.keys() <= known.keys():
            return
    first = next(name for name in missing if name not in known)
    listed = f"they have {', '.join(map(repr, known))}" if known else "they have none besides the text and the id"
    raise InputRefused(f"No record has a column {first!r} besides its text and id; {listed}.", "E_MISSING_COLUMN")


def check_sources(store: Store, sources: Sequence[str]) -> None:
    """Raise ``UsageError`` unless a store has all these sources."""
    known = store.counts().sources
    if unknown := [name for name in sources if name not in known]:
        there = f"It has {', '.join(map(repr, known))}." if known else "Nothing is indexed."
        raise UsageError(f"The index has no source {unknown[0]!r}. {there}")


def to_json(value: Mapping[str, Any]) -> str:
    """Serialise a JSON object with sorted keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


_RECORD_COLUMNS = schema.record.c["text_id", "record_id", "source_id", "external_id", "raw", "fields"]


def _of_sources(names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a record is of one of these sources."""
    keys = select(schema.source.c.source_id).where(schema.source.c.name.in_(names))
    return schema.record.c.source_id.in_(keys)


def _fields_of(record_id: int, fields: str) -> dict[str, str]:
    """Return the other columns of a record; raises ``CorruptStore`` if they are not an object of strings."""
    try:
        return strings_of(fields)
    except ValueError:
        raise _damaged_record(record_id, "fields", fields, "a JSON object of strings") from None


def _damaged_record(record_id: int, column: str, value: object, words: str) -> CorruptStore:
    return damaged(fault_of("record", f"record_id={record_id}", column, value, words))
