"""One index used by several threads, and by a process that was forked from one that has used it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import neardup
from indexer.jobs.query import MANY_QUERIES

NAMES = [f"Acme {number} Holdings of {'nsew'[number % 4]}" for number in range(2_500)]


@pytest.fixture
def index(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[neardup.Index]:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with neardup.Index(directory) as opened:
        opened.add([{"id": number, "name": name} for number, name in enumerate(NAMES)])
        yield opened


def found(index: neardup.Index, start: int, count: int) -> list[int]:
    """Ids of the best matches of names that are in the index."""
    return [matches[0].record.id for matches in index.query(NAMES[start : start + count], limit=1)]


def test_threads_query_one_index(index: neardup.Index) -> None:
    starts = [0, 1_500] * 3
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda start: found(index, start, MANY_QUERIES), starts))
    assert answers == [list(range(start, start + MANY_QUERIES)) for start in starts]


def answer(index: neardup.Index, count: int, answers: Any) -> None:
    answers.put(found(index, 5, count))


@pytest.mark.parametrize("before", [1, MANY_QUERIES])
@pytest.mark.parametrize("after", [5, MANY_QUERIES])
def test_a_forked_process_queries_the_index_of_its_parent(index: neardup.Index, before: int, after: int) -> None:
    assert found(index, 0, before) == list(range(before))
    fork = get_context("fork")
    answers = fork.Queue()
    child = fork.Process(target=answer, args=(index, after, answers))
    child.start()
    try:
        assert answers.get(timeout=30) == list(range(5, 5 + after))
    finally:
        child.kill()
        child.join()
    assert found(index, 0, before) == list(range(before))
