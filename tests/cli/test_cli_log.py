"""``--quiet``, ``--log-format`` and ``--allow-rejects``: what a nightly job prints, and how it ends."""

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr
from datetime import datetime
from pathlib import Path

import pytest
from invocation import ENVIRONMENT, START, corpus, dedup_, write
from typer.testing import Result

from indexer.store.workspace import Workspace

ONE_BAD = "id,name\n1,Acme Widgets Inc\n2,ACME WIDGETS INC\n3,\n"
REJECTED = "Rejected 1 row; see .dedup/rejects/bad.jsonl.", "E_NAME_EMPTY: 1 row on line 4: The name is empty"


def logged(result: Result) -> list[dict[str, object]]:
    """The lines of a log in JSON; every line must be one."""
    return [json.loads(line) for line in result.stderr.splitlines()]


@pytest.mark.parametrize(
    "command",
    [
        "index companies.csv",
        "index companies.csv other.csv --sync",
        "report --output found",
        "report --output found --between companies other",
        "verify",
        "migrate",
        "delete --source other",
    ],
)
def test_quiet_prints_nothing_if_nothing_is_wrong(indexed: None, command: str) -> None:
    write("other.csv", "id,name\n1,Acme Holdings Inc\n2,Other Works\n")
    assert dedup_("index", "other.csv").exit_code == 0
    result = dedup_(*command.split(), "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert dedup_("index", "other.csv").exit_code == 0
    assert dedup_(*command.split()).stdout != ""


def test_quiet_still_prints_rows_and_json(indexed: None) -> None:
    assert "Acme Widgets Inc" in dedup_("query", "acme widgets", "--quiet").stdout
    assert json.loads(dedup_("report", "--quiet", "--summary", "json").stdout)["records"] == 30
    assert json.loads(dedup_("verify", "--quiet", "--format", "json").stdout)
    nothing = dedup_("query", "qqqq", "--quiet", "--format", "json", "--min-probability", "1")
    assert (json.loads(nothing.stdout), nothing.stderr) == ([], "")


def test_quiet_tells_what_is_wrong(indexed: None) -> None:
    for file in Path(".dedup/snapshots").iterdir():
        file.unlink()
    result = dedup_("verify", "--quiet")
    assert result.exit_code == 7
    assert "snapshot" in result.stdout and result.stderr.startswith("Error: ")
    assert dedup_("verify", "--quiet", "--repair").stderr == "The snapshot was bad or missing and has been rebuilt.\n"


@pytest.mark.parametrize(
    "command",
    [
        "index bad.csv",
        "query --input bad.csv --output found.csv",
        "link bad.csv --against companies --output links.csv",
        "link bad.csv companies.csv --output links.csv",
    ],
)
def test_rejects_that_are_allowed_are_still_told(indexed: None, command: str) -> None:
    write("bad.csv", ONE_BAD)
    refused = dedup_(*command.split(), "--quiet")
    allowed = dedup_(*command.split(), "--quiet", "--allow-rejects")
    assert (refused.exit_code, allowed.exit_code) == (3, 0)
    assert allowed.output == refused.output
    assert re.match(r"Rejected 1 row; see \.dedup/rejects/\S*bad\.jsonl\.\n  E_NAME_EMPTY: ", allowed.stderr)
    assert allowed.stdout == ""


def test_other_codes_are_the_same_with_allowed_rejects() -> None:
    write("bad.csv", "id,name\n1,\n2,\n")
    assert dedup_("index", "bad.csv", "--allow-rejects").exit_code == 4


def test_a_log_has_time_level_command_and_run() -> None:
    write("bad.csv", ONE_BAD)
    write("good.csv", "id,name\n1,Acme\n")
    assert dedup_("index", "good.csv").exit_code == 0
    result = dedup_("index", "bad.csv", "--log-format", "json")
    lines = logged(result)
    assert {tuple(line) for line in lines} == {("time", "level", "command", "run_id", "message")}
    assert all(datetime.fromisoformat(str(line["time"])).tzinfo for line in lines)
    assert {line["command"] for line in lines} == {"index"}
    messages = [str(line["message"]) for line in lines]
    began = messages.index("Run 2 begins (index).")
    assert [line["run_id"] for line in lines] == [None] * began + [2] * (len(lines) - began)
    assert "Run 2 is done: 3 read, 1 rejected, 2 added, 0 changed, 0 unchanged, 0 removed." in messages
    warnings = [line["message"] for line in lines if line["level"] == "warning"]
    assert len(warnings) == 2
    assert all(str(found).startswith(expected) for found, expected in zip(warnings, REJECTED, strict=True))
    assert "rows read" in result.stdout  # results are no log


def test_a_log_in_text() -> None:
    write("bad.csv", ONE_BAD)
    result = dedup_("index", "bad.csv", "--log-format", "text", "--quiet")
    first, second = result.stderr.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 WARNING index run 1: " + re.escape(REJECTED[0]), first)
    assert " WARNING index run 1: E_NAME_EMPTY: 1 row on line 4: " in second


def test_every_run_is_logged_with_its_outcome(indexed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEDUP_LOG_FORMAT", "json")
    assert ("Run 2 is done.", 2) in [(line["message"], line["run_id"]) for line in logged(dedup_("report"))]
    write("companies.csv", "id,name\n1,Acme\n")
    refused = logged(dedup_("index", "companies.csv", "--sync"))
    assert [line["message"] for line in refused if line["run_id"]][-2] == "Run 3 has failed."
    assert (refused[-1]["level"], refused[-1]["run_id"]) == ("error", 3)
    assert "--max-removed" in str(refused[-1]["message"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("index", "missing.csv"), 4),
        (("index",), 2),
        (("index", "--nonsense"), 2),
        (("index", "x.csv", "--max-removed", "7"), 2),
        (("query", "acme", "holdings"), 2),
        (("report",), 2),
        (("nonsense",), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("as_option", [True, False])
def test_errors_are_lines_of_the_log(
    arguments: tuple[str, ...], code: int, as_option: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEDUP_LOG_FORMAT", "text" if as_option else "json")
    result = dedup_(*arguments, *(["--log-format=json"] if as_option else []))
    assert (result.exit_code, result.stdout) == (code, "")
    (line,) = logged(result)
    assert (line["level"], line["run_id"]) == ("error", None)
    assert not str(line["message"]).startswith("Error")


def test_an_unknown_format_is_an_error_in_plain_words() -> None:
    result = dedup_("index", "x.csv", "--log-format", "xml")
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ") and "xml" in result.stderr


def test_a_log_is_json_in_every_locale_and_on_one_line() -> None:
    write("bad.csv", "id,Größe\n1,Acme\n2,Beta\n")
    command = [sys.executable, "-c", START, "index", "bad.csv", "--text", "a\nb", "--log-format", "json"]
    ascii_only = {**ENVIRONMENT, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = subprocess.run(command, capture_output=True, text=True, env=ascii_only)
    assert run.returncode == 4
    (line,) = run.stderr.splitlines()
    assert "'Größe'" in json.loads(line)["message"]


def test_what_a_library_warns_of_is_in_the_log(indexed: None) -> None:
    for file in Path(".dedup/snapshots").iterdir():
        file.unlink()
    plain, lines = dedup_("query", "acme"), logged(dedup_("query", "acme", "--log-format", "json"))
    assert plain.stderr.splitlines() == [line["message"] for line in lines]
    assert {line["level"] for line in lines} == {"warning"}
    assert {line["command"] for line in lines} == {"query"}


def test_a_log_has_a_line_for_each_stage_and_no_bar(indexed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    from cli.main import app

    for quiet, stages in ((["--quiet"], []), ([], ["read", "store", "check snapshot"])):
        with redirect_stderr(Terminal()) as screen:
            app(["index", "companies.csv", "--log-format", "json", *quiet], standalone_mode=False)
        messages = [json.loads(line)["message"] for line in screen.getvalue().splitlines()]
        assert [message for message in messages if message.startswith("Stage")] == [f"Stage: {one}." for one in stages]


def test_one_command_leaves_nothing_for_the_next(indexed: None) -> None:
    assert logged(dedup_("report", "--log-format", "json"))
    assert dedup_("report").stderr == ""
    with Workspace(Path(".dedup")).open(for_writing=True):
        busy = logged(dedup_("index", corpus(), "--log-format", "json"))
    assert [line["run_id"] for line in busy] == [None]


def test_an_argument_that_is_wrong_is_named_in_the_log() -> None:
    result = dedup_("query", "acme", "--limit", "0", "--log-format", "json")
    assert (result.exit_code, "--limit" in json.loads(result.stderr)["message"]) == (2, True)
