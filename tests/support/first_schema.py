"""The way back to the schema of the first release, for tests of upgrades."""

from __future__ import annotations

from raw_sql import raw

from indexer.store import migrate, schema
from indexer.store.engines import make_engine
from indexer.store.workspace import Workspace


def to_first_schema(workspace: Workspace) -> None:
    """Take the database of a workspace back to the schema of the first release."""
    from alembic import command

    engine = make_engine(workspace.url)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":  # which copies tables, and must not follow keys meanwhile
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            command.downgrade(migrate.configuration(raw(connection)), schema.REVISIONS[0])
    engine.dispose()
