"""The recall of a search: on how many texts it is measured, on which, and what is said of a low one."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from test_snapshot import clustered, faked_store

from indexer import recall as measure
from indexer import snapshot
from indexer.cells import find_centres
from indexer.recall import MOST_CELLS, WANTED, measure_recall
from indexer.store import Codes

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
