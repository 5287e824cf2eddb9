"""The model of a store, and how a store changes to another one.

A store has the vectors of one model; which one it is, unless it ships with neardup, is a setting. The vectors of a new
model are kept in ``next_vector`` until every text has one, so that the old model answers meanwhile, and an interrupted
change goes on. Then they replace the others: in the transaction that publishes their snapshot.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select

from dedup.matching.matcher import Matcher
from indexer.store import schema
from indexer.store.integrity import settings
from indexer.store.integrity.settings import Remembered
from indexer.store.integrity.values import damaged, fault_of
from indexer.store.store import Store, to_json

_NEXT = schema.next_vector


def remembered_model(store: Store) -> Remembered | None:
    """Return the model of a store; None if it is the one that ships with neardup, or nothing is stored.

    Raises:
        CorruptStore: the setting is damaged.
    """
    value = store.meta(settings.MODEL)
    try:
        return None if value is None else settings.remembered_of(value)
    except ValueError:
        raise damaged(fault_of("store_meta", "'model'", "value", value, "the name and hashes of a model")) from None


def model_of_vectors(store: Store) -> str | None:
    """Return the ``model_id`` of the vectors that answer queries; None if there are none."""
    snapshot = store.current_snapshot()
    if snapshot is not None:
        return snapshot.model_id
    joined = select(schema.model.c.model_id).join_from(schema.text_vector, schema.model).limit(1)
    rows = store.read(joined)
    return str(rows[0][0]) if rows else None


def remembers(store: Store, model: Matcher) -> bool:
    """Return whether this is the model of the store; one that ships with neardup may be that of another version."""
    found = remembered_model(store)
    return model.is_shipped if found is None else found.fingerprint == model.fingerprint


def remember(connection: Connection, model: Matcher) -> None:
    """Make this the model of the store."""
    table = schema.store_meta
    connection.execute(delete(table).where(table.c.key == settings.MODEL))
    if not model.is_shipped:
        found = _remembered(model)
        value = to_json({"name": found.name, "model_id": found.model_id, "fingerprint": found.fingerprint})
        connection.execute(insert(table).values(key=settings.MODEL, value=value))


def forget_others(store: Store, model_id: str) -> None:
    """Delete the vectors of a change to another model than this one, if one was begun."""
    others = schema.model.c.model_id != model_id
    keys = select(schema.model.c.model_key).where(others)
    condition = _NEXT.c.model_key.in_(keys)
    if store.read(select(_NEXT.c.text_id).where(condition).limit(1)):
        store.write(lambda connection: connection.execute(delete(_NEXT).where(condition)))


def switch(connection: Connection, model: Matcher) -> None:
    """Let the vectors of the new model replace all others, and remember it."""
    table = schema.text_vector
    connection.execute(delete(table))
    connection.execute(insert(table).from_select(list(table.c), select(_NEXT).order_by(_NEXT.c.text_id)))
    connection.execute(delete(_NEXT))
    remember(connection, model)


def coming_model(store: Store) -> tuple[str, int] | None:
    """Return the ``model_id`` that a change was begun to, and the number of texts that it has encoded; else None."""
    counted = select(schema.model.c.model_id, func.count()).join_from(_NEXT, schema.model)
    rows = store.read(counted.group_by(schema.model.c.model_id).limit(1))
    return (str(rows[0][0]), int(rows[0][1])) if rows else None


def _remembered(model: Matcher) -> Remembered:
    return Remembered(model.name, model.model_id, model.fingerprint)
