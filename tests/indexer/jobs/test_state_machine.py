"""After any sequence of jobs, crashes and damage, the store agrees with a simple model, and answers are correct.

After every step: each acknowledged record is stored once (V1), and nothing that was never sent (V2); every text has its
vector, and the snapshot is valid (V3); a query answers as brute force does (V4); the rows of every finished run add up
(V5); and the workspace holds no unknown file (V6). ``NEARDUP_MORE_EXAMPLES=100`` runs a hundred times as many
sequences.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles import fake_model
from emptied import EMPTY
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from raw_sql import raw
from sqlalchemy import func, select
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError
from store_model import (
    NOTHING,
    RAGGED,
    Begun,
    Content,
    Identity,
    InputRow,
    Key,
    Killed,
    Process,
    Where,
    as_rows,
    cosine,
    plus,
    read,
    spoil,
    upsert,
)

from dedup.errors import InputRefused, UsageError, WriterBusy
from dedup.text.normalise import normalise
from indexer.jobs.delete import delete_records, delete_source
from indexer.jobs.index import index_rows
from indexer.jobs.query import Match, Searcher
from indexer.jobs.verify import verify
from indexer.store import engines, schema
from indexer.store.runs import Accounts
from indexer.store.store import Record
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

MODEL = fake_model()
SOURCES: dict[str, Identity] = {"ids": "column", "more": "column", "contents": "content", "stock": "column"}
REMOVED_AT_ONCE = 1
SNAPSHOT_AFTER = 3

STOCK = [
    f"{first} {second}" for first in ("Nova", "Luna", "Terra", "Sol") for second in ("Trade", "Steel", "Oil", "Tea")
]
"""Enough texts to divide them into cells."""

few = ["Acme", "ACME", "acme ltd", "Acme Limited", "Beta", "Beta AG", "Gamma Foods", "Gama Foods", "3M", "?", ""]
QUERIES = ["Acme", "Luna Steal", "Beta Foods"]
names = st.sampled_from(few) | st.sampled_from(STOCK)
identifiers = st.sampled_from([*"abcdef" * 4, "", RAGGED])
entries = st.lists(st.tuples(identifiers, names, st.sampled_from(["", "Oslo"])), max_size=9)
places = st.sampled_from(["before", "inside", "after", "after", "reply lost"])
faults = st.tuples(st.integers(2, 7), places) | st.just((0, "before"))
NONE: tuple[int, Where] = (0, "before")
NO_PAUSES = (0.0, 0.0, 0.0)


class StoreMachine(RuleBasedStateMachine):
    """A workspace, initially the empty one of ``new_place``, and its model."""

    new_place: Callable[[], Workspace]

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.process = Process(self.patch)
        self.workspace = type(self).new_place()
        self.opened = ExitStack()
        self.model: dict[str, Content] = {}
        self.begun: dict[str, Begun] = {}
        self.is_unseen = False
        self.damaged = 0  # generation of the snapshot whose file was damaged
        self.reopen()

    @property
    def snapshots(self) -> Snapshots:
        return Snapshots(self.store, self.workspace.snapshots, min_changes=SNAPSHOT_AFTER)

    def teardown(self) -> None:
        self.opened.close()
        self.patch.undo()

    # Steps

    @initialize(has_stock=st.booleans())
    def begin(self, has_stock: bool) -> None:
        if has_stock:
            rows = [(f"s{n}", name, "") for n, name in enumerate(STOCK)]
            self.index_once("stock", rows, False, len(rows), NONE)

    @rule()
    def reopen(self) -> None:
        self.opened.close()
        self.process.expect(0, "before")
        self.store = self.opened.enter_context(self.workspace.open(for_writing=True))

    @rule(
        source=st.sampled_from(["ids", "more", "contents"]),
        rows=entries,
        sync=st.booleans(),
        size=st.integers(1, 3),
        fault=faults,
        again=st.booleans(),
    )
    def index(
        self, source: str, rows: list[InputRow], sync: bool, size: int, fault: tuple[int, Where], again: bool
    ) -> None:
        self.index_once(source, rows, sync, size, fault)
        if again:
            self.index_once(source, rows, sync, size, NONE)

    def index_once(self, source: str, rows: list[InputRow], sync: bool, size: int, fault: tuple[int, Where]) -> None:
        identity = SOURCES[source]
        load = read(rows, identity, size)
        before = dict(self.model.get(source, {}))
        mirrors = sync or identity == "content"
        refused = 0 < load.rows_in == load.rejected or (mirrors and not load.rows_in and bool(before))

        def job() -> Accounts:
            given = self.snapshots, MODEL, source, as_rows(rows, identity)
            sizes = {"batch_rows": size, "removal_rows": REMOVED_AT_ONCE}
            return index_rows(*given, identity=identity, on_reject=lambda reject: None, mirror=mirrors, **sizes).rows

        try:
            done = self.run(job, fault)
        except InputRefused:
            assert refused
            return
        assert not refused or done is None
        what = mirrors, [(rows_in, rejected, list(items.items())) for rows_in, rejected, items in load.batches]
        job_begun = self.note_begun(source, what)
        if job_begun is None:
            return
        now = self.model[source] = before
        n_before = len(job_begun.batches) - len(self.noted.batches)
        for batch in load.batches[n_before : len(job_begun.batches)]:
            expected = upsert(now, batch)
            assert self.noted.batches.pop(0) == expected
        gone = {key for key in now if key not in load.held} if mirrors and not load.unidentified else set()
        self.removed(source, gone, is_done=done is not None)
        assert done in (None, self.total(job_begun))

    @rule(data=st.data(), source=st.sampled_from(["ids", "more"]), fault=faults, again=st.booleans())
    def delete(self, data: st.DataObject, source: str, fault: tuple[int, Where], again: bool) -> None:
        known = [*sorted(key for (key,) in self.model.get(source, {})), "unknown"]
        wanted = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
        for of in (fault, *([NONE] if again else [])):
            self.delete_once(source, wanted, of)

    def delete_once(self, source: str, wanted: list[str], fault: tuple[int, Where]) -> None:
        keys = {(key,) for key in wanted}
        is_there = keys <= self.model.get(source, {}).keys()
        last = self.begun.get(source)
        is_done = last is not None and not last.done and last.what == ("delete", wanted) and bool(last.batches)
        refused = not is_there and not is_done
        try:
            done = self.run(lambda: delete_records(self.store, wanted, source), fault)
        except UsageError:
            assert refused
            if self.noted.has_begun:
                self.note_begun(source, ("delete", wanted))
            return
        assert not refused or done is None
        begun = self.note_begun(source, ("delete", wanted))
        if begun is not None:
            if self.noted.batches:
                assert self.noted.batches == [Accounts(removed=len(wanted))]
                self.model[source] = {key: row for key, row in self.model[source].items() if key not in keys}
            assert done in (None, len(wanted))

    @rule(source=st.sampled_from(sorted(SOURCES)), fault=faults, again=st.booleans())
    def purge(self, source: str, fault: tuple[int, Where], again: bool) -> None:
        for of in (fault, *([NONE] if again else [])):
            if source not in self.model:
                with pytest.raises(UsageError, match="no source"):
                    delete_source(self.store, source)
                return
            done = self.run(lambda: delete_source(self.store, source, records_at_once=REMOVED_AT_ONCE), of)
            begun = self.note_begun(source, "purge")
            if begun is not None:
                self.removed(source, set(self.model[source]), is_done=done is not None)
                assert done in (None, self.total(begun).removed)

    @rule(in_cells=st.booleans(), fault=st.tuples(st.sampled_from([0, 1]), places))
    def publish(self, in_cells: bool, fault: tuple[int, Where]) -> None:
        flat_up_to = 0 if in_cells and len(self.normals()) >= len(STOCK) else 1000
        snapshots = Snapshots(self.store, self.workspace.snapshots, flat_up_to=flat_up_to)
        self.run(lambda: snapshots.publish(MODEL.model_id), fault)

    @rule(how=st.sampled_from(["flip", "flip", "flip", "cut", "remove", "junk"]), seed=st.integers(0, 1 << 16))
    def damage(self, how: str, seed: int) -> None:
        current = self.store.current_snapshot()
        path = self.workspace.snapshots / (current.file_name if current else "")
        if current is None or current.generation == self.damaged or not path.is_file():
            return
        spoil(path, how, random.Random(seed))
        self.damaged = current.generation
        self.is_unseen = seed % 4 == 0

    @rule()
    def leave_a_temporary_file(self) -> None:
        (self.workspace.snapshots / f"idx-7-{'0' * 32}.tmp").write_bytes(b"half a file")

    @rule(rows=entries)
    def overtake(self, rows: list[InputRow]) -> None:
        """A second writer opens the store; the first one cannot commit any more."""
        with self.patch.context() as patch, ExitStack() as second:
            patch.setattr("indexer.store.workspace.file_lock", lambda path, where: nullcontext())
            patch.setattr("indexer.store.lock.AdvisoryLock._try", lambda self: True)
            first, self.store = self.store, second.enter_context(self.workspace.open(for_writing=True))
            self.index_once("more", rows, True, 2, NONE)
            with pytest.raises(WriterBusy):
                first.write(lambda connection: None)
        self.reopen()

    # Invariants

    @invariant()
    def records_are_those_that_were_sent(self) -> None:
        found = Counter(
            ((record.source, record_key(record)), (record.raw, record.fields["city"]))
            for record in self.store.iter_records()
        )
        assert found == Counter(self.records())

    @invariant()
    def answers_are_those_of_brute_force(self) -> None:
        if self.is_unseen:  # here the next job finds the damage, not a query
            self.is_unseen = False
            return
        for limit in (2, 30):
            answers = Searcher(self.snapshots, MODEL, min_candidates=1, candidates_per_match=1).query(
                QUERIES, limit=limit
            )
            for query, matches in zip(QUERIES, answers, strict=True):
                self.check_answer(normalise(query), matches, limit)

    def check_answer(self, query: str, matches: list[Match], limit: int) -> None:
        cosines = {normal: 1.0 if normal == query else cosine(MODEL, query, normal) for normal in self.normals()}
        found = [match.normal for match in matches]
        assert len(found) == len(set(found)) == min(limit, len(cosines))
        assert [match.similarity for match in matches] == pytest.approx([cosines[normal] for normal in found], abs=1e-5)
        assert [cosines[normal] for normal in found] == pytest.approx(sorted(cosines.values())[::-1][:limit], abs=1e-5)
        for match in matches:
            records = Counter((record.source, record_key(record)) for record in match.records)
            assert records == Counter(of for of, (raw, _) in self.records() if normalise(raw) == match.normal)

    @invariant()
    def texts_have_their_vectors(self) -> None:
        counts = self.store.counts()
        assert counts.texts == counts.vectors == len(self.normals())
        pages = zip(self.store.iter_texts(), self.store.iter_vectors(MODEL.model_id), strict=True)
        for (ids, normals), (encoded, codes) in pages:
            assert ids.tolist() == encoded.tolist() and set(normals) == self.normals()
            assert np.array_equal(codes, MODEL.encoder.encode(normals))

    @invariant()
    def the_workspace_is_sound(self) -> None:
        checks = verify(self.snapshots, self.workspace.directory, MODEL.model_id, MODEL.dimension)
        current = self.store.current_snapshot()
        is_bad = current is None or current.generation == self.damaged
        for check in checks:
            if check.kind == "snapshot" and is_bad:
                assert check.faults or not self.normals()
            else:
                assert not check.faults, (check.name, check.examples)

    @invariant()
    def runs_account_for_their_rows(self) -> None:
        batch = schema.ingest_batch.c
        sums = func.sum(batch.rows_in), func.sum(batch.rejected + batch.added + batch.changed + batch.unchanged)
        for rows_in, accounted in self.store.read(select(*sums).group_by(batch.run_id)):
            assert rows_in == accounted
        running = select(func.count()).where(schema.run.c.state == "running")
        assert self.store.read(running)[0][0] <= 1

    # Helpers

    def run(self, job: Callable[[], Any], fault: tuple[int, Where]) -> Any:
        """Return the result of a job; None if a fault hit it, in which case the workspace was reopened."""
        self.process.expect(*fault)
        try:
            return job()
        except Killed:
            pass
        except DBAPIError:
            if fault[1] != "reply lost":
                raise
        finally:
            self.noted = self.process.noted
        self.reopen()
        return None

    def note_begun(self, source: str, what: Any) -> Begun | None:
        """Record the last job of a source, perhaps a continued one; None if a fault hit it before it began."""
        if not self.noted.has_begun:
            return None
        last = self.begun.get(source)
        if last is None or last.done or last.what != what:
            last = self.begun[source] = Begun(what)
        last.batches += self.noted.batches
        last.done = self.noted.is_done
        self.model.setdefault(source, {})
        return last

    def removed(self, source: str, gone: set[Key], *, is_done: bool) -> None:
        """Remove from the model what a job removed; its order is not specified."""
        number = sum(accounts.removed for accounts in self.noted.batches)
        assert all(accounts == Accounts(removed=accounts.removed) for accounts in self.noted.batches)
        left = {record_key(record) for record in self.store.iter_records() if record.source == source}
        removed = gone - left
        assert len(removed) == number and (not is_done or removed == gone)
        self.model[source] = {key: row for key, row in self.model[source].items() if key not in removed}

    def total(self, begun: Begun) -> Accounts:
        total = NOTHING
        for accounts in begun.batches:
            total = plus(total, accounts)
        return total

    def records(self) -> Iterator[tuple[tuple[str, Key], tuple[str, str]]]:
        for source, content in self.model.items():
            for key, row in content.items():
                yield (source, key), row

    def normals(self) -> set[str]:
        return {normalise(raw) for _, (raw, _) in self.records()}


def record_key(record: Record) -> Key:
    """Return the key of a record in the model."""
    if SOURCES[record.source] == "column":
        return (record.external_id,)
    return (record.raw, record.fields["city"], record.external_id.partition("-")[2] or "1")


def play(new_place: Callable[[], Workspace], examples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # One engine per URL, and one URL for all examples: compiling the statements takes longer than running them.
    monkeypatch.setattr(engines, "make_engine", cache(engines.make_engine))
    machine = type("Machine", (StoreMachine,), {"new_place": staticmethod(new_place)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples * int(os.environ.get("NEARDUP_MORE_EXAMPLES", "1")),
            stateful_step_count=15,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_on_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def new_place() -> Workspace:
        shutil.rmtree(tmp_path / "workspace", ignore_errors=True)
        return Workspace(tmp_path / "workspace", retry_pauses_s=NO_PAUSES)

    play(new_place, 15, monkeypatch)


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_on_postgresql(new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All examples share a database, because creating one takes longer than an example."""
    workspace = Workspace(tmp_path / "workspace", new_database(), retry_pauses_s=NO_PAUSES)
    with workspace.open(for_writing=True):
        pass

    def new_place() -> Workspace:
        with engines.make_engine(workspace.url).begin() as connection:
            raw(connection).execute(sql(EMPTY))
        shutil.rmtree(workspace.directory)
        return workspace

    play(new_place, 4, monkeypatch)
