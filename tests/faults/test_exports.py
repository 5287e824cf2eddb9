"""No sequence of exports removes a record or stores it twice without leave; what is refused changes nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from doubles import fake_model
from exports import World

from indexer.api import Index
from indexer.ingest import load
from indexer.store.workspace import Workspace

MODEL = fake_model()
TURNS = 18


def played(folder: Path, seeds: range, new_database: Callable[[], str] | None = None) -> tuple[int, list[str]]:
    """Play sequences on SQLite or on ``new_database``; return how many exports there were, and what was wrong."""
    count, wrong = 0, []
    for seed in seeds:
        place = folder / str(seed)
        place.mkdir()
        url = new_database() if new_database else f"sqlite:///{place / 'neardup.sqlite'}"
        with Index(url, workspace=place / "workspace", model=MODEL) as index:
            world = World(index, Workspace(place / "workspace", url), place, random.Random(seed), has_ids=seed % 4 != 0)
            for _ in range(TURNS):
                count += 1
                if problem := world.turn():
                    wrong.append(f"seed {seed}: {problem}")
                    break
    return count, wrong


def test_nothing_is_removed_or_doubled_without_leave(tmp_path: Path) -> None:
    count, wrong = played(tmp_path, range(28))
    assert wrong == []
    assert count >= 500


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_the_same_holds_for_postgresql(new_database: Callable[[], str], tmp_path: Path) -> None:
    assert played(tmp_path, range(100, 103), new_database)[1] == []


@pytest.mark.parametrize("guard", ["check_removal", "check_elsewhere", "check_id_column"])
def test_an_index_without_a_guard_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guard: str) -> None:
    monkeypatch.setattr(load, guard, lambda *arguments: None)
    assert played(tmp_path, range(1, 3))[1]
