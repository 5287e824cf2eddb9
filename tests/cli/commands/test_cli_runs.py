"""``dedup runs``, and what ``dedup report`` says of earlier reports."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from invocation import dedup_, write

from cli.exit_codes import FOUND_NEW

ROWS = "id,name\n1,Acme Holdings Inc\n2,Acme Holding Inc\n3,Beta\n4,Gamma\n5,Delta Foods\n"


def nights() -> None:
    """Index and report twice: runs 1 and 2, then 3 and 4."""
    for rows in (ROWS, f"{ROWS}6,Delta Food\n"):
        write("some.csv", rows)
        assert dedup_("index", "some.csv", "--quiet").exit_code == 0
        assert dedup_("report", "--quiet").exit_code == 0


def changes() -> list[dict[str, str]]:
    with Path("dedup-report/changes.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_summary_says_what_is_new() -> None:
    nights()
    lines = dedup_("report", "--since", "2").stdout
    assert re.search(r"since run 2\n +clusters +1 new\n +new pairs +1\n", lines)
    assert re.search(r"since run 5\n +clusters +the same\n", dedup_("report").stdout)
    result = dedup_("report", "--quiet", "--since", "1")
    assert result.exit_code == 2 and "`dedup runs` lists them" in result.stderr


def test_changes_name_the_texts_of_rows_and_pairs() -> None:
    nights()
    write("some.csv", ROWS.replace("1,Acme Holdings Inc", "1,=Zebra Crossing"))
    assert dedup_("index", "some.csv", "--quiet", "--sync", "--max-removed", "1").exit_code == 0
    new, pair = changes()
    assert (new["id_1"], new["text_1"], new["text_2"]) == ("6", "Delta Food", "")
    assert [(pair[f"id_{side}"], pair[f"text_{side}"]) for side in (1, 2)] == [
        ("5", "Delta Foods"),
        ("6", "Delta Food"),
    ]
    assert dedup_("report", "--quiet").exit_code == 0
    told = {(row["id_1"], row["row_1"], row["text_1"]) for row in changes() if row["event"] == "dissolved"}
    assert told == {("1", "changed", "'=Zebra Crossing"), ("6", "deleted", "")}


def test_fail_on_new() -> None:
    write("some.csv", ROWS)
    dedup_("index", "some.csv", "--quiet")
    assert dedup_("report", "--quiet", "--fail-on-new").exit_code == 0  # nothing to compare with
    assert dedup_("report", "--quiet", "--fail-on-new").exit_code == 0
    write("some.csv", f"{ROWS}6,Delta Food\n")
    dedup_("index", "some.csv", "--quiet")
    result = dedup_("report", "--quiet", "--fail-on-new")
    assert (result.exit_code, FOUND_NEW) == (10, 10)
    told = "Since run 3: clusters 1 new, new pairs 1, so the exit code is 10.\n"
    assert (result.stdout, result.stderr) == ("", told)
    write("some.csv", ROWS)
    dedup_("index", "some.csv", "--quiet", "--max-removed", "1", "--sync")
    assert dedup_("report", "--quiet", "--fail-on-new").exit_code == 0  # one cluster less


def test_runs_are_listed_and_forgotten() -> None:
    nights()
    lines = dedup_("runs").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["4", "report", "done"],
        ["3", "index", "done"],
        ["2", "report", "done"],
        ["1", "index", "done"],
    ]
    assert "2 clusters; 1 new, 1 new pairs" in lines[1] and "source some; 6 read, 1 added, 5 unchanged" in lines[2]
    (run,) = json.loads(dedup_("runs", "--limit", "1", "--format", "json").stdout)
    assert (run["run"], run["state"], run["manifest"]["since_run"]) == (4, "done", 2)
    assert {"versions", "model_id", "thresholds", "database_revision", "seconds"} <= run["manifest"].keys()
    assert dedup_("runs", "prune", "--keep", "1").stdout == "Forgot 1 report.\n"
    assert len(dedup_("runs").stdout.splitlines()) == 4


def test_prune_needs_a_number_and_a_number_prune() -> None:
    nights()
    for arguments in (("prune",), ("--keep", "3"), ("prune", "--keep", "0"), ("remove", "--keep", "3")):
        assert dedup_("runs", *arguments).exit_code == 2


def test_without_an_index() -> None:
    for arguments in ((), ("prune", "--keep", "3")):
        result = dedup_("runs", *arguments)
        assert result.exit_code == 2 and "Nothing is indexed" in result.stderr
