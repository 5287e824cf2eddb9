"""Negative controls: break the program on purpose, and check that the proofs notice.

    python tests/faults/sabotage.py            # all controls of the crash proof, and the proof without any
    python tests/faults/sabotage.py lax-sync   # one
    python tests/faults/chaos.py --controls 20

A proof that finds nothing is worth only as much as what it would have found. Each control takes away one safeguard
before a sample of points is struck (``crash.py``) or rounds are played (``chaos.py``). Exit code 1 if a control goes
unnoticed, or the sample without a control finds something.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert_row
from sqlalchemy.exc import DBAPIError

from indexer.ingest import encoding, load, upsert
from indexer.store import engines, migrate, runs, schema, workspace
from indexer.store.engines import retrying
from indexer.store.runs import Accounts
from indexer.store.store import Store
from indexer.store.transactions import Writer
from indexer.vectors import snapshot, snapshot_file

Patches = list[tuple[Any, str, Any]]
"""Attributes to replace: the owner, the name, and the new value."""

_IS_WRITER = schema.store_meta.c.key == "writer"
_VALUE = schema.store_meta.c.value


@dataclass(frozen=True)
class Control:
    """What is taken away (``does`` in words), and where it must be noticed.

    ``points`` and ``sample`` choose points of the crash proof, whose problems must mention ``sign``; ``faults`` are
    kinds of rounds of the chaos proof.
    """

    does: str
    patches: Callable[[], Patches]
    points: str = ""
    sample: int = 12
    sign: str = ""
    faults: tuple[str, ...] = ()


def patches_of(name: str | None) -> Patches:
    """Return what the control of this name replaces, nothing for None."""
    return CONTROLS[name].patches() if name else []


# The snapshot file


def no_file_sync() -> Patches:
    without = {name: getattr(os, name) for name in dir(os)} | {"fsync": lambda handle: None}
    return [(snapshot_file, "os", SimpleNamespace(**without))]


def no_directory_sync() -> Patches:
    return [(module, "sync_directory", lambda path: None) for module in (migrate, snapshot_file, workspace)]


def in_place() -> Patches:
    write = snapshot.write_index

    def write_in_place(path: Path, *rest: Any) -> Any:
        old = next(path.parent.glob("*.faiss"))
        result = write(path, *rest)
        with old.open("r+b") as file:
            file.write(path.read_bytes())
            file.truncate()
        old.replace(path)
        return result

    return [(snapshot, "write_index", write_in_place)]


def no_checksum() -> Patches:
    def only_read(snapshots: Path, published: Any, *_: Any, keep: bool) -> Any:
        return np.fromfile(snapshots / published.file_name, np.uint8)

    # without it a sound program would find the damage when the job is repeated, and build the snapshot anew
    return [*no_file_sync(), *((module, "check_file", only_read) for module in (snapshot, snapshot_file))]


def early_pointer() -> Patches:
    write, publish = snapshot.write_index, Store.publish_snapshot
    paths: list[Path] = []

    def write_and_hide(path: Path, *rest: Any) -> Any:
        result = write(path, *rest)
        paths.append(path)
        path.rename(path.with_suffix(".tmp"))
        return result

    def publish_and_name(store: Store, **values: Any) -> Any:
        result = publish(store, **values)
        paths[-1].with_suffix(".tmp").rename(paths[-1])
        return result

    return [(snapshot, "write_index", write_and_hide), (Store, "publish_snapshot", publish_and_name)]


# The database


def synchronous(level: str) -> Patches:
    prepare = engines._prepare_sqlite

    def prepare_laxly(connection: Any, path: Path) -> None:
        prepare(connection, path)
        connection.execute(f"PRAGMA synchronous={level}")

    return [(engines, "_prepare_sqlite", prepare_laxly)]


def move_on(writer: Any, connection: Connection) -> bool:
    number = f"{writer._epoch}:{writer._number + 1}"
    connection.execute(update(schema.store_meta).where(_IS_WRITER).values(value=number))
    return True


def no_fence() -> Patches:
    return [(Writer, "_move_on", move_on)]


def two_writers() -> Patches:
    return [(workspace, "file_lock", lambda path, where: nullcontext()), *no_fence()]


def retry_within_epoch() -> Patches:
    sound = Writer._move_on

    def move_on_within(writer: Any, connection: Connection) -> bool:
        value = connection.execute(select(_VALUE).where(_IS_WRITER).with_for_update()).scalar_one()
        is_own = str(value).startswith(f"{writer._epoch}:")
        return move_on(writer, connection) if is_own else sound(writer, connection)

    return [(Writer, "_move_on", move_on_within)]


def statement_by_statement() -> Patches:
    def transact(writer: Any, work: Callable[[Connection], Any]) -> Any:
        def attempt() -> Any:
            with writer._engine.connect() as connection:
                return work(connection.execution_options(isolation_level="AUTOCOMMIT"))

        return retrying(writer._engine, attempt, writer._renew, pauses_s=writer._pauses_s)

    return [(Writer, "transact", transact)]


def failed_commit_is_done() -> Patches:
    def transact(writer: Any, work: Callable[[Connection], Any]) -> Any:
        def attempt() -> Any:
            with writer._engine.connect() as connection:
                connection.begin()
                writer._move_on(connection)
                result = work(connection)
                try:
                    connection.commit()
                except DBAPIError:
                    connection.invalidate()
                return result

        def read() -> str:
            with writer._engine.connect() as connection:
                return str(connection.execute(select(_VALUE).where(_IS_WRITER)).scalar_one())

        result = retrying(writer._engine, attempt, writer._renew, pauses_s=writer._pauses_s)
        writer._number = int(retrying(writer._engine, read, pauses_s=writer._pauses_s).partition(":")[2])
        return result

    return [(Writer, "transact", transact)]


# Batches and their accounts


def early_acknowledgement() -> Patches:
    def store(self: Any, spool: Any, total: int, *, is_new: bool, progress: Callable[..., None]) -> None:
        done = 0
        for number, batch in enumerate(spool):
            done += batch.rows_in
            progress("store", done, total)
            if number >= self.number:
                plan = upsert.plan_batch(self._store, self.source_id, batch, is_new=False)
                self._commit(load._Prepared(number, plan, partial(encoding.encode, self._model, plan.new_texts), done))
        self.number = max(self.number, spool.batches)

    return [(load._Loading, "store", store)]


def accounts_after() -> Patches:
    add, write = runs.add_batch, Store.write
    later: list[tuple[Any, ...]] = []

    def write_twice(store: Store, work: Callable[[Any], Any]) -> Any:
        result = write(store, work)
        while later:
            arguments = later.pop()
            write(store, lambda connection, arguments=arguments: add(connection, *arguments))
        return result

    return [(runs, "add_batch", lambda c, *arguments: later.append(arguments)), (Store, "write", write_twice)]


def accounts_before() -> Patches:
    def add_batch(connection: Connection, run_id: int, batch_no: int, accounts: Accounts) -> None:
        row = (run_id, batch_no, *astuple(accounts))
        with connection.engine.begin() as other:
            other.execute(upsert_row(schema.ingest_batch).values(row).on_conflict_do_nothing())

    return [(runs, "add_batch", add_batch)]


def no_skip() -> Patches:
    batches = runs.batches

    def add_batch(connection: Connection, run_id: int, number: int, accounts: Accounts) -> None:
        taken = select(func.count()).select_from(schema.ingest_batch).where(schema.ingest_batch.c.run_id == run_id)
        number = connection.execute(taken).scalar_one()
        connection.execute(insert(schema.ingest_batch).values((run_id, number, *astuple(accounts))))

    return [(runs, "add_batch", add_batch), (runs, "batches", lambda store, run_id: (0, batches(store, run_id)[1]))]


def lost_reject() -> Patches:
    plan_batch = load.plan_batch

    def plan(*arguments: Any, **more: Any) -> Any:
        planned = plan_batch(*arguments, **more)
        accounts = planned.accounts
        fewer = replace(accounts, rows_in=accounts.rows_in - accounts.rejected, rejected=0)
        return replace(planned, accounts=fewer)

    return [(load, "plan_batch", plan)]


def no_vector() -> Patches:
    encode = encoding.encode

    def without_some(model: Any, normals: list[str]) -> Any:
        is_zero = np.array(["renamed" in normal for normal in normals])
        return np.where(is_zero[:, None], np.int8(0), encode(model, normals))

    return [(encoding, "encode", without_some)]


def orphans() -> Patches:
    return [(upsert, "_delete_orphans", lambda connection, text_ids: None)]


_REPLY_LOST = ("COMMIT done, reply lost", "COMMIT done, half a reply")
_GIVEN_UP = ("COMMIT lost, not tried again",)
_BROKEN = ("server away", "work session ended")
_KILL, _POWER, _KILL_SNAPSHOT = "delete/update/kill", "delete/update/power", "delete/snapshot/kill"

CONTROLS = {
    "nothing": Control("nothing: the proof must be silent", list, "delete/*", 8),
    "no-file-sync": Control("no fsync of the snapshot file", no_file_sync, "delete/snapshot/power"),
    "no-directory-sync": Control("no fsync of directories", no_directory_sync, "delete/index/power"),
    "in-place": Control("the new snapshot is written over the old file", in_place, "delete/snapshot/[kt]*", 40),
    "no-checksum": Control("no checksum after a power cut", no_checksum, "delete/delete/power", sign="rerun"),
    "early-pointer": Control("the pointer moves before the file has its name", early_pointer, _KILL_SNAPSHOT, 40),
    "synchronous-off": Control("SQLite with synchronous=OFF", partial(synchronous, "OFF"), _POWER, 40),
    "lax-sync": Control("SQLite with synchronous=FULL, not EXTRA", partial(synchronous, "FULL"), _POWER, 60),
    "two-writers": Control("neither the writer lock nor the fencing token", two_writers, "delete/overlap/kill"),
    "no-fence": Control("no fencing token", no_fence, faults=("overtaken", "overtaken at work")),
    "blind-retry": Control("a COMMIT without a reply is repeated blindly", no_fence, "postgresql/index/reply", 300),
    "blind-retry-in-epoch": Control("the same, with the fencing token", retry_within_epoch, faults=_REPLY_LOST),
    "statement-by-statement": Control("every statement commits by itself", statement_by_statement, faults=_BROKEN),
    "failed-commit": Control("a failed COMMIT counts as done", failed_commit_is_done, faults=("COMMIT never arrives",)),
    "early-acknowledgement": Control("a batch is acknowledged before its COMMIT", early_acknowledgement, _KILL, 40),
    "accounts-apart": Control("the accounts of a batch in a later transaction", accounts_after, _KILL, 60),
    "accounts-before": Control("the accounts of a batch in an earlier one", accounts_before, faults=_GIVEN_UP),
    "no-skip": Control("a job that resumes does all batches again", no_skip, _KILL, 20, faults=_GIVEN_UP),
    "lost-reject": Control("a rejected row that no account holds", lost_reject, _KILL),
    "no-vector": Control("vectors that are zero, as those of NaN become, are stored", no_vector, _KILL),
    "orphans": Control("texts stay when their last record is gone", orphans, "delete/delete/kill"),
}


def check(name: str) -> tuple[str, bool]:
    """Strike the points of a control; return a line of the table, and whether the outcome is as it should be."""
    import crash

    chosen = CONTROLS[name]
    given = ["--only", chosen.points, "--sample", str(chosen.sample), "--jobs", "1", "--sabotage", name]
    points = crash.run(crash.arguments().parse_args(given))
    found = [{p["kind"] for p in point["problems"] if chosen.sign in p["message"]} for point in points]
    bad = [kinds for kinds in found if kinds]
    kinds = Counter(kind for kinds in bad for kind in kinds)
    by = ", ".join(f"{kind} {n}" for kind, n in kinds.most_common()) or "nothing"
    is_well = not bad if name == "nothing" else bool(bad)
    return f"| {name} | {chosen.does} | `{chosen.points}` | {len(points)} | {len(bad)} | {by} |", is_well


def main() -> int:
    start = time.monotonic()
    missed = []
    for name in sys.argv[1:] or [name for name, control in CONTROLS.items() if control.points]:
        line, is_well = check(name)
        print(line, flush=True)
        missed += [] if is_well else [name]
    print(f"{len(missed)} not as they should be: {', '.join(missed) or 'none'}; {time.monotonic() - start:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
