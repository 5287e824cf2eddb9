"""Read every row of every table, and describe each value that no sound database has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Select, Table, select, tuple_

from indexer.store.integrity.settings import faults_of_settings
from indexer.store.integrity.values import COUNT, ID, KEY, faults_of
from indexer.store.schema import metadata, store_meta

Read = Callable[[Select[Any]], list[Any]]
"""Returns the rows of a statement, unchecked."""


def audit(read: Read, rows_at_once: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of rows of each page of each table, and what is wrong with them."""
    for table in metadata.sorted_tables:
        for rows in _pages(read, table, rows_at_once):
            faults = list(faults_of(table.columns, rows))
            if table is store_meta and not faults:
                faults = list(faults_of_settings(rows))
            yield len(rows), faults


def _pages(read: Read, table: Table, rows_at_once: int) -> Iterator[list[Any]]:
    """Yield the rows of a table, page by page where its key is a number; other tables are small."""
    key = list(table.primary_key.columns)
    statement = select(table)
    if any(column.info["kind"] not in (ID, KEY, COUNT) for column in key):
        yield read(statement)
        return
    places = [list(table.columns).index(column) for column in key]
    rest = statement
    while rows := read(rest.order_by(*key).limit(rows_at_once)):
        yield rows
        last = [rows[-1][place] for place in places]
        if set(map(type, last)) != {int}:  # a fault; nothing can be said to come after it
            return
        rest = statement.where(tuple_(*key) > tuple_(*last) if key[1:] else key[0] > last[0])
