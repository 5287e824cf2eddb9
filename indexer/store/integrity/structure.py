"""Compare the tables of a SQLite file with the schema.

A database administrator may add tables, columns that can be left out, and indexes. Whatever makes a statement of ours
fail or mean something else is a fault: a missing table, column, key or index, another type, a trigger. PostgreSQL
enforces types and keys itself, and reports a missing table or column when a statement names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import groupby

from sqlalchemy import Connection, Table, UniqueConstraint
from sqlalchemy.dialects import sqlite

from indexer.store.schema import metadata

Fact = tuple[str, str]
"""Name of a table, and what holds of it."""

_COLUMNS = """
SELECT m.name, c.name, upper(c.type), c."notnull", c.pk, c.dflt_value IS NOT NULL, c.hidden
FROM sqlite_schema AS m JOIN pragma_table_xinfo(m.name) AS c WHERE m.type = 'table'
"""
_INDEXES = """
SELECT m.name, i.name, i."unique", i.partial, c.name
FROM sqlite_schema AS m JOIN pragma_index_list(m.name) AS i JOIN pragma_index_info(i.name) AS c
WHERE m.type = 'table' ORDER BY m.name, i.name, c.seqno
"""
_FOREIGN_KEYS = """
SELECT m.name, f."from", f."table", f."to", f.on_delete
FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table'
"""
_TRIGGERS = "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'trigger'"


def structure_faults(connection: Connection) -> list[str]:
    """Describe how the tables of the database differ from the schema; nothing for PostgreSQL."""
    if connection.dialect.name != "sqlite":
        return []
    expected, found = _expected(), set(_found(connection))
    faults = [f"Table {table} has no {fact}." for table, fact in sorted(expected - found)]
    faults += [f"Table {table} has a {fact}." for table, fact in sorted(found - expected) if _does_harm(table, fact)]
    return faults


@cache
def _expected() -> frozenset[Fact]:
    return frozenset(fact for table in metadata.tables.values() for fact in _facts_of(table))


def _facts_of(table: Table) -> Iterator[Fact]:
    name, dialect = table.name, sqlite.dialect()
    key = [column.name for column in table.primary_key.columns]
    for column in table.columns:
        place = key.index(column.name) + 1 if column.primary_key else 0
        type_ = column.type.compile(dialect)
        yield name, _column(column.name, type_, is_required=not column.nullable, place=place)
        for foreign in column.foreign_keys:
            target = foreign.column
            yield name, _foreign_key(column.name, target.table.name, target.name, foreign.ondelete or "NO ACTION")
    if len(key) > 1 or not _is_rowid(table):
        yield name, _index(key, is_unique=True)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield name, _index([column.name for column in constraint.columns], is_unique=True)
    for index in table.indexes:
        yield name, _index([column.name for column in index.columns], is_unique=False)


def _is_rowid(table: Table) -> bool:
    (column,) = table.primary_key.columns
    return column.type.compile(sqlite.dialect()) == "INTEGER"


def _found(connection: Connection) -> Iterator[Fact]:
    run = connection.exec_driver_sql
    for table, name, type_, is_required, place, has_default, is_hidden in run(_COLUMNS):
        fact = _column(name, type_, is_required=bool(is_required), place=place)
        yield table, f"{fact} {_UNFILLED}" if is_required and not has_default and not is_hidden else fact
        yield table, fact
    for (table, *_), group in groupby(run(_INDEXES).all(), lambda row: (row[0], row[1])):
        rows = list(group)
        is_unique, is_partial = bool(rows[0][2]), bool(rows[0][3])
        if not is_partial:
            yield table, _index([str(row[4]) for row in rows], is_unique=is_unique)
        elif is_unique:
            yield table, "partial unique index"
    for table, *key in run(_FOREIGN_KEYS):
        yield table, _foreign_key(*map(str, key))
    for table, name in run(_TRIGGERS):
        yield table, f"trigger {name}"


_UNFILLED = "without a default"


def _does_harm(table: str, fact: str) -> bool:
    """Return whether something that the schema does not have changes what a statement of ours does."""
    if table not in metadata.tables:
        return False
    kind, *rest = fact.split()
    if kind == "column":
        return fact.endswith(_UNFILLED) and rest[0] not in metadata.tables[table].columns
    return kind != "index"


def _column(name: str, type_: str, *, is_required: bool, place: int) -> str:
    key = f" as part {place} of the primary key" if place else ""
    return f"column {name} {type_}{' NOT NULL' if is_required else ''}{key}"


def _index(columns: list[str], *, is_unique: bool) -> str:
    return f"{'unique ' if is_unique else ''}index on {', '.join(columns)}"


def _foreign_key(column: str, table: str, target: str, on_delete: str) -> str:
    return f"foreign key from {column} to {table}.{target}, {on_delete} ON DELETE"
