"""The recall of searches: the sample it is measured on, and the warning about a low one."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from clustered_vectors import clustered, faked_store
from numpy.typing import NDArray

from indexer.store.store import Codes, Ids
from indexer.vectors import recall as recall_module
from indexer.vectors import snapshot
from indexer.vectors.recall import MAX_CELLS, MIN_RECALL, TARGET_RECALL, measure_recall
from indexer.vectors.snapshot import Snapshots
from indexer.vectors.top_k import NeighbourLists

MIN_SIMILARITY = 0.3


def hard(seed: int, n: int = 400) -> Codes:
    """Random directions, which form no groups that a cell could keep together."""
    return np.random.default_rng(seed).integers(-60, 60, (n, 48)).astype(np.int8)


def test_the_sample_is_as_large_for_ten_million_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall_module, "_exact_neighbours", lambda codes, sampled, *_: np.full((len(sampled), 10), -1))
    many = np.broadcast_to(np.ones(8, np.int8), (10_000_000, 8))
    assert measure_recall(many, many[:16], MIN_SIMILARITY).texts == 2000


def test_recall_is_measured_on_texts_that_did_not_choose_the_number_of_cells() -> None:
    """On those that chose it, recall never misses the target; on others it sometimes does."""
    found = [measure_recall(codes, codes[:64], MIN_SIMILARITY) for codes in map(hard, range(8))]
    assert all(recall.texts == 200 and recall.cells_per_text < MAX_CELLS for recall in found)
    assert {recall.of_all < TARGET_RECALL for recall in found} == {True, False}
    assert np.mean([recall.of_all for recall in found]) > TARGET_RECALL


def test_one_text_has_no_neighbours() -> None:
    recall = measure_recall(hard(0, 1), hard(0, 1), MIN_SIMILARITY)
    assert (recall.neighbours, recall.of_all, recall.of_queries) == (0, 1.0, 1.0)


@pytest.mark.parametrize("is_hard", [False, True])
def test_a_low_recall_is_logged_when_a_snapshot_is_built(
    tmp_path: Path, is_hard: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids, codes = clustered()
    if is_hard:
        codes = hard(2, len(ids))
        monkeypatch.setattr(snapshot, "measure_recall", partial(measure_recall, max_cells=5, candidates=20))
    with caplog.at_level(logging.WARNING):
        published = Snapshots(faked_store(ids, codes), tmp_path, flat_up_to=1000).publish(
            "a" * 64, min_similarity=MIN_SIMILARITY
        )
    assert published is not None
    recall = published.parameters["recall"]
    if is_hard:
        assert max(recall["of_all"], recall["of_queries"]) < MIN_RECALL
        assert published.parameters["cells_per_text"] == 5
        of_all, of_queries = (record.getMessage() for record in caplog.records)
        missed = [f"{round(100 * (1 - recall[of]), 1):g} %" for of in ("of_all", "of_queries")]
        assert of_all == f"A report may miss about {missed[0]} of close pairs (measured on a sample)."
        assert of_queries.startswith(f"A query may miss about {missed[1]} of close matches (measured on a sample).")
        assert "larger limit" in of_queries
    else:
        assert min(recall["of_all"], recall["of_queries"]) >= MIN_RECALL
        assert not caplog.records


def test_equal_vectors_are_offered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """All products reach the bounds of such vectors; all at once they would take gigabytes."""
    sizes: list[int] = []
    offer = NeighbourLists.offer

    def spied(self: NeighbourLists, rows: Ids, ids: Ids, cosines: NDArray[np.float32]) -> None:
        sizes.append(len(rows))
        offer(self, rows, ids, cosines)

    monkeypatch.setattr(NeighbourLists, "offer", spied)
    monkeypatch.setattr(recall_module, "_OFFERED_AT_ONCE", 1000)
    equal = np.full((600, 48), 7, np.int8)
    assert measure_recall(equal, equal[:16], MIN_SIMILARITY).neighbours == 3000
    assert sum(sizes) == 600 * 599
    assert max(sizes) <= 1000
