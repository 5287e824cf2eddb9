"""Faults of a database server and of the connection to it, each placed by a seeded generator."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
from chaos_bench import DATABASE, Bench, Sizes
from proxy import Cut, is_any, is_commit
from sqlalchemy import Connection

QUICK = (0.0, 0.01, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Pauses between retries where nothing has to start again."""
PATIENT = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 3.2)
"""Pauses that outlast a restart."""
IMPATIENT = (0.0, 0.01, 0.01)

_LOCKED = "LOCK TABLE run, snapshot, text_vector IN ACCESS EXCLUSIVE MODE NOWAIT"  # every transaction needs one


class Fault:
    """One fault, ready to strike a job of these ``sizes`` once, at a random place of a kind; ``way`` is its variant."""

    pauses: tuple[float, ...] = QUICK
    place = "statement"  # or transaction, begin: see ``Watch``

    def __init__(self, way: Any, bench: Bench, rng: random.Random, sizes: Sizes) -> None:
        self.way, self.bench, self.rng, self.sizes = way, bench, rng, sizes
        self.fired = False
        self._threads: list[threading.Thread] = []

    def arm(self) -> None:
        """Choose the place."""
        n = self.sizes.statements if self.place == "statement" else self.sizes.transactions
        getattr(self.bench.watch, f"at_{self.place}")[self.rng.randint(1, n)] = self.strike

    def strike(self, connection: Connection) -> None:
        """Do the harm."""
        raise NotImplementedError

    def release(self) -> None:
        """Wait for what still runs and put everything right again; repeating it changes nothing."""
        for thread in self._threads:
            thread.join()

    def has_fired(self) -> bool:
        """Tell, once the job has ended, whether it met the fault."""
        return self.fired

    def later(self, action: Callable[[], None]) -> None:
        """Do something while the job runs; the server may be away then."""

        def quietly() -> None:
            with suppress(psycopg.Error):
                action()

        self._threads.append(threading.Thread(target=quietly))
        self._threads[-1].start()


class Terminate(Fault):
    """``pg_terminate_backend`` of the session at work, of the one that holds the lock, or of both."""

    def strike(self, connection: Connection) -> None:
        pids = [backend(connection)] if self.way in ("work", "both") else []
        delay = self.rng.choice([0, self.rng.uniform(0, 0.003)])

        def end() -> None:
            time.sleep(delay)
            found = lock_holders(self.bench) if self.way in ("lock", "both") else []
            for pid in {*pids, *found}:
                self.fired |= terminate(self.bench, pid)

        if delay:
            self.later(end)
        else:
            with suppress(psycopg.Error):
                end()


class Restart(Fault):
    """The server restarts in the middle, while the job waits or while it works."""

    pauses = PATIENT

    def strike(self, connection: Connection) -> None:
        self.fired = True
        if self.rng.random() < 0.5:
            self.later(lambda: self.bench.server.restart(self.way))
        else:
            self.bench.server.restart(self.way)


class Away(Fault):
    """The server stops and comes back only after the job has given up."""

    pauses = IMPATIENT
    _is_stopped = False

    def strike(self, connection: Connection) -> None:
        self.fired = self._is_stopped = True
        self.bench.server.stop(self.rng.choice(["fast", "immediate"]))

    def release(self) -> None:
        if self._is_stopped:
            self.bench.server.start()
            self._is_stopped = False


class Cutting(Fault):
    """The proxy ends the connection at a random message, or at a random COMMIT."""

    matches = staticmethod(is_any)

    def arm(self) -> None:
        most = self.sizes.messages if self.matches is is_any else self.sizes.commits
        self._cut = Cut(self.rng.randint(1, most), self.way, self.matches)
        self.bench.proxy.cuts.append(self._cut)

    def has_fired(self) -> bool:
        return self._cut.fired


class AtCommit(Cutting):
    """The same at a random COMMIT."""

    matches = staticmethod(is_commit)


class Final(AtCommit):
    """The same, and nothing is tried again."""

    pauses = ()


class Conflict(Fault):
    """Another session is in the way of a transaction, which fails with this SQLSTATE.

    ``deadlock``: that session waits for the writer's row and holds a lock that the writer needs next.
    ``lock_timeout``, ``statement_timeout``: it holds that lock for longer than the database allows to wait.
    ``cancel``: the writer's statement is cancelled while it waits.
    """

    place = "transaction"

    def arm(self) -> None:
        self._kind, self._state = self.way
        self._session: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()
        if self._kind == "deadlock":
            self.bench.set("deadlock_timeout", "10ms")
        elif self._kind != "cancel":
            self.bench.set(self._kind, "100ms")
        super().arm()

    def strike(self, connection: Connection) -> None:
        session = self._session = self.bench.session()
        session.autocommit = False
        try:
            session.execute("SET deadlock_timeout = '1min'; SET lock_timeout = 0; SET statement_timeout = 0")
            session.execute(_LOCKED)
        except psycopg.errors.LockNotAvailable:
            self._give_way()
            return
        if self._kind == "deadlock":
            self.later(lambda: self._wait_for_writer(session))
            wait_for_lock(self.bench, session.info.backend_pid)
            return
        self.bench.watch.on_error.append(self._give_way)
        if self._kind == "cancel":
            pid = backend(connection)
            self.later(lambda: self._cancel(pid))

    def _wait_for_writer(self, session: psycopg.Connection[Any]) -> None:
        session.execute("UPDATE store_meta SET value = value WHERE key = 'writer'")
        self._give_way()

    def _cancel(self, pid: int) -> None:
        if wait_for_lock(self.bench, pid):
            self.bench.server.execute("SELECT pg_cancel_backend(%s)", [pid])

    def _give_way(self) -> None:
        with self._lock:
            if self._session is not None:
                self._session.close()
                self._session = None

    def release(self) -> None:
        super().release()
        self._give_way()

    def has_fired(self) -> bool:
        return self.bench.watch.states[self._state] > 0


class Serialization(Fault):
    """All transactions are serializable, and another one reads what the writer writes and vice versa."""

    place = "transaction"

    def arm(self) -> None:
        self.bench.set("default_transaction_isolation", "serializable")
        super().arm()

    def strike(self, connection: Connection) -> None:
        with self.bench.session() as session, session.transaction():
            for table in ("run", "ingest_batch", "record", "text", "text_vector", "snapshot", "source"):
                session.execute(f"SELECT count(*) FROM {table}")
            session.execute("INSERT INTO store_meta VALUES (%s, '')", [f"chaos {time.monotonic_ns()}"])

    def has_fired(self) -> bool:
        return self.bench.watch.states["40001"] > 0


class Overtaken(Fault):
    """The lock is lost with its session, and another process becomes the writer, before the job or beside it."""

    place = "begin"
    outcome: str | None = ""  # None while the other process works

    def strike(self, connection: Connection) -> None:
        for pid in lock_holders(self.bench):
            terminate(self.bench, pid)
        self.bench.rival.begin(self.sizes.letter)
        self.outcome = None if self.way == "beside" else self.bench.rival.end()

    def release(self) -> None:
        if self.outcome is None:
            self.outcome = self.bench.rival.end()

    def has_fired(self) -> bool:
        return self.outcome == "done"


class Storm(Fault):
    """Two to four faults in one job, perhaps under another isolation level."""

    pauses = PATIENT

    def arm(self) -> None:
        isolation = self.rng.choice(["read committed", "repeatable read", "serializable"])
        self.bench.set("default_transaction_isolation", isolation)
        kinds = self.rng.sample(STORM_KINDS, self.rng.randint(2, 4))
        self._faults = [FAULTS[kind](self.bench, self.rng, self.sizes) for kind in kinds]
        for fault in self._faults:
            fault.arm()

    def release(self) -> None:
        for fault in self._faults:
            fault.release()

    def has_fired(self) -> bool:
        return sum(fault.has_fired() for fault in self._faults) >= 2


def backend(connection: Connection) -> int:
    """Return the process id of the server's end of a connection."""
    driver: Any = connection.connection.driver_connection
    return int(driver.info.backend_pid)


def terminate(bench: Bench, pid: int) -> bool:
    return bool(bench.server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])[0][0])


def lock_holders(bench: Bench) -> list[int]:
    """Return the backends that hold the writer lock."""
    locks = "SELECT pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory'"
    return [pid for (pid,) in bench.server.execute(f"{locks} AND granted AND datname = %s", [DATABASE])]


def wait_for_lock(bench: Bench, pid: int) -> bool:
    """Wait until a backend waits for a lock, at most two seconds; tell whether it does."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if bench.server.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [pid]) == [("Lock",)]:
            return True
        time.sleep(0.002)
    return False


FAULTS: dict[str, Callable[..., Fault]] = {
    "work session ended": partial(Terminate, "work"),
    "lock session ended": partial(Terminate, "lock"),
    "both sessions ended": partial(Terminate, "both"),
    "restart, fast": partial(Restart, "fast"),
    "restart, immediate": partial(Restart, "immediate"),
    "server away": partial(Away, ""),
    "COMMIT never arrives": partial(AtCommit, "drop"),
    "COMMIT done, reply lost": partial(AtCommit, "swallow the reply"),
    "COMMIT done, half a reply": partial(AtCommit, "half the reply"),
    "COMMIT under way, cut": partial(AtCommit, "forward and drop"),
    "COMMIT lost, not tried again": partial(Final, "drop"),
    "reply lost, not tried again": partial(Final, "swallow the reply"),
    "under way, not tried again": partial(Final, "forward and drop"),
    "cut at a message": partial(Cutting, "drop"),
    "reset at a message": partial(Cutting, "reset"),
    "reply to a message lost": partial(Cutting, "swallow the reply"),
    "deadlock 40P01": partial(Conflict, ("deadlock", "40P01")),
    "lock_timeout 55P03": partial(Conflict, ("lock_timeout", "55P03")),
    "statement_timeout 57014": partial(Conflict, ("statement_timeout", "57014")),
    "cancelled 57014": partial(Conflict, ("cancel", "57014")),
    "serialization 40001": partial(Serialization, ""),
    "overtaken": partial(Overtaken, "before"),
    "overtaken at work": partial(Overtaken, "beside"),
    "storm": partial(Storm, ""),
}
STORM_KINDS = [
    kind for kind in FAULTS if "session" in kind or "COMMIT" in kind or "message" in kind or kind == "restart, fast"
]
