"""Write batches of rows as the records of one source: look up, compare, insert, update, delete.

Every method works in the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from indexer import schema
from indexer.database import insert_rows
from indexer.readers import Row
from indexer.store import PAGE, chunks

DIGEST_BYTES = 16

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_FIND_RECORDS = select(
    schema.record.c.external_id,
    schema.record.c.record_id,
    schema.record.c.content_digest,
    schema.record.c.text_id,
).where(
    schema.record.c.source_id == bindparam("source_id"),
    schema.record.c.external_id.in_(bindparam("external_ids", expanding=True)),
)
_FIND_TEXTS = select(schema.text.c.digest, schema.text.c.text_id).where(
    schema.text.c.digest.in_(bindparam("digests", expanding=True))
)
_UPDATE_RECORD = (
    update(schema.record)
    .where(schema.record.c.record_id == bindparam("of_record"))
    .values(
        raw=bindparam("raw"),
        fields=bindparam("fields"),
        content_digest=bindparam("content_digest"),
        text_id=bindparam("text_id"),
        changed_by_run=bindparam("changed_by_run"),
    )
)


class Item(NamedTuple):
    """A sound row with its id, the digest of its ``raw`` and ``fields``, and its normal form."""

    row: Row
    external_id: str
    content_digest: bytes
    normal: str


class Known(NamedTuple):
    """What the store holds of a record."""

    record_id: int
    content_digest: bytes
    text_id: int


class SourceWriter:
    """The records of one source during one run, with a count of what became of them."""

    def __init__(self, connection: Connection, source_id: int, run_id: int, *, is_new: bool) -> None:
        self.added = 0
        self.changed = 0
        self.unchanged = 0
        self._connection = connection
        self._source_id = source_id
        self._run_id = run_id
        self._is_empty = is_new
        self._first_text_id, self._first_record_id = self._read_next("text"), self._read_next("record")
        self._next_text_id, self._next_record_id = self._first_text_id, self._first_record_id
        self._seen = bytearray(self._next_record_id)  # 1 at the record ids that this input holds
        self._perhaps_orphans: set[int] = set()  # texts that lost a record

    def find(self, external_ids: Iterable[str]) -> dict[str, Known]:
        """Return those of these records that the source has, by external id."""
        if self._is_empty:
            return {}
        result: dict[str, Known] = {}
        for chunk in chunks(external_ids):
            values = {"source_id": self._source_id, "external_ids": chunk}
            for external_id, *known in self._connection.execute(_FIND_RECORDS, values):
                result[external_id] = Known(*known)
        return result

    def is_seen(self, known: Known | None) -> bool:
        """Tell whether a record was already written or confirmed in this run."""
        return known is not None and self._seen[known.record_id] == 1

    def write(self, items: Sequence[Item], known: dict[str, Known]) -> None:
        """Add or change the records of ``items``, whose ids are distinct; those equal to ``known`` stay."""
        news: list[Item] = []
        changes: list[tuple[Item, Known]] = []
        for item in items:
            before = known.get(item.external_id)
            if before is None:
                news.append(item)
                continue
            self._seen[before.record_id] = 1
            if before.content_digest == item.content_digest:
                self.unchanged += 1
            else:
                changes.append((item, before))
        normals = {item.normal for item in news}
        normals.update(item.normal for item, _ in changes)
        text_ids = self._text_ids(normals)
        self._insert(news, text_ids)
        self._update(changes, text_ids)

    def remove_unseen(self) -> int:
        """Delete the records of the source that this input does not hold; return their number."""
        columns = schema.record.c
        gone: list[int] = []
        statement = select(columns.record_id, columns.text_id).where(columns.source_id == self._source_id)
        for record_id, text_id in self._connection.execute(statement, execution_options={"yield_per": PAGE}):
            if not self._seen[record_id]:
                gone.append(record_id)
                self._perhaps_orphans.add(text_id)
        for chunk in chunks(gone):
            self._connection.execute(delete(schema.record).where(columns.record_id.in_(chunk)))
        return len(gone)

    def finish(self) -> None:
        """Delete the texts that lost their last record, and note which ids are free."""
        has_record = select(schema.record.c.record_id).where(schema.record.c.text_id == schema.text.c.text_id)
        for chunk in chunks(sorted(self._perhaps_orphans)):
            orphans = schema.text.c.text_id.in_(chunk) & ~has_record.exists()
            self._connection.execute(delete(schema.text).where(orphans))
        if self._next_text_id > self._first_text_id:
            self._write_next("text", self._next_text_id)
        if self._next_record_id > self._first_record_id:
            self._write_next("record", self._next_record_id)

    def _text_ids(self, normals: Iterable[str]) -> dict[str, int]:
        """Return the id of each text, made if it is new."""
        digests = {blake2b(n.encode(), digest_size=DIGEST_BYTES).digest(): n for n in sorted(normals)}
        result: dict[str, int] = {}
        if self._next_text_id > 1:
            for chunk in chunks(digests):
                for digest, text_id in self._connection.execute(_FIND_TEXTS, {"digests": chunk}):
                    result[digests[digest]] = text_id
        rows = []
        for digest, normal in digests.items():
            if normal not in result:
                result[normal] = self._next_text_id
                rows.append((self._next_text_id, normal, digest))
                self._next_text_id += 1
        insert_rows(self._connection, schema.text, rows)
        return result

    def _insert(self, items: Sequence[Item], text_ids: dict[str, int]) -> None:
        rows = [
            (
                record_id,
                self._source_id,
                item.external_id,
                item.row.raw,
                _to_json(item.row.fields),
                item.content_digest,
                text_ids[item.normal],
                self._run_id,
            )
            for record_id, item in enumerate(items, self._next_record_id)
        ]
        insert_rows(self._connection, schema.record, rows)
        self._next_record_id += len(rows)
        self._seen.extend(b"\1" * len(rows))
        self.added += len(rows)
        self._is_empty = self._is_empty and not rows

    def _update(self, changes: Sequence[tuple[Item, Known]], text_ids: dict[str, int]) -> None:
        rows = []
        for item, before in changes:
            text_id = text_ids[item.normal]
            if text_id != before.text_id:
                self._perhaps_orphans.add(before.text_id)
            rows.append(
                {
                    "of_record": before.record_id,
                    "raw": item.row.raw,
                    "fields": _to_json(item.row.fields),
                    "content_digest": item.content_digest,
                    "text_id": text_id,
                    "changed_by_run": self._run_id,
                }
            )
        if rows:
            self._connection.execute(_UPDATE_RECORD, rows)
        self.changed += len(rows)

    def _read_next(self, kind: str) -> int:
        columns = schema.store_meta.c
        statement = select(columns.value).where(columns.key == f"next_{kind}_id")
        return int(self._connection.execute(statement).scalar_one())

    def _write_next(self, kind: str, value: int) -> None:
        statement = update(schema.store_meta).where(schema.store_meta.c.key == f"next_{kind}_id")
        self._connection.execute(statement.values(value=str(value)))
