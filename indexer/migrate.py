"""The revision of a database: telling it without Alembic, raising it with Alembic.

To write a new revision, change ``schema.py`` and run, on an up-to-date database::

    with engine.begin() as connection:
        alembic.command.revision(configuration(connection), "what changes", autogenerate=True, rev_id="0002")
"""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy import insert as insert_into
from sqlalchemy import text as sql

from dedup.errors import CorruptStore, EnvironmentFault, VersionMismatch
from dedup.normalise import NORMALISER_VERSION
from dedup.progress import Progress, no_progress
from indexer import schema
from indexer.durable import sync_directory

if TYPE_CHECKING:
    from alembic.config import Config

_FOREIGN = "{} holds tables of another program; name another --workspace or --database."
_NEWER = (
    "{} was written by a newer neardup (schema {!r}, this one knows up to {!r}); "
    "upgrade neardup, or use another --workspace."
)
_OLDER = "{} has the older schema {!r}; run `dedup migrate` on it once, which upgrades it to {!r}."


@dataclass(frozen=True, slots=True)
class Migration:
    """Revisions of a schema before and after, and the copy that was kept of a SQLite file."""

    before: str
    after: str
    copy: Path | None


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
        raise VersionMismatch(_OLDER.format(where, _revision(connection), schema.HEAD))
    if state == "current":
        _check_normaliser(connection, where)
    return state


def _revision(connection: Connection) -> str:
    return str(connection.execute(sql("SELECT version_num FROM alembic_version")).scalar_one())


def migrate(engine: Engine, sqlite_file: Path | None, progress: Progress = no_progress) -> Migration | None:
    """Bring an older database to ``schema.HEAD``, after a copy of a SQLite file; None if it is empty.

    Hold the writer lock. A process killed in between leaves the database as it was, perhaps with a copy, which
    the next attempt makes anew. ``progress`` hears that the stages ``copy`` and ``upgrade`` begin.

    Raises:
        VersionMismatch: the schema is newer than this program's, or the tables are not ours.
        EnvironmentFault: there is too little space for the copy, or it cannot be written.
        CorruptStore: a row refers to one that is not there; nothing was changed.

    """
    with engine.connect() as connection:
        state = revision_state(connection)
        before = "" if state == "empty" else _revision(connection)
    if state == "empty":
        return None
    if state == "current":
        return Migration(before, before, None)
    copy = None
    if sqlite_file is not None:
        copy = sqlite_file.with_name(f"{sqlite_file.name}.{before}.backup")
        progress("copy", 0, None)
        try:
            _copy(engine, sqlite_file, copy)
        except OSError as error:
            raise EnvironmentFault(f"{copy} cannot be written: {error.strerror}.") from error
    progress("upgrade", 0, None)
    upgrade(engine)
    return Migration(before, schema.HEAD, copy)


def _copy(engine: Engine, file: Path, copy: Path) -> None:
    """Copy a SQLite database into a file that is either whole and safe on disk or absent."""
    needed = 5 * file.stat().st_size  # the copy, and in the database tables that are written twice, and their journal
    free = shutil.disk_usage(file.parent).free
    if free < needed:
        raise EnvironmentFault(f"{file.parent} has {free:,} bytes free, and migrating {file.name} takes {needed:,}.")
    temporary = copy.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with engine.connect() as connection:
            _execute_alone(connection, "VACUUM INTO ?", str(temporary))
        os.fsync(handle)
        temporary.rename(copy)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    sync_directory(copy.parent)


def _check_normaliser(connection: Connection, where: str) -> None:
    column = schema.store_meta.c
    statement = select(column.value).where(column.key == "normaliser_version")
    found = connection.execute(statement).scalar()
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
            _execute_alone(connection, "PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                is_new = revision_state(connection) == "empty"
                command.upgrade(configuration(connection), "head")
                if is_new:
                    _initialise(connection)
                elif on_sqlite and (row := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise CorruptStore(
                        f"Row {row[1]} of {row[0]} in {engine.url.database} refers to a row of {row[2]} that is not "
                        "there, so nothing was changed; restore the database from a backup."
                    )
        finally:
            if on_sqlite:
                _execute_alone(connection, "PRAGMA foreign_keys=ON")


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


def _execute_alone(connection: Connection, statement: str, *values: str) -> None:
    """Run a statement outside any transaction, where SQLAlchemy would begin one."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(statement, values).close()
