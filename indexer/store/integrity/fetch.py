"""Read rows from the database: the values of every column are checked before anyone sees them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Select
from sqlalchemy.exc import DBAPIError

from indexer.store.integrity.values import check_rows

T = TypeVar("T")

_NOT_UTF8 = "Could not decode to UTF-8"


def fetch(connection: Connection, statement: Select[Any], *, is_checked: bool = True) -> list[Any]:
    """Return the rows of a statement; without ``is_checked``, also those with values that no sound database has.

    Raises:
        CorruptStore: a value is not of the kind of its column.

    """
    rows = decoded(connection, lambda: list(connection.execute(statement).all()))
    if is_checked:
        check_rows(statement.selected_columns, rows)
    return rows


def decoded(connection: Connection, read: Callable[[], T]) -> T:
    """Return what ``read`` reads; bytes of SQLite that are not UTF-8 become halves of surrogate pairs, as in paths.

    So the check of the values finds the row at fault, which SQLite's error does not name.
    """
    try:
        return read()
    except (DBAPIError, sqlite3.Error) as error:
        if _NOT_UTF8 not in str(error):
            raise
    driver: Any = connection.connection.driver_connection
    driver.text_factory = _as_in_paths
    try:
        return read()
    finally:
        driver.text_factory = str


def _as_in_paths(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
