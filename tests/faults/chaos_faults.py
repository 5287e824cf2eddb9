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
from proxy import Cut, Way, is_any, is_commit
from sqlalchemy import Connection

QUICK = (0.0, 0.01, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Pauses between retries where nothing has to start again."""
PATIENT = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 3.2)
"""Pauses that outlast a restart."""
IMPATIENT = (0.0, 0.01, 0.01)

_LOCKED = "LOCK TABLE run, snapshot, text_vector IN ACCESS EXCLUSIVE MODE NOWAIT"  # every transaction needs one


class Fault:
    """One fault, ready to strike a job of these ``sizes`` once; ``fired`` once it has."""

    pauses: tuple[float, ...] = QUICK

    def __init__(self, bench: Bench, rng: random.Random, sizes: Sizes) -> None:
        self.bench, self.rng, self.sizes = bench, rng, sizes
        self.fired = False
        self._threads: list[threading.Thread] = []

    def arm(self) -> None:
        """Choose the place."""
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

    def at_statement(self, strike: Callable[[Connection], None]) -> None:
        self.bench.watch.at_statement[self.rng.randint(1, self.sizes.statements)] = strike

    def at_transaction(self, strike: Callable[[Connection], None]) -> None:
        self.bench.watch.at_transaction[self.rng.randint(1, self.sizes.transactions)] = strike


class Terminate(Fault):
    """``pg_terminate_backend`` of the session at work, of the one that holds the lock, or of both."""

    def __init__(self, victims: str, *given: Any) -> None:
        super().__init__(*given)
        self._victims = victims
        self._is_late = self.rng.random() < 0.5

    def arm(self) -> None:
        self.at_statement(self._strike)

    def _strike(self, connection: Connection) -> None:
        pids = [backend(connection)] if self._victims in ("work", "both") else []
        delay = self.rng.uniform(0, 0.003)

        def end() -> None:
            time.sleep(delay if self._is_late else 0)
            found = lock_holders(self.bench) if self._victims in ("lock", "both") else []
            for pid in {*pids, *found}:
                (row,) = self.bench.server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
                self.fired |= row[0]

        if self._is_late:
            self.later(end)
        else:
            with suppress(psycopg.Error):
                end()


class Restart(Fault):
    """The server restarts in the middle, while the job waits or while it works."""

    pauses = PATIENT

    def __init__(self, mode: str, *given: Any) -> None:
        super().__init__(*given)
        self._mode = mode

    def arm(self) -> None:
        self.at_statement(self._strike)

    def _strike(self, connection: Connection) -> None:
        self.fired = True
        do = self.later if self.rng.random() < 0.5 else lambda action: action()
        do(lambda: self.bench.server.restart(self._mode))


class Away(Fault):
    """The server stops and comes back only after the job has given up."""

    pauses = IMPATIENT
    _is_stopped = False

    def arm(self) -> None:
        self.at_statement(self._strike)

    def _strike(self, connection: Connection) -> None:
        self.fired = self._is_stopped = True
        self.bench.server.stop(self.rng.choice(["fast", "immediate"]))

    def release(self) -> None:
        if self._is_stopped:
            self.bench.server.start()
            self._is_stopped = False
        super().release()


class Cutting(Fault):
    """The proxy ends the connection at a random message, or at a random COMMIT."""

    def __init__(self, way: Way, matches: Callable[[bytes], bool], *given: Any) -> None:
        super().__init__(*given)
        most = self.sizes.commits if matches is is_commit else self.sizes.messages
        self._cut = Cut(self.rng.randint(1, most), way, matches)

    def arm(self) -> None:
        self.bench.proxy.cuts.append(self._cut)

    def has_fired(self) -> bool:
        return self._cut.fired


class Final(Cutting):
    """The same, and nothing is tried again."""

    pauses = ()


class Conflict(Fault):
    """Another session is in the way of a transaction, which fails with ``state``.

    ``deadlock``: that session waits for the writer's row and holds a lock that the writer needs next.
    ``lock_timeout``, ``statement_timeout``: it holds that lock for longer than the database allows to wait.
    ``cancel``: the writer's statement is cancelled while it waits.
    """

    def __init__(self, way: str, state: str, *given: Any) -> None:
        super().__init__(*given)
        self._way, self._state = way, state
        self._session: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()

    def arm(self) -> None:
        if self._way == "deadlock":
            self.bench.set("deadlock_timeout", "10ms")
        elif self._way != "cancel":
            self.bench.set(self._way, "100ms")
        self.at_transaction(self._strike)

    def _strike(self, connection: Connection) -> None:
        session = self._session = self.bench.session()
        session.autocommit = False
        try:
            session.execute("SET deadlock_timeout = '1min'; SET lock_timeout = 0; SET statement_timeout = 0")
            session.execute(_LOCKED)
        except psycopg.errors.LockNotAvailable:
            self._give_way()
            return
        if self._way == "deadlock":
            self.later(self._wait_for_writer)
            wait_for_lock(self.bench, session.info.backend_pid)
            return
        self.bench.watch.on_error.append(self._give_way)
        if self._way == "cancel":
            self.later(lambda: self._cancel(backend(connection)))

    def _wait_for_writer(self) -> None:
        assert self._session is not None
        self._session.execute("UPDATE store_meta SET value = value WHERE key = 'writer'")
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

    def arm(self) -> None:
        self.bench.set("default_transaction_isolation", "serializable")
        self.at_transaction(self._strike)

    def _strike(self, connection: Connection) -> None:
        with self.bench.session() as session, session.transaction():
            for table in ("run", "ingest_batch", "record", "text", "text_vector", "snapshot", "source"):
                session.execute(f"SELECT count(*) FROM {table}")
            session.execute("INSERT INTO store_meta VALUES (%s, '')", [f"chaos {time.monotonic_ns()}"])

    def has_fired(self) -> bool:
        return self.bench.watch.states["40001"] > 0


class Overtaken(Fault):
    """The lock is lost with its session, and another process becomes the writer.

    It is done before the job's next transaction, or works at the same time (``is_beside``).
    """

    def __init__(self, is_beside: bool, *given: Any) -> None:
        super().__init__(*given)
        self._is_beside = is_beside
        self._begun = False
        self.outcome = ""

    def arm(self) -> None:
        self.bench.watch.at_begin[self.rng.randint(1, self.sizes.transactions)] = self._strike

    def _strike(self, connection: Connection) -> None:
        for pid in lock_holders(self.bench):
            self.bench.server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        self._begun = True
        self.bench.rival.begin(self.sizes.letter)
        if not self._is_beside:
            self.outcome = self.bench.rival.end()

    def release(self) -> None:
        if self._begun and not self.outcome:
            self.outcome = self.bench.rival.end()
        super().release()

    def has_fired(self) -> bool:
        return self._begun and self.outcome == "done"


def backend(connection: Connection) -> int:
    """Return the process id of the server's end of a connection."""
    driver: Any = connection.connection.driver_connection
    return int(driver.info.backend_pid)


def lock_holders(bench: Bench) -> list[int]:
    """Return the backends that hold the writer lock."""
    query = (
        "SELECT pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND granted"
    )
    return [pid for (pid,) in bench.server.execute(f"{query} AND datname = %s", [DATABASE])]


def wait_for_lock(bench: Bench, pid: int) -> bool:
    """Wait until a backend waits for a lock, at most two seconds; tell whether it does."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if bench.server.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [pid]) == [("Lock",)]:
            return True
        time.sleep(0.002)
    return False


class Storm(Fault):
    """Two to four faults in one job, perhaps under another isolation level."""

    pauses = PATIENT

    def arm(self) -> None:
        self.bench.set(
            "default_transaction_isolation", self.rng.choice(["read committed", "repeatable read", "serializable"])
        )
        kinds = self.rng.sample(STORM_KINDS, self.rng.randint(2, 4))
        self._faults = [FAULTS[kind](self.bench, self.rng, self.sizes) for kind in kinds]
        for fault in self._faults:
            fault.arm()

    def release(self) -> None:
        for fault in self._faults:
            fault.release()

    def has_fired(self) -> bool:
        return sum(fault.has_fired() for fault in self._faults) >= 2


FAULTS: dict[str, Callable[..., Fault]] = {
    "work session ended": partial(Terminate, "work"),
    "lock session ended": partial(Terminate, "lock"),
    "both sessions ended": partial(Terminate, "both"),
    "restart, fast": partial(Restart, "fast"),
    "restart, immediate": partial(Restart, "immediate"),
    "server away": Away,
    "COMMIT never arrives": partial(Cutting, "drop", is_commit),
    "COMMIT done, reply lost": partial(Cutting, "swallow the reply", is_commit),
    "COMMIT done, half a reply": partial(Cutting, "half the reply", is_commit),
    "COMMIT under way, cut": partial(Cutting, "forward and drop", is_commit),
    "COMMIT lost, not tried again": partial(Final, "drop", is_commit),
    "reply lost, not tried again": partial(Final, "swallow the reply", is_commit),
    "under way, not tried again": partial(Final, "forward and drop", is_commit),
    "cut at a message": partial(Cutting, "drop", is_any),
    "reset at a message": partial(Cutting, "reset", is_any),
    "reply to a message lost": partial(Cutting, "swallow the reply", is_any),
    "deadlock 40P01": partial(Conflict, "deadlock", "40P01"),
    "lock_timeout 55P03": partial(Conflict, "lock_timeout", "55P03"),
    "statement_timeout 57014": partial(Conflict, "statement_timeout", "57014"),
    "cancelled 57014": partial(Conflict, "cancel", "57014"),
    "serialization 40001": Serialization,
    "overtaken": partial(Overtaken, False),
    "overtaken at work": partial(Overtaken, True),
    "storm": Storm,
}

STORM_KINDS = [
    kind for kind in FAULTS if "session" in kind or "COMMIT" in kind or "message" in kind or kind == "restart, fast"
]
