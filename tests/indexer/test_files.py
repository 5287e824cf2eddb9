"""Files that appear under their names when they are whole, while other processes write beside them."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO

import pytest

from indexer.files import open_beside, remove_left


def test_a_file_that_was_taken_for_one_left_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    taken: list[Path] = []

    def lock_late(file: TextIO, how: int) -> None:
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with open_beside(tmp_path / "r") as file:
        assert Path(file.name) != taken[0]
        assert [Path(file.name)] == list(tmp_path.iterdir())


def test_what_somebody_holds_stays(tmp_path: Path) -> None:
    path = tmp_path / "r"
    with open_beside(path) as file:
        remove_left(path)
        assert [Path(file.name)] == list(tmp_path.iterdir())
    remove_left(path)
    assert not list(tmp_path.iterdir())


def test_a_name_may_be_as_long_as_file_names_are(tmp_path: Path) -> None:
    path = tmp_path / ("漢" * 85)
    with open_beside(path) as file:
        Path(file.name).replace(path)
    assert path.exists()
