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

from sqlalchemy import URL, Connection, CursorResult, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from dedup.errors import DedupError, EnvironmentFault, InputRefused, UsageError
from indexer.reading.cell_table import CellTable, Unusable
from indexer.reading.rejects import MAX_RAW_BYTES, Reject
from indexer.reading.rows import MAX_CELL_CHARACTERS, ReadOptions, Row

PAGE_ROWS = 2000

_SQLITE_QUERY_ERRORS = {  # SQLite reports nearly everything as OperationalError
    *(sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
    *(sqlite3.SQLITE_AUTH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH),
}


class QueryTable(CellTable):
    """The records of a query in the order of the database.

    Values are text as the database writes them; NULL is the empty text. SQLite files are opened read-only, and
    PostgreSQL is asked for a read-only transaction. Whatever a query changes elsewhere is rolled back.

    Raises:
        InputRefused: The query is bad, returns no rows, or has fractions as ids.
        EnvironmentFault: The database is unreachable or fails.
        UsageError: The URL is invalid, or its driver is not installed.

    """

    def __init__(self, query: str, url: str, options: ReadOptions) -> None:
        address = _parse(url)
        self._engine = _engine(address)
        self._connection: Connection | None = None
        self.name = _without_password(address)
        try:
            self._result = self._execute(query)
            with self._translate_errors():
                header = list(self._result.keys())
            self.choose_columns(header, options)
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
        while True:
            with self._translate_errors():
                page = self._result.fetchmany(PAGE_ROWS)
            if not page:
                return
            for record in page:
                if id_at is not None and isinstance(record[id_at], float | bool):
                    raise InputRefused(
                        f"Row {self.rows_in + 1} of {self.name} has the id {record[id_at]!r} in column "
                        f"{self.choice.id!r}. Cast ids to text or whole numbers in the query.",
                        "E_ID_TYPE",
                    )
                yield self.item([_as_text(value) for value in record])

    def _execute(self, query: str) -> CursorResult[Any]:
        try:
            self._connection = self._engine.connect()
        except SQLAlchemyError as error:
            message = f"Cannot reach the database {self.name}: {_first_line(error)}. Try again later."
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

    def _translated(self, error: Exception) -> DedupError:
        cause = getattr(error, "orig", None) or error
        driver = self._engine.dialect.loaded_dbapi
        is_environment = isinstance(cause, driver.OperationalError | driver.InterfaceError | driver.InternalError)
        if isinstance(cause, sqlite3.Error):
            code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            is_environment = code not in _SQLITE_QUERY_ERRORS
        if is_environment:
            return EnvironmentFault(f"The database {self.name} failed: {_first_line(error)}. Try again later.")
        return InputRefused(f"The query on {self.name} failed: {_first_line(error)}. Correct --from-sql.", "E_SQL")


def database_name(url: str) -> str:
    """Return the name of a database without its folder and suffix."""
    address = _parse(url)
    return Path(address.database or "").stem or address.get_backend_name()


def _parse(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        message = "--source-url is not a valid URL. Use the form postgresql://user@host/name or sqlite:///path."
        raise UsageError(message) from None
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise InputRefused(f"SQLite file {address.database!r} does not exist. Check --source-url.", "E_NO_FILE")
    if address.drivername in ("postgresql", "postgres"):
        return address.set(drivername="postgresql+psycopg")
    return address


def _without_password(address: URL) -> str:
    """Return a URL without its password and query, which may contain one too."""
    return address.set(query={}).render_as_string(hide_password=True)


def _engine(address: URL) -> Engine:
    try:
        if address.get_backend_name() != "sqlite":
            return create_engine(address, hide_parameters=True)
    except (ArgumentError, TypeError, ValueError) as error:
        if not isinstance(error, NoSuchModuleError) or "dialects" not in str(error):
            raise UsageError(f"--source-url cannot be used: {_first_line(error)}.") from None
        kind = address.get_backend_name()
        raise UsageError(f"SQLAlchemy does not know the database {kind!r}; install its dialect.") from None
    except ModuleNotFoundError as error:
        remedy = "pip install 'neardup[postgres]'" if error.name == "psycopg" else f"pip install {error.name}"
        raise UsageError(f"The driver {error.name} is not installed; run: {remedy}") from None
    path = Path(str(address.database)).resolve()

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        connection.text_factory = bytes  # so that text that is not UTF-8 rejects only its row
        return connection

    return create_engine("sqlite://", creator=connect, hide_parameters=True)


def _first_line(error: Exception) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


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
