"""What is seen of a command at work on a terminal: a bar for each stage."""

import io
import re
from contextlib import redirect_stderr
from pathlib import Path
from types import SimpleNamespace

import pytest
from invocation import write

from cli.main import app
from dedup.runtime.progress import with_total
from indexer.progress_bar import progress_bar

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def bars(screen: Terminal, first: str = "Begin") -> list[tuple[str, str]]:
    """The name of each stage, and how much of it was done, as they were drawn last; the first stage is drawn once."""
    return re.findall(r"^ *([A-Z][a-z ]*?) +[━╸╺]+ +(\d+/[\d?]+)", last(screen, first), re.MULTILINE)


def last(screen: Terminal, first: str) -> str:
    """What was drawn last, from the first of the stages on."""
    drawn = ANSI.sub("", screen.getvalue())
    return drawn[drawn.rindex(f"\r{first}") + 1 :]


def draw(terminal: Terminal, *steps: tuple[str, int, int | None]) -> None:
    with redirect_stderr(terminal), progress_bar() as progress:
        progress("begin", 0, 1)
        for step in steps:
            progress(*step)


def test_each_stage_has_a_bar(terminal: Terminal) -> None:
    draw(terminal, ("read", 10, None), ("read", 20, 20), ("cells of texts", 5, 9))
    assert bars(terminal) == [("Begin", "0/1"), ("Read", "20/20"), ("Cells of texts", "5/9")]


def test_a_stage_that_comes_again_has_a_bar_of_its_own(terminal: Terminal) -> None:
    """As the check of ``dedup verify --repair`` before and after the snapshot was built anew."""
    draw(terminal, ("texts", 9, 9), ("recall", 7, 7), ("texts", 4, 9), ("texts", 1, 9))
    assert bars(terminal) == [("Begin", "0/1"), ("Texts", "9/9"), ("Recall", "7/7"), ("Texts", "4/9"), ("Texts", "1/9")]


def test_what_had_no_total_is_all_done_when_the_next_stage_begins(terminal: Terminal) -> None:
    draw(terminal, ("words", 0, None), ("copy", 3, None), ("upgrade", 0, None))
    assert bars(terminal) == [("Begin", "0/1"), ("Words", "0/0"), ("Copy", "3/3"), ("Upgrade", "0/?")]


def test_an_estimate_that_changes_does_not_take_the_rate_away(terminal: Terminal) -> None:
    draw(terminal, ("read", 10, 100), ("read", 20, 110), ("read", 30, 105))
    assert "/s" in last(terminal, "Begin")


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_drawn_without_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    if not quiet:
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    with redirect_stderr(terminal), progress_bar(quiet=quiet) as progress:
        progress("read", 1, 2)
    assert terminal.getvalue() == ""


def test_only_the_reading_of_a_file_is_estimated() -> None:
    heard: list[tuple[str, int, int | None]] = []
    table = SimpleNamespace(size=1000, bytes_read=250)
    progress = with_total(lambda *step: heard.append(step), table, "read")
    progress("read", 10, None)
    table.bytes_read = 1000
    progress("read", 38, 38)
    progress("words", 0, None)
    progress("remove", 7, None)
    assert heard == [("read", 10, 40), ("read", 38, 38), ("words", 0, None), ("remove", 7, None)]


@pytest.mark.parametrize(
    ("command", "stages"),
    [
        ("index companies.csv", ["Read", "Store", "Check snapshot"]),
        ("delete --source companies", ["Delete", "Check snapshot"]),
        ("verify", ["Database", "Values", "Check snapshot", "Checksum", "Texts", "Records"]),
        ("query --input companies.csv --output found.csv", ["Check snapshot", "Queries"]),
        ("evaluate --pairs labels.csv", ["Read", "Compare"]),
        (
            "evaluate --clusters truth.csv --distractors companies.csv",
            ["Read", "Normalise", "Encode", "Search", "Rule out", "Compare"],
        ),
    ],
    ids=lambda value: value.partition(" ")[0] if isinstance(value, str) else "",
)
def test_the_stages_of_a_command(indexed: None, terminal: Terminal, command: str, stages: list[str]) -> None:
    write("truth.csv", "id,text,cluster_id\n1,Acme Inc,x\n2,Acme Incorporated,x\n3,Beta,y\n")
    write("labels.csv", "name_1,name_2,label\nAcme Inc,Acme Incorporated,1\nAcme Inc,Beta,0\n")
    with redirect_stderr(terminal):
        app(command.split(), standalone_mode=False)
    drawn = bars(terminal, stages[0])
    assert [name for name, _ in drawn] == stages
    assert all(done == total for done, _, total in (share.partition("/") for _, share in drawn))


def test_what_repairs_a_snapshot_is_drawn_between_two_checks(indexed: None, terminal: Terminal) -> None:
    for file in Path(".dedup/snapshots").iterdir():
        file.unlink()
    with redirect_stderr(terminal):
        app(["verify", "--repair"], standalone_mode=False)
    drawn = bars(terminal, "Database")
    repair = ["Read vectors", "Snapshot", "Write snapshot", "Checksum"]
    check = ["Database", "Values", "Check snapshot", "Checksum", "Texts", "Records"]
    assert [name for name, _ in drawn] == ["Database", "Values", "Texts", "Records", *repair, *check]
    assert all(done == total for done, _, total in (share.partition("/") for _, share in drawn))
