"""The progress that jobs report: every stage to its end, with its total."""

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
from indexer.jobs.report import Asked, report_workspace
from indexer.store import schema
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.knn_graph import build_knn_graph
from indexer.vectors.snapshot import Snapshots


class Reported:
    """The reports (done, total) of each stage, in the order in which stages began."""

    def __init__(self) -> None:
        self.stages: dict[str, list[tuple[int, int | None]]] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        self.stages.setdefault(stage, []).append((done, total))

    @property
    def unfinished(self) -> set[str]:
        return {stage for stage, steps in self.stages.items() if steps[-1][0] != steps[-1][1]}


def test_both_passes_of_the_search_are_one_stage() -> None:
    codes = np.random.default_rng(0).integers(-99, 99, (600, 16)).astype(np.int8)
    cells = np.random.default_rng(1).permuted(np.tile(np.arange(10, dtype=np.int32), (600, 1)), axis=1)[:, :4]
    shares: list[int] = []
    build_knn_graph(codes, 4, 0.3, cells, progress=shares.append)
    assert len(shares) == 10 + 10
    assert shares == sorted(shares) and shares[0] > 0 and shares[9] < 600 == shares[-1]


@pytest.mark.parametrize("flat_up_to", [100, 5])
def test_a_report(snapshots: Snapshots, tmp_path: Path, flat_up_to: int) -> None:
    snapshots = with_cells(snapshots, flat_up_to)
    index(snapshots, [*NAMES, *(f"{name} Holding" for name in NAMES[3:]), *map(str, range(20))], load_model())
    reported = Reported()
    report_workspace(snapshots, load_model(), tmp_path / "out", Asked(0.5), progress=reported)
    found = list(reported.stages)
    assert found[:2] == ["read vectors", "read texts"]
    assert ("assign to cells" in found) == (flat_up_to == 5)
    assert found[found.index("search") :][:6] == ["search", "pairs", "names", "words", "cluster", "read records"]
    assert found[-4:] == ["read records", "write pairs", "write exact pairs", "write clusters"]
    assert reported.unfinished <= {"cluster"}
    assert reported.stages["read records"][-1] == (12, 12)  # texts with records that are listed


def test_a_deletion_and_the_snapshot_that_it_builds(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    reported = Reported()
    Load(store, with_ids(("1", "Acme")), source="other")
    assert delete.delete_source(store, "names", reported, records_at_once=3) == 8
    assert reported.stages == {"delete": [(3, 8), (6, 8), (8, 8)]}
    assert compact(Snapshots(store, snapshots.directory, min_changes=1), reported)
    assert list(reported.stages)[1:] == ["check snapshot", "read vectors", "snapshot", "write snapshot", "checksum"]
    assert not reported.unfinished


def test_opening_for_queries(store: Store, snapshots: Snapshots) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Borealis")))
    reported = Reported()
    with Searcher(snapshots, MODEL, reported):
        assert list(reported.stages) == ["read vectors"]
    refresh_snapshot(snapshots, MODEL.model_id, min_similarity=0.3)
    reported = Reported()
    with Searcher(snapshots, MODEL, reported):
        assert list(reported.stages) == ["check snapshot"]
    assert not reported.unfinished


def test_counting_words(store: Store, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.store.corpus_words.SMALLEST", 5)
    Load(store, with_ids(*((f"{n}", f"Name {n}") for n in range(6))))
    for expected in (["words", "read vectors"], ["check snapshot"]):
        reported = Reported()
        refresh_snapshot(snapshots, MODEL.model_id, min_similarity=0.3, progress=reported)
        assert list(reported.stages)[:2] == expected
        assert "words" not in reported.unfinished


def test_removing_has_a_total(store: Store) -> None:
    """It can be too high because the records of rejected rows stay, but the last report is exact."""
    Load(store, with_ids(*((f"{n}", f"Name {n}") for n in range(9))))
    load = Load(store, with_ids(("3", "Name 3"), ("10", "Name 10")), sync=True, removal_rows=2)
    removed = [(done, total) for stage, done, total in load.told if stage == "remove"]
    assert removed == [(2, 8), (4, 8), (6, 8), (8, 8)]
    load = Load(store, with_ids(("3", "?"), ("11", "Name 11")), sync=True)
    assert [(done, total) for stage, done, total in load.told if stage == "remove"] == [(1, 1)]


def test_a_migration(directory: Path) -> None:
    import shutil

    shutil.copytree(FIXTURES / "schema-0001", directory)
    reported = Reported()
    Workspace(directory).migrate(reported, pages_per_step=1)
    pages = reported.stages["copy"][-1][0]
    assert reported.stages == {
        "copy": [(done, pages) for done in range(1, pages + 1)],
        "upgrade": [(done, len(schema.REVISIONS) - 1) for done in range(len(schema.REVISIONS))],
        "normalise": [(0, None), (12, None)],
    }
