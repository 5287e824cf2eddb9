"""Odd arguments: each ends with a documented code and a sentence, and changes nothing unless it is done."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from arguments import CONTROLS, Case, cases, fault_of, prepare

import dedup.model


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with inputs and an index; the model is loaded once."""
    for name in ("DEDUP_WORKSPACE", "DEDUP_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(dedup.model, "load_model", functools.cache(dedup.model.load_model))
    monkeypatch.chdir(tmp_path)
    prepare()
    return tmp_path


def test_every_odd_argument_has_a_code_and_a_sentence(surroundings: Path) -> None:
    all_cases = list(cases())
    assert len(all_cases) >= 500
    faults = {case.arguments: fault for case in all_cases if (fault := fault_of(case))}
    assert faults == {}


def test_a_command_that_fails_in_another_way_is_noticed(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault_of(CONTROLS[0]) == ""
    assert "not 2" in fault_of(Case(CONTROLS[0].arguments, 2))
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: 1 // 0)
    assert fault_of(CONTROLS[0]).startswith("exit code 1")
