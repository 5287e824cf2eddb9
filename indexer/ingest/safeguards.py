"""What an input must not do by accident: remove most of its source, be stored twice, or be read by other ids.

All of it is checked after the input was read and before anything is stored.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from dedup.errors import InputRefused, TooManyRemoved, UsageError
from indexer.ingest.spool import Item
from indexer.reading.rows import ColumnChoice, FieldKinds
from indexer.store.engines import chunks
from indexer.store.integrity import settings
from indexer.store.integrity.fetch import fetch
from indexer.store.integrity.values import damaged
from indexer.store.schema import record, source, store_meta
from indexer.store.store import Store

MAX_REMOVED = 0.1
"""Share of the records of a source that an input may remove, unless the caller sets another."""
ALWAYS_REMOVABLE = 10
"""Records that may be removed from a small source all the same, though never more than half of it."""
SAMPLE = 1000
"""Rows of a new source that are looked up in the others."""

_MIN_SAMPLE = 3
_MOST = 0.5
_VARIABLE = re.compile(r"[\W\d_]+|copy|kopie|copie|copia|final|latest|new|old|neu|alt")
"""What differs between the names of two exports of the same list."""


@dataclass(frozen=True, slots=True)
class Safeguards:
    """How to guard a source; by default not at all.

    Attributes:
        max_removed: Largest share of its records to remove; None for ``MAX_REMOVED`` with room for small sources.
        columns: The columns of the input, to compare with those of before; None if it has none, as a list of texts.
        is_named: Whether the user named the source. Otherwise its rows may belong to another one.

    """

    max_removed: float | None = 1.0
    columns: ColumnChoice | None = None
    is_named: bool = True


def check_removal(name: str, size: int, missing: int, rows: int, max_removed: float | None) -> None:
    """Raise ``TooManyRemoved`` if ``missing`` of the ``size`` records of a source are too many for ``rows`` rows."""
    share = MAX_REMOVED if max_removed is None else max_removed
    spared = min(ALWAYS_REMOVABLE, (size + 1) // 2) if max_removed is None else 0
    if missing > max(share * size, spared):
        cause = "it may be cut off" if rows < size else "its ids, or without ids its columns, may have changed"
        raise TooManyRemoved(
            f"The input has {rows:,} rows and would remove {missing:,} of the {size:,} records of source {name!r} "
            f"({missing / size:.0%}, at most {share:.0%} is allowed). Nothing was changed: {cause}. If these "
            "records are really gone, use --max-removed 1, or max_removed=1 in Python.",
            "E_TOO_MANY_REMOVED",
        )


def check_elsewhere(store: Store, name: str, items: Sequence[Item]) -> None:
    """Refuse the first rows of a new source if most of them are records of another source.

    Equal records have the same id and text. Of a source whose name differs only by a date, a number or the like, equal
    texts are enough: its ids may be counted anew, or hashes of other columns too.

    Raises:
        InputRefused: they are.

    """
    sample = items[:: max(1, len(items) // SAMPLE)][:SAMPLE]
    others = [(key, other) for key, other in store.read(select(source.c.source_id, source.c.name)) if other != name]
    if len(sample) < _MIN_SAMPLE or not others:
        return
    texts = _texts_in_sources(store, [item.normal for item in sample])
    for key, other in others:
        known = texts[key] if _stem(other) == _stem(name) else 0
        if texts[key] >= _MOST * len(sample):
            known = max(known, _equal_records(store, key, sample))
        if known >= _MOST * len(sample):
            of_sample = f"{known:,} of {len(sample):,} rows {'looked at ' if len(sample) < len(items) else ''}"
            raise InputRefused(
                f"{of_sample}are in source {other!r} already, so nothing was stored: source {name!r} would be a second "
                f"copy. To update the first, use --source {shlex.quote(other)}; to keep both, use --source "
                f"{shlex.quote(name)} (source= in Python).",
                "E_KNOWN_SOURCE",
            )


def known_columns(store: Store, name: str) -> tuple[Sequence[str], str | None, FieldKinds]:
    """Return the text and id columns and fields of a source, ``""`` for content instead of ids; none of a new one."""
    columns = select(source.c.source_id, source.c.identity).where(source.c.name == name)
    found = store.read(
        columns.where(select(record.c.record_id).where(record.c.source_id == source.c.source_id).exists())
    )
    if not found:
        return (), None, ()
    source_id, identity = found[0]
    rows = store.read(select(store_meta.c.value).where(store_meta.c.key == f"{settings.COLUMNS}{source_id}"))
    try:
        known = settings.columns_of(rows[0][0]) if rows else settings.SourceColumns([], None)
    except ValueError as error:
        raise damaged(f"Table store_meta does not hold the columns of source {name!r}: {error}.") from error
    return known.text, "" if identity == "content" else known.id, known.fields


def check_id_column(
    store: Store, source_id: int, name: str, items: Sequence[Item], choice: ColumnChoice | None
) -> None:
    """Refuse ids from another column than before, unless most of them are known, as after renaming the column.

    Raises:
        UsageError: few are known.

    """
    before = known_columns(store, name)[1]
    if choice is None or not choice.id or not before or choice.id == before:
        return
    ids = [item.external_id for item in items[:SAMPLE]]
    if len(store.find([record.c.external_id], record.c.external_id, ids, source_id=source_id)) < _MOST * len(ids):
        raise UsageError(
            f"Source {name!r} has its ids from column {before!r}, but this input takes them from {choice.id!r}, so its "
            f"records would be stored a second time; nothing was changed. Use --id {shlex.quote(before)} (id= in "
            "Python), another --source, or delete the source first: dedup delete --source "
            f"{shlex.quote(name)}."
        )


def record_columns(connection: Connection, source_id: int, choice: ColumnChoice | None) -> None:
    """Remember the columns of a source."""
    key = f"{settings.COLUMNS}{source_id}"
    value = None
    if choice is not None:
        fields = {"fields": dict(choice.fields)} if choice.fields else {}
        value = json.dumps({"text": list(choice.text), "id": choice.id, **fields}, ensure_ascii=False)
    before = fetch(connection, select(store_meta.c.value).where(store_meta.c.key == key))
    if value is not None and [(value,)] != [tuple(row) for row in before]:
        connection.execute(delete(store_meta).where(store_meta.c.key == key))
        connection.execute(insert(store_meta).values(key=key, value=value))


def _texts_in_sources(store: Store, normals: Sequence[str]) -> Counter[int]:
    """Return for each source how many of these texts it has."""
    of_text = store.text_ids(dict.fromkeys(normals))
    times = Counter(of_text[normal] for normal in normals if normal in of_text)
    found: Counter[int] = Counter()
    for chunk in chunks(list(times)):
        pairs = select(record.c.source_id, record.c.text_id).where(record.c.text_id.in_(chunk)).distinct()
        for source_id, text_id in store.read(pairs):
            found[source_id] += times[text_id]
    return found


def _equal_records(store: Store, source_id: int, sample: Sequence[Item]) -> int:
    texts = {item.external_id: item.raw for item in sample}
    columns = [record.c.external_id, record.c.raw]
    rows = store.find(columns, record.c.external_id, list(texts), source_id=source_id)
    return sum(texts[external_id] == raw for external_id, raw in rows)


def _stem(name: str) -> str:
    return _VARIABLE.sub("", name.casefold())
