"""Files that are refused in one sentence, and rows that are rejected and kept in a file."""

import json
from pathlib import Path

import pytest
from invocation import counts_of, dedup_, write

BAD_FILES = {
    "missing file": (None, (), "E_NO_FILE", 4, "missing.csv"),
    "missing column": ("id,name\n1,Acme\n", ("--text", "nme"), "", 4, "'id', 'name'"),
    "no text column": ("a,b\n1,2\n", (), "", 4, "--text"),
    "undecodable bytes": (b"id,name\n" + b"1,M\xfcller\n" * 9, (), "", 4, "--encoding"),
    "empty file": ("", (), "", 4, "is empty"),
    "all rejected": ("id,name\n1,\n2,--\n", (), "", 4, "All 2 rows were rejected"),
    "unknown encoding": ("id,name\n1,Acme\n", ("--encoding", "klingon"), "", 2, "klingon"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_is_refused_in_one_sentence(case: str) -> None:
    content, arguments, _, code, words = BAD_FILES[case]
    name = "missing.csv" if content is None else write("bad.csv", content)
    result = dedup_("index", name, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("Error: ")
    assert words in lines[-1]
    assert "Traceback" not in result.stderr


def test_a_header_without_rows_is_a_warning() -> None:
    result = dedup_("index", write("empty.csv", "id,name\n"))
    assert result.exit_code == 0
    assert "Warning: " in result.stderr


def test_bad_rows_are_rejected_and_counted() -> None:
    write("bad.csv", "id,name\n1,Acme\n2\n3,\n1,Again\n4,Beta,,x\n5,Gamma\n")
    result = dedup_("index", "bad.csv")
    assert result.exit_code == 3
    assert "Rejected 4 rows; see .dedup/rejects/bad.jsonl." in result.stderr
    rejects = [json.loads(line) for line in Path(".dedup/rejects/bad.jsonl").read_text().splitlines()]
    assert [reject["error"] for reject in sorted(rejects, key=lambda reject: reject["line"])] == [
        *("E_MISSING_CELL", "E_NAME_EMPTY", "E_ID_DUPLICATE", "E_EXTRA_CELL")
    ]
    counts = counts_of(result)
    assert (counts["rows read"], counts["added"], counts["rejected"]) == ("6", "2", "4")
    write("bad.csv", "id,name\n1,Acme\n")
    assert dedup_("index", "bad.csv").exit_code == 0
    assert not Path(".dedup/rejects/bad.jsonl").exists()


def test_the_rejects_are_kept_when_there_are_too_many() -> None:
    write("bad.csv", "id,name\n1,\n2,\n")
    result = dedup_("index", "bad.csv", "--rejects", "mine.jsonl")
    assert result.exit_code == 4
    assert len(Path("mine.jsonl").read_text().splitlines()) == 2


def test_rejects_on_standard_error() -> None:
    result = dedup_("index", write("bad.csv", "id,name\n1,Acme\n,Beté\x9b\n"), "--rejects", "-", "--quiet")
    assert result.exit_code == 3
    first, last = result.stderr.splitlines()
    assert json.loads(first)["raw"] == ",Beté\x9b"
    assert first.isascii()
    assert last == "Rejected 1 row."
    assert [path.name for path in Path().glob("*rejects*")] == []


def test_only_a_rejects_file_is_removed_by_a_clean_run() -> None:
    write("names.csv", "id,name\n1,Acme Widgets Inc\n")
    Path("notes.txt").write_text("precious\n")
    assert dedup_("index", "names.csv", "--rejects", "notes.txt").exit_code == 0
    assert Path("notes.txt").read_text() == "precious\n"


def test_no_output_replaces_its_input() -> None:
    write("names.csv", "id,name\n1,Acme Widgets Inc\n2,Beta Foods Ltd\n")
    before = Path("names.csv").read_text()
    assert dedup_("index", "names.csv", "--rejects", "names.csv").exit_code == 2
    assert dedup_("index", "names.csv").exit_code == 0
    asked = ("query", "--input", "names.csv", "--text", "name")
    assert dedup_(*asked, "--output", "names.csv").exit_code == 2
    assert Path("names.csv").read_text() == before


@pytest.mark.parametrize("rejects", ["new", "new/index", "new/index/lock", "new/index/snapshots"])
def test_a_workspace_that_is_not_there_yet_is_no_place_for_rejects(rejects: str) -> None:
    result = dedup_("index", write("bad.csv", "id,name\n1,Acme\n2\n"), "--rejects", rejects, "--workspace", "new/index")
    assert result.exit_code == 2 and f"--rejects {rejects} belongs to an index" in result.stderr
    assert not Path("new").exists()
