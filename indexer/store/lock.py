"""The writer lock: at most one process writes to a workspace and its database.

The operating system releases the lock when its process ends, however it ends, so there are no stale locks to break.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError

from dedup.errors import EnvironmentFault, UsageError, WriterBusy
from indexer.files import kind_of, open_plainly

_ADVISORY_LOCK = 0x6E656172647570  # "neardup": one writer per PostgreSQL database
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between tries."""
_BACKEND = sql("SELECT pg_backend_pid()")
_LONGEST_NOTE = 400
_NOTE = re.compile(rb"(Process \d+ on [^\n]*)?")
"""What a lock file holds: nothing yet, or who has it."""


@contextmanager
def file_lock(path: Path, where: str) -> Iterator[None]:
    """Hold a lock file for a ``with`` block; the file names its holder, for people to read.

    ``where`` is what the lock protects, for messages.

    Raises:
        WriterBusy: another process holds it.
        UsageError: there is something else under this name, which stays as it is.
        EnvironmentFault: the file cannot be opened or locked.

    """
    handle = _open_lock(path)
    try:
        note = os.pread(handle, _LONGEST_NOTE, 0)
        if len(note) == _LONGEST_NOTE or not _NOTE.fullmatch(note):
            raise _foreign(path, "a file of another program")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = note.decode("utf-8", "replace") or "Another process"
            raise WriterBusy(f"{holder} is writing to {where}; try again when it is done.") from None
        except OSError as error:
            raise EnvironmentFault(f"{path} cannot be locked: {error.strerror}; use a local disk.") from error
        os.ftruncate(handle, 0)
        os.write(handle, f"Process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        os.close(handle)


def _open_lock(path: Path) -> int:
    try:
        if kind := kind_of(path):
            raise _foreign(path, kind)
        return open_plainly(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror}.") from error


def _foreign(path: Path, kind: str) -> UsageError:
    return UsageError(f"{path} is {kind}, not a lock of neardup; move it away, or choose another directory.")


class AdvisoryLock:
    """A PostgreSQL advisory lock on its own connection; a context manager.

    Raises on entering:
        WriterBusy: another session holds it.
        UsageError: connections share server sessions, as behind a pooler in transaction mode.

    """

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._where = where
        self._connections = ExitStack()
        self._session: Connection | None = None

    def __enter__(self) -> Self:
        try:
            self._connect()
            if not self._try_for_a_moment():
                raise WriterBusy(f"Another process is writing to {self._where}; try again when it is done.")
            self._check_session()
        except BaseException:
            self._end_session()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            with suppress(DBAPIError):  # a broken session loses its lock anyway
                # The server ends a closed session with a delay, and the next job may start before that.
                self._session.execute(sql("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})
        self._end_session()

    def renew(self) -> None:
        """Take the lock again if its session has ended.

        It does not matter if the lock is held by then. If another process has taken it and begins to write, the
        fencing token (``Writer``) stops this one; or the holder may be our own broken session, which the server has
        not ended yet.
        """
        if self._session is not None:
            try:
                self._session.execute(sql("SELECT 1"))
                return
            except DBAPIError:
                self._end_session()
        self._connect()
        self._try()

    def _connect(self) -> None:
        session = self._connections.enter_context(self._engine.connect())
        self._session = session.execution_options(isolation_level="AUTOCOMMIT")

    def _try(self) -> bool:
        assert self._session is not None
        query = sql("SELECT pg_try_advisory_lock(:key)")
        return bool(self._session.execute(query, {"key": _ADVISORY_LOCK}).scalar_one())

    def _try_for_a_moment(self) -> bool:
        """Try again for a second or so: the server frees the lock of a process that was killed with a delay."""
        for pause in _PAUSES:
            if self._try():
                return True
            time.sleep(pause)
        return self._try()

    def _check_session(self) -> None:
        assert self._session is not None
        with self._engine.connect() as other:  # connections that share a backend share the lock
            if other.execute(_BACKEND).scalar_one() == self._session.execute(_BACKEND).scalar_one():
                raise UsageError(
                    f"{self._where} is behind a connection pooler that shares sessions, where the writer lock "
                    "would have no effect; connect to the server directly, or use the pooler's session mode."
                )

    def _end_session(self) -> None:
        """Close the connection instead of returning it to the pool, to release the lock."""
        if self._session is not None:
            self._session.invalidate()
            self._session = None
        self._connections.close()
