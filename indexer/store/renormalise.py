"""Normalise the records of a store again, after the rules of the normal form have changed.

A record whose normal form changes is given another text, and a text left without records is deleted, as when the
record itself changes. The next ``dedup index`` encodes the new texts.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from dedup.errors import VersionMismatch
from dedup.runtime.progress import Progress
from dedup.text.normalise import NORMALISER_VERSION, normalise
from indexer.store.database_url import shown
from indexer.store.engines import PAGE, chunks, insert_rows
from indexer.store.integrity import settings
from indexer.store.integrity.fetch import fetch
from indexer.store.schema import MAX_TEXT_CHARACTERS, record, store_meta, text, text_vector
from indexer.store.texts import BEFORE_ALL, text_digest

_OLDER = "{} holds texts normalised by older rules ({}; this neardup has {}); run `dedup migrate` once to upgrade it."
_NEWER = (
    "{} holds texts normalised by newer rules ({}; this neardup has {}); upgrade neardup, or use another workspace."
)

_MOVE_RECORD = update(record).where(record.c.record_id == bindparam("of_record")).values(text_id=bindparam("to_text"))


def has_older_rules(connection: Connection) -> bool:
    """Return whether the texts were normalised by older rules than this program's.

    Raises:
        VersionMismatch: they were normalised by newer rules.

    """
    found = int(settings.required(connection, settings.NORMALISER))
    if found > NORMALISER_VERSION:
        raise VersionMismatch(_NEWER.format(_where(connection), found, NORMALISER_VERSION))
    return found < NORMALISER_VERSION


def check_rules(connection: Connection) -> None:
    """Raise ``VersionMismatch`` if the texts were normalised by other rules than this program's."""
    if has_older_rules(connection):
        found = settings.required(connection, settings.NORMALISER)
        raise VersionMismatch(_OLDER.format(_where(connection), found, NORMALISER_VERSION))


def normalise_again(connection: Connection, progress: Progress) -> int:
    """Give every record the normal form of this program's rules; return the number of records that changed.

    A record that these rules leave empty, or longer than a text can be, keeps its text. Stages reported to
    ``progress``: ``normalise``, in records.
    """
    changes: list[tuple[int, str]] = []
    left: set[int] = set()  # the texts of these records
    done, after = 0, BEFORE_ALL
    progress("normalise", 0, None)
    columns = select(record.c.record_id, record.c.raw, record.c.text_id, text.c.normal).join_from(record, text)
    while rows := fetch(connection, columns.where(record.c.record_id > after).order_by(record.c.record_id).limit(PAGE)):
        for record_id, raw, text_id, before in rows:
            normal = normalise(raw)
            if normal and normal != before and len(normal) <= MAX_TEXT_CHARACTERS:
                changes.append((record_id, normal))
                left.add(text_id)
        after = rows[-1].record_id
        done += len(rows)
        progress("normalise", done, None)
    text_ids = _texts(connection, sorted({normal for _, normal in changes}))
    if changes:
        values = [{"of_record": record_id, "to_text": text_ids[normal]} for record_id, normal in changes]
        connection.execute(_MOVE_RECORD, values)
        _delete_orphans(connection, left)
    caches = (settings.CORPUS, "words")  # of what all texts say about names, by this version and an earlier one
    connection.execute(delete(store_meta).where(store_meta.c.key.in_(caches)))
    _set_meta(connection, settings.NORMALISER, NORMALISER_VERSION)
    return len(changes)


def _texts(connection: Connection, normals: list[str]) -> dict[str, int]:
    """Return the text of each normal form, by normal form; those that are missing are added."""
    result: dict[str, int] = {}
    columns = select(text.c.normal, text.c.text_id)
    for part in chunks(normals):
        found = fetch(connection, columns.where(text.c.digest.in_([text_digest(normal) for normal in part])))
        result.update((normal, text_id) for normal, text_id in found)
    new = [normal for normal in normals if normal not in result]
    next_id = settings.next_id_key("text")
    first = int(settings.required(connection, next_id))
    rows: list[tuple[Any, ...]] = [(at, normal, text_digest(normal)) for at, normal in enumerate(new, first)]
    insert_rows(connection, text, rows)
    _set_meta(connection, next_id, first + len(new))
    return result | {normal: text_id for text_id, normal, _ in rows}


def _delete_orphans(connection: Connection, text_ids: set[int]) -> None:
    """Delete those of the texts, and their vectors, that have no record; SQLite enforces no keys meanwhile."""
    for part in chunks(sorted(text_ids)):
        used = {row[0] for row in fetch(connection, select(record.c.text_id).where(record.c.text_id.in_(part)))}
        orphans = [text_id for text_id in part if text_id not in used]
        connection.execute(delete(text_vector).where(text_vector.c.text_id.in_(orphans)))
        connection.execute(delete(text).where(text.c.text_id.in_(orphans)))


def _set_meta(connection: Connection, key: str, value: int) -> None:
    connection.execute(update(store_meta).where(store_meta.c.key == key).values(value=str(value)))


def _where(connection: Connection) -> str:
    return shown(connection.engine.url)
