"""The recall of a search: on how many texts it is measured, on which, and what is said of a low one."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from clustered_vectors import clustered, faked_store

from indexer.store.store import Codes
from indexer.vectors import recall as measure
from indexer.vectors.recall import MOST_CELLS, PROMISED, WANTED, measure_recall
from indexer.vectors.snapshot import Snapshots

LEAST = 0.3


def hard(seed: int, n: int = 400) -> Codes:
    """Directions at random, which lie in no groups that a cell could keep together."""
    return np.random.default_rng(seed).integers(-60, 60, (n, 48)).astype(np.int8)


def test_the_sample_is_as_large_for_ten_million_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_exact", lambda codes, sampled, *_: np.full((len(sampled), 10), -1))
    many = np.broadcast_to(np.ones(8, np.int8), (10_000_000, 8))
    assert measure_recall(many, many[:16], LEAST).texts == 2000


def test_what_is_reported_is_of_texts_that_did_not_choose_the_cells() -> None:
    """Of those that chose them the share is never below what was wanted; of others it is at times."""
    found = [measure_recall(codes, codes[:64], LEAST) for codes in map(hard, range(8))]
    assert all(recall.texts == 200 and recall.cells_per_text < MOST_CELLS for recall in found)
    assert {recall.of_all < WANTED for recall in found} == {True, False}
    assert np.mean([recall.of_all for recall in found]) > WANTED


def test_one_text_has_no_neighbours() -> None:
    recall = measure_recall(hard(0, 1), hard(0, 1), LEAST)
    assert (recall.neighbours, recall.of_all, recall.of_queries) == (0, 1.0, 1.0)


@pytest.mark.parametrize("is_hard", [False, True])
def test_a_low_recall_is_warned_of_when_a_snapshot_is_built(
    tmp_path: Path, is_hard: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids, codes = clustered()
    if is_hard:
        codes = hard(2, len(ids))
        monkeypatch.setattr(measure, "MOST_CELLS", 5)
        monkeypatch.setattr(measure, "candidates_for", lambda k: 20)
    with caplog.at_level(logging.WARNING):
        published = Snapshots(faked_store(ids, codes), tmp_path, flat_up_to=1000).publish(
            "a" * 64, min_similarity=LEAST
        )
    assert published is not None
    recall = published.parameters["recall"]
    if is_hard:
        assert max(recall["of_all"], recall["of_queries"]) < PROMISED
        of_all, of_queries = (record.getMessage() for record in caplog.records)
        assert f"A report of these texts finds {recall['of_all']:.4f} of" in of_all
        assert f"{recall['neighbours']:,} nearest" in of_all and "in 5 of at most 5 cells" in of_all
        assert f"A query of these texts finds {recall['of_queries']:.4f} of" in of_queries
        assert "--limit" in of_queries
    else:
        assert min(recall["of_all"], recall["of_queries"]) >= PROMISED
        assert not caplog.records
