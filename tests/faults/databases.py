"""Fresh copies of a workspace to break: on SQLite in either journal mode, or on PostgreSQL."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from indexer.store import engines


class Place:
    """Makes workspaces under ``base``, one at a time.

    ``kind`` is ``delete`` (SQLite with a rollback journal), ``wal`` (with a write-ahead log) or ``postgresql``, with
    the URL of a server.
    """

    def __init__(self, kind: str, base: Path, server: str | None) -> None:
        self.kind = kind
        self.is_shared = kind == "postgresql"
        """Whether a server takes part, whose pace may change the number of messages by one or two."""
        self.version = f"SQLite {sqlite3.sqlite_version}"
        self._base = base
        self._server = server if self.is_shared else None
        self._database = f"crash_{base.name}"
        if self._server:
            self.version = f"PostgreSQL {self._administer('SHOW server_version')[0][0]}"
        else:
            engines.journal_mode = lambda *known: "DELETE" if kind == "delete" else "WAL"

    @contextmanager
    def new(self, kept: str | None) -> Iterator[tuple[Path, str | None]]:
        """Copy what was kept under a name, or start from nothing; yield the directory and the database URL."""
        root, origin = self._base / "point", self._base / f"kept-{kept}"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        if kept and origin.exists():
            shutil.copytree(origin, root / "workspace")
        url = None
        if self._server:
            template = f"TEMPLATE {self._database}_{kept}" if kept else ""
            self._administer(f"DROP DATABASE IF EXISTS {self._database} WITH (FORCE)")
            self._administer(f"CREATE DATABASE {self._database} {template} STRATEGY FILE_COPY")
            url = make_url(self._server).set(database=self._database).render_as_string(hide_password=False)
        yield root / "workspace", url

    def keep(self, name: str) -> None:
        """Keep the workspace that ``new`` yielded, to make copies of it."""
        made = self._base / "point" / "workspace"
        if made.exists():
            made.rename(self._base / f"kept-{name}")
        if self._server:
            self._administer(f"ALTER DATABASE {self._database} RENAME TO {self._database}_{name}")

    def settle(self) -> None:
        """Wait until the server has noticed that the client is gone."""
        query = f"SELECT FROM pg_stat_activity WHERE datname = '{self._database}'"
        while self._server and self._administer(query):
            time.sleep(0.001)

    def _administer(self, statement: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(str(self._server), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []
