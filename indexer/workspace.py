"""The directory that holds an index, who may write to it, and how its database is opened.

.dedup/neardup.sqlite   the database, unless a URL names another
.dedup/snapshots/       FAISS files: a cache that can be rebuilt from the database
.dedup/lock             held by the one process that writes
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import URL, Engine
from sqlalchemy import text as sql

from dedup.errors import EnvironmentFault, UsageError, WriterBusy
from indexer import database, migrate
from indexer.store import Store

_ADVISORY_LOCK = 0x6E656172647570  # "neardup": one writer per PostgreSQL database


class Workspace:
    """A workspace directory with its database: SQLite inside it, or the one that ``database_url`` names.

    Raises:
        UsageError: the URL cannot be used, or its driver is not installed.

    """

    def __init__(self, directory: Path, database_url: str | None = None) -> None:
        self.directory = directory
        self.snapshots = directory / "snapshots"
        self.url = (
            database.parse_url(database_url)
            if database_url
            else URL.create("sqlite", database=str(directory / "neardup.sqlite"))
        )

    @property
    def where(self) -> str:
        """What a message calls this workspace: its directory, or the URL without password."""
        inside = self.url.database == str(self.directory / "neardup.sqlite")
        return str(self.directory) if inside else self.url.render_as_string(hide_password=True)

    @contextmanager
    def open(self, *, for_writing: bool) -> Iterator[Store]:
        """Open the database for the time of a ``with`` block, in which its errors are put in words.

        For writing, the directory and the database are made or upgraded as needed, and no other process can
        open them for writing.

        Raises:
            UsageError: nothing is indexed here yet, and it is opened for reading.
            WriterBusy: another process writes here.
            VersionMismatch: the database is of another version or of another program.
            EnvironmentFault: the directory or the database cannot be used now.
            CorruptStore: the database is damaged.

        """
        engine = database.make_engine(self.url)
        try:
            with database.errors_in_words(engine):
                if not for_writing:
                    self._check_readable(engine)
                    yield Store(engine)
                    return
                self._make()
                with self._directory_lock(), self._database_lock(engine):
                    self._make_current(engine)
                    yield Store(engine)
        finally:
            engine.dispose()

    def _sqlite_file(self) -> Path | None:
        return Path(str(self.url.database)) if self.url.get_backend_name() == "sqlite" else None

    def _check_readable(self, engine: Engine) -> None:
        file = self._sqlite_file()
        if file is None or file.exists():
            with engine.connect() as connection:
                if migrate.check_revision(connection) == "current":
                    return
        raise UsageError(f"Nothing is indexed in {self.where} yet; run `dedup index FILE` first.")

    def _make(self) -> None:
        """Make the directories and the SQLite file, readable by their owner only."""
        place = self.directory
        try:
            for place in (self.directory, self.snapshots):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = self._sqlite_file() or place
            if place != self.snapshots:
                os.close(os.open(place, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise EnvironmentFault(
                f"{place} cannot be made or written: {error.strerror}; name another --workspace."
            ) from error

    def _make_current(self, engine: Engine) -> None:
        with engine.connect() as connection:
            state = migrate.revision_state(connection)
        if state != "current":
            migrate.upgrade(engine)
        with engine.connect() as connection:
            migrate.check_revision(connection)

    @contextmanager
    def _directory_lock(self) -> Iterator[None]:
        """Hold ``lock``; the system frees it when the process ends in whatever way."""
        path = self.directory / "lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EnvironmentFault(f"{path} cannot be written: {error.strerror}.") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(handle, 200).decode("utf-8", "replace").strip() or "another process"
                raise WriterBusy(f"{holder} is writing to {self.where}; try again when it is done.") from None
            os.ftruncate(handle, 0)
            os.write(handle, f"Process {os.getpid()} on {socket.gethostname()}".encode())
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _database_lock(self, engine: Engine) -> Iterator[None]:
        """Hold PostgreSQL's advisory lock on a connection of its own; SQLite needs none."""
        on_postgresql = engine.dialect.name == "postgresql"
        with engine.connect() if on_postgresql else nullcontext() as connection:
            if connection is not None:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                query = sql("SELECT pg_try_advisory_lock(:key)")
                if not connection.execute(query, {"key": _ADVISORY_LOCK}).scalar_one():
                    raise WriterBusy(f"Another process is writing to {self.where}; try again when it is done.")
            try:
                yield
            finally:
                if connection is not None:
                    connection.invalidate()  # ends the session, and the lock with it
