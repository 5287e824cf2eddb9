"""``dedup index --sync`` and ``dedup delete`` from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from doubles import fake_model
from invocation import dedup_, rows_of

import dedup.model
from indexer.vectors.snapshot import Snapshots


@pytest.fixture(autouse=True)
def model_of_similarity(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose probability is the similarity."""
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: fake_model())


def table(path: str, *lines: str) -> str:
    Path(path).write_text("id,name,city\n" + "".join(f"{line}\n" for line in lines))
    return path


def held() -> list[list[str]]:
    """What a query finds, as source and id."""
    found = dedup_("query", "acme", "--format", "csv", "--min-probability", "-0")
    return sorted([row["source"], row["id"]] for row in rows_of(found))


def test_sync_makes_the_source_what_the_file_holds() -> None:
    assert dedup_("index", table("a.csv", "1,Acme,Oslo", "2,Acme Ltd,Rome", "3,Beta,Bern")).exit_code == 0
    table("a.csv", "2,Acme Ltd,Rome")
    assert "removed                 0" in dedup_("index", "a.csv").stdout
    result = dedup_("index", "a.csv", "--sync")
    assert result.exit_code == 0 and "removed                 2" in result.stdout
    assert held() == [["a", "2"]]


def test_sync_says_what_it_kept() -> None:
    dedup_("index", table("a.csv", "1,Acme,Oslo", "2,Acme Ltd,Rome"))
    result = dedup_("index", table("a.csv", "1,Acme,Oslo", "ragged"), "--sync")
    assert result.exit_code == 3
    assert "Kept 1 record missing from the input" in result.stderr
    assert held() == [["a", "1"], ["a", "2"]]


def test_delete_by_id_and_by_source() -> None:
    dedup_("index", table("a.csv", "1,Acme,Oslo", "2,Acme Ltd,Rome", "3,Acme Inc,Bern"))
    dedup_("index", table("b.csv", "1,Acme SA,Oslo"))
    result = dedup_("delete", "--id", "2", "--id", "3")
    assert (result.exit_code, result.stdout) == (0, "Deleted 2 records of source 'a'.\n")
    assert held() == [["a", "1"], ["b", "1"]]
    result = dedup_("delete", "--source", "b")
    assert (result.exit_code, result.stdout) == (0, "Deleted 1 record of source 'b'.\n")
    assert held() == [["a", "1"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Say what to delete"),
        (["--id", "1"], "Several sources have records with these ids: a, b"),
        (["--id", "9"], "No source has a record with the id '9'"),
        (["--id", "9", "--source", "a"], "Source 'a' has no record with the id '9'"),
        (["--id", "1", "--id", "9", "--source", "a"], "nothing was deleted"),
        (["--source", "c"], "There is no source 'c'. Sources: 'a', 'b'"),
    ],
)
def test_what_cannot_be_deleted(arguments: list[str], message: str) -> None:
    dedup_("index", table("a.csv", "1,Acme,Oslo"))
    dedup_("index", table("b.csv", "1,Acme SA,Oslo"))
    result = dedup_("delete", *arguments)
    assert result.exit_code == 2 and message in result.stderr
    assert len(held()) == 2


def test_deleting_most_of_a_source_makes_a_new_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Snapshots.__init__.__kwdefaults__, "min_changes", 1)
    dedup_("index", table("a.csv", "1,Acme,Oslo", "2,Beta,Rome", "3,Gamma,Bern"))
    (before,) = Path(".dedup/snapshots").iterdir()
    dedup_("delete", "--id", "2", "--id", "3")
    (after,) = Path(".dedup/snapshots").iterdir()
    assert after != before and held() == [["a", "1"]]


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_rejects_replace_nothing_but_a_file(kind: str) -> None:
    target = Path("target")
    if kind == "folder":
        target.mkdir()
    elif kind == "pipe":
        os.mkfifo(target)
    else:
        target.symlink_to(table("elsewhere"))
    result = dedup_("index", table("a.csv", "1,Acme,Oslo", "ragged"), "--rejects", "target")
    assert result.exit_code == 2 and "--rejects target is" in result.stderr
    assert not target.is_file() or target.is_symlink()


def test_a_file_name_that_is_no_text_needs_a_source() -> None:
    name = os.fsdecode(b"\xff.csv")
    table(name, "1,Acme,Oslo")
    result = dedup_("index", name)
    assert result.exit_code == 2 and "name the source with --source" in result.stderr
    assert dedup_("index", name, "--source", "a").exit_code == 0


def test_delete_before_anything_is_indexed() -> None:
    result = dedup_("delete", "--source", "a")
    assert result.exit_code == 2 and "index an input first" in result.stderr
    assert not Path(".dedup").exists()
