"""Places where a job is broken: fresh copies of a workspace, on SQLite in both journal modes and on PostgreSQL."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from indexer.store import engines

KINDS = ("delete", "wal", "postgresql")
"""SQLite with a rollback journal, SQLite with a write-ahead log, PostgreSQL."""


class Place:
    """Makes workspaces under ``base``, one at a time; ``server`` is the URL of a PostgreSQL server."""

    def __init__(self, kind: str, base: Path, server: str | None) -> None:
        self.kind = kind
        self.is_shared = kind == "postgresql"
        """Whether a server takes part, whose pace may change the number of messages by one or two."""
        self.version = f"SQLite {sqlite3.sqlite_version}"
        self._base = base
        self._server = server if self.is_shared else None
        self._database = f"crash_{base.name}"
        if self.is_shared:
            self.version = f"PostgreSQL {(self._administer('SHOW server_version') or ('',))[0]}"
        else:
            engines.journal_mode = lambda *known: "DELETE" if kind == "delete" else "WAL"

    @contextmanager
    def new(self, kept: str | None) -> Iterator[tuple[Path, str | None]]:
        """Make a copy of what was kept under a name, or nothing yet; yield its directory and database URL."""
        root, origin = self._base / "point", self._base / f"kept-{kept}"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        if kept and origin.exists():
            shutil.copytree(origin, root / "workspace")
        if not self._server:
            yield root / "workspace", None
            return
        self._administer(f"DROP DATABASE IF EXISTS {self._database} WITH (FORCE)")
        template = f"TEMPLATE {self._database}_{kept}" if kept else ""
        self._administer(f"CREATE DATABASE {self._database} {template} STRATEGY FILE_COPY")
        yield root / "workspace", self._url(self._database)

    def keep(self, name: str) -> None:
        """Keep the workspace that ``new`` yielded, to make copies of it."""
        made = self._base / "point" / "workspace"
        if made.exists():
            made.rename(self._base / f"kept-{name}")
        if self._server:
            self._administer(f"DROP DATABASE IF EXISTS {self._database}_{name}")
            self._administer(f"ALTER DATABASE {self._database} RENAME TO {self._database}_{name}")

    def settle(self) -> None:
        """Wait until the server has noticed that the client is gone."""
        query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self._database}'"
        while self._server and self._administer(query) != (0,):
            time.sleep(0.001)

    def close(self) -> None:
        """Remove all that was made."""
        if self._server:
            import psycopg

            with psycopg.connect(self._server, autocommit=True) as connection:
                like = f"{self._database}%"
                for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", (like,)):
                    connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]
        shutil.rmtree(self._base)

    def _url(self, name: str) -> str:
        from sqlalchemy import make_url

        return make_url(str(self._server)).set(database=name).render_as_string(hide_password=False)

    def _administer(self, statement: Any) -> tuple[Any, ...] | None:
        import psycopg

        with psycopg.connect(str(self._server), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchone() if cursor.description else None
