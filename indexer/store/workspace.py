"""The directory of an index: how its database is opened, and by whom it may be written.

.dedup/neardup.sqlite   the database, unless a URL names another
.dedup/snapshots/       FAISS files: a cache that can be rebuilt from the database
.dedup/rejects/         lists of rejected rows, by source, and those of queries in a folder of their own
.dedup/lock             held by the writing process; a SQLite file elsewhere has a lock file beside it too
"""

from __future__ import annotations

import logging
import os
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, inspect

from dedup.errors import EnvironmentFault, UsageError
from dedup.runtime.progress import Progress, no_progress
from indexer.files import PRIVATE, SIDE_FILES, Access, access_like, make_directory, sync_directory
from indexer.store import engines, migrate
from indexer.store.database_url import parse_url, shown
from indexer.store.engines import BUSY_TIMEOUT_MS, RETRY_PAUSES_S
from indexer.store.lock import AdvisoryLock, file_lock
from indexer.store.migrate import PAGES_PER_STEP, Migration
from indexer.store.store import Store
from indexer.store.transactions import Writer

_log = logging.getLogger(__name__)


class Workspace:
    """A workspace directory and its database: a SQLite file in it, or the database of ``database_url``.

    ``schema`` is that of PostgreSQL which holds the tables, ``public`` by default.
    ``busy_timeout_ms`` is how long SQLite waits for a lock; ``retry_pauses_s`` are the pauses before retries on
    PostgreSQL (``engines.retrying``).

    Raises:
        UsageError: the URL is invalid or not supported, or the schema is that of another database or of the system.

    """

    def __init__(
        self,
        directory: Path,
        database_url: str | None = None,
        *,
        schema: str | None = None,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        retry_pauses_s: Iterable[float] = RETRY_PAUSES_S,
    ) -> None:
        self.directory = directory
        self._busy_timeout_ms = busy_timeout_ms
        self._retry_pauses_s = tuple(retry_pauses_s)
        self.snapshots = directory / "snapshots"
        self._folders = self.snapshots, directory / "rejects", directory / "rejects" / "queries"
        self.url = (
            parse_url(database_url)
            if database_url
            else URL.create("sqlite", database=str(directory / "neardup.sqlite"))
        )
        self._schema = schema
        if schema is not None and self.url.get_backend_name() == "sqlite":
            raise UsageError(f"The schema {schema!r} was named, but only a PostgreSQL database has schemas.")
        if schema is not None and (not schema or schema == "information_schema" or schema.startswith("pg_")):
            raise UsageError(f"The schema {schema!r} belongs to PostgreSQL; name another one.")
        if "%" in (schema or ""):  # a mark of parameters for the driver
            raise UsageError(f"The schema {schema!r} has a percent sign in its name; name another one.")

    @property
    def where(self) -> str:
        """The name of this workspace in messages: its directory, or the URL without its password."""
        inside = self.url.database == str(self.directory / "neardup.sqlite")
        if inside:
            return str(self.directory)
        schema = f", schema {self._schema}" if self._schema else ""
        return f"{shown(self.url)}{schema}"

    def owns(self, path: Path) -> bool:
        """Return whether ``path`` is, or would be, a file of this workspace or its database, or a directory above."""
        place, file, directory = _real(path), self._sqlite_file(), _real(self.directory)
        if place in (directory / "lock", directory, *directory.parents):
            return True
        if _real(self.snapshots) in (place, *place.parents):
            return True
        return file is not None and place in [Path(f"{_real(file)}{suffix}") for suffix in ("", *SIDE_FILES)]

    def access_with(self, *inputs: str) -> Access:
        """Return who may read what is made of the database and these inputs: those who may read all of them."""
        file = self._sqlite_file()
        return access_like([file, *inputs]) if file else PRIVATE

    @contextmanager
    def open(self, *, for_writing: bool) -> Iterator[Store]:
        """Open the database for a ``with`` block, in which database errors are translated into ours.

        Opening for writing creates the directory and the database if needed, and takes the writer lock.

        Raises:
            UsageError: nothing is indexed here yet and it is opened for reading, or the database driver is missing.
            WriterBusy: another process writes here.
            VersionMismatch: the database is of another version or of another program.
            EnvironmentFault: the directory or the database cannot be used now, or another user can write to it.
            CorruptStore: the database is damaged.

        """
        engine, pauses_s = self._make_engine(), self._retry_pauses_s
        try:
            with engines.translated_errors(engine):
                self.check_folders()
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

    def check_folders(self) -> None:
        """Refuse a workspace in which another user could read or change files, or whose folders are links.

        Raises ``EnvironmentFault``.
        """
        self._check_owners()
        self._refuse_links()

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
                self.check_folders()
                if file is None or _is_file(file):
                    self._create()
                    with self._locked(engine):
                        done = migrate.migrate(engine, file, progress, pages_per_step=pages_per_step)
                    if done is not None:
                        return done
                raise UsageError(self._empty_message())
        finally:
            engine.dispose()

    def _make_engine(self) -> Engine:
        schema = self._schema or engines.DEFAULT_SCHEMA
        return engines.make_engine(self.url, schema=schema, busy_timeout_ms=self._busy_timeout_ms)

    @contextmanager
    def _locked(self, engine: Engine) -> Iterator[Callable[[], None]]:
        """Hold the writer lock; yield a function that takes it again after a lost connection."""
        file = self._sqlite_file()
        with ExitStack() as locks:
            locks.enter_context(file_lock(self.directory / "lock", self.where))
            if file is None:
                yield locks.enter_context(AdvisoryLock(engine, self.where)).renew
                return
            if _real(file.parent) != _real(self.directory):
                locks.enter_context(file_lock(file.with_name(f"{file.name}.lock"), self.where))
            yield lambda: None

    def _sqlite_file(self) -> Path | None:
        return Path(str(self.url.database)) if self.url.get_backend_name() == "sqlite" else None

    def _check_readable(self, engine: Engine) -> None:
        file = self._sqlite_file()
        if file is None or _is_file(file):
            with engine.connect() as connection:
                if migrate.check_revision(connection) == "current":
                    return
                self._refuse_other_schema(connection)
        raise UsageError(self._empty_message())

    def _empty_message(self) -> str:
        remedy = "index an input first: `dedup index FILE`, or `Index.add` in Python."
        return f"Nothing is indexed in {self.where} yet; {remedy}"

    def _create(self) -> None:
        """Create the directories and the SQLite file, accessible to their owner only."""
        path = self.directory
        try:
            for path in (self.directory, self.snapshots):
                make_directory(path)
            path = self._sqlite_file() or path
            if path != self.snapshots and not (_is_file(path) and path.stat().st_size):
                with suppress(FileExistsError):
                    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
                    sync_directory(path.parent)
                path.chmod(0o600)  # an empty file becomes a database, too
                if engines.is_network(kind := engines.file_system(path)):
                    _log.warning("%s is on a %s file system, where locks are unreliable; use a local disk.", path, kind)
        except OSError as error:
            raise EnvironmentFault(
                f"{path} cannot be created or written: {error.strerror}; choose another directory."
            ) from error
        self._check_owners()  # somebody may have been faster

    def _check_owners(self) -> None:
        """Refuse what another user owns or can write: they could read and change all that is stored.

        Raises ``EnvironmentFault``.
        """
        paths = [self.directory, *self._folders, self.directory / "lock"]
        if file := self._sqlite_file():
            if file.exists():
                _is_file(file)  # what is none has other owners
            _check_owner(file.parent, may_be_shared=file.parent != self.directory)
            paths += [Path(f"{file}{suffix}") for suffix in ("", *SIDE_FILES)]
        for path in paths:
            _check_owner(path)

    def _create_schema(self, engine: Engine) -> None:
        with engine.connect() as connection:
            state = migrate.revision_state(connection)
            if state == "empty":
                self._refuse_other_schema(connection)
        if state == "empty":
            migrate.create(engine)
        with engine.connect() as connection:
            migrate.check_revision(connection)

    def _refuse_other_schema(self, connection: Connection) -> None:
        """Refuse a schema that does not exist, or the default one if the tables are in another."""
        if connection.dialect.name == "sqlite":
            return
        if self._schema is None and (found := migrate.schemas_in_use(connection)):
            raise UsageError(
                f"Nothing is indexed in the schema {engines.DEFAULT_SCHEMA!r} of {self.where}, but in {found[0]!r}; "
                "name one with --schema, or schema= in Python."
            )
        named = self._schema or engines.DEFAULT_SCHEMA
        if not inspect(connection).has_schema(named):
            raise UsageError(f"There is no schema {named!r} in {self.where}; create it, or name another one.")

    def _refuse_links(self) -> None:
        """Refuse a folder in the workspace that is a link: files would be written and removed elsewhere."""
        for folder in self._folders:
            with _reachable(folder):
                if folder.is_symlink():
                    raise EnvironmentFault(
                        f"{folder} is a link, which is not followed; put a folder in its place, or choose another "
                        "workspace."
                    )


def _real(path: Path) -> Path:
    """Return where a path leads; unlike ``Path.resolve``, also of a link to itself."""
    return Path(os.path.realpath(path))


def _is_file(path: Path) -> bool:
    """Return whether there is a regular file at ``path``, or a link to one.

    Raises:
        UsageError: there is something else.
        EnvironmentFault: it cannot be looked at, or is a link that leads nowhere.

    """
    with _reachable(path):
        try:
            path.lstat()
        except FileNotFoundError:
            return False
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path} is not a regular file; choose another workspace or database.")
    return True


@contextmanager
def _reachable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(
            f"{path} cannot be read: {error.strerror}; check the path and its permissions."
        ) from error


def _check_owner(path: Path, *, may_be_shared: bool = False) -> None:
    """Raise ``EnvironmentFault`` if another user owns or can write ``path``; nothing need be there.

    ``may_be_shared`` accepts a directory such as /tmp, in which nobody can remove the files of others.
    """
    try:
        link, status = path.lstat(), path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be used: {error.strerror}; check its permissions.") from error
    if not {link.st_uid, status.st_uid} <= {0, os.geteuid()}:
        raise EnvironmentFault(
            f"{path} belongs to another user, who could read or change what is stored; run neardup as that user, or "
            "choose another directory."
        )
    if status.st_mode & 0o022 and not (may_be_shared and status.st_mode & stat.S_ISVTX):
        raise EnvironmentFault(
            f"Other users can write to {path}, and so change what is stored; run: chmod go-w {shlex.quote(str(path))}"
        )
