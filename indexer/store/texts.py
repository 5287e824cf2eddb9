"""Texts and their vectors in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, Table, delete, func, insert, select

from dedup.runtime.progress import Progress, no_progress
from indexer.store import schema
from indexer.store.engines import PAGE, chunks, insert_rows
from indexer.store.integrity.fetch import fetch
from indexer.store.integrity.values import damaged, fault_of
from indexer.store.transactions import Database, next_key

Ids = NDArray[np.int64]
Codes = NDArray[np.int8]

BEFORE_ALL = -(2**63)
"""Below every id, also below those that no sound database has."""


class Texts(Database):
    """Distinct texts and the vectors that a model made of them.

    Iterators read page by page, each page in its own transaction, so that no transaction stays open while the caller
    works.
    """

    def iter_texts(self, page: int = PAGE) -> Iterator[tuple[Ids, list[str]]]:
        """Yield all texts in the order of ``text_id``: ids (n,) int64 and n texts, n <= ``page``."""
        columns = schema.text.c
        after = BEFORE_ALL
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

    def texts_without_vectors(
        self, model_id: str, after_text_id: int, limit: int, table: Table = schema.text_vector
    ) -> tuple[Ids, list[str]]:
        """Return the first texts above ``after_text_id`` that this model has not encoded.

        Ids (n,) int64, ascending, and n texts; n <= ``limit``, and 0 when none is left. ``table`` is where the vectors
        would be.
        """
        columns, vector = schema.text.c, table.c
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

    def write_vectors(self, model_id: str, ids: Ids, codes: Codes, table: Table = schema.text_vector) -> None:
        """Write the vectors ``codes`` (n, d) int8 of the texts ``ids`` (n,) into ``table`` in one transaction.

        They replace the vectors of any other model.

        Raises:
            ValueError: the lengths differ.

        """
        if len(ids) != len(codes):
            raise ValueError(f"{len(ids)} texts cannot have {len(codes)} vectors")
        rows = vector_rows(ids, codes)

        def work(connection: Connection) -> None:
            for part in chunks(ids):
                connection.execute(delete(table).where(table.c.text_id.in_(part)))
            insert_vectors(connection, model_id, rows, table)

        self.write(work)

    def iter_vectors(
        self, model_id: str, above_text_id: int = BEFORE_ALL, page: int = PAGE, table: Table = schema.text_vector
    ) -> Iterator[tuple[Ids, Codes]]:
        """Yield a model's vectors in the order of ``text_id``: ids (n,) int64 and codes (n, d) int8.

        Raises:
            CorruptStore: a vector is zero, or its width differs from that of the others.

        """
        columns, width = table.c, 0
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
            width = width or len(codes[0])
            yield np.array(ids, np.int64), codes_of(ids, codes, width)
            above_text_id = ids[-1]

    def load_vectors(
        self,
        model_id: str,
        above_text_id: int = BEFORE_ALL,
        progress: Progress = no_progress,
        table: Table = schema.text_vector,
    ) -> tuple[Ids, Codes]:
        """Return a model's vectors of all texts above ``above_text_id``: ids (n,) ascending, codes (n, d) int8.

        Stages reported to ``progress``: ``read vectors``.
        """
        pages: list[tuple[Ids, Codes]] = []
        done = total = 0  # counted only if there is a page: most queries find none
        for page in self.iter_vectors(model_id, above_text_id, table=table):
            total = total or self.read(select(func.count()).where(schema.text.c.text_id > above_text_id))[0][0]
            pages.append(page)
            progress("read vectors", done := done + len(page[0]), total)
        if not pages:
            return np.empty(0, np.int64), np.empty((0, 0), np.int8)
        return np.concatenate([ids for ids, _ in pages]), np.concatenate([codes for _, codes in pages])

    def check_vectors(self) -> None:
        """Raise ``CorruptStore`` if there is a vector without a text."""
        vector, texts = schema.text_vector, schema.text
        lone = select(vector.c.text_id).outerjoin_from(vector, texts).where(texts.c.text_id.is_(None)).limit(1)
        for (text_id,) in self.read(lone):
            raise damaged(f"The vector of text {text_id} is there, but not the text.")

    def all_text_ids(self, page: int = 10 * PAGE) -> Ids:
        """Return the ids of all texts (n,), ascending."""
        text_id, after = schema.text.c.text_id, BEFORE_ALL
        parts = [np.empty(0, np.int64)]
        while rows := self.read(select(text_id).where(text_id > after).order_by(text_id).limit(page)):
            parts.append(np.fromiter((row[0] for row in rows), np.int64, len(rows)))
            after = rows[-1][0]
        return np.concatenate(parts)

    def count_long_texts(self, characters: int) -> int:
        """Count the texts of so many characters or more."""
        return int(self.read(select(func.count()).where(func.length(schema.text.c.normal) >= characters))[0][0])

    def count_characters(self) -> int:
        """Count the characters of all texts."""
        return int(self.read(select(func.coalesce(func.sum(func.length(schema.text.c.normal)), 0)))[0][0])

    def count_vectors(self, model_id: str, above_text_id: int = BEFORE_ALL, table: Table = schema.text_vector) -> int:
        """Count a model's vectors of the texts above ``above_text_id``."""
        columns = table.c
        conditions = (columns.text_id > above_text_id, columns.model_key == self._model_key(model_id))
        return int(self.read(select(func.count()).where(*conditions))[0][0])

    def live_texts_up_to(self, max_text_id: int) -> int:
        """Count the texts up to ``max_text_id``; all other vectors of a snapshot belong to deleted texts."""
        statement = select(func.count()).where(schema.text.c.text_id <= max_text_id)
        return int(self.read(statement)[0][0])

    def normals(self, ids: Iterable[int]) -> dict[int, str]:
        """Return the texts by id; deleted ones are left out."""
        columns = schema.text.c["text_id", "normal"]
        return {
            text_id: normal for text_id, normal in self.find(columns, schema.text.c.text_id, np.fromiter(ids, np.int64))
        }

    def text_ids(self, normals: Iterable[str]) -> dict[str, int]:
        """Return the ids of those normal forms that are stored as texts."""
        digests = {normal: text_digest(normal) for normal in normals}
        columns = schema.text.c["normal", "text_id"]
        found = self.find(columns, schema.text.c.digest, set(digests.values()))
        return {normal: text_id for normal, text_id in found if normal in digests}

    def _two_columns(self, statement: Select[Any]) -> tuple[list[Any], list[Any]]:
        rows = self.read(statement)
        return [row[0] for row in rows], [row[1] for row in rows]

    def _model_key(self, model_id: str) -> int | None:
        rows = self.read(_select_model_key(model_id))
        return rows[0][0] if rows else None


def text_digest(normal: str) -> int:
    """Return the 64-bit digest by which a text is looked up."""
    return int.from_bytes(blake2b(normal.encode(), digest_size=16).digest()[:8], signed=True)


def codes_of(ids: Sequence[int], codes: Sequence[bytes], width: int) -> Codes:
    """Return the vectors (n, ``width``) of the texts ``ids`` (n).

    Raises:
        CorruptStore: a vector has another width or is zero.

    """
    if set(map(len, codes)) != {width}:
        at = next(at for at, code in enumerate(codes) if len(code) != width)
    else:
        result = np.frombuffer(b"".join(codes), np.int8).reshape(len(ids), -1)
        if (is_set := result.any(axis=1)).all():
            return result
        at = int(np.argmin(is_set))
    words = f"a vector of {width} values, not all zero"
    raise damaged(fault_of("text_vector", f"text_id={ids[at]}", "code", codes[at], words))


def vector_rows(ids: Iterable[int], codes: Codes) -> list[tuple[int, bytes]]:
    """Return ids (n,) and codes (n, d) int8 as rows of ``text_id`` and d bytes."""
    width, packed = codes.shape[1], codes.astype(np.int8, copy=False).tobytes()
    return [
        (text_id, packed[at * width : (at + 1) * width])
        for at, text_id in enumerate(np.asarray(ids, np.int64).tolist())
    ]


def insert_vectors(
    connection: Connection, model_id: str, rows: Sequence[tuple[int, bytes]], table: Table = schema.text_vector
) -> None:
    """Insert the vectors of a model, given as rows from ``vector_rows``."""
    key = make_model_key(connection, model_id)
    insert_rows(connection, table, [(text_id, key, code) for text_id, code in rows])


def make_model_key(connection: Connection, model_id: str) -> int:
    """Return the key of a model, inserting the model if it is new."""
    rows = fetch(connection, _select_model_key(model_id))
    if rows:
        return int(rows[0][0])
    key = next_key(connection, schema.model.c.model_key)
    connection.execute(insert(schema.model).values(model_key=key, model_id=model_id))
    return key


def _select_model_key(model_id: str) -> Select[Any]:
    return select(schema.model.c.model_key).where(schema.model.c.model_id == model_id)
