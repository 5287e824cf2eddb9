"""Read the result of a query from a database, read only, page by page."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, CursorResult, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from dedup.errors import DedupError, EnvironmentFault, InputRefused, UsageError
from indexer.reading.cell_table import CellTable, Unusable
from indexer.reading.rejects import MAX_RAW_BYTES, Reject
from indexer.reading.rows import MAX_CELL_CHARACTERS, ReadOptions, Row
from indexer.store.database_url import checked, parsed, shown, without_secrets

PAGE_ROWS = 2000

_READING_ACTIONS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_DENIED_FUNCTIONS = {"load_extension", "fts3_tokenizer"}
_DESCRIBING_PRAGMAS = {
    *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"),
    *("database_list", "collation_list", "function_list", "module_list", "pragma_list", "compile_options"),
}
"""Pragmas that return rows and change nothing, whatever their argument."""
_QUERY_SQLSTATES = ("0A", "20", "21", "22", "25", "2F", "34", "38", "39", "3D", "3F", "42", "44", "54", "P0")
"""Classes of SQLSTATE that blame the query: 25 is invalid_transaction_state, such as a write where all is read-only."""

_SQLITE_QUERY_ERRORS = {  # SQLite reports nearly everything as OperationalError
    *(sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
    *(sqlite3.SQLITE_AUTH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH),
    sqlite3.SQLITE_SCHEMA,  # what CREATE ends with where it is not authorised
}


class QueryTable(CellTable):
    """The records of a query in the order of the database.

    Values are text as the database writes them; NULL is the empty text. SQLite files are opened read-only, and the
    query may do nothing but read. PostgreSQL is asked for a read-only transaction. Whatever a query changes elsewhere
    is rolled back.

    Raises:
        InputRefused: The query is bad, returns no rows, or has fractions as ids.
        EnvironmentFault: The database is unreachable or fails.
        UsageError: The URL is invalid, or its driver is not installed.

    """

    def __init__(self, query: str, url: str, options: ReadOptions) -> None:
        address = _parse(url)
        self._engine = _engine(address)
        self._connection: Connection | None = None
        self.name = shown(address)
        try:
            self._result = self._execute(query)
            with self._translate_errors():
                header = list(self._result.keys())
                self._page = self._result.fetchmany(PAGE_ROWS)
            self.choose_columns(header, options, ([_as_text(value) for value in record] for record in self._page))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:  # noqa: D102
        if self._connection is not None:
            self._connection.invalidate()  # the connection may be lost or in the middle of a page
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    @property
    def bytes_read(self) -> int:  # noqa: D102
        return 0

    def __iter__(self) -> Iterator[Row | Reject]:
        id_at = self._columns.id_at
        while self._page:
            for record in self._page:
                if id_at is not None and isinstance(record[id_at], float | bool):
                    raise InputRefused(
                        f"Row {self.records + 1} of {self.name} has the id {record[id_at]!r} in column "
                        f"{self.choice.id!r}. Cast ids to text or whole numbers in the query.",
                        "E_ID_TYPE",
                    )
                if item := self.item([_as_text(value) for value in record]):
                    yield item
            with self._translate_errors():
                self._page = self._result.fetchmany(PAGE_ROWS)

    def _execute(self, query: str) -> CursorResult[Any]:
        try:
            self._connection = self._engine.connect()
        except SQLAlchemyError as error:
            message = f"Cannot reach the database {self.name}: {self._first_line(error)}. Try again later."
            raise EnvironmentFault(message) from error
        options: dict[str, Any] = {"stream_results": True, "no_parameters": True}
        if self._engine.dialect.name == "postgresql":
            options["postgresql_readonly"] = True
        with self._translate_errors():
            result = self._connection.execution_options(**options).exec_driver_sql(query)
        if not result.returns_rows:
            raise InputRefused("The query of --from-sql returns no rows. Use a SELECT.", "E_SQL")
        return result

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
            raise self._translated(error) from error

    def _first_line(self, error: Exception) -> str:
        lines = str(getattr(error, "orig", None) or error).strip().splitlines()
        return without_secrets(self._engine.url, lines[0].rstrip(".")) if lines else type(error).__name__

    def _translated(self, error: Exception) -> DedupError:
        cause = getattr(error, "orig", None) or error
        driver = self._engine.dialect.loaded_dbapi
        state = getattr(cause, "sqlstate", None)
        is_environment = isinstance(cause, driver.OperationalError | driver.InterfaceError | driver.InternalError)
        if state is not None:
            is_environment = not str(state).startswith(_QUERY_SQLSTATES)
        if isinstance(cause, sqlite3.Error):
            code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            is_environment = code not in _SQLITE_QUERY_ERRORS
        if is_environment:
            return EnvironmentFault(f"The database {self.name} failed: {self._first_line(error)}. Try again later.")
        remedy = "It may only read." if "not authorized" in str(cause) else "Correct --from-sql."
        return InputRefused(f"The query on {self.name} failed: {self._first_line(error)}. {remedy}", "E_SQL")


def database_name(url: str) -> str:
    """Return the name of a database without its folder and suffix."""
    address = _parse(url)
    return Path(address.database or "").stem or address.get_backend_name()


def _parse(url: str) -> URL:
    what = "--source-url"
    address = parsed(url, what)
    kind = address.get_backend_name()
    if kind == "sqlite" and not Path(address.database or "").is_file():
        raise InputRefused(f"SQLite file {address.database!r} does not exist. Check --source-url.", "E_NO_FILE")
    return checked(address, what, for_reading=True) if kind in ("sqlite", "postgresql", "postgres") else address


def _engine(address: URL) -> Engine:
    try:
        if address.get_backend_name() != "sqlite":
            return create_engine(address, hide_parameters=True)
    except (ArgumentError, AttributeError, TypeError, ValueError) as error:
        is_unknown = isinstance(error, AttributeError) or (  # the name of a module, but not of a driver
            isinstance(error, NoSuchModuleError) and "dialects" in str(error)
        )
        if not is_unknown:
            raise UsageError(f"--source-url cannot be used: {error}.") from None
        kind = address.drivername
        raise UsageError(f"SQLAlchemy does not know the database {kind!r}; install its dialect.") from None
    except ModuleNotFoundError as error:
        remedy = "pip install 'neardup[postgres]'" if error.name == "psycopg" else f"pip install {error.name}"
        raise UsageError(f"The driver {error.name} is not installed; run: {remedy}") from None
    path = Path(str(address.database)).resolve()

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        connection.text_factory = bytes  # so that text that is not UTF-8 rejects only its row
        connection.execute("PRAGMA trusted_schema=OFF")  # views of the file may call no function with side effects
        return connection

    engine = create_engine("sqlite://", creator=connect, hide_parameters=True)

    @event.listens_for(engine, "connect")  # after SQLAlchemy has asked the connection what it needs to know
    def only_read(connection: sqlite3.Connection, _: object) -> None:
        connection.set_authorizer(_authorise)

    return engine


def _authorise(action: int, first: str | None, second: str | None, *_: object) -> int:
    """Allow what reads. A file opened read-only can still attach others, and copy itself by VACUUM INTO."""
    allowed = action in _READING_ACTIONS
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() not in _DENIED_FUNCTIONS
    elif action == sqlite3.SQLITE_PRAGMA:
        allowed = (first or "").lower() in _DESCRIBING_PRAGMAS
    elif action == sqlite3.SQLITE_UPDATE:  # asked for each table-valued function; the file itself is read-only
        allowed = first == "sqlite_master"
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _as_text(value: object) -> str | Unusable | None:
    """Return a value as text."""
    if value is None or isinstance(value, str):
        text = value
    elif isinstance(value, bytes | memoryview):
        try:
            text = bytes(value).decode()
        except UnicodeDecodeError:
            return Unusable("E_ENCODING_ROW", bytes(value[:MAX_RAW_BYTES]).decode("utf-8", "backslashreplace"))
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, Decimal) and value.is_finite():
        text = f"{value:f}"
    elif isinstance(value, dict | Sequence):
        return Unusable("E_NESTED", json.dumps(value, ensure_ascii=False, default=str)[:MAX_RAW_BYTES])
    else:
        text = str(value)
    if text and len(text) > MAX_CELL_CHARACTERS:
        return Unusable("E_FIELD_TOO_LONG", text[:MAX_RAW_BYTES])
    return text
