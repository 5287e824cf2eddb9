"""Runs: one row for each index, delete and report job, and one for each batch it committed.

A run is ``running`` until it is ``done``, ``failed`` or ``interrupted``. There is only one writer, so a run that the
next job finds ``running`` was killed. A job that changes records stores a digest of its input: when the same job
starts again, it resumes the unfinished run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from dedup.errors import DedupError
from dedup.runtime.versions import versions_of
from indexer.store.integrity.fetch import fetch
from indexer.store.integrity.values import json_object
from indexer.store.schema import ingest_batch, run
from indexer.store.store import Store, to_json
from indexer.store.transactions import next_key

_log = logging.getLogger(__name__)

_KILLED = "The process ended without a word: it was killed, or the machine stopped."


@dataclass(frozen=True, slots=True)
class Run:
    """One index, delete or report job. Times are ISO 8601 in UTC; ``finished_at`` is None while it runs."""

    run_id: int
    kind: str
    state: str
    started_at: str
    finished_at: str | None
    manifest: dict[str, Any]


@dataclass(slots=True)
class CurrentRun:
    """The run of the current job; the job fills ``manifest`` with values that JSON can hold."""

    run_id: int
    manifest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Row counts: ``rows_in = rejected + added + changed + unchanged``; ``removed`` counts deleted records."""

    rows_in: int = 0
    rejected: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0


@contextmanager
def recorded_run(store: Store, kind: str) -> Iterator[CurrentRun]:
    """Record a ``with`` block as a run of this kind (``index``, ``delete`` or ``report``), with its outcome."""
    current = CurrentRun(begin_run(store, kind), {"versions": versions()})
    try:
        yield current
    except BaseException as error:
        state, current.manifest["error"] = ending_of(error)
        try:
            finish_run(store, current.run_id, state, current.manifest)
        except (DedupError, DBAPIError) as second:  # the database is the likely cause; report the first error
            _log.warning("Could not record run %d as %s: %s", current.run_id, state, second)
        tell(current.run_id, f"{'has' if state == 'failed' else 'was'} {state}")
        raise
    finish_run(store, current.run_id, "done", current.manifest)
    rows = current.manifest.get("rows", {}).items()
    counts = ", ".join(f"{count:,} {name.replace('rows_in', 'read')}" for name, count in rows)
    tell(current.run_id, f"is done{f': {counts}' if counts else ''}")


def begin_run(store: Store, kind: str) -> int:
    """Record the start of a job and return its ``run_id``; mark runs still ``running`` as ``interrupted``."""

    def work(connection: Connection) -> int:
        killed = {"state": "interrupted", "finished_at": now(), "manifest": to_json({"error": _KILLED})}
        connection.execute(update(run).where(run.c.state == "running").values(killed))
        run_id = next_key(connection, run.c.run_id)
        values = {"run_id": run_id, "kind": kind, "state": "running", "started_at": now(), "manifest": "{}"}
        connection.execute(insert(run).values(values))
        return run_id

    run_id = store.write(work)
    tell(run_id, f"begins ({kind})")
    return run_id


def tell(run_id: int, what: str) -> None:
    """Log what a run does, for those who read a log."""
    _log.info("Run %d %s.", run_id, what, extra={"run_id": run_id})


def ending_of(error: BaseException) -> tuple[str, str]:
    """Return the state of a run that an error ended, and why it ended, as ``dedup status`` shows it."""
    state = "failed" if isinstance(error, Exception) else "interrupted"
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return state, "Stopped by a signal or by the user."
    return state, str(error) or type(error).__name__


def finish_run(store: Store, run_id: int, state: str, manifest: Mapping[str, Any]) -> None:
    """Record how a job ended: ``done``, ``failed`` or ``interrupted``."""
    values = {"state": state, "finished_at": now(), "manifest": to_json(manifest)}
    store.write(lambda connection: connection.execute(update(run).where(run.c.run_id == run_id).values(values)))


def last_runs(store: Store, n: int) -> list[Run]:
    """Return the last ``n`` runs, latest first."""
    fields = run.c["run_id", "kind", "state", "started_at", "finished_at", "manifest"]
    rows = store.read(select(*fields).order_by(run.c.run_id.desc()).limit(n))
    return [Run(*[*row[:-1], json_object(row[-1])]) for row in rows]


def resume_run(connection: Connection, current: CurrentRun, source_id: int, input_digest: str) -> int:
    """Resume the last run of this source if it had the same input and did not finish; return the ``run_id`` to use.

    A resumed run replaces the current one. Otherwise the current run records its source and input.
    """
    columns = select(run.c.run_id, run.c.state, run.c.input_digest).where(run.c.source_id == source_id)
    last = next(iter(fetch(connection, columns.order_by(run.c.run_id.desc()).limit(1))), None)
    values: dict[str, Any] = {"source_id": source_id, "input_digest": input_digest}
    run_id = current.run_id
    if last is not None and last.state != "done" and last.input_digest == input_digest:
        connection.execute(delete(run).where(run.c.run_id == run_id))
        run_id, values = last.run_id, {"state": "running", "finished_at": None}
        tell(run_id, "goes on")
    connection.execute(update(run).where(run.c.run_id == run_id).values(values))
    return run_id


def add_batch(connection: Connection, run_id: int, batch_no: int, accounts: Accounts) -> None:
    """Record the row counts of one batch, in the transaction that commits the batch."""
    connection.execute(insert(ingest_batch).values((run_id, batch_no, *astuple(accounts))))


def batches(store: Store, run_id: int) -> tuple[int, Accounts]:
    """Return the number of committed batches of a run and their total row counts."""
    columns = ingest_batch.c["batch_no", *Accounts.__dataclass_fields__]
    rows = store.read(select(*columns).where(ingest_batch.c.run_id == run_id))
    return len(rows), Accounts(*map(sum, list(zip(*rows, strict=True))[1:]))


def now() -> str:
    """Return the current time as ISO 8601 in UTC, for display only: nothing is ordered by it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of everything a result depends on."""
    return versions_of("faiss", "onnxruntime", "numpy")
