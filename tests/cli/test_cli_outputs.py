"""What is written: for whom it is readable, to which streams, and as a record of CSV in one row."""

import csv
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from invocation import ENVIRONMENT, START, dedup_, write

DIRTY = "id,name\n1,Northwind Trading\n2,Northwind Tradng\nsecret row\n"
INDEX = ("index", "dirty.csv", "--max-reject-rate", "1", "--quiet")
NOBODY = 65534


def mode_of(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


# Who can read it

MODES = [  # that of the input, the umask, and what the rejects get
    *[(0o600, mask, 0o600) for mask in (0, 0o022, 0o027, 0o077)],
    *[(0o640, 0, 0o640), (0o640, 0o022, 0o640), (0o640, 0o077, 0o600), (0o440, 0o022, 0o640)],
    *[(0o644, 0o022, 0o644), (0o644, 0o027, 0o640), (0o644, 0o077, 0o600), (0o755, 0o022, 0o644)],
    *[(0o666, 0o022, 0o644), (0o666, 0, 0o666), (0o604, 0o022, 0o604), (0o400, 0o022, 0o600)],
]


@pytest.mark.parametrize(("given", "mask", "expected"), MODES)
def test_rejects_are_as_readable_as_the_input(
    given: int, mask: int, expected: int, umask: Callable[[int], int]
) -> None:
    os.chmod(write("dirty.csv", DIRTY), given)
    umask(mask)
    assert dedup_(*INDEX).exit_code == 3
    assert mode_of(".dedup/rejects/dirty.jsonl") == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give a file to a group of others")
@pytest.mark.parametrize(("given", "expected"), [(0o640, 0o600), (0o644, 0o644), (0o664, 0o644), (0o660, 0o600)])
def test_the_group_of_an_input_is_not_exchanged_for_another(
    given: int, expected: int, umask: Callable[[int], int]
) -> None:
    os.chmod(write("dirty.csv", DIRTY), given)
    os.chown("dirty.csv", -1, NOBODY)
    assert dedup_(*INDEX).exit_code == 3
    assert mode_of(".dedup/rejects/dirty.jsonl") == expected


def test_what_comes_from_nowhere_is_private(umask: Callable[[int], int]) -> None:
    assert dedup_("index", "-", "--max-reject-rate", "1", "--quiet", input=DIRTY).exit_code == 3
    assert mode_of(".dedup/rejects/stdin.jsonl") == 0o600


def test_matches_and_reports_are_as_readable_as_the_database(umask: Callable[[int], int]) -> None:
    os.chmod(write("dirty.csv", DIRTY), 0o644)
    assert dedup_(*INDEX).exit_code == 3
    for database, expected in ((0o600, 0o600), (0o644, 0o644)):
        os.chmod(".dedup/neardup.sqlite", database)
        assert dedup_("query", "northwind", "--output", "m.csv").exit_code == 0
        assert dedup_("query", "--input", "dirty.csv", "--output", "many.csv").exit_code == 3
        assert dedup_("report", "--output", f"out/{database}").exit_code == 0
        assert {mode_of("m.csv"), mode_of("many.csv"), *map(mode_of, Path(f"out/{database}").iterdir())} == {expected}
        assert {mode_of("out"), mode_of(f"out/{database}")} == {0o700}


def test_a_mode_can_be_asked_for(umask: Callable[[int], int]) -> None:
    umask(0o077)
    os.chmod(write("dirty.csv", DIRTY), 0o600)
    assert dedup_(*INDEX, "--mode", "664").exit_code == 3
    assert mode_of(".dedup/rejects/dirty.jsonl") == 0o664
    assert dedup_("query", "northwind", "--output", "m.csv", "--mode", "0640").exit_code == 0
    assert mode_of("m.csv") == 0o640
    assert dedup_("report", "--output", "out", "--mode", "640").exit_code == 0
    assert {mode_of(path) for path in Path("out").iterdir()} == {0o640}


@pytest.mark.parametrize("mode", ["", "9", "u+r", "755", "1644", "0o644", "044", "-1", "６４４"])
def test_a_mode_that_is_none(mode: str) -> None:
    write("dirty.csv", DIRTY)
    if mode:
        result = dedup_(*INDEX, "--mode", mode)
        assert result.exit_code == 2 and "mode" in result.stderr
        assert not Path(".dedup").exists()


# Whose workspace it is

PLACES = (".dedup", ".dedup/snapshots", ".dedup/lock", ".dedup/neardup.sqlite", ".dedup/neardup.sqlite-journal")
COMMANDS = [INDEX, ("query", "northwind"), ("report",), ("status",), ("verify",), ("migrate",), ("delete", "--id", "1")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("place", PLACES)
def test_what_others_can_write_is_refused(place: str, command: tuple[str, ...]) -> None:
    write("dirty.csv", DIRTY)
    assert dedup_(*INDEX).exit_code == 3
    Path(place).touch()
    for bits in (0o020, 0o002):
        before = mode_of(place)
        os.chmod(place, before | bits)
        result = dedup_(*command)
        assert result.exit_code == 5 and f"chmod go-w {place}" in result.stderr
        os.chmod(place, before)
    if "journal" not in place:
        assert dedup_(*command).exit_code in (0, 3)


@pytest.mark.parametrize("place", PLACES)
def test_what_another_user_owns_is_refused(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write("dirty.csv", DIRTY)
    assert dedup_(*INDEX).exit_code == 3
    Path(place).touch()
    if os.geteuid() == 0:
        os.chown(place, NOBODY, NOBODY)
    else:
        place = ".dedup"
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    for command in COMMANDS:
        result = dedup_(*command)
        assert result.exit_code == 5 and f"{place} belongs to another user" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser owns what all others trust")
def test_what_the_superuser_owns_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    write("dirty.csv", DIRTY)
    assert dedup_(*INDEX).exit_code == 3
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    assert dedup_("query", "northwind").exit_code == 0


def test_a_planted_workspace_gets_no_data() -> None:
    write("dirty.csv", DIRTY)
    Path(".dedup").mkdir()
    Path(".dedup").chmod(0o777)
    assert dedup_(*INDEX).exit_code == 5
    assert list(Path(".dedup").iterdir()) == []


def test_a_database_in_a_folder_for_all_needs_the_sticky_bit() -> None:
    write("dirty.csv", DIRTY)
    Path("shared").mkdir()
    asked = (*INDEX, "--database", "sqlite:///shared/n.sqlite")
    Path("shared").chmod(0o777)
    assert dedup_(*asked).exit_code == 5
    Path("shared").chmod(0o1777)
    assert dedup_(*asked).exit_code == 3


# Streams


def test_streams_of_the_shell_are_written_to() -> None:
    write("dirty.csv", DIRTY)
    program = f'"{sys.executable}" -c "{START}"'
    script = f"""
        D() {{ {program} "$@"; }}
        D {" ".join(INDEX)} --rejects >(cat > rejected)
        D query northwind --format csv --output >(cat > matches)
        D query northwind --format csv --output /dev/stdout > stdout
        D query northwind --format csv --output /dev/fd/7 7> seven
        D query northwind --format csv --output - > dash
        D query northwind --format csv --output /dev/null
        D query northwind --format csv --output /dev/stderr 2> stderr
        exec 8>&-; D query northwind --output /dev/fd/8; echo "closed $?"
        wait; sync
    """
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=ENVIRONMENT)
    assert "closed 2" in run.stdout and "/dev/fd/8 is not open for writing" in run.stderr
    expected = Path("dash").read_text()
    assert expected.startswith("probability,similarity,exact,source,id,text\n")
    for name in ("stdout", "seven", "stderr"):
        assert Path(name).read_text() == expected
    assert not list(Path().glob("-*")) and stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_reader_of_rejects_that_leaves_is_an_error_before_anything_is_stored() -> None:
    write("dirty.csv", "id,name\n" + "1\n" * 500 + "1,Acme\n")
    program = f'"{sys.executable}" -c "{START}" {" ".join(INDEX)}'
    script = f"mkfifo gone; (exec 9< gone) & exec 7> gone; wait; {program} --rejects /dev/fd/7"
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=ENVIRONMENT)
    assert run.returncode == 5 and "Broken pipe" in run.stderr
    assert "0" in dedup_("status").stdout.splitlines()[2]


# CSV


EVIL = ["=1+1", "a\r=cmd", "b;=cmd", "\u2028c", "\x0bd", "＝e", "f\n-g", "\x85", "plain"]


def test_every_csv_is_one_row_a_record_and_no_formula() -> None:
    rows = [[str(n), "Northwind Trading", cell, f"{cell} "] for n, cell in enumerate(EVIL)]
    with open("evil.csv", "w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["id", "name", "=note", "other"], *rows])
    write("asked.csv", "id,name\n=1,Northwind Trading\n")
    assert dedup_("index", "evil.csv", "--quiet").exit_code == 0
    asked = ("query", "--input", "asked.csv", "--output")
    for guarded, option in ((True, ()), (False, ("--raw",))):
        assert dedup_(*asked, "m.csv", *option).exit_code == 0
        assert dedup_("report", "--output", "out", *option).exit_code == 0
        for name, expected in (("m.csv", 9), ("out/clusters.csv", 9), ("out/pairs.csv", 36)):
            content = Path(name).read_bytes().decode()
            with open(name, newline="", encoding="utf-8") as file:
                header, *found = csv.reader(file)
            assert len(found) == expected and {len(row) for row in found} == {len(header)}
            assert all(row[0] != "" for row in found)
            if "note" in content:
                assert ("'=1+1" in content) == ("\r'=cmd" in content) == guarded
                assert next(cell for cell in header if "=note" in cell).startswith("'=note") == guarded


def test_rejects_are_csv_if_the_name_says_so() -> None:
    write("dirty.csv", '1,2\n=id,name\n"=1;+x"\n2,Acme\n@3\n')
    for _ in range(2):
        result = dedup_("index", "dirty.csv", "--skip-lines", "1", "--max-reject-rate", "1", "--rejects", "bad.csv")
        assert result.exit_code == 3, result.stderr
        with open("bad.csv", newline="") as file:
            first, second = csv.DictReader(file)
        assert (first["line"], first["error"], first["raw"]) == ("3", "E_MISSING_CELL", "'\"=1;'+x\"")
        assert second["raw"] == "'@3"


def test_a_model_is_not_trained_over_other_files() -> None:
    Path("mine").mkdir()
    write("mine/words.json", "precious")
    result = dedup_("train", "data", "--output", "mine")
    assert result.exit_code == 2 and "holds other files" in result.stderr
    assert Path("mine/words.json").read_text() == "precious"


def shell(arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program with arguments and redirections of a shell."""
    command = f'"{sys.executable}" -c "{START}" {arguments}'
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=ENVIRONMENT)


def test_a_descriptor_that_the_shell_did_not_open_is_refused() -> None:
    """The program itself opens files under these numbers: writing there destroyed the database."""
    write("names.csv", "id,name\n1,Northwind Trading\n")
    assert dedup_("index", "names.csv").exit_code == 0
    for number in (3, 4, 5):
        run = shell(f"query northwind --format csv --output /dev/fd/{number}")
        assert (run.returncode, "is not open for writing" in run.stderr) == (2, True)
    assert dedup_("verify").exit_code == 0


def test_standard_input_is_not_replaced_by_its_matches() -> None:
    content = "id,name\n1,Northwind Trading\n"
    write("names.csv", content)
    assert dedup_("index", "names.csv").exit_code == 0
    run = shell("query --input - --output names.csv < names.csv")
    assert (run.returncode, "is the input file" in run.stderr) == (2, True)
    assert Path("names.csv").read_text() == content


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm", ".lock"])
def test_a_database_is_not_called_like_a_file_beside_another(ending: str) -> None:
    write("names.csv", "id,name\n1,Northwind Trading\n")
    result = dedup_("index", "names.csv", "--database", f"sqlite:///names.db{ending}")
    assert (result.exit_code, ending in result.stderr) == (2, True)
    assert not Path(f"names.db{ending}").exists()


def test_a_password_in_the_wrong_place_is_not_shown() -> None:
    result = dedup_("status", "postgresql://user:s3cret@host/name")
    assert result.exit_code == 2
    assert "s3cret" not in result.stderr and "user" in result.stderr
