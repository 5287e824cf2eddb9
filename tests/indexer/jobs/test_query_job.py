"""From rows to answers: index and query, also if the snapshot is outdated, damaged or of another model."""

from __future__ import annotations

import json
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from doubles import Encoder, fake_model
from indexed import MODEL, NAMES, index, table, with_cells

from dedup.errors import InputRefused, UsageError, VersionMismatch
from dedup.model import load_model
from indexer.jobs import duplicates, loading
from indexer.jobs import index as index_job
from indexer.jobs import query as query_job
from indexer.jobs.query import Match, Searcher
from indexer.store import runs
from indexer.store.runs import last_runs
from indexer.store.schema import next_vector
from indexer.store.store import Store
from indexer.vectors.cells import nearest_cells
from indexer.vectors.snapshot import Snapshots


def forms(matches: list[Match]) -> list[str]:
    return [match.normal for match in matches]


def test_query_finds_equal_and_near_texts(store: Store, snapshots: Snapshots) -> None:
    result = index(snapshots, NAMES)
    assert (result.rows.added, result.texts_encoded, result.snapshot_built) == (8, 7, True)
    assert set(result.seconds) == {"rows", "texts", "snapshot"}

    searcher = Searcher(snapshots, MODEL)
    northwind, ocean = searcher.query(["northwind, trading!", "Blue Ocean Shippin"], limit=2)
    assert forms(northwind) == ["northwind trading", "northwind tradng"]
    assert (northwind[0].exact, northwind[0].probability, northwind[0].similarity) == (True, 1.0, 1.0)
    assert [record.raw for record in northwind[0].records] == ["Northwind Trading", "NORTHWIND TRADING"]
    assert northwind[0].records[0].fields == {"city": "City 17"}
    assert not northwind[1].exact and 0.5 < northwind[1].probability < 1
    assert set(forms(ocean)) == {"blue ocean shipping", "blue ocean shiping"}
    assert ocean[0].probability >= ocean[1].probability

    assert searcher.query([]) == []
    assert searcher.query(["zzz"], min_probability=0.9) == [[]]
    again = searcher.query(["northwind, trading!", "Fabrikam", "Northwind Trading"], limit=2)
    assert again[0] == again[2] == northwind


@pytest.mark.parametrize(("text", "code"), [("  -- ", "E_NAME_EMPTY"), ("x" * 5000, "E_NAME_TOO_LONG")])
def test_queries_that_cannot_be_answered(store: Store, snapshots: Snapshots, text: str, code: str) -> None:
    index(snapshots, NAMES)
    with pytest.raises(InputRefused) as caught:
        Searcher(snapshots, MODEL).query(["Contoso", text])
    assert caught.value.code == code


def test_deleted_and_new_texts_before_the_next_snapshot(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    generation = store.current_snapshot()
    changed = [name for name in NAMES if name != "Blue Ocean Shiping"] + ["Blue Oceans Shipping"]
    result = index(snapshots, changed)
    assert (result.texts_encoded, result.snapshot_built, result.rows.removed) == (1, False, 1)
    assert store.current_snapshot() == generation
    (found,) = Searcher(snapshots, MODEL).query(["Blue Ocean Shipping"])
    assert forms(found)[:2] == ["blue ocean shipping", "blue oceans shipping"]
    assert "blue ocean shiping" not in forms(found)
    assert len(found) == 7  # every text that is left

    index(snapshots, ["Something Else"])  # all previous neighbours of the query are deleted
    (found,) = Searcher(snapshots, MODEL).query(["Blue Ocean Shipping"])
    assert forms(found) == ["something else"]


def test_another_model(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    other = fake_model("b")
    with pytest.raises(VersionMismatch, match="index an input again"):
        Searcher(snapshots, other)
    with pytest.raises(VersionMismatch, match="index an input again"):
        duplicates.find_duplicates(snapshots, other, min_probability=0.5)
    result = index(snapshots, NAMES, other)
    assert (result.rows.unchanged, result.texts_encoded, result.snapshot_built) == (8, 7, True)
    assert store.counts().vectors == 7
    assert len(Searcher(snapshots, other).query(["Contoso"])[0]) == 7


class Killed(Encoder):
    """An encoder that is killed at its third call."""

    calls = 0

    def encode(self, normals: Sequence[str]) -> np.ndarray:
        self.calls += 1
        if self.calls == 3:
            raise KeyboardInterrupt
        return super().encode(normals)


def test_a_killed_job_is_continued(store: Store, snapshots: Snapshots) -> None:
    model = fake_model()
    model.encoder = Killed()
    with pytest.raises(KeyboardInterrupt):
        index(snapshots, NAMES, model, batch_rows=2)
    (run,) = last_runs(store, 1)
    assert (run.state, run.manifest["error"]) == ("interrupted", "Stopped by a signal or by the user.")
    assert runs.batches(store, run.run_id) == (2, runs.Accounts(rows_in=4, added=4))
    assert (store.counts().records, store.counts().texts, store.counts().vectors) == (4, 3, 3)
    assert len(Searcher(snapshots, MODEL).query(["Northwind Trading"])[0]) == 3

    result = index(snapshots, NAMES, batch_rows=2)
    assert (result.rows, result.went_on) == (runs.Accounts(8, added=8), True)
    assert (result.texts_encoded, result.snapshot_built) == (4, True)
    (same,) = last_runs(store, 2)
    assert (same.run_id, same.state, same.manifest["rows"]["added"]) == (run.run_id, "done", 8)
    assert [record.record_id for record in store.iter_records()] == [1, 3, 2, 4, 5, 6, 7, 8]
    json.dumps(same.manifest)


def test_another_input_does_not_continue_a_killed_run(store: Store, snapshots: Snapshots) -> None:
    model = fake_model()
    model.encoder = Killed()
    with pytest.raises(KeyboardInterrupt):
        index(snapshots, NAMES, model, batch_rows=2)
    result = index(snapshots, NAMES[1:], batch_rows=2)
    assert (result.rows, result.went_on) == (runs.Accounts(7, added=4, unchanged=3, removed=1), False)
    assert [run.state for run in last_runs(store, 3)] == ["done", "interrupted"]


def test_a_query_is_refused_until_every_text_is_encoded(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    other = fake_model("b")
    other.encoder = Killed()
    with pytest.raises(KeyboardInterrupt):
        index(snapshots, NAMES, other, texts_at_once=2)
    assert (store.count_vectors(other.model_id), store.count_vectors(other.model_id, table=next_vector)) == (0, 4)
    with pytest.raises(VersionMismatch, match="index an input again"):
        Searcher(snapshots, other)
    assert len(Searcher(snapshots, MODEL).query(["Contoso"])[0]) == 7
    steps: list[int] = []
    index(snapshots, NAMES, fake_model("b"), progress=lambda stage, *done: steps.append(stage == "texts" and done[0]))
    assert max(steps) == 3  # the other four were kept
    assert len(Searcher(snapshots, fake_model("b")).query(["Contoso"])[0]) == 7
    assert store.count_vectors(MODEL.model_id) == store.count_vectors(other.model_id, table=next_vector) == 0


def test_a_refused_input_keeps_the_vectors_of_another_model(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    before = last_runs(store, 1)[0].run_id
    given = snapshots, fake_model("b"), "more"
    wanted: dict[str, Any] = {"identity": "content", "mirror": True, "on_reject": lambda reject: None}
    rows = [row._replace(external_id=None) for row in table(NAMES)]
    with pytest.raises(UsageError, match=r"Up to 15 distinct texts .* No record was changed"):
        index_job.index_rows(*given, rows, memory=1 << 20, **wanted)  # 7 are known, and up to 8 are new
    with pytest.raises(InputRefused, match="nothing was written"):
        index_job.index_rows(*given, [row._replace(raw="--") for row in rows], **wanted)
    assert store.count_vectors(MODEL.model_id) == store.counts().texts == 7
    assert [(run.run_id, run.state) for run in last_runs(store, 3)][-1] == (before, "done")
    assert len(Searcher(snapshots, MODEL).query(["Contoso"])[0]) == 7


@pytest.mark.parametrize(("first", "most"), [(1, 8), (5, 12), (101, 16)])
def test_the_estimate_of_memory_counts_earlier_records_and_rows(
    store: Store, snapshots: Snapshots, first: int, most: int
) -> None:
    """Records whose id is also in the input are counted once."""
    index(snapshots, NAMES, identity="column")
    rows = [row._replace(external_id=f"r{number}") for number, row in enumerate(table(NAMES), first)]
    with pytest.raises(UsageError, match=f"Up to {most} distinct texts"):
        index_job.index_rows(
            *(snapshots, MODEL, "names", rows),
            identity="column",
            mirror=False,
            on_reject=lambda reject: None,
            memory=1 << 20,
        )


def test_another_model_encodes_page_by_page(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    other = fake_model("b")
    other.encoder = Killed()
    with pytest.raises(KeyboardInterrupt):
        index_job.encode_texts(store, other, texts_at_once=2)
    with pytest.raises(UsageError, match="index an input again"):
        duplicates.find_duplicates(snapshots, other, min_probability=0.5)
    steps: list[tuple[str, int, int | None]] = []
    assert index_job.encode_texts(store, fake_model("b"), lambda *step: steps.append(step), texts_at_once=2) == 3
    assert steps == [("texts", 2, 3), ("texts", 3, 3)]


def test_a_text_without_a_vector_is_refused(store: Store, snapshots: Snapshots) -> None:
    with pytest.raises(VersionMismatch, match="'nothing'"):
        index(snapshots, ["Acme", "Nothing"])


@pytest.mark.parametrize("with_snapshot", [True, False])
def test_cells_give_the_same_duplicates(store: Store, snapshots: Snapshots, with_snapshot: bool) -> None:
    """Also if texts were added and deleted after the snapshot, or if it is damaged."""
    words = ("Harbour", "Quartz", "Meadow", "Falcon", "Summit", "Velvet", "Juniper", "Orchid")
    names = [f"{word} {trade}" for word in words for trade in ("Logistics", "Bakery", "Opticians")]
    index(snapshots, [*NAMES[:5], *names])
    celled = with_cells(snapshots)
    celled.publish(MODEL.model_id, min_similarity=MODEL.min_similarity)
    index(snapshots, [*NAMES, *names[3:], "Contoso Food", "Fabrikam Steels", "Falcon Bakry"])
    if not with_snapshot:
        next(snapshots.directory.iterdir()).write_bytes(b"short")
    found = duplicates.find_duplicates(celled, MODEL, min_probability=0.5)
    assert (found.generation is not None) == with_snapshot
    exact = duplicates.find_duplicates(snapshots, MODEL, min_probability=0.5)
    assert exact.generation is None
    assert len(exact.near.pairs) >= 4
    assert np.array_equal(found.near.pairs, exact.near.pairs)
    assert np.array_equal(found.near.clusters.labels, exact.near.clusters.labels)


def test_a_snapshot_is_released_once_its_centres_are_read(
    store: Store, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(snapshots, [f"Harbour Works {number}" for number in range(40)])
    celled = with_cells(snapshots)
    celled.publish(MODEL.model_id, min_similarity=MODEL.min_similarity)
    seen: list[Any] = []

    def opened(*where: Any) -> Any:
        found = Snapshots.open(celled, *where)
        assert found is not None
        seen.append(weakref.ref(found[1]))
        return found

    def cells(*what: Any) -> Any:
        seen.append(seen[0]())
        return nearest_cells(*what)

    monkeypatch.setattr(celled, "open", opened)
    monkeypatch.setattr(loading, "nearest_cells", cells)
    assert duplicates.find_duplicates(celled, MODEL, min_probability=0.5).generation == 2
    assert seen[1:] == [None]


def test_many_queries_have_the_answers_of_one(
    store: Store, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In several processes or in this one, and also after an error."""
    model = load_model()
    words = ("Harbour", "Quartz", "Meadow", "Falcon", "Summit", "Velvet", "Juniper", "Orchid")
    names = [*NAMES, *(f"{word} {trade}" for word in words for trade in ("Logistics Inc", "Bakery", "Opticians"))]
    index(snapshots, names, model)
    queries = [*names[::2], "Harbor Logistics", "Quartz Bakeries LLC", "Contoso"]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with Searcher(snapshots, model, queries_at_once=4, many_queries=10) as searcher:
        one_by_one = [searcher.query([text], limit=5, min_probability=0.01)[0] for text in queries]
        assert searcher.query(queries[:9], limit=5, min_probability=0.01) == one_by_one[:9]  # in this process
        assert len(one_by_one[-3]) > 1 and one_by_one[-3][0].normal == "harbour logistics inc"
        with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
            patch.setattr(store, "records_of_texts", lambda ids: 1 // 0)
            searcher.query(queries)
        assert searcher.query(queries, limit=5, min_probability=0.01) == one_by_one


def test_a_large_limit_is_met_with_fewer_queries_at_once(
    store: Store, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model()
    names = [f"{word} {trade}" for word in ("Harbour", "Quartz", "Meadow") for trade in ("Bakery", "Opticians", "Inc")]
    index(snapshots, names, model)
    with Searcher(snapshots, model) as searcher:
        expected = searcher.query(names, limit=100_000_000)
        pairs = []
        monkeypatch.setattr(query_job, "CANDIDATES_AT_ONCE", 20)
        compared = type(searcher.model).compare
        monkeypatch.setattr(
            type(searcher.model), "compare", lambda self, *sides: pairs.append(len(sides[0])) or compared(self, *sides)
        )
        assert searcher.query(names, limit=100_000_000) == expected
    assert len(expected[0]) == len(names)
    assert max(pairs) <= 20 and sum(pairs) == len(names) * (len(names) - 1)
