"""``dedup verify`` and ``dedup migrate``."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from invocation import ROOT, corpus, dedup_


def snapshot_file() -> Path:
    (path,) = Path(".dedup/snapshots").iterdir()
    return path


def test_verify_and_repair(indexed: None) -> None:
    sound = dedup_("verify")
    assert (sound.exit_code, sound.stderr) == (0, "")
    assert [line.split()[-1] for line in sound.stdout.splitlines()[1:]] == ["ok"] * 11
    whole = snapshot_file().read_bytes()
    snapshot_file().write_bytes(whole[:-1])
    Path(".dedup/notes.txt").touch()
    bad = dedup_("verify", "--format", "json")
    assert bad.exit_code == 7
    assert "is damaged" in bad.stderr and "dedup verify --repair" in bad.stderr
    assert {check["check"]: check["faults"] for check in json.loads(bad.stdout) if check["faults"]} == {
        "snapshot": 1,
        "files": 1,
    }
    repaired = dedup_("verify", "--repair")
    assert (repaired.exit_code, repaired.stderr) == (0, "The snapshot was bad or missing and has been rebuilt.\n")
    assert "notes.txt does not belong to neardup." in repaired.stdout
    assert snapshot_file().read_bytes() == whole
    assert dedup_("verify", "--repair").stderr == ""


def test_verify_leaves_a_damaged_database_alone(indexed: None) -> None:
    with sqlite3.connect(".dedup/neardup.sqlite") as connection:
        connection.execute("UPDATE record SET raw = 'Forged' WHERE record_id < 9")
    connection.close()
    snapshot_file().unlink()
    result = dedup_("verify", "--repair")
    assert result.exit_code == 8
    assert "Record 1 does not match its digest." in result.stderr and "backup" in result.stderr
    assert "And 3 more." in result.stdout
    assert not list(Path(".dedup/snapshots").iterdir())


def test_verify_sends_to_index_for_vectors(indexed: None) -> None:
    with sqlite3.connect(".dedup/neardup.sqlite") as connection:
        connection.execute("DELETE FROM text_vector WHERE text_id = 2")
    connection.close()
    result = dedup_("verify", "--repair")
    assert result.exit_code == 7 and "dedup index" in result.stderr
    assert dedup_("index", "companies.csv", "--quiet").exit_code == 0
    assert dedup_("verify").exit_code == 0


def test_a_database_that_is_no_utf8_is_damaged(indexed: None) -> None:
    with sqlite3.connect(".dedup/neardup.sqlite") as connection:
        connection.execute("UPDATE record SET raw = CAST(x'ff41' AS TEXT) WHERE record_id = 3")
    connection.close()
    result = dedup_("verify")
    assert result.exit_code == 8 and "is damaged" in result.stderr


@pytest.mark.parametrize("command", ["verify", "migrate"])
def test_nothing_to_verify_or_migrate(command: str) -> None:
    result = dedup_(command)
    assert result.exit_code == 2 and "index an input first" in result.stderr
    assert not Path(".dedup").exists()


def test_an_older_workspace_is_migrated_on_request_only(surroundings: Path) -> None:
    shutil.copytree(ROOT / "tests" / "fixtures" / "schema-0001", ".dedup")
    for command in (("index", corpus()), ("query", "Contoso"), ("report",), ("status",), ("verify",)):
        result = dedup_(*command)
        assert result.exit_code == 7 and "run `dedup migrate` once" in result.stderr
    result = dedup_("migrate")
    assert result.exit_code == 0
    assert ".dedup was upgraded from schema 0001 to " in result.stdout
    assert ".dedup/neardup.sqlite.0001.backup" in result.stdout
    assert "dedup verify --repair" in result.stderr
    assert "nothing to do" in dedup_("migrate").stdout
    assert dedup_("status").exit_code == 0
