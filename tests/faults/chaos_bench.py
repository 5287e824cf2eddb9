"""Where chaos happens: one database behind a proxy, a watch on what the job at work does, and a rival process."""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import psycopg
from chaos_jobs import RIVAL, RIVAL_CONTENT, Content, Job, index, model, small_batches
from proxy import Proxy
from server import Server
from sqlalchemy import Connection, Engine, event

from dedup.errors import DedupError
from indexer.store import engines
from indexer.store.workspace import Workspace

DATABASE = "chaos"
Strike = Callable[[Connection], None]


@dataclass(slots=True)
class Sizes:
    """How much a job does when nothing is in its way; faults are placed among these numbers."""

    model_id: str
    statements: int
    transactions: int
    messages: int
    commits: int


@dataclass(slots=True)
class Watch:
    """Counts statements and transactions of the job, and strikes at chosen ones.

    ``at_statement`` strikes before the n-th statement or COMMIT, ``at_begin`` before the n-th transaction moves
    on the writer's number, ``at_transaction`` after that. ``on_error`` hears the SQLSTATE of what is retried.
    """

    statements: int = 0
    begins: int = 0
    transactions: int = 0
    retries: int = 0
    states: Counter[str] = field(default_factory=Counter)
    at_statement: dict[int, Strike] = field(default_factory=dict)
    at_begin: dict[int, Strike] = field(default_factory=dict)
    at_transaction: dict[int, Strike] = field(default_factory=dict)
    on_error: list[Callable[[], None]] = field(default_factory=list)

    def attach(self, engine: Engine) -> None:
        """Follow what is done through an engine."""
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "commit", self._count)

    def disarm(self) -> None:
        """Strike no more."""
        for strikes in (self.at_statement, self.at_begin, self.at_transaction):
            strikes.clear()
        self.on_error.clear()

    def _count(self, connection: Connection) -> None:
        self.statements += 1
        _strike(self.at_statement, self.statements, connection)

    def _before(self, connection: Connection, _: object, statement: str, values: Any, *__: object) -> None:
        self._count(connection)
        if _moves_on(statement, values):
            self.begins += 1
            _strike(self.at_begin, self.begins, connection)

    def _after(self, connection: Connection, _: object, statement: str, values: Any, *__: object) -> None:
        if _moves_on(statement, values):
            self.transactions += 1
            _strike(self.at_transaction, self.transactions, connection)

    def note(self, error: BaseException) -> None:
        """Hear of an error that the job retries."""
        self.states[str(getattr(getattr(error, "orig", None) or error, "sqlstate", None))] += 1
        for callback in list(self.on_error):
            callback()


def _moves_on(statement: str, values: Any) -> bool:
    """Tell a statement that moves on the writer's number from others, that which begins an epoch included."""
    if not statement.startswith("UPDATE store_meta") or not isinstance(values, dict):
        return False
    return "writer" in values.values() and not str(values.get("value")).endswith(":0")


def _strike(strikes: dict[int, Strike], number: int, connection: Connection) -> None:
    strike = strikes.pop(number, None)
    if strike is not None:
        strike(connection)


class Bench:
    """A database on a server, reached through a proxy by the job under test and directly by everyone else."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.proxy = Proxy(server.socket)
        self.watch = Watch()
        self.sizes: dict[str, Sizes] = {}
        self.retry_pauses_s = engines.RETRY_PAUSES_S
        server.execute(f"CREATE DATABASE {DATABASE}")
        place = f"postgresql://postgres@127.0.0.1:{self.proxy.port}/{DATABASE}"
        self.url = f"{place}?sslmode=disable&gssencmode=disable"
        self.direct_url = f"postgresql://postgres@/{DATABASE}?host={server.socket.parent}"
        self.rival = Rival(self.direct_url, directory / "rival")

    @property
    def places(self) -> list[Path]:
        """The directories in which a current snapshot may lie."""
        return [self.directory / name / "snapshots" for name in ("workspace", "rival")]

    def reset(self, content: Content) -> int:
        """Make the store hold what ``content`` says, and return the last run that it took."""
        self.proxy.reset_counts()
        self.watch.disarm()
        self.settle(by_force=True)
        self.server.execute(f"ALTER DATABASE {DATABASE} RESET ALL")
        with self.server.connect(DATABASE) as session:
            if session.execute("SELECT to_regclass('record')").fetchone() != (None,):
                session.execute("TRUNCATE record, text_vector, text, ingest_batch, run, source, snapshot, model")
                session.execute("DELETE FROM store_meta WHERE key LIKE 'chaos%'")
        for place in self.places:
            shutil.rmtree(place, ignore_errors=True)
        workspace = Workspace(self.directory / "workspace", self.direct_url)
        with workspace.open(for_writing=True) as store:
            for source in ("names", "other"):
                index(store, workspace.snapshots, content, source, model("a"))
        (row,) = self.server.execute("SELECT max(run_id) FROM run", database=DATABASE)
        return int(row[0])

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
        return self.server.connect(DATABASE)

    def run(self, job: Job) -> Any:
        """Do a job through the proxy, as a process that is begun anew would."""
        workspace = Workspace(self.directory / "workspace", self.url, retry_pauses_s=self.retry_pauses_s)
        with workspace.open(for_writing=True) as store:
            return job.do(store, workspace.snapshots)

    def measure(self, job: Job) -> None:
        """Do a job undisturbed and note its sizes."""
        self.watch.statements = self.watch.transactions = self.watch.begins = 0
        self.run(job)
        counts = (self.watch.statements, self.watch.transactions, self.proxy.messages, self.proxy.commits)
        self.sizes[job.kind] = Sizes(job.model.model_id, *counts)

    def fresh_watch(self) -> None:
        """Count from 0 again."""
        self.watch = Watch()

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
                self.watch.retries += 1
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
    """A second process that wants to write to the same database from a directory of its own."""

    def __init__(self, url: str, directory: Path) -> None:
        self._arguments = (url, str(directory))
        self._process: Any = None
        self._pipe: Any = None

    def begin(self, letter: str) -> None:
        """Have it index its source with this model; it goes on by itself."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_rival, args=(theirs, *self._arguments), daemon=True)
            self._process.start()
        self._pipe.send(letter)

    def end(self) -> str:
        """Wait until it is done; return ``done`` or the name of its error."""
        return str(self._pipe.recv())

    def close(self) -> None:
        """Let the process end."""
        if self._process is not None:
            self._pipe.send("")
            self._process.join()
            self._process = None


def _rival(pipe: Pipe, url: str, directory: str) -> None:
    logging.getLogger("indexer").setLevel(logging.ERROR)
    workspace = Workspace(Path(directory), url)
    with small_batches():
        while letter := pipe.recv():
            try:
                with workspace.open(for_writing=True) as store:
                    index(store, workspace.snapshots, RIVAL_CONTENT, RIVAL, model(letter))
                pipe.send("done")
            except DedupError as error:
                pipe.send(type(error).__name__)
