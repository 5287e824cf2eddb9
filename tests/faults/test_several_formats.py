"""Every set of formats, however it is spelt and in every style, is written or refused as the documentation says."""

from pathlib import Path

import several_formats
from several_formats import cases, play

from indexer.outputs import report_formats


def test_every_set_of_formats(tmp_path: Path) -> None:
    wanted = list(cases())
    assert len(wanted) >= 500 and sum(case.due is not None for case in wanted) >= 200
    assert [(case, wrong) for case in wanted if (wrong := play(case, tmp_path))] == []


def test_a_guard_that_is_applied_to_one_format_only_is_noticed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(report_formats, "preparing", lambda layout, style: str)
    several = [case for case in several_formats.cases() if case.due is not None and {"csv", "jsonl"} == {*case.due}]
    assert any(play(case, tmp_path) for case in several)
