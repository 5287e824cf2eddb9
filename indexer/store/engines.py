"""Engines for SQLite and PostgreSQL, rows in bulk, and database errors in words for the user."""

from __future__ import annotations

import logging
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import URL, Column, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from dedup.errors import CorruptStore, DedupError, EnvironmentFault, UsageError, VersionMismatch, WriterBusy
from indexer.store.schema import APPLICATION_ID

CONNECT_TIMEOUT_S = 10
BUSY_TIMEOUT_MS = 10_000
OLDEST_POSTGRESQL = 150_000
SQLITE_CACHE_KIB = 64 * 1024

T = TypeVar("T")

_log = logging.getLogger(__name__)

sqlite3.register_adapter(np.int64, int)  # else it is bound as a blob, which equals no integer

RETRY_PAUSES_S: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0)
"""How long to wait before a transaction is tried again that PostgreSQL gave up; each varied by a half."""

# serialization_failure, deadlock_detected, lock_not_available, query_canceled, too_many_connections; 08 is
# connection_exception, 57P operator_intervention: a server that stops, crashes or starts
_TRANSIENT_SQLSTATES = ("40001", "40P01", "55P03", "57014", "53300", "08", "57P")
_DAMAGED_SQLSTATES = ("XX001", "XX002")  # data_corrupted, index_corrupted
_DAMAGE = ("malformed", "not a database", "Could not decode to UTF-8")
_DENIED_SQLSTATE = "42501"  # a missing privilege: the driver calls it a programming error


def parse_url(address: str) -> URL:
    """Return the URL of a SQLite file or of a PostgreSQL database, with the driver we use.

    Raises:
        UsageError: no URL, another kind of database, or a SQLite URL without a file.

    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise UsageError(
            "The database URL cannot be read; write postgresql://user@host/name or sqlite:///path."
        ) from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise UsageError(f"A database of kind {backend!r} is not supported; use sqlite or postgresql.")
    if url.database in (None, "", ":memory:"):
        raise UsageError("A SQLite database in memory keeps nothing; name a file: sqlite:///path.")
    return url.set(drivername="sqlite")


def make_engine(url: URL) -> Engine:
    """Return an engine for a URL of ``parse_url``; nothing is opened before its first connection.

    A SQLite file that belongs to another program is refused with ``VersionMismatch`` on connecting,
    before anything is written to it.

    Connecting to a PostgreSQL older than 15 raises ``VersionMismatch`` as well.

    Raises:
        UsageError: the driver for PostgreSQL is not installed.

    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url)
    arguments = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_TIMEOUT_S}
    try:
        engine = create_engine(url, connect_args=arguments, hide_parameters=True, pool_pre_ping=True)
    except ModuleNotFoundError:
        raise UsageError("PostgreSQL needs the driver psycopg; run: pip install 'neardup[postgres]'") from None

    @event.listens_for(engine, "connect")
    def check_version(connection: Any, _: object) -> None:  # noqa: ANN401 - psycopg is not always there
        if connection.info.server_version < OLDEST_POSTGRESQL:
            version = connection.info.parameter_status("server_version")
            raise VersionMismatch(f"The server is PostgreSQL {version}; use 15 or a newer one.")

    return engine


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the module would begin transactions at moments of its choice
        _prepare_sqlite(connection, Path(str(url.database)))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    return engine


def _prepare_sqlite(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables or application_id:
            raise VersionMismatch(
                f"{path} is a SQLite file of another program; name another --workspace or --database."
            )
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}")
    mode = journal_mode(sqlite3.sqlite_version_info, file_system(path))
    # In DELETE mode only EXTRA syncs the directory after a commit has removed the journal; with FULL, a power
    # cut can bring the journal back, and with it undo a commit that was acknowledged.
    connection.execute(f"PRAGMA synchronous={'FULL' if mode == 'WAL' else 'EXTRA'}")
    if connection.execute("PRAGMA journal_mode").fetchone() != (mode.lower(),):
        connection.execute(f"PRAGMA journal_mode={mode}")


def journal_mode(version: tuple[int, ...], file_system: str = "ext4") -> str:
    """Return ``WAL`` for a SQLite with the WAL-reset fix on a local file system, else ``DELETE``.

    SQLite 3.7.0 to 3.51.2 can lose acknowledged commits in WAL mode when two connections write and
    checkpoint at once; 3.51.3 has the fix, and so have 3.50.7 and 3.44.6. WAL needs shared memory, which a
    network file system does not give to several machines.
    """
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "WAL" if fixed and not is_network(file_system) else "DELETE"


def is_network(file_system: str) -> bool:
    """Tell whether a file system of this type may be shared by several machines."""
    return file_system.startswith(("nfs", "cifs", "smb", "9p", "fuse", "ceph", "afs", "lustre", "gluster"))


def file_system(path: Path) -> str:
    """Return the type of the file system that holds ``path``, empty if the system does not say."""
    place, longest, found = str(path.resolve()), -1, ""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    for line in mounts.splitlines():
        _, point, kind = line.split(" ")[:3]
        point = point.replace(r"\040", " ").rstrip("/")
        if (place == point or place.startswith(f"{point}/")) and len(point) >= longest:
            longest, found = len(point), kind
    return found


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, each a tuple in the order of the table's columns: COPY on PostgreSQL, else executemany.

    Measured on 1.1 million records, this is several times faster than ``insert()`` with dictionaries.
    """
    if not rows:
        return
    columns = [column.name for column in table.columns]
    target = f'"{table.name}" ({", ".join(columns)})'
    if connection.dialect.name == "postgresql":
        _copy(connection, f"COPY {target} FROM STDIN", rows)
    else:
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {target} VALUES ({marks})", list(rows))


def rows_with(
    connection: Connection, columns: Sequence[Column[Any]], key: Column[Any], values: Sequence[Any], **fixed: object
) -> list[tuple[Any, ...]]:
    """Return ``columns`` of the rows of one table whose ``key`` is among ``values`` and others are as ``fixed``.

    As ``select(...).where(key.in_(values))``, which spends more on its thousands of parameters than the
    database on finding the rows. SQLite takes at most 32,766 values.
    """
    on_postgresql = connection.dialect.name == "postgresql"
    mark = "%s" if on_postgresql else "?"
    among = "= ANY(%s)" if on_postgresql else f"IN ({', '.join('?' * len(values))})"
    conditions = " AND ".join([*(f"{name} = {mark}" for name in fixed), f"{key.name} {among}"])
    names = ", ".join(column.name for column in columns)
    parameters = (*fixed.values(), list(values)) if on_postgresql else (*fixed.values(), *values)
    cursor = connection.exec_driver_sql(f'SELECT {names} FROM "{key.table.name}" WHERE {conditions}', parameters)
    return [tuple(row) for row in cursor.cursor.fetchall()]


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    driver: Any = connection.connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def retrying(engine: Engine, attempt: Callable[[], T], renew: Callable[[], None] = lambda: None) -> T:
    """Return what ``attempt`` returns; try again, after ``renew``, when PostgreSQL says or shows that it may help.

    That is a connection that broke, a server that restarts, a deadlock, a timeout. SQLite's faults stay.
    """
    pauses = iter(RETRY_PAUSES_S)
    is_first = True
    while True:
        try:
            if not is_first:
                renew()
            return attempt()
        except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
            pause = next(pauses, None)
            if pause is None or not _is_transient(engine, error):
                raise
            _log.warning("The database failed (%s); trying again.", _first_line(error))
        time.sleep(pause * random.uniform(0.5, 1.5))
        is_first = False


def _is_transient(engine: Engine, error: BaseException) -> bool:
    if engine.dialect.name == "sqlite":
        return False
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_TRANSIENT_SQLSTATES)
    driver = engine.dialect.loaded_dbapi
    return isinstance(cause, (driver.OperationalError, driver.InterfaceError))  # the connection itself


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0]


@contextmanager
def errors_in_words(engine: Engine) -> Iterator[None]:
    """Turn the database's errors into ours, with the password hidden.

    A violated constraint or a wrong statement is a bug of ours and passes unchanged.

    Raises:
        EnvironmentFault: the database cannot be reached, is full or forbidden.
        WriterBusy: another process keeps the database to itself.
        CorruptStore: the database says that it is damaged.

    """
    try:
        yield
    except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
        reported = _in_words(engine, getattr(error, "orig", None) or error)
        if reported is None:
            raise
        raise reported from error


def _in_words(engine: Engine, error: BaseException) -> DedupError | None:
    where = engine.url.render_as_string(hide_password=True)
    line = _first_line(error)
    state = getattr(error, "sqlstate", None)
    if state in _DAMAGED_SQLSTATES or any(sign in line for sign in _DAMAGE):
        return CorruptStore(
            f"The database {where} is damaged ({line}); restore it from a backup, "
            "or remove it and run `dedup index` again."
        )
    if "database is locked" in line:
        return WriterBusy(f"The database {where} is busy with another process; try again later.")
    driver = engine.dialect.loaded_dbapi
    environment = (driver.OperationalError, driver.InternalError, driver.InterfaceError)
    if isinstance(error, environment) or state == _DENIED_SQLSTATE:
        return EnvironmentFault(f"The database {where} failed: {line.rstrip('.')}. Try again later.")
    return None
