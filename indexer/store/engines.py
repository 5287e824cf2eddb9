"""Engines for SQLite and PostgreSQL, bulk reads and writes, retries, and database errors as ours."""

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
from sqlalchemy import URL, Column, Connection, Engine, Table, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError

from dedup.errors import DedupError, EnvironmentFault, UsageError, VersionMismatch, WriterBusy
from indexer.store.database_url import shown, without_secrets
from indexer.store.integrity.values import damaged
from indexer.store.schema import APPLICATION_ID, metadata

DEFAULT_SCHEMA = "public"
"""The schema of PostgreSQL that holds the tables unless another one is named."""

CONNECT_TIMEOUT_S = 10
BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for a lock that another process holds."""

RETRY_PAUSES_S: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0)
"""Pauses before each retry of a transaction that failed on PostgreSQL; jittered by ±50 %."""

OLDEST_POSTGRESQL = 150_000
SQLITE_CACHE_KIB = 64 * 1024
PAGE = 20_000
"""Rows read or looked up at once; SQLite takes 32,766 variables in one statement."""

T = TypeVar("T")

_log = logging.getLogger(__name__)

sqlite3.register_adapter(np.int64, int)  # by default np.int64 is bound as a blob, which equals no integer

# serialization_failure, deadlock_detected, lock_not_available, query_canceled, too_many_connections; class 08 is
# connection_exception, 57P operator_intervention (the server stops, crashes or starts)
_TRANSIENT_SQLSTATES = ("40001", "40P01", "55P03", "57014", "53300", "08", "57P")
# data_corrupted, index_corrupted; undefined_table, undefined_column, datatype_mismatch
_DAMAGED_SQLSTATES = ("XX001", "XX002", "42P01", "42703", "42804")
_DAMAGE_MESSAGES = (
    *("malformed", "not a database", "Could not decode to UTF-8", "unsupported file format"),
    *("no such table", "no such column", "has no column named", "foreign key mismatch", "may not be modified"),
    *("integer overflow", "string or blob too big"),
)
_BAD_PARAMETERS = ("invalid connection option", "bad value for", "invalid port number", "invalid sslmode value")
_DENIED_SQLSTATE = "42501"  # insufficient_privilege, which the driver reports as a programming error


def make_engine(
    url: URL,
    *,
    schema: str = DEFAULT_SCHEMA,
    busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    oldest_postgresql: int = OLDEST_POSTGRESQL,
) -> Engine:
    """Create an engine for a URL from ``parse_url``; it opens nothing before its first connection.

    On PostgreSQL every statement names ``schema``, and the search path is empty, so that a table or function of the
    same name in another schema is never used. ``busy_timeout_ms`` is how long SQLite waits for a lock.
    ``oldest_postgresql`` is the oldest server version accepted, as in ``server_version_num``. The first connection
    raises ``VersionMismatch`` for an older server, and for a SQLite file of another program before anything is written
    to it.

    Raises:
        UsageError: the driver for PostgreSQL is not installed, or the URL has parameters that SQLAlchemy refuses.

    """
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite_engine(url, busy_timeout_ms)
        return _postgresql_engine(url, schema, oldest_postgresql)
    except (ArgumentError, TypeError, ValueError) as error:
        where = shown(url)
        raise UsageError(f"The database URL {where} cannot be used: {_first_line(error).rstrip('.')}.") from None


def _postgresql_engine(url: URL, schema: str, oldest_postgresql: int) -> Engine:
    arguments = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_TIMEOUT_S}
    try:
        engine = create_engine(
            url,
            connect_args=arguments,
            hide_parameters=True,
            pool_pre_ping=True,
            execution_options={"schema_translate_map": {None: schema}},
        )
    except ModuleNotFoundError:
        raise UsageError("PostgreSQL needs the driver psycopg; run: pip install 'neardup[postgres]'") from None

    @event.listens_for(engine, "connect", insert=True)  # before SQLAlchemy's own first statements
    def prepare(connection: Any, _: object) -> None:  # noqa: ANN401 - psycopg may not be installed
        connection.autocommit = True  # a rollback would restore the search path
        connection.execute("SELECT pg_catalog.set_config('search_path', '', false)")
        connection.autocommit = False
        if connection.info.server_version < oldest_postgresql:
            version = connection.info.parameter_status("server_version")
            raise VersionMismatch(
                f"The server is PostgreSQL {version}; use version {oldest_postgresql // 10_000} or newer."
            )

    return engine


def _sqlite_engine(url: URL, busy_timeout_ms: int) -> Engine:
    engine = create_engine(url, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # by default sqlite3 begins transactions implicitly
        connection.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")
        _prepare_sqlite(connection, Path(str(url.database)))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    return engine


def _prepare_sqlite(connection: sqlite3.Connection, path: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if tables >= metadata.tables.keys():
            raise damaged(f"{path} has our tables, but its application_id is {application_id}, not {APPLICATION_ID}.")
        if tables or application_id:
            raise VersionMismatch(f"{path} is a SQLite file of another program; choose another workspace or database.")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}")
    mode = journal_mode(sqlite3.sqlite_version_info, file_system(path))
    # In DELETE mode only EXTRA syncs the directory after a commit removes the journal. With FULL, a power cut can
    # bring the journal back, and recovery would then undo an acknowledged commit.
    connection.execute(f"PRAGMA synchronous={'FULL' if mode == 'WAL' else 'EXTRA'}")
    if connection.execute("PRAGMA journal_mode").fetchone() != (mode.lower(),):
        connection.execute(f"PRAGMA journal_mode={mode}")


def journal_mode(version: tuple[int, ...], file_system: str = "ext4") -> str:
    """Return ``WAL`` for a SQLite with the WAL-reset fix on a local file system, else ``DELETE``.

    SQLite 3.7.0 to 3.51.2 can lose acknowledged commits in WAL mode when two connections write and checkpoint at
    the same time; it is fixed in 3.51.3, 3.50.7 and 3.44.6. WAL also needs shared memory, which a network file
    system cannot provide across machines.
    """
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "WAL" if fixed and not is_network(file_system) else "DELETE"


def is_network(file_system: str) -> bool:
    """Return whether several machines may share a file system of this type."""
    return file_system.startswith(("nfs", "cifs", "smb", "9p", "fuse", "ceph", "afs", "lustre", "gluster"))


def file_system(path: Path) -> str:
    """Return the type of the file system that holds ``path``, empty if unknown."""
    target, longest, found = str(path.resolve()), -1, ""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    for line in mounts.splitlines():
        _, mount, kind = line.split(" ")[:3]
        mount = mount.replace(r"\040", " ").rstrip("/")
        if (target == mount or target.startswith(f"{mount}/")) and len(mount) >= longest:
            longest, found = len(mount), kind
    return found


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Split values into lists of at most ``PAGE``; numpy integers become plain ones."""
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    for start in range(0, len(listed), PAGE):
        yield listed[start : start + PAGE]


def schema_of(connection: Connection) -> str | None:
    """Return the schema that holds the tables; None on SQLite."""
    schema: str | None = connection.get_execution_options().get("schema_translate_map", {}).get(None)
    return schema


def quoted_name(connection: Connection, table: str) -> str:
    """Return the name of a table for a statement written by hand, quoted and with its schema."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    return ".".join(quote(part) for part in (schema_of(connection), table) if part is not None)


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert tuples in the order of the table's columns, by COPY on PostgreSQL and executemany on SQLite.

    On 1.1 million records this is several times faster than ``insert()`` with dictionaries.
    """
    if not rows:
        return
    columns = [column.name for column in table.columns]
    target = f"{quoted_name(connection, table.name)} ({', '.join(columns)})"
    if connection.dialect.name == "postgresql":
        _copy(connection, f"COPY {target} FROM STDIN", rows)
    else:
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {target} VALUES ({marks})", list(rows))


def rows_with(
    connection: Connection, columns: Sequence[Column[Any]], key: Column[Any], values: Sequence[Any], **fixed: object
) -> list[tuple[Any, ...]]:
    """Select ``columns`` of one table where ``key`` is in ``values`` and each column named in ``fixed`` has its value.

    Equivalent to ``select(...).where(key.in_(values))``, where SQLAlchemy spends more time on thousands of
    parameters than the database does on finding the rows. SQLite takes at most 32,766 values.
    """
    on_postgresql = connection.dialect.name == "postgresql"
    mark = "%s" if on_postgresql else "?"
    is_in = "= ANY(%s)" if on_postgresql else f"IN ({', '.join('?' * len(values))})"
    conditions = " AND ".join([*(f"{name} = {mark}" for name in fixed), f"{key.name} {is_in}"])
    names = ", ".join(column.name for column in columns)
    parameters = (*fixed.values(), list(values)) if on_postgresql else (*fixed.values(), *values)
    table = quoted_name(connection, key.table.name)
    cursor = connection.exec_driver_sql(f"SELECT {names} FROM {table} WHERE {conditions}", parameters)
    return [tuple(row) for row in cursor.cursor.fetchall()]


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    driver: Any = connection.connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def retrying(
    engine: Engine,
    attempt: Callable[[], T],
    renew: Callable[[], None] = lambda: None,
    *,
    pauses_s: Iterable[float] = RETRY_PAUSES_S,
) -> T:
    """Call ``attempt`` and return its result; retry transient PostgreSQL errors, calling ``renew`` before each retry.

    Transient errors are broken connections, server restarts, deadlocks and timeouts. The last error is raised when
    ``pauses_s`` is used up. Errors on SQLite are never retried.
    """
    pauses = iter(pauses_s)
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
            _log.warning("The database failed (%s); retrying.", without_secrets(engine.url, _first_line(error)))
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
def translated_errors(engine: Engine) -> Iterator[None]:
    """Translate database errors raised in a ``with`` block into ours, with the password hidden.

    Every statement of ours fits a sound database, so one that lacks a table or column, or violates a constraint, means
    that the database is damaged. Invalid statements are bugs of ours and pass unchanged.

    Raises:
        UsageError: the driver does not take a parameter of the URL.
        EnvironmentFault: the database is unreachable, full or denies access.
        WriterBusy: another process has locked the database.
        CorruptStore: the database reports damage.

    """
    try:
        yield
    except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
        translated = _translate(engine, getattr(error, "orig", None) or error)
        if translated is None:
            raise
        raise translated from error


def _translate(engine: Engine, error: BaseException) -> DedupError | None:
    where = shown(engine.url)
    line = without_secrets(engine.url, _first_line(error))
    state = getattr(error, "sqlstate", None)
    driver = engine.dialect.loaded_dbapi
    is_contradicted = isinstance(error, driver.IntegrityError)
    if is_contradicted or state in _DAMAGED_SQLSTATES or any(message in line for message in _DAMAGE_MESSAGES):
        return damaged(f"{where}: {line.rstrip('.')}.")
    if "database is locked" in line:
        return WriterBusy(f"The database {where} is in use by another process; try again later.")
    if line.startswith(_BAD_PARAMETERS):
        return UsageError(f"The database URL {where} cannot be used: {line.rstrip('.')}.")
    environment = (driver.OperationalError, driver.InternalError, driver.InterfaceError)
    if isinstance(error, environment) or state == _DENIED_SQLSTATE:
        return EnvironmentFault(f"The database {where} failed: {line.rstrip('.')}. Try again later.")
    return None
