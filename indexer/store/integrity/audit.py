"""Read every row of every table, and describe each value that no sound database has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Select, Table, select

from indexer.store.integrity.settings import faults_of_settings
from indexer.store.integrity.values import ID, KEY, faults_of
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
    first = next(iter(table.primary_key.columns))
    statement = select(table)
    if first.info["kind"] not in (ID, KEY) or len(table.primary_key.columns) > 1:
        yield read(statement)
        return
    at = list(table.columns).index(first)
    rest = statement
    while rows := read(rest.order_by(first).limit(rows_at_once)):
        yield rows
        rest = statement.where(first > rows[-1][at])
