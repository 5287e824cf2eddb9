"""Read and write the database of a workspace: texts, vectors, records and snapshots.

Rows of an input get in through ``ingest``, and jobs are noted by ``runs``. Everything that iterates does so in
pages with a transaction each: no reader holds the database while its caller works.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, Engine, Select, delete, func, insert, select, tuple_

from dedup.runtime.progress import Progress, no_progress
from indexer.store import schema
from indexer.store.engines import insert_rows, retrying, rows_with
from indexer.store.writer import Writer

PAGE = 20_000
"""Rows read or looked up at once; SQLite takes 32,766 variables in one statement."""

T = TypeVar("T")
Ids = NDArray[np.int64]
Codes = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Record:
    """One row that the user gave: its text as written (``raw``) and its other columns."""

    record_id: int
    source: str
    external_id: str
    raw: str
    fields: dict[str, str]
    text_id: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A FAISS file over the vectors of all texts up to ``max_text_id`` at the time."""

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
    """How much a store holds; ``sources`` maps each source's name to its number of records."""

    records: int
    texts: int
    vectors: int
    sources: dict[str, int]


class Store:
    """The database of a workspace, at the current schema.

    Opened for reading it has no ``writer``, and whatever writes is an error of the program.
    """

    def __init__(self, engine: Engine, writer: Writer | None = None) -> None:
        self.engine = engine
        self._writer = writer
        self._source_names: dict[int, str] = {}  # a source is never renamed, nor its key given to another

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction, exactly once (``Writer.transact``), and return what it returns."""
        if self._writer is None:
            raise RuntimeError("this store was opened for reading")
        return self._writer.transact(work)

    def read(self, *statements: Select[Any]) -> list[Any]:
        """Return the rows of all ``statements``, read in one transaction; begun again if the connection breaks."""

        def attempt() -> list[Any]:
            with self.engine.connect() as connection:
                return [row for statement in statements for row in connection.execute(statement).all()]

        return retrying(self.engine, attempt)

    def find(
        self, columns: Iterable[Column[Any]], key: Column[Any], values: Iterable[Any], **fixed: object
    ) -> list[tuple[Any, ...]]:
        """Return ``columns`` of the rows of a table whose ``key`` is among ``values`` and others are as ``fixed``."""
        listed, parts = list(columns), list(chunks(values))

        def attempt() -> list[tuple[Any, ...]]:
            with self.engine.connect() as connection:
                return [row for part in parts for row in rows_with(connection, listed, key, part, **fixed)]

        return retrying(self.engine, attempt)

    # Facts about the store

    def meta(self, key: str) -> str | None:
        """Return a value of ``store_meta``, for example of ``store_uuid``."""
        column = schema.store_meta.c
        rows = self.read(select(column.value).where(column.key == key))
        return rows[0][0] if rows else None

    def counts(self) -> Counts:
        """Count what the store holds."""
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

    # Texts and their vectors

    def iter_texts(self, page: int = PAGE) -> Iterator[tuple[Ids, list[str]]]:
        """Yield every text in the order of ``text_id``: ids (n,) int64 and n normal forms, n <= ``page``."""
        columns = schema.text.c
        after = 0
        while True:
            statement = (
                select(columns.text_id, columns.normal)
                .where(columns.text_id > after)
                .order_by(columns.text_id)
                .limit(page)
            )
            ids, normals = self._two_columns(statement)
            if not ids:
                return
            yield np.array(ids, np.int64), normals
            after = ids[-1]

    def texts_without_vectors(self, model_id: str, after_text_id: int, limit: int) -> tuple[Ids, list[str]]:
        """Return the first texts above ``after_text_id`` that this model has not encoded.

        Ids (n,) int64, ascending, and n normal forms; n <= ``limit``, and 0 when none is left.
        """
        columns, vector = schema.text.c, schema.text_vector.c
        key = self._model_key(model_id)
        encoded = select(vector.text_id).where(vector.text_id == columns.text_id, vector.model_key == key)
        statement = (
            select(columns.text_id, columns.normal)
            .where(columns.text_id > after_text_id)
            .order_by(columns.text_id)
            .limit(limit)
        )
        ids, normals = self._two_columns(statement if key is None else statement.where(~encoded.exists()))
        return np.array(ids, np.int64), normals

    def write_vectors(self, model_id: str, ids: Ids, codes: Codes) -> None:
        """Write the vectors ``codes`` (n, d) int8 of the texts ``ids`` (n,) in one transaction.

        They take the place of those that another model has made of these texts.
        """
        if len(ids) != len(codes):
            raise ValueError(f"{len(ids)} texts cannot have {len(codes)} vectors")
        rows = vector_rows(ids, codes)

        def work(connection: Connection) -> None:
            for part in chunks(ids):
                connection.execute(delete(schema.text_vector).where(schema.text_vector.c.text_id.in_(part)))
            insert_vectors(connection, model_id, rows)

        self.write(work)

    def iter_vectors(self, model_id: str, above_text_id: int = 0, page: int = PAGE) -> Iterator[tuple[Ids, Codes]]:
        """Yield a model's vectors in the order of ``text_id``: ids (n,) int64 and codes (n, d) int8."""
        columns = schema.text_vector.c
        key = self._model_key(model_id)
        while key is not None:
            statement = (
                select(columns.text_id, columns.code)
                .where(columns.text_id > above_text_id, columns.model_key == key)
                .order_by(columns.text_id)
                .limit(page)
            )
            ids, codes = self._two_columns(statement)
            if not ids:
                return
            yield np.array(ids, np.int64), np.frombuffer(b"".join(codes), np.int8).reshape(len(ids), -1)
            above_text_id = ids[-1]

    def load_vectors(
        self, model_id: str, above_text_id: int = 0, progress: Progress = no_progress
    ) -> tuple[Ids, Codes]:
        """Return a model's vectors of all texts above ``above_text_id``: ids (n,) ascending, codes (n, d)."""
        pages: list[tuple[Ids, Codes]] = []
        done = total = 0  # counted with the first page: a query mostly finds none
        for page in self.iter_vectors(model_id, above_text_id):
            total = total or self.read(select(func.count()).where(schema.text.c.text_id > above_text_id))[0][0]
            pages.append(page)
            progress("read vectors", done := done + len(page[0]), total)
        if not pages:
            return np.empty(0, np.int64), np.empty((0, 0), np.int8)
        return np.concatenate([ids for ids, _ in pages]), np.concatenate([codes for _, codes in pages])

    def count_characters(self) -> int:
        """Count the characters of the normal forms of all texts."""
        return int(self.read(select(func.coalesce(func.sum(func.length(schema.text.c.normal)), 0)))[0][0])

    def count_vectors(self, model_id: str, above_text_id: int = 0) -> int:
        """Count a model's vectors of the texts above ``above_text_id``."""
        columns = schema.text_vector.c
        here = (columns.text_id > above_text_id, columns.model_key == self._model_key(model_id))
        return int(self.read(select(func.count()).where(*here))[0][0])

    def normals(self, ids: Iterable[int]) -> dict[int, str]:
        """Return the normal form of each text; one that was deleted is left out."""
        columns = schema.text.c["text_id", "normal"]
        return {
            text_id: normal for text_id, normal in self.find(columns, schema.text.c.text_id, np.fromiter(ids, np.int64))
        }

    def text_ids(self, normals: Iterable[str]) -> dict[str, int]:
        """Return the id of each normal form that the store has as a text."""
        digests = {normal: text_digest(normal) for normal in normals}
        columns = schema.text.c["normal", "text_id"]
        found = self.find(columns, schema.text.c.digest, set(digests.values()))
        return {normal: text_id for normal, text_id in found if normal in digests}

    def _two_columns(self, statement: Select[Any]) -> tuple[list[Any], list[Any]]:
        rows = self.read(statement)
        return [row[0] for row in rows], [row[1] for row in rows]

    def _model_key(self, model_id: str) -> int | None:
        rows = self.read(_model_key_of(model_id))
        return rows[0][0] if rows else None

    # Records

    def records_of_texts(self, ids: Iterable[int]) -> dict[int, list[Record]]:
        """Return the records of each text, in the order of ``record_id``; a deleted text is left out."""
        columns = schema.record.c["text_id", "record_id", "source_id", "external_id", "raw", "fields"]
        rows = sorted(self.find(columns, schema.record.c.text_id, np.fromiter(ids, np.int64)))
        if unknown := {row[2] for row in rows} - self._source_names.keys():
            of_source = schema.source.c
            self._source_names |= dict(self.find(of_source["source_id", "name"], of_source.source_id, unknown))
        result: defaultdict[int, list[Record]] = defaultdict(list)
        for text_id, record_id, source_id, *rest in rows:
            result[text_id].append(_to_record((record_id, self._source_names[source_id], *rest, text_id)))
        return dict(result)

    def iter_records(self, page: int = PAGE) -> Iterator[Record]:
        """Yield every record in the order of ``(text_id, record_id)``."""
        order = tuple_(schema.record.c.text_id, schema.record.c.record_id)
        after = (0, 0)
        while True:
            rows = self.read(_SELECT_RECORDS.where(order > after).limit(page))
            if not rows:
                return
            yield from map(_to_record, rows)
            after = (rows[-1].text_id, rows[-1].record_id)

    # Snapshots

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
    ) -> Snapshot:
        """Make a file that is already safe on disk the current snapshot, in one transaction."""
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
            keys = {"generation": generation, "model_key": _make_model_key(connection, model_id)}
            connection.execute(insert(schema.snapshot).values(values | keys))
            return generation

        published = (self.write(work), file_name, n_bytes, sha256, model_id, max_text_id, n_vectors, digest)
        return Snapshot(*published, dict(parameters), created_at)

    def current_snapshot(self) -> Snapshot | None:
        """Return the snapshot published last, or None before the first."""
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
        return Snapshot(*[*values, json.loads(parameters), created_at])

    def live_texts_up_to(self, max_text_id: int) -> int:
        """Count the texts up to ``max_text_id``; a snapshot's other vectors are of deleted texts."""
        statement = select(func.count()).where(schema.text.c.text_id <= max_text_id)
        return int(self.read(statement)[0][0])


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Split values into lists that fit into one statement; numpy integers become plain ones."""
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    for start in range(0, len(listed), PAGE):
        yield listed[start : start + PAGE]


def next_key(connection: Connection, column: Column[int]) -> int:
    """Return the key after the largest: unlike one of a sequence, it is the same when a job is done again."""
    return int(connection.execute(select(func.coalesce(func.max(column), 0) + 1)).scalar_one())


def text_digest(normal: str) -> int:
    """Return the digest by which a text is found, a number of 64 bits."""
    return int.from_bytes(blake2b(normal.encode(), digest_size=16).digest()[:8], signed=True)


def vector_rows(ids: Iterable[int], codes: Codes) -> list[tuple[int, bytes]]:
    """Return ids (n,) and codes (n, d) int8 as rows of ``text_id`` and d bytes."""
    width, packed = codes.shape[1], codes.astype(np.int8, copy=False).tobytes()
    return [
        (text_id, packed[at * width : (at + 1) * width])
        for at, text_id in enumerate(np.asarray(ids, np.int64).tolist())
    ]


def insert_vectors(connection: Connection, model_id: str, rows: Sequence[tuple[int, bytes]]) -> None:
    """Insert the vectors of a model, rows as of ``vector_rows``."""
    key = _make_model_key(connection, model_id)
    insert_rows(connection, schema.text_vector, [(text_id, key, code) for text_id, code in rows])


def to_json(value: Mapping[str, Any]) -> str:
    """Return a JSON object, keys sorted."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _model_key_of(model_id: str) -> Select[Any]:
    return select(schema.model.c.model_key).where(schema.model.c.model_id == model_id)


def _make_model_key(connection: Connection, model_id: str) -> int:
    key = connection.execute(_model_key_of(model_id)).scalar()
    if key is None:
        key = next_key(connection, schema.model.c.model_key)
        connection.execute(insert(schema.model).values(model_key=key, model_id=model_id))
    return int(key)


_SELECT_RECORDS = (
    select(
        schema.record.c.record_id,
        schema.source.c.name,
        schema.record.c.external_id,
        schema.record.c.raw,
        schema.record.c.fields,
        schema.record.c.text_id,
    )
    .join_from(schema.record, schema.source)
    .order_by(schema.record.c.text_id, schema.record.c.record_id)
)


def _to_record(row: Sequence[Any]) -> Record:
    record_id, source, external_id, raw, fields, text_id = row
    return Record(record_id, source, external_id, raw, json.loads(fields) if fields != "{}" else {}, text_id)
