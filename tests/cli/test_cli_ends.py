"""What a command that was ended leaves behind: a terminal with its cursor, and files for the next one to remove."""

import fcntl
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from invocation import ENVIRONMENT, corpus, dedup_

from indexer.files import remove_left

LEFT = f"{'0a' * 16}.tmp"
"""How the name of a temporary file ends."""
WRITTEN = ("pairs.csv", "clusters.csv", "changes.csv", "summary.json", "found.csv")


def test_a_hard_end_shows_the_cursor_again() -> None:
    program = (
        "import os, signal, threading\nfrom indexer.progress_bar import progress_bar\n"
        "def deaf():\n with progress_bar() as progress:\n"
        "  progress('read', 1, 2)\n"
        "  try: os.kill(os.getpid(), signal.SIGTERM)\n  except SystemExit: threading.Event().wait()\n"
        "import cli.main, dedup.model as m\ncli.main.SECONDS_TO_STOP = 0.01\nm.load_model = deaf\ncli.main.main()"
    )
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", program, "index", corpus()]
    job = subprocess.Popen(command, stderr=theirs, env={**ENVIRONMENT, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    while piece := read(ours):
        shown += piece
    os.close(ours)
    assert job.wait() == 143
    assert b"\x1b[?25l" in shown and shown.endswith(b"\x1b[?25h")


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_a_job_removes_the_temporary_files_that_killed_ones_left(indexed: None) -> None:
    Path("out").mkdir()
    left = [Path("out", f".{name}.{LEFT}") for name in WRITTEN]
    others = [Path("out", name) for name in (f"pairs.csv.{LEFT}", f".notes.csv.{LEFT}", ".pairs.csv.1.tmp")]
    for path in (*left, *others):
        path.touch()
    held = Path("out", f".pairs.csv.{'1b' * 16}.tmp")
    with held.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as another job does that writes into the same folder
        assert dedup_("report", "--output", "out").exit_code == 0
        assert dedup_("query", "acme", "--output", "out/found.csv").exit_code == 0
    found = {path.name for path in Path("out").iterdir()}
    expected = {
        *WRITTEN,
        held.name,
        *(path.name for path in others),
    }
    assert found == expected


def test_another_job_that_begins_takes_no_file_away(indexed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def replace_late(temporary: Path, target: Path) -> Path:
        remove_left(Path(target))
        return replace(temporary, target)

    monkeypatch.setattr(Path, "replace", replace_late)
    assert dedup_("report", "--output", "out").exit_code == 0
    assert dedup_("query", "acme", "--output", "out/found.csv").exit_code == 0
    assert {path.name for path in Path("out").iterdir()} == {*WRITTEN}


def test_the_end_of_a_command_looks_for_no_cycles() -> None:
    """Python would, among all objects, twice."""
    program = (
        "import atexit, gc, sys\natexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
        "from cli.main import main\nsys.argv = ['dedup', '--version']\nmain()\n"
    )
    job = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert job.stdout.splitlines()[-1] == "True"
