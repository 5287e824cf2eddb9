"""Standard streams that are closed or full, and limits that are too small: a documented code, and a sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from invocation import ENVIRONMENT, START, corpus, dedup_, write


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which DEDUP is the program."""
    program = f"{sys.executable} -c '{START}'"
    code = line.replace("DEDUP", program)
    return subprocess.run(["bash", "-c", code], capture_output=True, text=True, env={**ENVIRONMENT, **environment})


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("DEDUP --help > /dev/full", 5, "No space left"),
        ("DEDUP index --help > /dev/full", 5, "No space left"),
        ("DEDUP --version > /dev/full", 5, "No space left"),
        ("DEDUP compare acme acme > /dev/full", 5, "No space left"),
        ("DEDUP compare acme acme 1< /dev/null", 5, "Bad file descriptor"),
        ("DEDUP compare acme acme >&-", 5, "Standard output is closed"),
        ("DEDUP --help >&-", 5, "Standard output is closed"),
        ("DEDUP compare acme acme >&- 2>&-", 5, ""),
        ("DEDUP compare acme acme <&- >&- 2>&-", 5, ""),
        ("DEDUP compare acme acme > /dev/full 2> /dev/full", 5, ""),
        ("DEDUP nonsense 2> /dev/full", 2, ""),
        ("DEDUP query 2> /dev/full", 2, ""),
        ("DEDUP query acme 2>&-", 2, ""),
        ("DEDUP compare acme acme 2>&- <&-", 0, ""),
        ("set -o pipefail; DEDUP --help | true", 0, ""),
        ("set -o pipefail; DEDUP index --help | true", 0, ""),
    ],
)
def test_a_stream_that_cannot_be_written(line: str, code: int, said: str) -> None:
    run = shell(line)
    assert run.returncode == code
    assert said in run.stderr
    assert "Traceback" not in run.stderr and "Exception ignored" not in run.stderr
    assert said == "" or len(run.stderr.splitlines()) == 1


def test_a_closed_stream_is_no_place_for_the_database() -> None:
    assert shell(f"DEDUP index {corpus()} --quiet <&- 2>&-").returncode == 0
    assert shell("DEDUP verify --quiet <&- 2>&-").returncode == 0


def test_nothing_is_indexed_if_the_result_cannot_be_shown() -> None:
    assert shell(f"DEDUP index {corpus()} >&-").returncode == 5
    assert not Path(".dedup").exists()


@pytest.mark.parametrize("option", ["v", "d"])
def test_too_few_addresses_are_named_before_a_library_crashes(option: str) -> None:
    """With less than what is asked for, FAISS and OpenBLAS end the process by a signal."""
    corpus()
    run = shell(f"ulimit -{option} 300000; DEDUP index companies.csv --threads 2")
    assert run.returncode == 5
    assert f"ulimit -{option}" in run.stderr
    assert not Path(".dedup").exists()


def test_as_many_addresses_as_are_asked_for_are_enough() -> None:
    corpus()
    said = shell("ulimit -v 300000; DEDUP index companies.csv --threads 2").stderr
    (needed,) = re.findall(r"at least ([\d,]+) MiB", said)
    enough = int(needed.replace(",", "")) << 10
    for command in ("index companies.csv", "query acme", "report", "verify"):
        run = shell(f"ulimit -v {enough}; DEDUP {command} --threads 2")
        assert (run.returncode, run.stderr.count("Error")) == (0, 0), run.stderr


@pytest.mark.parametrize("way", ["--threads 100000", "OMP_NUM_THREADS"])
def test_more_threads_than_the_machine_can_start(way: str) -> None:
    """GNU OpenMP crashes when it is asked for them."""
    option, environment = (way, {}) if way.startswith("--") else ("", {way: "100000"})
    assert shell(f"DEDUP index {corpus()} --quiet").returncode == 0
    run = shell(f"DEDUP query 'acme widgets' {option}", **environment)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_traceback_that_cannot_be_written_is_no_second_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.model.load_model", lambda directory=None: 1 // 0)
    monkeypatch.setattr("tempfile.tempdir", os.devnull)
    result = dedup_("index", write("a.csv", "name\nAcme\n"))
    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.stderr and "cannot be written" in result.stderr
