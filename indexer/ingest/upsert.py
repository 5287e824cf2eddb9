"""Add, change and remove the records of a source.

``plan_batch`` compares a batch with the store, and ``apply_batch`` applies the plan in a transaction. There is only one
writer, so the plan stays valid in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from indexer.ingest.spool import Batch, Item
from indexer.store import schema
from indexer.store.engines import chunks, insert_rows
from indexer.store.integrity import settings
from indexer.store.runs import Accounts
from indexer.store.store import Codes, Store
from indexer.store.texts import insert_vectors, text_digest, vector_rows

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


class Known(NamedTuple):
    """A stored record."""

    record_id: int
    content_digest: bytes
    text_id: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch will do.

    Attributes:
        additions: Records to add.
        changes: Records to change, with their stored state.
        text_ids: Ids of its other texts; the caller adds those of the previous batch once that is applied.
        new_texts: Texts to add.
        accounts: Counts of the batch.

    """

    additions: list[Item]
    changes: list[tuple[Item, Known]]
    text_ids: dict[str, int]
    new_texts: list[str]
    accounts: Accounts


def plan_batch(store: Store, source_id: int, batch: Batch, *, is_new: bool, coming: Iterable[str] = ()) -> Plan:
    """Compare a batch with the records of its source.

    ``is_new`` means that the source had no records before this input. ``coming`` are the new texts of the previous
    batch, if it is not applied yet; it must not have changes.
    """
    known = {} if is_new else _known(store, source_id, [item.external_id for item in batch.items])
    additions: list[Item] = []
    changes: list[tuple[Item, Known]] = []
    for item in batch.items:
        before = known.get(item.external_id)
        if before is None:
            additions.append(item)
        elif before.content_digest != item.content_digest:
            changes.append((item, before))
    normals = {item.normal: None for item in (*additions, *(item for item, _ in changes))}
    text_ids = store.text_ids(normals)
    accounts = Accounts(
        rows_in=batch.rows_in,
        rejected=batch.rejected,
        added=len(additions),
        changed=len(changes),
        unchanged=len(batch.items) - len(additions) - len(changes),
    )
    known_texts = text_ids.keys() | coming
    return Plan(additions, changes, text_ids, [normal for normal in normals if normal not in known_texts], accounts)


def _known(store: Store, source_id: int, external_ids: list[str]) -> dict[str, Known]:
    columns = schema.record.c["external_id", "record_id", "content_digest", "text_id"]
    rows = store.find(columns, schema.record.c.external_id, external_ids, source_id=source_id)
    return {row[0]: Known(*row[1:]) for row in rows}


def apply_batch(
    connection: Connection, plan: Plan, *, source_id: int, run_id: int, model_id: str, codes: Codes
) -> dict[str, int]:
    """Apply a plan; ``codes`` (n, d) int8 are the vectors of its new texts. Return the ids of the new texts."""
    first = _take_ids(connection, "text", len(plan.new_texts))
    new_ids = {normal: text_id for text_id, normal in enumerate(plan.new_texts, first)}
    text_ids = plan.text_ids | new_ids
    texts = [(text_id, normal, text_digest(normal)) for normal, text_id in new_ids.items()]
    insert_rows(connection, schema.text, texts)
    if texts:
        insert_vectors(connection, model_id, vector_rows([text_id for text_id, *_ in texts], codes))
    first = _take_ids(connection, "record", len(plan.additions))
    records = [
        (record_id, source_id, *item[:4], text_ids[item.normal], run_id)
        for record_id, item in enumerate(plan.additions, first)
    ]
    insert_rows(connection, schema.record, records)
    _change(connection, plan.changes, text_ids, run_id)
    return new_ids


def _change(
    connection: Connection, changes: Sequence[tuple[Item, Known]], text_ids: dict[str, int], run_id: int
) -> None:
    rows = [
        {
            "of_record": before.record_id,
            "raw": item.raw,
            "fields": item.fields,
            "content_digest": item.content_digest,
            "text_id": text_ids[item.normal],
            "changed_by_run": run_id,
        }
        for item, before in changes
    ]
    if rows:
        connection.execute(_UPDATE_RECORD, rows)
        _delete_orphans(
            connection, {before.text_id for item, before in changes if text_ids[item.normal] != before.text_id}
        )


def remove_records(connection: Connection, records: Iterable[tuple[int, int]]) -> None:
    """Delete records (``record_id``, ``text_id``) and those of their texts that no other record has."""
    record_ids, text_ids = zip(*records, strict=True)
    for chunk in chunks(record_ids):
        connection.execute(delete(schema.record).where(schema.record.c.record_id.in_(chunk)))
    _delete_orphans(connection, set(text_ids))


def _delete_orphans(connection: Connection, text_ids: set[int]) -> None:
    """Delete those of the texts, with their vectors, that have no record."""
    has_record = select(schema.record.c.record_id).where(schema.record.c.text_id == schema.text.c.text_id)
    for chunk in chunks(sorted(text_ids)):
        orphans = schema.text.c.text_id.in_(chunk) & ~has_record.exists()
        connection.execute(delete(schema.text).where(orphans))


def _take_ids(connection: Connection, kind: str, n: int) -> int:
    """Reserve ``n`` ids that were never used before and return the first."""
    key = settings.next_id_key(kind)
    first = int(settings.required(connection, key))
    if n:
        columns = schema.store_meta.c
        connection.execute(update(schema.store_meta).where(columns.key == key).values(value=str(first + n)))
    return first
