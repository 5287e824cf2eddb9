"""The schema revision of a database: made and read without Alembic, upgraded with Alembic.

To write a new revision, change ``schema.py`` and run on an up-to-date database::

    with engine.begin() as connection:
        alembic.command.revision(configuration(connection), "what changes", autogenerate=True, rev_id="0002")
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, Engine, func, inspect, select
from sqlalchemy import insert as insert_into

from dedup.errors import CorruptStore, EnvironmentFault, VersionMismatch
from dedup.runtime.progress import Progress, no_progress
from dedup.text.normalise import NORMALISER_VERSION
from indexer.files import sync_directory
from indexer.store import schema
from indexer.store.database_url import shown
from indexer.store.engines import quoted_name, schema_of
from indexer.store.integrity.structure import structure_faults
from indexer.store.integrity.values import damaged
from indexer.store.renormalise import check_rules, has_older_rules, normalise_again

if TYPE_CHECKING:
    from alembic.config import Config

_FOREIGN = "{} holds tables of another program; choose another workspace or database."
_NEWER = (
    "{} was written by a newer neardup (schema {!r}; this version supports up to {!r}); "
    "upgrade neardup, or use another workspace."
)
_OLDER = "{} has the older schema {!r}; run `dedup migrate` once to upgrade it to {!r}."

PAGES_PER_STEP = 4_096
"""Pages of a SQLite file copied between two progress reports."""


@dataclass(frozen=True, slots=True)
class Migration:
    """The schema revisions before and after a migration, and the backup of a SQLite file.

    ``renormalised``: how many records have another normal form by the rules of this program; None if they were
    already normalised by them.
    """

    before: str
    after: str
    copy: Path | None
    renormalised: int | None = None


def revision_state(connection: Connection) -> Literal["empty", "older", "current"]:
    """Return how the schema of a database compares with this program's, without Alembic.

    Raises:
        VersionMismatch: the schema is newer than this program's, or the tables belong to another program.
        CorruptStore: the revision is not recorded, or not that of the tables.

    """
    where = shown(connection.engine.url)
    found, ours = set(inspect(connection).get_table_names(schema_of(connection))), set(schema.metadata.tables)
    is_ours = connection.dialect.name == "sqlite"  # by the application id, which every connection checks
    if not found & (ours | {schema.revision.name}):
        return "empty"
    if not is_ours and not found >= {schema.revision.name, schema.store_meta.name}:
        raise VersionMismatch(_FOREIGN.format(where))
    revision = _revision(connection) if schema.revision.name in found else "none"
    if revision == schema.HEAD:
        return "current"
    if revision in schema.REVISIONS:
        if is_ours and revision < schema.TABLES_OF and not structure_faults(connection):
            raise damaged(f"{where} says that its schema is {revision!r}, but its tables are of {schema.TABLES_OF!r}.")
        return "older"
    if re.fullmatch("[0-9]{4}", revision) and revision > schema.HEAD:
        raise VersionMismatch(_NEWER.format(where, revision, schema.HEAD))
    raise damaged(f"{where} says that its schema is {revision!r}, which no version of neardup has.")


def schemas_in_use(connection: Connection) -> list[str]:
    """Return the schemas of a PostgreSQL database that hold the tables of a store, or tables of these names."""
    found = inspect(connection)
    names = (name for name in found.get_schema_names() if name != "information_schema")
    ours = {schema.revision.name, schema.store_meta.name}
    return [name for name in names if ours <= set(found.get_table_names(name))]


def check_revision(connection: Connection) -> Literal["empty", "current"]:
    """Return whether a database is empty or has this program's schema.

    Raises:
        VersionMismatch: the schema is older (the message names the command that upgrades it) or newer than this
            program's, the tables belong to another program, or the texts were normalised by other rules.
        CorruptStore: as ``revision_state``, or a table is not as the schema says, or the rules are not recorded.

    """
    state = revision_state(connection)
    where = shown(connection.engine.url)
    if state == "older":
        raise VersionMismatch(_OLDER.format(where, _revision(connection), schema.HEAD))
    if state == "current":
        for fault in structure_faults(connection):
            raise damaged(fault)
        check_rules(connection)
    return state


def _revision(connection: Connection) -> str:
    """Return the only revision that is recorded, or all of them in one string that is no revision."""
    table = quoted_name(connection, schema.revision.name)
    return ", ".join(map(str, connection.exec_driver_sql(f"SELECT version_num FROM {table}").scalars()))


def migrate(
    engine: Engine,
    sqlite_file: Path | None,
    progress: Progress = no_progress,
    *,
    pages_per_step: int = PAGES_PER_STEP,
) -> Migration | None:
    """Upgrade a database to ``schema.HEAD``, after a backup of a SQLite file; return None if it is empty.

    The caller must hold the writer lock. A process killed on the way leaves the database unchanged, perhaps with a
    backup that the next attempt replaces. Stages reported to ``progress``: ``copy``, in pages of the file, every
    ``pages_per_step``; those of ``upgrade``.

    Raises:
        VersionMismatch: the schema or the rules of its normal forms are newer than this program's, or the tables
            belong to another program.
        EnvironmentFault: there is too little space for the backup, or it cannot be written.
        CorruptStore: a row refers to a missing row; nothing was changed.

    """
    with engine.connect() as connection:
        state = revision_state(connection)
        if state == "empty":
            return None
        before, has_older = _revision(connection), has_older_rules(connection)
    if state == "current" and not has_older:
        return Migration(before, before, None)
    copy = None
    if sqlite_file is not None:
        copy = sqlite_file.with_name(f"{sqlite_file.name}.{before}.backup")
        try:
            _copy(engine, sqlite_file, copy, progress, pages_per_step)
        except OSError as error:
            raise EnvironmentFault(f"{copy} cannot be written: {error.strerror}.") from error
    return Migration(before, schema.HEAD, copy, upgrade(engine, progress))


def _copy(engine: Engine, file: Path, copy: Path, progress: Progress, pages_per_step: int) -> None:
    """Copy a SQLite database to a file that is either complete and safely on disk or absent."""

    def on_step(status: int, remaining: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # Python would retry forever
            raise sqlite3.OperationalError("database is locked")
        progress("copy", total - remaining, total)

    needed = 5 * file.stat().st_size  # the copy, and in the database two rewrites of its tables and their journal
    free = shutil.disk_usage(file.parent).free
    if free < needed:
        raise EnvironmentFault(f"{file.parent} has {free:,} bytes free, but migrating {file.name} needs {needed:,}.")
    temporary = copy.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with engine.connect() as connection, closing(sqlite3.connect(temporary)) as target:
            target.execute("PRAGMA journal_mode=OFF")  # an unfinished copy is discarded
            target.execute("PRAGMA synchronous=OFF")
            _driver(connection).backup(target, pages=pages_per_step, progress=on_step)
        os.fsync(handle)
        temporary.rename(copy)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    sync_directory(copy.parent)


def upgrade(engine: Engine, progress: Progress = no_progress) -> int | None:
    """Upgrade the database of a store to ``schema.HEAD`` in one transaction.

    Records normalised by older rules are normalised again; returns how many of them changed, None if there was no
    need. The caller must hold the writer lock. A process killed on the way leaves the database unchanged. Stages
    reported to ``progress``: ``upgrade``, in revisions, and ``normalise``, in records.
    """
    from alembic import command

    done = total = 0
    renormalised = None

    def on_revision(**_: object) -> None:
        nonlocal done
        done += 1
        progress("upgrade", done, total)

    with engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        if on_sqlite:  # rebuilding a table must not cascade to its children; no effect inside a transaction
            _execute_alone(connection, "PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if (named := schema_of(connection)) is not None:  # Alembic's statements name no schema
                    quoted = connection.dialect.identifier_preparer.quote_identifier(named)
                    connection.execute(select(func.set_config("search_path", quoted, True)))
                total = len(schema.REVISIONS) - schema.REVISIONS.index(_revision(connection)) - 1
                progress("upgrade", 0, total)
                command.upgrade(configuration(connection, on_revision), "head")
                if has_older_rules(connection):
                    renormalised = normalise_again(connection, progress)
                if on_sqlite and (row := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise CorruptStore(
                        f"Row {row[1]} of {row[0]} in {engine.url.database} refers to a missing row of {row[2]}, "
                        "so nothing was changed; restore the database from a backup."
                    )
        finally:
            if on_sqlite:
                _execute_alone(connection, "PRAGMA foreign_keys=ON")
    return renormalised


def configuration(connection: Connection, on_revision: Callable[..., None] | None = None) -> Config:
    """Return an Alembic configuration that uses this open connection and no ini file.

    ``on_revision`` is called after each revision with Alembic's keyword arguments (``on_version_apply``).
    """
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_script_location()).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["on_revision"] = on_revision
    return config


def _script_location() -> Path:
    """Return the directory of revisions: in this package when installed, else at the top of the repository."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def create(engine: Engine) -> None:
    """Make an empty database a new store, in one transaction and without Alembic, whose import takes longer.

    The caller must hold the writer lock.
    """
    with engine.begin() as connection:
        schema.metadata.create_all(connection, checkfirst=False)
        schema.revision.create(connection)
        connection.execute(insert_into(schema.revision), {"version_num": schema.HEAD})
        _initialise(connection)


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
    """Run a statement outside a transaction; SQLAlchemy would begin one."""
    _driver(connection).execute(statement).close()


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
