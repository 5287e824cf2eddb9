"""No command replaces, follows or waits for what it should not, wherever it writes; controls show that it can write."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from doubles import fake_model
from outputs import Case, cases, play, prepare

import dedup.model

Play = Callable[[Iterable[Case]], list[str]]


@pytest.fixture
def play_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Play cases, each in a fresh copy of the same folder, and return what is wrong."""
    made = fake_model()
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: made)
    monkeypatch.delenv("DEDUP_WORKSPACE", raising=False)
    monkeypatch.delenv("DEDUP_DATABASE_URL", raising=False)
    prepared, folder = tmp_path / "prepared", tmp_path / "folder"
    prepared.mkdir()
    monkeypatch.chdir(prepared)
    prepare(folder)

    def run(chosen: Iterable[Case]) -> list[str]:
        wrong = []
        for case in chosen:
            shutil.copytree(prepared, folder, symlinks=True)
            os.chdir(folder)
            if problem := play(case):
                wrong.append(f"{case}: expected {case.expected}, but {problem}")
            os.chdir(tmp_path)
            shutil.rmtree(folder)
        return wrong

    return run


def test_what_is_where_a_command_writes(play_all: Play) -> None:
    chosen = list(cases())
    assert not (wrong := play_all(chosen)), "\n".join(wrong)
    expected = Counter(case.expected for case in chosen)
    assert expected.total() >= 500
    assert expected["written"] + expected["kept"] + expected["held"] >= 100


def nothing(*_: object, **__: object) -> None:
    """Check nothing, and know nothing."""


SABOTAGES: dict[str, tuple[dict[str, Any], Callable[[Case], bool]]] = {
    "outputs are not checked": (
        {"indexer.outputs.destination.check_destination": nothing},
        lambda case: case.command[0] == "query" and case.thing in ("link", "dangling link", "full folder"),
    ),
    "rejects are not checked": (
        {"indexer.reading.inputs.check_destination": nothing},
        lambda case: "--rejects" in case.command and case.thing in ("link", "gzip") and case.spelling == "relative",
    ),
    "files of others are not known": (
        {"indexer.reading.rejects.check_foreign": nothing, "indexer.jobs.report.check_foreign": nothing},
        lambda case: case.thing == "text" and case.spelling == "relative",
    ),
    "files of an index are not known": (
        {"indexer.store.workspace.Workspace.owns": nothing, "indexer.outputs.destination._is_of_an_index": nothing},
        lambda case: case.path.endswith("/lock") and case.thing == "own",
    ),
    "any file is a lock": (
        {"indexer.store.lock._NOTE": re.compile(b"(?s).*")},
        lambda case: case.path.endswith("lock") and case.thing in ("text", "nearly ours"),
    ),
}


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_the_proof_notices(sabotage: str, play_all: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    patches, chooses = SABOTAGES[sabotage]
    for name, stand_in in patches.items():
        monkeypatch.setattr(name, stand_in)
    assert play_all(filter(chooses, cases()))
