"""Statements that name no schema, on the connections of a store, where the search path is empty."""

from __future__ import annotations

from sqlalchemy import Connection


def raw(connection: Connection) -> Connection:
    """Return ``connection``, whose statements may name tables without their schema until its transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL search_path TO public")
    return connection
