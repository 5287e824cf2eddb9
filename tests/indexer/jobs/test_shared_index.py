"""One index used by several threads, and by a process that was forked from one that has used it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import neardup
from indexer.jobs.query import MANY_QUERIES

NAMES = [f"Acme {number} Holdings of {'nsew'[number % 4]}" for number in range(2_500)]


@pytest.fixture
def index(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[neardup.Index]:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with neardup.Index(directory) as opened:
        opened.add([{"id": number, "name": name} for number, name in enumerate(NAMES)])
        opened.query("Acme")
        yield opened


def found(index: neardup.Index, start: int, count: int) -> list[int]:
    """Ids of the best matches of names that are in the index."""
    return [matches[0].record.id for matches in index.query(NAMES[start : start + count], limit=1)]


def test_threads_query_one_index(index: neardup.Index) -> None:
    starts = [0, 1_500] * 3
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda start: found(index, start, MANY_QUERIES), starts))
    assert answers == [list(range(start, start + MANY_QUERIES)) for start in starts]
