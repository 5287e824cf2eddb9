"""The setting of the chaos proof: a database behind a proxy, a watch on the job at work, and a rival process."""

import logging
import multiprocessing
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from emptied import EMPTY
from jobs import OTHER, OTHER_ROWS, RIVAL, RIVAL_ROWS, Job, ignore, index
from proxy import Proxy
from server import Server, connect
from sqlalchemy import Connection, Engine, event

from dedup.errors import DedupError
from indexer.store import engines
from indexer.store.workspace import Workspace

DATABASE = "chaos"
SNAPSHOTS = 2
"""Snapshots that ``Bench.reset`` publishes."""
Strike = Callable[[Connection], None]
Strikes = dict[int, Strike]


@dataclass(slots=True)
class Watch:
    """Counts statements and transactions of the job, and strikes at chosen ones.

    ``at_statement`` strikes before the n-th statement or COMMIT, ``at_begin`` before the n-th transaction takes
    the writer's next number, ``at_transaction`` after that. ``states`` counts the SQLSTATE of what is retried.
    """

    statements: int = 0
    begins: int = 0
    transactions: int = 0
    states: Counter[str] = field(default_factory=Counter)
    at_statement: Strikes = field(default_factory=dict)
    at_begin: Strikes = field(default_factory=dict)
    at_transaction: Strikes = field(default_factory=dict)
    on_error: list[Callable[[], None]] = field(default_factory=list)

    def attach(self, engine: Engine) -> None:
        """Follow what is done through an engine."""
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "commit", self._count)

    def disarm(self) -> None:
        """Stop striking."""
        for strikes in (self.at_statement, self.at_begin, self.at_transaction, self.on_error):
            strikes.clear()

    def note(self, error: BaseException) -> None:
        """Take note of an error that the job retries."""
        self.states[str(getattr(getattr(error, "orig", None) or error, "sqlstate", None))] += 1
        for callback in list(self.on_error):
            callback()

    def _count(self, connection: Connection) -> None:
        self.statements += 1
        _strike(self.at_statement, self.statements, connection)

    def _before(self, connection: Connection, _: object, statement: str, values: Any, *__: object) -> None:
        self._count(connection)
        if _takes_number(statement, values):
            self.begins += 1
            _strike(self.at_begin, self.begins, connection)

    def _after(self, connection: Connection, _: object, statement: str, values: Any, *__: object) -> None:
        if _takes_number(statement, values):
            self.transactions += 1
            _strike(self.at_transaction, self.transactions, connection)


def _takes_number(statement: str, values: Any) -> bool:
    """Tell a statement that takes the writer's next number from others, that which begins an epoch included."""
    if not statement.startswith("UPDATE public.store_meta") or not isinstance(values, dict):
        return False
    return "writer" in values.values() and not str(values.get("value")).endswith(":0")


def _strike(strikes: Strikes, number: int, connection: Connection) -> None:
    if strike := strikes.pop(number, None):
        strike(connection)


class Sizes(NamedTuple):
    """How much a job does when nothing is in its way; faults are placed among these numbers."""

    letter: str
    statements: int
    transactions: int
    messages: int
    commits: int


class Bench:
    """A database on a server, reached through a proxy by the job under test and directly by everyone else."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.proxy = Proxy(server.socket)
        self.watch = Watch()
        self.sizes: dict[str, Sizes] = {}
        self.retry_pauses_s = engines.RETRY_PAUSES_S
        self.direct_url = server.create(DATABASE)
        self._url = f"postgresql://postgres@127.0.0.1:{self.proxy.port}/{DATABASE}?sslmode=disable&gssencmode=disable"
        self._directory = directory / "workspace"
        self.rival = Rival(self.direct_url, directory / "rival")
        self.places = [directory / name / "snapshots" for name in ("workspace", "rival")]
        """The folders in which a current snapshot may lie."""

    def reset(self, job: Job) -> int:
        """Bring the database to where a job starts; return the last run before it."""
        self.proxy.reset_counts()
        self.watch = Watch()
        self.settle(by_force=True)
        self.server.execute(f"ALTER DATABASE {DATABASE} RESET ALL")
        with self.session() as session:
            if session.execute("SELECT to_regclass('record')").fetchone() != (None,):
                session.execute(EMPTY)
                session.execute("DELETE FROM store_meta WHERE key LIKE 'chaos%'")
        for place in self.places:
            shutil.rmtree(place, ignore_errors=True)
        workspace = Workspace(self._directory, self.direct_url)
        job.prepare(workspace)
        index(workspace, ignore, rows=OTHER_ROWS, source=OTHER)
        return int(self.server.execute("SELECT max(run_id) FROM run", database=DATABASE)[0][0])

    def settle(self, *, by_force: bool = False) -> None:
        """Wait until the server has ended every session of the database, or end them."""
        others = "FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
        if by_force:
            self.server.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}", [DATABASE])
        deadline = time.monotonic() + 20
        while self.server.execute(f"SELECT count(*) {others}", [DATABASE]) != [(0,)]:
            if time.monotonic() > deadline:
                raise RuntimeError("a session does not end")
            time.sleep(0.002)

    def set(self, parameter: str, value: str) -> None:
        """Set a parameter for all new sessions of the database."""
        self.server.execute(f"ALTER DATABASE {DATABASE} SET {parameter} = '{value}'")

    def session(self) -> psycopg.Connection[Any]:
        """Return a new session that is no part of the job."""
        return connect(self.direct_url)

    def run(self, job: Job) -> Any:
        """Do a job through the proxy, as a new process would."""
        return job.do(Workspace(self._directory, self._url, retry_pauses_s=self.retry_pauses_s), ignore)

    def measure(self, job: Job) -> None:
        """Do a job undisturbed and note its sizes."""
        self.reset(job)
        self.run(job)
        watch, proxy = self.watch, self.proxy
        self.sizes[job.kind] = Sizes(job.letter, watch.statements, watch.transactions, proxy.messages, proxy.commits)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Attach the watch to every engine that goes through the proxy."""
        make_engine, is_transient = engines.make_engine, engines._is_transient

        def make(url: Any, **options: Any) -> Engine:
            engine = make_engine(url, **options)
            if url.port == self.proxy.port:
                self.watch.attach(engine)
            return engine

        def noted(engine: Engine, error: BaseException) -> bool:
            answer = is_transient(engine, error)
            if answer and engine.url.port == self.proxy.port:
                self.watch.note(error)
            return answer

        engines.make_engine, engines._is_transient = make, noted
        try:
            yield
        finally:
            engines.make_engine, engines._is_transient = make_engine, is_transient
            self.rival.close()
            self.proxy.close()


class Rival:
    """A second process that writes to the same database from a directory of its own."""

    def __init__(self, url: str, directory: Path) -> None:
        self._arguments = url, directory
        self._process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))

    def begin(self, letter: str) -> None:
        """Have it index its source with the model of this letter, in the background."""
        self._outcome = self._process.submit(_index_rival, *self._arguments, letter)

    def end(self) -> str:
        """Wait until it is done; return ``done`` or the name of its error."""
        return self._outcome.result()

    def close(self) -> None:
        """Let the process end."""
        self._process.shutdown()


def _index_rival(url: str, directory: Path, letter: str) -> str:
    logging.getLogger("indexer").setLevel(logging.ERROR)
    try:
        index(Workspace(directory, url), ignore, rows=RIVAL_ROWS, source=RIVAL, letter=letter)
    except DedupError as error:
        return type(error).__name__
    return "done"
