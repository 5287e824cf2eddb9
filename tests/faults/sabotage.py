"""Negative controls: break the program on purpose, and see that the crash proof notices.

    python tests/faults/sabotage.py            # all, and the proof without any
    python tests/faults/sabotage.py lax-sync   # one

A proof that finds nothing is worth only as much as what it would have found. Each control takes away one
thing that the program relies on, as ``worker.py`` is about to strike a sample of points; the workload's start
and its proper end are those of the program as it is. Exit code 1 if a control finds nothing, or the sample
without a control finds something.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, update

from indexer.ingest import encoding, load, upsert
from indexer.store import engines, migrate, runs, schema, transactions, workspace
from indexer.store.store import Store
from indexer.vectors import snapshot


@dataclass(frozen=True)
class Control:
    """What is taken away (``does`` in words), and on which points it has to be noticed."""

    does: str
    apply: Callable[[], None]
    only: str
    sample: int
    sign: str
    """What the message of a problem has to hold for it to count."""


CONTROLS: dict[str, Control] = {}


def control(
    name: str, does: str, only: str, sample: int = 12, sign: str = ""
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function that takes something away."""

    def register(apply: Callable[[], None]) -> Callable[[], None]:
        CONTROLS[name] = Control(does, apply, only, sample, sign)
        return apply

    return register


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace an attribute by what is made of it."""
    setattr(owner, name, make(getattr(owner, name)))


class _Os:
    """The module ``os`` with an ``fsync`` that does nothing."""

    def __getattr__(self, name: str) -> Any:
        import os

        return (lambda handle: None) if name == "fsync" else getattr(os, name)


@control("nothing", "nothing: the proof must be silent", "delete/*", 8)
def _nothing() -> None:
    pass


# The snapshot file


@control("no-file-sync", "no fsync of the snapshot file", "delete/snapshot/power")
def _no_file_sync() -> None:
    snapshot.os = _Os()


@control("no-directory-sync", "no fsync of directories", "delete/index/power")
def _no_directory_sync() -> None:
    for module in (migrate, snapshot, workspace):
        module.sync_directory = lambda path: None


@control("in-place", "the new snapshot written over the old file", "delete/snapshot/[kt]*", 40)
def _in_place() -> None:
    def make(write: Callable[..., Any]) -> Callable[..., Any]:
        def write_in_place(path: Path, content: Any) -> Any:
            old = next(path.parent.glob("*.faiss"))
            result = write(path, content)
            with old.open("r+b") as file:
                file.write(path.read_bytes())
                file.truncate()
            old.replace(path)
            return result

        return write_in_place

    _replace(snapshot, "_write", make)


@control("no-checksum", "no checksum of a snapshot that a power cut has spoilt", "delete/delete/power", sign="rerun")
def _no_checksum() -> None:
    _no_file_sync()  # a sound program would find the damage when the job is begun again, and build it anew

    def only_read(snapshots: Path, published: Any, *, keep: bool) -> NDArray[np.uint8]:
        return np.fromfile(snapshots / published.file_name, np.uint8)

    snapshot._check = only_read


@control("early-pointer", "the pointer is flipped before the file has its name", "delete/snapshot/kill", 40)
def _early_pointer() -> None:
    paths: list[Path] = []

    def unname(write: Callable[..., Any]) -> Callable[..., Any]:
        def write_without_name(path: Path, content: Any) -> Any:
            result = write(path, content)
            paths.append(path)
            path.rename(path.with_suffix(".tmp"))
            return result

        return write_without_name

    def name(publish: Callable[..., Any]) -> Callable[..., Any]:
        def publish_and_name(store: Store, **values: Any) -> Any:
            result = publish(store, **values)
            paths[-1].with_suffix(".tmp").rename(paths[-1])
            return result

        return publish_and_name

    _replace(snapshot, "_write", unname)
    _replace(Store, "publish_snapshot", name)


# The database


@control("synchronous-off", "SQLite with synchronous=OFF", "delete/update/power", 40)
def _synchronous_off() -> None:
    _synchronous("OFF")


@control("lax-sync", "SQLite with synchronous=FULL, not EXTRA, with a rollback journal", "delete/update/power", 60)
def _lax_sync() -> None:
    _synchronous("FULL")


def _synchronous(level: str) -> None:
    def make(prepare: Callable[..., None]) -> Callable[..., None]:
        def prepare_laxly(connection: Any, path: Path) -> None:
            prepare(connection, path)
            connection.execute(f"PRAGMA synchronous={level}")

        return prepare_laxly

    _replace(engines, "_prepare_sqlite", make)


@control("two-writers", "neither the writer lock nor the fencing token", "delete/overlap/kill")
def _two_writers() -> None:
    workspace.file_lock = lambda path, where: nullcontext()
    _blind_retry()


@control("blind-retry", "a COMMIT without a reply is sent again without looking", "postgresql/index/reply", 300)
def _blind_retry() -> None:
    def move_on(self: Any, connection: Any) -> bool:
        key, value = schema.store_meta.c.key == "writer", f"{self._epoch}:{self._number + 1}"
        connection.execute(update(schema.store_meta).where(key).values(value=value))
        return True

    transactions.Writer._move_on = move_on


# Batches and their accounts


@control("early-acknowledgement", "a batch is acknowledged before it is committed", "delete/update/kill", 40)
def _early_acknowledgement() -> None:
    def store(self: Any, spool: Any, total: int, *, is_new: bool, progress: Callable[..., None]) -> None:
        done = 0
        for number, batch in enumerate(spool):
            done += batch.rows_in
            progress("store", done, total)
            if number >= self.number:
                plan = upsert.plan_batch(self._store, self.source_id, batch, is_new=False)
                self._commit(load._Prepared(number, plan, partial(encoding.encode, self._model, plan.new_texts), done))
        self.number = max(self.number, spool.batches)

    load._Loading.store = store


@control("accounts-apart", "the accounts of a batch in a transaction of their own", "delete/update/kill", 60)
def _accounts_apart() -> None:
    add = runs.add_batch
    later: list[tuple[Any, ...]] = []

    def write(plain: Callable[..., Any]) -> Callable[..., Any]:
        def write_twice(store: Store, work: Callable[[Any], Any]) -> Any:
            result = plain(store, work)
            while later:
                arguments = later.pop()
                plain(store, lambda connection, arguments=arguments: add(connection, *arguments))
            return result

        return write_twice

    runs.add_batch = lambda connection, *arguments: later.append(arguments)
    _replace(Store, "write", write)


@control("no-skip", "a job that goes on does all batches again", "delete/update/kill", 20)
def _no_skip() -> None:
    add, batch_no = runs.add_batch, schema.ingest_batch.c.batch_no

    def make(plain: Callable[..., None]) -> Callable[..., None]:
        def begin(self: Any, *arguments: Any) -> None:
            plain(self, *arguments)
            self.number = 0

        return begin

    def add_next(connection: Any, run_id: int, number: int, accounts: Any) -> None:
        here = schema.ingest_batch.c.run_id == run_id
        number = connection.execute(select(func.count(batch_no)).where(here)).scalar_one()
        add(connection, run_id, number, accounts)

    _replace(load._Loading, "__init__", make)
    runs.add_batch = add_next


@control("lost-reject", "a rejected row that no account holds", "delete/update/kill")
def _lost_reject() -> None:
    def make(plan_batch: Callable[..., Any]) -> Callable[..., Any]:
        def plan(*arguments: Any, **more: Any) -> Any:
            planned = plan_batch(*arguments, **more)
            accounts = planned.accounts
            fewer = {"rows_in": accounts.rows_in - accounts.rejected, "rejected": 0}
            return replace(planned, accounts=replace(accounts, **fewer))

        return plan

    _replace(load, "plan_batch", make)


@control("no-vector", "vectors that are zero, as those of NaN become, are stored", "delete/update/kill")
def _no_vector() -> None:
    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def encode(model: Any, normals: list[str]) -> Any:
            codes = plain(model, normals)
            return np.where(np.array(["renamed" in normal for normal in normals])[:, None], np.int8(0), codes)

        return encode

    _replace(encoding, "encode", make)


@control("orphans", "texts stay when their last record is gone", "delete/delete/kill")
def _orphans() -> None:
    upsert._delete_orphans = lambda connection, text_ids: None


def apply(name: str) -> None:
    """Take away what the control of this name is about, in this process."""
    CONTROLS[name].apply()


def check(name: str) -> tuple[str, bool]:
    """Strike the points of a control; return a line of the table, and whether that is as it should be."""
    import crash

    chosen = CONTROLS[name]
    only, sample = ["--only", chosen.only], ["--sample", str(chosen.sample), "--jobs", "1"]
    points = crash.run(crash.arguments().parse_args([*only, *sample, "--sabotage", name]))
    found = [{p["kind"] for p in point["problems"] if chosen.sign in p["message"]} for point in points]
    bad = [kinds for kinds in found if kinds]
    kinds = Counter(kind for kinds in bad for kind in kinds)
    by = ", ".join(f"{kind} {n}" for kind, n in kinds.most_common()) or "nothing"
    is_well = not bad if name == "nothing" else bool(bad)
    return f"| {name} | {chosen.does} | `{chosen.only}` | {len(points)} | {len(bad)} | {by} |", is_well


def main() -> int:
    """Check the controls that the command line names, or all of them."""
    begun = time.monotonic()
    missed = []
    for name in sys.argv[1:] or CONTROLS:
        line, is_well = check(name)
        print(line, flush=True)
        missed += [] if is_well else [name]
    print(f"{len(missed)} not as they should be: {', '.join(missed) or 'none'}; {time.monotonic() - begun:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
