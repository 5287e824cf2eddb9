"""The crash proof of tests/faults on a sample: nothing is lost, and a broken program is noticed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import FAULTS

CRASH = FAULTS / "crash.py"
KILL_POWER_EIO = "[kpe][io]*"

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the faults are injected with LD_PRELOAD"),
    pytest.mark.skipif(not (shutil.which("cc") or shutil.which("gcc")), reason="no C compiler to build the shim"),
]


def strike(output: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code of the proof and what it found."""
    command = [sys.executable, str(CRASH), "--jobs", "1", "--output", str(output), *options]
    code = subprocess.run(command, check=False, capture_output=True).returncode
    return code, json.loads(output.read_text())


def test_an_update_broken_anywhere_loses_nothing(tmp_path: Path) -> None:
    code, found = strike(tmp_path / "crash.json", "--only", f"delete/update/{KILL_POWER_EIO}", "--sample", "8")
    assert found["bad"] == []
    assert (code, found["points"]) == (0, 24)


def test_a_review_broken_anywhere_loses_no_answer(tmp_path: Path) -> None:
    code, found = strike(tmp_path / "crash.json", "--only", f"delete/review/{KILL_POWER_EIO}", "--sample", "6")
    assert found["bad"] == []
    assert (code, found["points"]) == (0, 18)


def test_a_change_of_model_broken_anywhere_leaves_the_old_model_or_the_new_one(tmp_path: Path) -> None:
    """Never vectors of both; and what repeats it comes to the same as one that nothing broke."""
    code, found = strike(tmp_path / "crash.json", "--only", f"delete/model/{KILL_POWER_EIO}", "--sample", "10")
    assert found["bad"] == []
    assert (code, found["points"]) == (0, 30)


@pytest.mark.parametrize(
    ("job", "count"), [("report", 18), ("import", 18), ("prune", 18), ("fields", 18), ("fielded", 18)]
)
def test_findings_broken_anywhere_are_those_of_one_report(tmp_path: Path, job: str, count: int) -> None:
    code, found = strike(tmp_path / "crash.json", "--only", f"delete/{job}/{KILL_POWER_EIO}", "--sample", "6")
    assert found["bad"] == []
    assert (code, found["points"]) == (0, count)


@pytest.mark.parametrize(
    ("sabotage", "only", "kind"),
    [
        ("synchronous-off", "delete/review/power", "lost"),
        ("synchronous-off", "delete/update/power", "lost"),
        ("early-acknowledgement", "delete/update/kill", "lost"),
    ],
)
def test_a_program_that_loses_records_is_noticed(tmp_path: Path, sabotage: str, only: str, kind: str) -> None:
    code, found = strike(tmp_path / "crash.json", "--only", only, "--sample", "3", "--sabotage", sabotage)
    assert code == 1
    assert kind in {problem["kind"] for point in found["bad"] for problem in point["problems"]}
