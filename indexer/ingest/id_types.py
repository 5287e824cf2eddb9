"""Ids that are no text: stored as text, and given back as they were given.

A source whose first rows come from Python remembers the type of their ids in ``store_meta``. The ids of a source that
was read from a file are text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select

from dedup.errors import UsageError
from indexer.store import schema
from indexer.store.store import Store

TEXT = "str"

_PARSERS: Mapping[str, Callable[[str], Any]] = {
    TEXT: str,
    "int": int,
    "float": float,
    "bool": "True".__eq__,
    "UUID": UUID,
    "Decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}
_KEY = "id_type:"


def plain(value: object) -> object:
    """Return an id of NumPy as the equal one of Python."""
    item = getattr(value, "item", None)
    return item() if callable(item) and type(value).__module__ == "numpy" else value


def to_text(value: object) -> str:
    """Return the text under which an id is stored.

    Raises:
        UsageError: it is of a type that cannot be given back.
    """
    value = plain(value)
    if type(value).__name__ not in _PARSERS:
        raise UsageError(f"The id {value!r} is of type {type(value).__name__}; give ids of type {', '.join(_PARSERS)}.")
    return value.isoformat() if isinstance(value, date) else str(value)


def type_of(values: list[object]) -> str:
    """Return the type of ids; that of the first, and text if they differ. None has no type."""
    names = {type(plain(value)).__name__ for value in values if value is not None}
    return names.pop() if len(names) == 1 else TEXT


def record(connection: Connection, source_id: int, id_type: str) -> None:
    """Remember the type of the ids of a source."""
    connection.execute(insert(schema.store_meta).values(key=f"{_KEY}{source_id}", value=id_type))


def parsers(store: Store) -> dict[str, Callable[[str], Any]]:
    """Return for each source what turns the text of an id into the id that was given."""
    meta, source = schema.store_meta.c, schema.source.c
    types = dict(tuple(row) for row in store.read(select(meta.key, meta.value).where(meta.key.startswith(_KEY))))
    return {
        name: _PARSERS.get(types.get(f"{_KEY}{source_id}", TEXT), str)
        for source_id, name in store.read(select(source.source_id, source.name))
    }
