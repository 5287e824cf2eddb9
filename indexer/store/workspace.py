"""The directory that holds an index, who may write to it, and how its database is opened.

.dedup/neardup.sqlite   the database, unless a URL names another
.dedup/snapshots/       FAISS files: a cache that can be rebuilt from the database
.dedup/lock             held by the one process that writes; also beside a SQLite file elsewhere
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine

from dedup.errors import EnvironmentFault, UsageError
from dedup.runtime.progress import Progress, no_progress
from indexer.files import sync_directory
from indexer.store import engines, migrate
from indexer.store.lock import AdvisoryLock, file_lock
from indexer.store.migrate import Migration
from indexer.store.store import Store
from indexer.store.writer import Writer

_log = logging.getLogger(__name__)


class Workspace:
    """A workspace directory with its database: SQLite inside it, or the one that ``database_url`` names.

    Raises:
        UsageError: the URL cannot be used, or its driver is not installed.

    """

    def __init__(self, directory: Path, database_url: str | None = None) -> None:
        self.directory = directory
        self.snapshots = directory / "snapshots"
        self.url = (
            engines.parse_url(database_url)
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

        For writing, the directory and the database are made as needed, and no other process can open them for
        writing.

        Raises:
            UsageError: nothing is indexed here yet, and it is opened for reading.
            WriterBusy: another process writes here.
            VersionMismatch: the database is of another version or of another program.
            EnvironmentFault: the directory or the database cannot be used now.
            CorruptStore: the database is damaged.

        """
        engine = engines.make_engine(self.url)
        try:
            with engines.errors_in_words(engine):
                if not for_writing:
                    self._check_readable(engine)
                    yield Store(engine)
                    return
                self._make()
                with self._locked(engine) as renew:
                    self._make_current(engine)
                    yield Store(engine, Writer(engine, renew))
        finally:
            engine.dispose()

    def check_readable(self) -> None:
        """Raise what ``open`` for reading raises, so that nothing is made where nothing is indexed."""
        with self.open(for_writing=False):
            pass

    def migrate(self, progress: Progress = no_progress) -> Migration:
        """Bring the database to this program's schema, with a copy beside it before if it is a SQLite file.

        ``progress`` hears of the stages of ``migrate.migrate``.

        Raises:
            UsageError: nothing is indexed here yet.
            WriterBusy, VersionMismatch, EnvironmentFault, CorruptStore: as ``open`` and ``migrate.migrate``.

        """
        engine, file = engines.make_engine(self.url), self._sqlite_file()
        try:
            with engines.errors_in_words(engine):
                if file is None or file.exists():
                    self._make()
                    with self._locked(engine):
                        done = migrate.migrate(engine, file, progress)
                    if done is not None:
                        return done
                raise UsageError(self._nothing())
        finally:
            engine.dispose()

    @contextmanager
    def _locked(self, engine: Engine) -> Iterator[Callable[[], None]]:
        """Hold the writer lock; yield what gets it back after a lost connection."""
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
        raise UsageError(self._nothing())

    def _nothing(self) -> str:
        return f"Nothing is indexed in {self.where} yet; run `dedup index FILE` first."

    def _make(self) -> None:
        """Make the directories and the SQLite file, readable by their owner only."""
        place = self.directory
        try:
            for place in (self.directory, self.snapshots):
                _make_directory(place)
            place = self._sqlite_file() or place
            if place != self.snapshots and not place.exists():
                os.close(os.open(place, os.O_RDWR | os.O_CREAT, 0o600))
                sync_directory(place.parent)
                if engines.is_network(kind := engines.file_system(place)):
                    _log.warning("%s lies on a %s file system, whose locks may not hold; use a local one.", place, kind)
        except OSError as error:
            raise EnvironmentFault(
                f"{place} cannot be made or written: {error.strerror}; name another --workspace."
            ) from error

    def _make_current(self, engine: Engine) -> None:
        with engine.connect() as connection:
            state = migrate.revision_state(connection)
        if state == "empty":
            migrate.upgrade(engine)
        with engine.connect() as connection:
            migrate.check_revision(connection)


def _make_directory(path: Path) -> None:
    """Make a directory with its parents, safe from a power cut: each name is synced where it stands."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)
