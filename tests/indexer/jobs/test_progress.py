"""What jobs tell of how far they are: each stage up to its end, and of how much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from indexed import MODEL, NAMES, index, with_cells
from loading import Load, with_ids
from paths import FIXTURES

from dedup.model import load_model
from indexer.jobs import delete
from indexer.jobs.index import compact, refresh_snapshot
from indexer.jobs.query import Searcher
from indexer.jobs.report import report_workspace
from indexer.store import schema
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.knn_graph import all_neighbours
from indexer.vectors.snapshot import Snapshots


class Told:
    """What was told: by stage, in the order in which stages began, how much was done and of how much."""

    def __init__(self) -> None:
        self.stages: dict[str, list[tuple[int, int | None]]] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        self.stages.setdefault(stage, []).append((done, total))

    @property
    def unfinished(self) -> set[str]:
        return {stage for stage, steps in self.stages.items() if steps[-1][0] != steps[-1][1]}


def test_both_passes_of_the_search_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.random.default_rng(0).integers(-99, 99, (600, 16)).astype(np.int8)
    cells = np.random.default_rng(1).permuted(np.tile(np.arange(10, dtype=np.int32), (600, 1)), axis=1)[:, :4]
    heard: list[int] = []
    all_neighbours(codes, 4, 0.3, cells, progress=heard.append)
    assert len(heard) == 10 + 10
    assert heard == sorted(heard) and heard[0] > 0 and heard[9] < 600 == heard[-1]


@pytest.mark.parametrize("flat_up_to", [100, 5])
def test_a_report(snapshots: Snapshots, tmp_path: Path, flat_up_to: int) -> None:
    snapshots = with_cells(snapshots, flat_up_to)
    index(snapshots, [*NAMES, *(f"{name} Holding" for name in NAMES[3:]), *map(str, range(20))], load_model())
    told = Told()
    report_workspace(snapshots, load_model(), tmp_path / "out", min_probability=0.5, progress=told)
    found = list(told.stages)
    assert found[:2] == ["read vectors", "read texts"]
    assert ("cells of texts" in found) == (flat_up_to == 5)
    assert found[found.index("search") :][:6] == ["search", "pairs", "names", "words", "rule out", "compare"]
    assert found[-4:] == ["read records", "write pairs", "write exact pairs", "write clusters"]
    assert told.unfinished <= {"cluster"}
    assert told.stages["read records"][-1] == (32, 32)


def test_a_deletion_and_the_snapshot_that_it_makes(
    store: Store, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(snapshots, NAMES)
    told = Told()
    Load(store, with_ids(("1", "Acme")), source="other")
    assert delete.delete_source(store, "names", told, records_at_once=3) == 8
    assert told.stages == {"delete": [(3, 8), (6, 8), (8, 8)]}
    assert compact(Snapshots(store, snapshots.directory, min_changes=1), told)
    assert list(told.stages)[1:] == ["check snapshot", "read vectors", "snapshot", "write snapshot", "checksum"]
    assert not told.unfinished


def test_opening_for_queries(store: Store, snapshots: Snapshots) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Borealis")))
    told = Told()
    with Searcher(snapshots, MODEL, told):
        assert list(told.stages) == ["read vectors"]
    refresh_snapshot(snapshots, MODEL.model_id, min_similarity=0.3)
    told = Told()
    with Searcher(snapshots, MODEL, told):
        assert list(told.stages) == ["check snapshot"]
    assert not told.unfinished


def test_counting_words_is_told(store: Store, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.store.corpus_words.LEAST_CORPUS", 5)
    Load(store, with_ids(*((f"{n}", f"Name {n}") for n in range(6))))
    for expected in (["words", "read vectors"], ["check snapshot"]):
        told = Told()
        refresh_snapshot(snapshots, MODEL.model_id, min_similarity=0.3, progress=told)
        assert list(told.stages)[:2] == expected
        assert "words" not in told.unfinished


def test_removing_has_a_total(store: Store) -> None:
    """It may be too high while the records of rejected rows stay, but the last step knows."""
    Load(store, with_ids(*((f"{n}", f"Name {n}") for n in range(9))))
    load = Load(store, with_ids(("3", "Name 3"), ("10", "Name 10")), sync=True, removal_rows=2)
    removed = [(done, total) for stage, done, total in load.told if stage == "remove"]
    assert removed == [(2, 8), (4, 8), (6, 8), (8, 8)]
    load = Load(store, with_ids(("3", "?"), ("11", "Name 11")), sync=True)
    assert [(done, total) for stage, done, total in load.told if stage == "remove"] == [(1, 1)]


def test_a_migration(directory: Path) -> None:
    import shutil

    shutil.copytree(FIXTURES / "schema-0001", directory)
    told = Told()
    Workspace(directory).migrate(told, pages_per_step=1)
    pages = told.stages["copy"][-1][0]
    assert told.stages == {
        "copy": [(done, pages) for done in range(1, pages + 1)],
        "upgrade": [(done, len(schema.REVISIONS) - 1) for done in range(len(schema.REVISIONS))],
    }
