"""What is asked for is written, or refused and nothing is written, whatever the format, the name and the cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from doubles import fake_model
from invocation import dedup_, write
from written_tables import cases, play

import dedup.model
from indexer.outputs import table_files


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fake_model()
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: made)
    monkeypatch.delenv("DEDUP_WORKSPACE", raising=False)
    monkeypatch.delenv("DEDUP_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    write("rows.csv", "id,name,note\n1,Northwind Trading,=1+1\n2,Contoso Foods,\n")
    assert dedup_("index", "rows.csv", "--quiet").exit_code == 0


def test_what_is_asked_for_is_written_or_refused() -> None:
    chosen = list(cases())
    assert not (wrong := [f"{case}: {problem}" for case in chosen if (problem := play(case))]), "\n".join(wrong)
    assert len(chosen) >= 500
    assert {case.written for case in chosen} == {"csv", "tsv", "json", "jsonl", "xlsx", "parquet", None}


def test_the_proof_notices_what_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "require", lambda layout, style: None)
    assert any(play(case) for case in cases() if case.layout == "json" and case.suffix == "" and case.style)
