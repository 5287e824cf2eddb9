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


def played(new_database: Callable[[], str], folder: Path, seeds: range) -> tuple[int, list[str]]:
    """Play sequences; return how many exports there were, and what was wrong."""
    count, wrong = 0, []
    for seed in seeds:
        place, url = folder / str(seed), new_database()
        place.mkdir()
        with Index(url, workspace=place / "workspace", model=MODEL) as index:
            world = World(index, Workspace(place / "workspace", url), place, random.Random(seed), has_ids=seed % 4 != 0)
            for _ in range(TURNS):
                count += 1
                if problem := world.turn():
                    wrong.append(f"seed {seed}: {problem}")
                    break
    return count, wrong


def test_nothing_is_removed_or_doubled_without_leave(
    new_database: Callable[[], str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    is_sqlite = request.node.callspec.params["new_database"] == "sqlite"
    count, wrong = played(new_database, tmp_path, range(28) if is_sqlite else range(100, 104))
    assert wrong == []
    assert count >= (500 if is_sqlite else 70)


@pytest.mark.parametrize("guard", ["check_removal", "check_elsewhere", "check_id_column"])
@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_an_index_without_a_guard_is_noticed(
    new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    monkeypatch.setattr(load, guard, lambda *arguments: None)
    assert played(new_database, tmp_path, range(1, 4))[1]
