"""The revision of a database: telling it without Alembic, raising it with Alembic.

To write a new revision, change ``schema.py`` and run, on an up-to-date database::

    with engine.begin() as connection:
        alembic.command.revision(configuration(connection), "what changes", autogenerate=True, rev_id="0002")
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy import insert as insert_into
from sqlalchemy import text as sql

from dedup.errors import VersionMismatch
from dedup.normalise import NORMALISER_VERSION
from indexer import schema

if TYPE_CHECKING:
    from alembic.config import Config

_FOREIGN = "{} holds tables of another program; name another --workspace or --database."
_NEWER = (
    "{} was written by a newer neardup (schema {!r}, this one knows up to {!r}); "
    "upgrade neardup, or use another --workspace."
)
_OLDER = "{} has the older schema {!r}; run `dedup migrate` on it once, which upgrades it to {!r}."


def revision_state(connection: Connection) -> Literal["empty", "older", "current"]:
    """Tell how the schema of a database compares with this program's, without Alembic.

    Raises:
        VersionMismatch: the schema is newer than this program, or the tables are not ours.

    """
    where = connection.engine.url.render_as_string(hide_password=True)
    found = set(inspect(connection).get_table_names())
    if "alembic_version" not in found:
        if found & set(schema.metadata.tables):
            raise VersionMismatch(_FOREIGN.format(where))
        return "empty"
    if schema.store_meta.name not in found:
        raise VersionMismatch(_FOREIGN.format(where))
    revisions = connection.execute(sql("SELECT version_num FROM alembic_version")).scalars().all()
    if revisions == [schema.HEAD]:
        return "current"
    if len(revisions) == 1 and revisions[0] in schema.REVISIONS:
        return "older"
    raise VersionMismatch(_NEWER.format(where, ", ".join(revisions), schema.HEAD))


def check_revision(connection: Connection) -> Literal["empty", "current"]:
    """Tell whether a database is empty or of this program's schema.

    Raises:
        VersionMismatch: the schema is older (the message names the command that upgrades it) or newer than
            this program's, the tables are not ours, or the texts were normalised by other rules.

    """
    state = revision_state(connection)
    where = connection.engine.url.render_as_string(hide_password=True)
    if state == "older":
        found = connection.execute(sql("SELECT version_num FROM alembic_version")).scalar_one()
        raise VersionMismatch(_OLDER.format(where, found, schema.HEAD))
    if state == "current":
        _check_normaliser(connection, where)
    return state


def _check_normaliser(connection: Connection, where: str) -> None:
    column = schema.store_meta.c
    statement = select(column.value).where(column.key == "normaliser_version")
    found = connection.execute(statement).scalar_one()
    if found != str(NORMALISER_VERSION):
        raise VersionMismatch(
            f"{where} holds texts normalised by rules {found}, and this neardup has rules "
            f"{NORMALISER_VERSION}; run `dedup index` on your files with a new --workspace."
        )


def upgrade(engine: Engine) -> None:
    """Bring a database to ``schema.HEAD`` in one transaction; an empty one becomes a new store.

    Hold the writer lock. A process killed in between leaves the database as it was.
    """
    from alembic import command

    with engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        if on_sqlite:  # a table that is copied must not take its children along; no effect in a transaction
            _pragma(connection, "foreign_keys=OFF")
        try:
            with connection.begin():
                is_new = revision_state(connection) == "empty"
                command.upgrade(configuration(connection), "head")
                if is_new:
                    _initialise(connection)
        finally:
            if on_sqlite:
                _pragma(connection, "foreign_keys=ON")


def configuration(connection: Connection) -> Config:
    """Return an Alembic configuration that works through this live connection, and no ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_script_location()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _script_location() -> Path:
    """Find the revisions: beside this package when installed, else at the top of the repository."""
    package = Path(__file__).resolve().parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _initialise(connection: Connection) -> None:
    values = {
        "store_uuid": str(uuid.uuid4()),
        "normaliser_version": str(NORMALISER_VERSION),
        "next_text_id": "1",
        "next_record_id": "1",
        "writer": "0:0",
    }
    rows = [{"key": key, "value": value} for key, value in values.items()]
    connection.execute(insert_into(schema.store_meta), rows)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id={schema.APPLICATION_ID}")


def _pragma(connection: Connection, pragma: str) -> None:
    """Run a PRAGMA outside any transaction, where SQLAlchemy would begin one."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(f"PRAGMA {pragma}").close()
