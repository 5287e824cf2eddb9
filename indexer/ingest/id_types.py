"""Ids that are not strings: stored as text, and returned as they were given.

A source that was filled from Python when it was empty remembers the type of its ids in ``store_meta``. An id that does
not have this type, of a later input, is given back as text; so are all ids of a source that was read from a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from dedup.errors import UsageError
from indexer.store import schema
from indexer.store.integrity import settings
from indexer.store.store import Store

TEXT = "str"

_PARSERS: Mapping[str, Callable[[str], Any]] = dict(
    zip(
        settings.ID_TYPES,
        (str, int, float, "True".__eq__, UUID, Decimal, date.fromisoformat, datetime.fromisoformat),
        strict=True,
    )
)


def plain(value: object) -> object:
    """Return an id of NumPy or pandas as the equal one of Python."""
    if type(value).__name__ == "Timestamp" and hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime()
    item = getattr(value, "item", None)
    return item() if callable(item) and type(value).__module__ == "numpy" else value


def to_text(value: object) -> str:
    """Return the text under which an id is stored; 1.0, as pandas makes of 1, is stored as 1.

    Raises:
        UsageError: it is of a type that cannot be given back, or too long.
    """
    value = plain(value)
    if type(value).__name__ not in _PARSERS:
        raise UsageError(f"The id {value!r} is of type {type(value).__name__}; give ids of type {', '.join(_PARSERS)}.")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    try:
        return value.isoformat() if isinstance(value, date) else str(value)
    except ValueError as error:  # an int of more than 4,300 digits
        raise UsageError(f"An id cannot be stored: {error}") from error


def to_stored(ids: Iterable[object]) -> list[str]:
    """Return ids that records may have as text. Raises ``UsageError`` for what no record can have as its id."""
    texts = [to_text(id) for id in ids]
    for text in texts:
        if "\0" in text or text != text.encode(errors="replace").decode():
            raise UsageError(f"The id {text!r} holds NUL or half of a surrogate pair, so no record has it.")
    return texts


def type_of(values: list[Any]) -> str | None:
    """Return the type of ids, text if they differ; None if there are none."""
    names = {type(plain(value)).__name__ for value in values if value is not None and value == value}
    return TEXT if len(names) > 1 else next(iter(names), None)


def record(connection: Connection, source_id: int, id_type: str | None) -> None:
    """Remember the type of the ids of an empty source, whatever it was before; None is for text."""
    key = f"{settings.ID_TYPE}{source_id}"
    connection.execute(delete(schema.store_meta).where(schema.store_meta.c.key == key))
    if id_type is not None:
        connection.execute(insert(schema.store_meta).values(key=key, value=id_type))


def parsers(store: Store) -> dict[str, Callable[[str], Any]]:
    """Return for each source what turns the text of an id into the id that was given."""
    meta, source = schema.store_meta.c, schema.source.c
    types = dict(
        tuple(row) for row in store.read(select(meta.key, meta.value).where(meta.key.startswith(settings.ID_TYPE)))
    )
    return {
        name: _parser(types.get(f"{settings.ID_TYPE}{source_id}", TEXT))
        for source_id, name in store.read(select(source.source_id, source.name))
    }


def _parser(id_type: str) -> Callable[[str], Any]:
    parse = _PARSERS.get(id_type, str)

    def parsed(text: str) -> Any:  # noqa: ANN401 - an id of this type
        try:
            value = parse(text)
            return value if to_text(value) == text else text
        except (ValueError, ArithmeticError, UsageError):
            return text

    return parsed
