"""The directory of an index: how its database is opened, and by whom it may be written.

.dedup/neardup.sqlite   the database, unless a URL names another
.dedup/snapshots/       FAISS files: a cache that can be rebuilt from the database
.dedup/lock             held by the writing process; a SQLite file elsewhere has a lock file beside it too
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine

from dedup.errors import EnvironmentFault, UsageError
from dedup.runtime.progress import Progress, no_progress
from indexer.files import sync_directory
from indexer.store import engines, migrate
from indexer.store.engines import BUSY_TIMEOUT_MS, RETRY_PAUSES_S
from indexer.store.lock import AdvisoryLock, file_lock
from indexer.store.migrate import PAGES_PER_STEP, Migration
from indexer.store.store import Store
from indexer.store.transactions import Writer

_log = logging.getLogger(__name__)


class Workspace:
    """A workspace directory and its database: a SQLite file in it, or the database of ``database_url``.

    ``busy_timeout_ms`` is how long SQLite waits for a lock; ``retry_pauses_s`` are the pauses before retries on
    PostgreSQL (``engines.retrying``).

    Raises:
        UsageError: the URL is invalid or not supported.

    """

    def __init__(
        self,
        directory: Path,
        database_url: str | None = None,
        *,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        retry_pauses_s: Iterable[float] = RETRY_PAUSES_S,
    ) -> None:
        self.directory = directory
        self._busy_timeout_ms = busy_timeout_ms
        self._retry_pauses_s = tuple(retry_pauses_s)
        self.snapshots = directory / "snapshots"
        self.url = (
            engines.parse_url(database_url)
            if database_url
            else URL.create("sqlite", database=str(directory / "neardup.sqlite"))
        )

    @property
    def where(self) -> str:
        """The name of this workspace in messages: its directory, or the URL without its password."""
        inside = self.url.database == str(self.directory / "neardup.sqlite")
        return str(self.directory) if inside else engines.shown(self.url)

    @contextmanager
    def open(self, *, for_writing: bool) -> Iterator[Store]:
        """Open the database for a ``with`` block, in which database errors are translated into ours.

        Opening for writing creates the directory and the database if needed, and takes the writer lock.

        Raises:
            UsageError: nothing is indexed here yet and it is opened for reading, or the database driver is missing.
            WriterBusy: another process writes here.
            VersionMismatch: the database is of another version or of another program.
            EnvironmentFault: the directory or the database cannot be used now.
            CorruptStore: the database is damaged.

        """
        engine, pauses_s = self._make_engine(), self._retry_pauses_s
        try:
            with engines.translated_errors(engine):
                if not for_writing:
                    self._check_readable(engine)
                    yield Store(engine, retry_pauses_s=pauses_s)
                    return
                self._create()
                with self._locked(engine) as renew:
                    self._create_schema(engine)
                    writer = Writer(engine, renew, retry_pauses_s=pauses_s)
                    yield Store(engine, writer, retry_pauses_s=pauses_s)
        finally:
            engine.dispose()

    def check_readable(self) -> None:
        """Raise what ``open`` for reading raises, so that nothing is made where nothing is indexed."""
        with self.open(for_writing=False):
            pass

    def migrate(self, progress: Progress = no_progress, *, pages_per_step: int = PAGES_PER_STEP) -> Migration:
        """Upgrade the database to this program's schema; a SQLite file is first copied to a backup beside it.

        ``progress`` and ``pages_per_step`` as for ``migrate.migrate``.

        Raises:
            UsageError: nothing is indexed here yet.
            WriterBusy, VersionMismatch, EnvironmentFault, CorruptStore: as ``open`` and ``migrate.migrate``.

        """
        engine, file = self._make_engine(), self._sqlite_file()
        try:
            with engines.translated_errors(engine):
                if file is None or file.exists():
                    self._create()
                    with self._locked(engine):
                        done = migrate.migrate(engine, file, progress, pages_per_step=pages_per_step)
                    if done is not None:
                        return done
                raise UsageError(self._empty_message())
        finally:
            engine.dispose()

    def _make_engine(self) -> Engine:
        return engines.make_engine(self.url, busy_timeout_ms=self._busy_timeout_ms)

    @contextmanager
    def _locked(self, engine: Engine) -> Iterator[Callable[[], None]]:
        """Hold the writer lock; yield a function that takes it again after a lost connection."""
        file = self._sqlite_file()
        with ExitStack() as locks:
            locks.enter_context(file_lock(self.directory / "lock", self.where))
            if file is None:
                yield locks.enter_context(AdvisoryLock(engine, self.where)).renew
                return
            if file.parent.resolve() != self.directory.resolve():
                locks.enter_context(file_lock(file.with_name(f"{file.name}.lock"), self.where))
            yield lambda: None

    def _sqlite_file(self) -> Path | None:
        return Path(str(self.url.database)) if self.url.get_backend_name() == "sqlite" else None

    def _check_readable(self, engine: Engine) -> None:
        file = self._sqlite_file()
        if file is None or file.exists():
            with engine.connect() as connection:
                if migrate.check_revision(connection) == "current":
                    return
        raise UsageError(self._empty_message())

    def _empty_message(self) -> str:
        remedy = "index an input first: `dedup index FILE`, or `Index.add` in Python."
        return f"Nothing is indexed in {self.where} yet; {remedy}"

    def _create(self) -> None:
        """Create the directories and the SQLite file, accessible to their owner only."""
        path = self.directory
        try:
            for path in (self.directory, self.snapshots):
                _make_directory(path)
            path = self._sqlite_file() or path
            if path != self.snapshots and not path.exists():
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                sync_directory(path.parent)
                if engines.is_network(kind := engines.file_system(path)):
                    _log.warning("%s is on a %s file system, where locks are unreliable; use a local disk.", path, kind)
        except OSError as error:
            raise EnvironmentFault(
                f"{path} cannot be created or written: {error.strerror}; choose another directory."
            ) from error

    def _create_schema(self, engine: Engine) -> None:
        with engine.connect() as connection:
            state = migrate.revision_state(connection)
        if state == "empty":
            migrate.upgrade(engine)
        with engine.connect() as connection:
            migrate.check_revision(connection)


def _make_directory(path: Path) -> None:
    """Create a directory and its parents, durable after a power cut: each parent is synced."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)
