"""What ends the program before its time: one sentence, the remedy and the exit code."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from invocation import ENVIRONMENT, START, corpus, dedup_, start, write

import dedup.model
from cli.exit_codes import exit_code
from dedup import errors
from indexer.store.workspace import Workspace


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.InputRefused("x"), 4),
        (errors.EnvironmentFault("x"), 5),
        (MemoryError(), 5),
        (OSError(28, "No space left on device"), 5),
        (errors.WriterBusy("x"), 6),
        (errors.VersionMismatch("x"), 7),
        (errors.CorruptStore("x"), 8),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    "arguments",
    [
        ("query",),
        ("query", "acme", "--input", "x.csv"),
        ("query", "acme", "--text", "name"),
        ("query", "acme", "--limit", "0"),
        ("query", "acme", "--min-probability", "1.5"),
        ("evaluate",),
        ("evaluate", "--pairs", "a.csv", "--distractors", "b.csv"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_usage_errors(arguments: tuple[str, ...]) -> None:
    result = dedup_(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def test_query_report_and_status_before_any_index() -> None:
    for command in (("query", "acme"), ("report",), ("status",)):
        result = dedup_(*command)
        assert result.exit_code == 2
        assert "dedup index FILE" in result.stderr
    assert not Path(".dedup").exists()


def test_a_newer_workspace(indexed: None) -> None:
    connection = sqlite3.connect(".dedup/neardup.sqlite")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for command in (("query", "acme"), ("index", "companies.csv"), ("status",)):
        assert dedup_(*command).exit_code == 7


def test_a_second_writer_is_told_to_wait(indexed: None) -> None:
    with Workspace(Path(".dedup")).open(for_writing=True):
        result = dedup_("index", "companies.csv")
    assert result.exit_code == 6
    assert "try again" in result.stderr


def test_a_damaged_database(indexed: None) -> None:
    write(".dedup/neardup.sqlite", b"SQLite format 3\0" + b"\xff" * 5000)
    assert dedup_("status").exit_code == 8


def test_an_output_that_cannot_be_written(indexed: None) -> None:
    result = dedup_("query", "acme", "--output", "no/such/folder.csv")
    assert result.exit_code == 5
    assert "no/such/folder.csv" in result.stderr


def test_a_report_into_a_file_is_refused(indexed: None) -> None:
    Path("out").write_text("x")
    result = dedup_("report", "--output", "out")
    assert result.exit_code == 2
    assert "give a directory" in result.stderr


def test_a_bug_leaves_its_traceback_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(directory=None):
        raise RuntimeError("what\x1b[31m is\nthis")

    monkeypatch.setattr(dedup.model, "load_model", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = dedup_("index", corpus())
    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith("Error: RuntimeError: what\\u001b[31m is␤this.")
    [file] = tmp_path.glob("dedup-error-*.txt")
    assert str(file) in line
    assert "Traceback" in file.read_text()


@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_the_program_with_its_code(signal: str, code: int) -> None:
    kill = f"lambda: os.kill(os.getpid(), signal.{signal})"
    # A shell that starts the tests in the background has SIGINT ignored, nohup SIGHUP, and children inherit that.
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)"
    program = f"import os, signal, dedup.model as m; {heard}; m.load_model = {kill}; {START}"
    run = start("index", corpus(), program=program)
    assert (run.returncode, run.stdout) == (code, "")
    assert "Traceback" not in run.stderr
    assert not Path(".dedup").exists()


def test_a_program_that_does_not_stop_in_time_is_ended() -> None:
    deaf = (
        "import os, signal, threading\ndef deaf():\n try: os.kill(os.getpid(), signal.SIGTERM)\n"
        " except SystemExit: pass"
    )
    program = (
        f"{deaf}\n threading.Event().wait()\nimport cli.main, dedup.model as m\n"
        "cli.main.SECONDS_TO_STOP = 0.01\nm.load_model = deaf\ncli.main.main()"
    )
    assert start("index", corpus(), program=program).returncode == 143


@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_query_that_never_ends_is_ended(signal: str, code: int) -> None:
    """No instruction of Python is executed while SQLite computes, so no handler is called."""
    program = (
        "import os, signal, sys, threading, cli.main\n"
        "def kill():\n"
        "  running = ''\n"
        "  while 'endless' not in running:\n"
        "    frame = sys._current_frames()[threading.main_thread().ident]\n"
        "    running = frame.f_locals['statement'] if frame.f_code.co_name == 'do_execute_no_params' else ''\n"
        f"  os.kill(os.getpid(), signal.{signal})\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "cli.main.SECONDS_TO_STOP = 0.01\n"
        "threading.Thread(target=kill, daemon=True).start()\n"
        "cli.main.main()"
    )
    endless = (
        "WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT 1 FROM endless) SELECT * FROM endless WHERE n = 0"
    )
    sqlite3.connect("numbers.sqlite").execute("CREATE TABLE number(n)").connection.close()
    command = ["index", "--from-sql", endless, "--source-url", "sqlite:///numbers.sqlite"]
    run = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, env=ENVIRONMENT, timeout=60)
    assert (run.returncode, run.stdout) == (code, b"")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    code = f'"{sys.executable}" -c "{START}" compare acme acme --format json | true; echo "${{PIPESTATUS[0]}}"'
    run = subprocess.run(["bash", "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert (run.stdout, run.stderr) == ("0\n", "")
