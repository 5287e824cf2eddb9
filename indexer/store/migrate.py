"""The revision of a database: telling it without Alembic, raising it with Alembic.

To write a new revision, change ``schema.py`` and run, on an up-to-date database::

    with engine.begin() as connection:
        alembic.command.revision(configuration(connection), "what changes", autogenerate=True, rev_id="0002")
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy import insert as insert_into
from sqlalchemy import text as sql

from dedup.errors import CorruptStore, EnvironmentFault, VersionMismatch
from dedup.runtime.progress import Progress, no_progress
from dedup.text.normalise import NORMALISER_VERSION
from indexer.files import sync_directory
from indexer.store import schema

if TYPE_CHECKING:
    from alembic.config import Config

_FOREIGN = "{} holds tables of another program; name another --workspace or --database."
_NEWER = (
    "{} was written by a newer neardup (schema {!r}, this one knows up to {!r}); "
    "upgrade neardup, or use another --workspace."
)
_OLDER = "{} has the older schema {!r}; run `dedup migrate` on it once, which upgrades it to {!r}."

_PAGES = 4_096
"""Pages of a SQLite file that are copied between two steps of progress."""


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
    the next attempt makes anew. ``progress`` hears of ``copy``, in pages of the file, and ``upgrade``, in revisions.

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
        try:
            _copy(engine, sqlite_file, copy, progress)
        except OSError as error:
            raise EnvironmentFault(f"{copy} cannot be written: {error.strerror}.") from error
    upgrade(engine, progress)
    return Migration(before, schema.HEAD, copy)


def _copy(engine: Engine, file: Path, copy: Path, progress: Progress) -> None:
    """Copy a SQLite database into a file that is either whole and safe on disk or absent."""

    def told(status: int, remaining: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # Python would try again for ever
            raise sqlite3.OperationalError("database is locked")
        progress("copy", total - remaining, total)

    needed = 5 * file.stat().st_size  # the copy, and in the database tables that are written twice, and their journal
    free = shutil.disk_usage(file.parent).free
    if free < needed:
        raise EnvironmentFault(f"{file.parent} has {free:,} bytes free, and migrating {file.name} takes {needed:,}.")
    temporary = copy.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with engine.connect() as connection, closing(sqlite3.connect(temporary)) as target:
            target.execute("PRAGMA journal_mode=OFF")  # what is left of an attempt is thrown away
            target.execute("PRAGMA synchronous=OFF")
            _driver(connection).backup(target, pages=_PAGES, progress=told)
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


def upgrade(engine: Engine, progress: Progress = no_progress) -> None:
    """Bring a database to ``schema.HEAD`` in one transaction; an empty one becomes a new store.

    Hold the writer lock. A process killed in between leaves the database as it was. ``progress`` hears of ``upgrade``.
    """
    from alembic import command

    done = total = 0

    def told(**_: object) -> None:
        nonlocal done
        done += 1
        progress("upgrade", done, total)

    with engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        if on_sqlite:  # a table that is copied must not take its children along; no effect in a transaction
            _execute_alone(connection, "PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                is_new = revision_state(connection) == "empty"
                past = 0 if is_new else schema.REVISIONS.index(_revision(connection)) + 1
                total = len(schema.REVISIONS) - past
                progress("upgrade", 0, total)
                command.upgrade(configuration(connection, told), "head")
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


def configuration(connection: Connection, on_revision: Callable[..., None] | None = None) -> Config:
    """Return an Alembic configuration that works through this live connection, and no ini file.

    ``on_revision`` is called after each revision, with what Alembic tells of it.
    """
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_script_location()).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["on_revision"] = on_revision
    return config


def _script_location() -> Path:
    """Find the revisions: in this package when installed, else at the top of the repository."""
    package = Path(__file__).resolve().parents[1]
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


def _execute_alone(connection: Connection, statement: str) -> None:
    """Run a statement outside any transaction, where SQLAlchemy would begin one."""
    _driver(connection).execute(statement).close()


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
