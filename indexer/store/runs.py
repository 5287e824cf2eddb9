"""The jobs that were done to a store: when, with what outcome, and what each of their batches did.

A run is ``running`` until it is ``done``, ``failed`` or ``interrupted``. There is one writer at a time, so a
run that is found running by the next one was killed. A job that changes records notes its input's digest:
the same job, begun again, goes on in the run that did not finish.
"""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from dedup.errors import DedupError
from indexer.store.schema import ingest_batch, run
from indexer.store.store import Store, next_key, to_json

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """One index, delete or report job; times are ISO 8601 in UTC, ``finished_at`` None while it runs."""

    run_id: int
    kind: str
    state: str
    started_at: str
    finished_at: str | None
    manifest: dict[str, Any]


@dataclass(slots=True)
class CurrentRun:
    """The run of a job at work, and its manifest, to be filled with what JSON can hold."""

    run_id: int
    manifest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accounts:
    """What became of rows: ``rows_in = rejected + added + changed + unchanged``; ``removed`` are records."""

    rows_in: int = 0
    rejected: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0


@contextmanager
def recorded_run(store: Store, kind: str) -> Iterator[CurrentRun]:
    """Begin a run (``index``, ``delete`` or ``report``) and note after the block how it ended."""
    current = CurrentRun(begin_run(store, kind), {"versions": versions()})
    try:
        yield current
    except BaseException as error:
        current.manifest["error"] = str(error) or type(error).__name__
        state = "failed" if isinstance(error, Exception) else "interrupted"
        try:
            finish_run(store, current.run_id, state, current.manifest)
        except (DedupError, DBAPIError) as second:  # it ended because of the database: the first error matters
            _log.warning("Run %d could not be noted as %s: %s", current.run_id, state, second)
        raise
    finish_run(store, current.run_id, "done", current.manifest)


def begin_run(store: Store, kind: str) -> int:
    """Note that a job of this kind starts, and that any that is still ``running`` was killed."""

    def work(connection: Connection) -> int:
        killed = update(run).where(run.c.state == "running").values(state="interrupted", finished_at=now())
        connection.execute(killed)
        run_id = next_key(connection, run.c.run_id)
        values = {"run_id": run_id, "kind": kind, "state": "running", "started_at": now(), "manifest": "{}"}
        connection.execute(insert(run).values(values))
        return run_id

    return store.write(work)


def finish_run(store: Store, run_id: int, state: str, manifest: Mapping[str, Any]) -> None:
    """Note how a job ended: ``done``, ``failed`` or ``interrupted``."""
    values = {"state": state, "finished_at": now(), "manifest": to_json(manifest)}
    store.write(lambda connection: connection.execute(update(run).where(run.c.run_id == run_id).values(values)))


def last_runs(store: Store, n: int) -> list[Run]:
    """Return the last ``n`` runs, the latest first."""
    fields = run.c["run_id", "kind", "state", "started_at", "finished_at", "manifest"]
    rows = store.read(select(*fields).order_by(run.c.run_id.desc()).limit(n))
    return [Run(*[*row[:-1], json.loads(row[-1])]) for row in rows]


def go_on(connection: Connection, current: CurrentRun, source_id: int, input_digest: str) -> int:
    """Note what a run does; if the last run of this source did the same and did not finish, become that one.

    Returns the ``run_id`` from now on.
    """
    last = connection.execute(
        select(run.c.run_id, run.c.state, run.c.input_digest)
        .where(run.c.source_id == source_id)
        .order_by(run.c.run_id.desc())
        .limit(1)
    ).first()
    values: dict[str, Any] = {"source_id": source_id, "input_digest": input_digest}
    run_id = current.run_id
    if last is not None and last.state != "done" and last.input_digest == input_digest:
        connection.execute(delete(run).where(run.c.run_id == run_id))
        run_id, values = last.run_id, {"state": "running", "finished_at": None}
    connection.execute(update(run).where(run.c.run_id == run_id).values(values))
    return run_id


def add_batch(connection: Connection, run_id: int, batch_no: int, accounts: Accounts) -> None:
    """Account for one batch of a run, in the transaction that does it."""
    connection.execute(insert(ingest_batch).values((run_id, batch_no, *astuple(accounts))))


def batches(store: Store, run_id: int) -> tuple[int, Accounts]:
    """Return how many batches of a run are committed, and what they did in all."""
    sums = (func.coalesce(func.sum(ingest_batch.c[name]), 0) for name in Accounts.__dataclass_fields__)
    n, *totals = store.read(select(func.count(), *sums).where(ingest_batch.c.run_id == run_id))[0]
    return n, Accounts(*map(int, totals))


def now() -> str:
    """Return the time in UTC, for people; nothing is ordered by it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions that a result depends on, without importing what they belong to."""
    result = {"python": platform.python_version()}
    for name, distribution in (
        ("neardup", "neardup"),
        ("faiss", "faiss-cpu"),
        ("onnxruntime", "onnxruntime"),
        ("numpy", "numpy"),
    ):
        try:
            result[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            result[name] = "unknown"
    return result
