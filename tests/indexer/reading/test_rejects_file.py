"""The rejects file: all rejects or the file as it was, each with what fits of its record."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from dedup.errors import EnvironmentFault
from indexer.files import remove_left
from indexer.reading.rejects import CUT_MARK, MAX_RAW_BYTES, Reject, RejectsFile


def test_rejects_file(tmp_path):
    path = tmp_path / "t.rejects.jsonl"
    with RejectsFile(path) as rejects:
        rejects.add(Reject(2, 1, "E_NUL", None, "No.", "Ü\0\n", 12, "t.csv"))
        rejects.add(Reject(3, 2, "E_ID_EMPTY", "id", "No.", "lone \ud800"))
        assert not path.exists()
        assert rejects.commit() == path
        assert rejects.count == 2
    assert list(tmp_path.iterdir()) == [path]
    first, second = map(json.loads, path.read_text("utf-8").splitlines())
    assert first == {
        **{"file": "t.csv", "line": 2, "byte_offset": 12, "record_no": 1, "error": "E_NUL", "column": None},
        **{"message": "No.", "raw": "Ü\0\n"},
    }
    assert second["raw"] == "lone \\ud800"


def test_lone_surrogates_anywhere_do_not_crash_it(tmp_path):
    with RejectsFile(tmp_path / "r") as rejects:
        rejects.add(Reject(1, 1, "E", "c\udcff", "m\udfff", "\ud800" * 5000))
        path = rejects.commit()
    assert json.loads(path.read_bytes())["column"] == "c\udcff"


def test_without_rejects_nothing_is_left(tmp_path):
    path = tmp_path / "r.jsonl"
    with RejectsFile(path) as rejects:
        rejects.add(Reject(1, 1, "E", None, "No.", "x"))
        assert rejects.commit() == path
    with RejectsFile(path) as rejects:
        assert rejects.commit() is None
    assert list(tmp_path.iterdir()) == []
    with RejectsFile(path) as rejects:
        assert rejects.commit() is None


def test_without_commit_the_old_file_stays(tmp_path):
    path = tmp_path / "r.jsonl"
    with RejectsFile(path) as rejects:
        rejects.add(Reject(1, 1, "E", None, "", "old"))
        rejects.commit()
    before = path.read_text()
    with pytest.raises(KeyError), RejectsFile(path) as rejects:
        rejects.add(Reject(1, 1, "E", None, "", ""))
        raise KeyError
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == before


def test_unwritable_rejects_file(tmp_path):
    with (
        RejectsFile(tmp_path / "missing" / "r") as rejects,
        pytest.raises(EnvironmentFault, match="rejects file"),
    ):
        rejects.add(Reject(1, 1, "E", None, "", ""))


def test_full_disk(tmp_path):
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with RejectsFile(tmp_path / "r") as rejects:
        rejects.add(Reject(1, 1, "E", None, "", "x"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        try:
            with pytest.raises(EnvironmentFault, match="space"):
                rejects.commit()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("has_rejects", [True, False])
def test_what_a_killed_run_left_is_removed(tmp_path, has_rejects):
    path = tmp_path / "r"
    killed = f"""
import os
from pathlib import Path
from indexer.files import remove_left
from indexer.reading.rejects import Reject, RejectsFile
with RejectsFile(Path({str(path)!r})) as rejects:
    rejects.add(Reject(1, 1, "E", None, "", "x"))
    os._exit(0)
"""
    subprocess.run([sys.executable, "-c", killed], check=True)
    assert len(list(tmp_path.iterdir())) == 1
    with RejectsFile(path) as rejects:
        if has_rejects:
            rejects.add(Reject(1, 1, "E", None, "", "x"))
        rejects.commit()
    assert list(tmp_path.iterdir()) == [path] * has_rejects


def test_another_run_that_begins_does_not_take_the_file_away(tmp_path, monkeypatch):
    path = tmp_path / "r"
    replace = Path.replace

    def replace_late(temporary, target):
        remove_left(path)
        return replace(temporary, target)

    monkeypatch.setattr(Path, "replace", replace_late)
    with RejectsFile(path) as rejects:
        rejects.add(Reject(1, 1, "E", None, "", "x"))
        assert rejects.commit() == path
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("char", ["a", "é", "漢"])
def test_raw_is_cut(char):
    short = Reject(1, 1, "E", None, "", char * (MAX_RAW_BYTES // len(char.encode())))
    assert not short.raw.endswith(CUT_MARK)
    raw = Reject(1, 1, "E", None, "", char * 5000).raw
    assert raw.endswith(CUT_MARK)
    assert MAX_RAW_BYTES - 4 < len(raw.encode()) - len(CUT_MARK) <= MAX_RAW_BYTES
