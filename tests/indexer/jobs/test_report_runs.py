"""What a report remembers for the next one: pairs, clusters with stable ids, and what changed."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from indexed import MODEL
from sqlalchemy import Engine, event, func, select

import neardup
from dedup.errors import CorruptStore, UsageError, WriterBusy
from dedup.evidence.explain import Explanation
from indexer.findings.history import prune
from indexer.jobs import increment
from indexer.store import schema

ROWS = {
    "1": "Northwind Trading",
    "2": "Northwind Tradng",
    "3": "Blue Ocean Shipping",
    "4": "Blue Ocean Shiping",
    "5": "Contoso Foods",
    "6": "Fabrikam Steel",
}
UNLIKE = """
Adatum Wingtip Tailspin Litware Proseware Lucerne Margie Humongous Fourth Graphic Alpine Coho Trey Relecloud Woodgrove
Munson Nod Bellows Parnell Liberty
"""
OTHERS = {f"o{at}": name for at, name in enumerate(UNLIKE.split())}
"""Rows that are like no others, so that a few changes are less than a fifth of all."""


@pytest.fixture
def index(engine_url: str, tmp_path: Path) -> Iterator[neardup.Index]:
    with neardup.Index(engine_url, workspace=tmp_path / "workspace", model=MODEL) as opened:
        add(opened, ROWS)
        yield opened


def add(index: neardup.Index, rows: dict[str, str], source: str = "names") -> None:
    table = [{"id": id_, "name": name} for id_, name in {**OTHERS, **rows}.items()]
    index.add(table, source=source, sync=True, max_removed=1.0)


def clusters(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in read(folder / "clusters.csv"):
        found.setdefault(row["cluster_id"], set()).add(row["id"])
    return found


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def changes(folder: Path) -> list[tuple[str, ...]]:
    return [
        tuple(row[name] for name in ("event", "clusters_before", "clusters_after", "id_1", "row_1"))
        for row in read(folder / "changes.csv")
        if "pair" not in row["event"]
    ]


def pair_changes(folder: Path) -> list[tuple[str, str, str]]:
    return [(row["event"], row["id_1"], row["id_2"]) for row in read(folder / "changes.csv") if "pair" in row["event"]]


def counted(index: neardup.Index, *tables: Any) -> list[int]:
    with index._workspace.open(for_writing=False) as store:
        return [store.read(select(func.count()).select_from(table))[0][0] for table in tables]


def test_ids_stay_and_changes_name_their_rows(index: neardup.Index, tmp_path: Path) -> None:
    first = index.report(tmp_path)
    assert clusters(tmp_path) == {"c1": {"1", "2"}, "c2": {"3", "4"}}
    assert (first["since_run"], first["has_new"]) == (None, False)
    assert {row[0] for row in changes(tmp_path)} == {"new"}

    # the first record of c1 leaves, and c2 grows: an id made of records would change
    rows = {**ROWS, "7": "Blue Ocean Shippin", "8": "Northwind Tradingg", "1": "Something Else Entirely"}
    add(index, rows)
    second = index.report(tmp_path)
    assert clusters(tmp_path) == {"c1": {"2", "8"}, "c2": {"3", "4", "7"}}
    assert changes(tmp_path) == [
        ("changed", "c1", "c1", "1", "changed"),
        ("changed", "c1", "c1", "8", "added"),
        ("grown", "c2", "c2", "7", "added"),
    ]
    assert ("gone pair", "1", "2") in pair_changes(tmp_path)
    assert {("new pair", "3", "7"), ("new pair", "4", "7"), ("new pair", "2", "8")} <= set(pair_changes(tmp_path))
    assert (second["has_new"], second["since_run"], second["is_full"]) == (True, first["run"], False)

    again = index.report(tmp_path)
    assert changes(tmp_path) == [] == pair_changes(tmp_path)
    assert (again["has_new"], again["texts_searched"], again["candidates"]) == (False, 0, 0)


def test_merged_split_and_dissolved_clusters(index: neardup.Index, tmp_path: Path) -> None:
    index.report(tmp_path)
    index.delete(["3"])
    index.report(tmp_path)
    assert changes(tmp_path) == [("dissolved", "c2", "", "3", "deleted")]
    add(index, ROWS)
    index.report(tmp_path)
    assert clusters(tmp_path) == {"c1": {"1", "2"}, "c3": {"3", "4"}}  # c2 never comes back
    with index._workspace.open(for_writing=False) as store:
        columns = schema.cluster.c["cluster_id", "closed_by_run", "successor"]
        found = {row[0]: (row[1] is None, row[2]) for row in store.read(select(*columns))}
    assert found == {1: (True, None), 2: (False, None), 3: (True, None)}


def test_a_full_report_finds_the_same(index: neardup.Index, tmp_path: Path) -> None:
    index.report(tmp_path)
    add(index, ROWS | {"7": "Contoso Food", "2": "Northwind Tradinng"})
    part = index.report(tmp_path / "part")
    full = index.report(tmp_path / "full", full=True)
    assert (part["is_full"], full["is_full"], full["why_full"]) == (False, True, "it was asked for")
    for name in ("pairs.csv", "clusters.csv"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "full" / name).read_bytes()
    assert not any(full["changes"].values())


def test_sides_of_a_pair_stay_when_a_row_is_edited(index: neardup.Index, tmp_path: Path) -> None:
    def sides() -> list[tuple[str, str]]:
        return [(row["id_1"], row["id_2"]) for row in read(tmp_path / "pairs.csv")]

    index.report(tmp_path)
    before = sides()
    add(index, ROWS | {"1": "Northwind Tradings", "3": "Blue Ocean Shippingg"})  # texts that are newer than the others
    index.report(tmp_path)
    assert sorted(sides()) == sorted(before)


def test_another_threshold_compares_everything_and_keeps_ids(index: neardup.Index, tmp_path: Path) -> None:
    index.report(tmp_path, min_probability=0.95)
    strict = clusters(tmp_path)
    summary = index.report(tmp_path, min_probability=0.5)
    assert summary["is_full"] and summary["texts_searched"] == 0
    assert set(strict) <= set(clusters(tmp_path)) == {"c1", "c2"}


def test_changes_since_an_earlier_report(index: neardup.Index, tmp_path: Path) -> None:
    first = index.report(tmp_path)["run"]
    add(index, ROWS | {"7": "Contoso Food"})
    second = index.report(tmp_path)["run"]
    add(index, {id_: name for id_, name in ROWS.items() if id_ != "4"} | {"8": "Fabrikam Steell"})
    index.report(tmp_path)
    summary = index.report(tmp_path, since=first)
    assert changes(tmp_path) == [("dissolved", "c2", "", "4", "deleted"), ("new", "", "c4", "8", "added")]
    # the text of record 4 was deleted before the last report
    assert pair_changes(tmp_path) == [("new pair", "6", "8"), ("gone pair", "", "3")]
    assert (summary["since_run"], summary["changes"]["new"], summary["changes"]["gone_pairs"]) == (first, 1, 1)
    index.report(tmp_path, since=second)
    assert {row[:3] for row in changes(tmp_path)} == {
        ("dissolved", "c2", ""),
        ("dissolved", "c3", ""),
        ("new", "", "c4"),
    }
    with pytest.raises(UsageError, match="not the number of a completed report"):
        index.report(tmp_path, since=1)


def test_old_reports_are_forgotten_but_no_id(index: neardup.Index, tmp_path: Path) -> None:
    runs = []
    for night in range(4):
        add(index, ROWS | {f"n{night}": "Contoso Food"})
        runs.append(index.report(tmp_path)["run"])
    assert prune(index._workspace, 2) == 2
    assert [run.run_id for run in index.runs() if run.kind == "report"] == runs[:1:-1]
    assert len([run for run in index.runs() if run.kind == "index"]) == 5
    index.report(tmp_path, since=runs[2])
    with pytest.raises(UsageError, match=f"Known are {runs[2]}, {runs[3]}"):
        index.report(tmp_path, since=runs[1])
    assert bool(index.verify())
    assert prune(index._workspace, 50) == 0


@pytest.mark.parametrize("how", ["missing", "damaged", "cut", "a folder", "unknown"])
def test_without_its_neighbours_a_report_searches_again(
    index: neardup.Index, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    index.report(tmp_path / "before")
    (file,) = (tmp_path / "workspace" / "snapshots").glob("near-*.npz")
    content = file.read_bytes()
    if how != "damaged":
        file.unlink()
    if how in ("damaged", "cut"):
        file.write_bytes(content[:-1] + b"x" if how == "damaged" else content[:-9])
    elif how == "a folder":
        file.mkdir()
    elif how == "unknown":
        with index._workspace.open(for_writing=True) as store:
            store.write(lambda connection: connection.execute(schema.neighbour_file.delete()))
    summary = index.report(tmp_path / "after")
    assert (summary["is_full"], summary["texts_searched"]) == (True, 6 + len(OTHERS))
    assert ("all texts are searched again" in caplog.text) == (how != "unknown")
    for name in ("pairs.csv", "clusters.csv"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()
    assert not any(summary["changes"].values())
    assert index.report(tmp_path / "after")["texts_searched"] == 0


def test_an_interrupted_report_goes_on(index: neardup.Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(increment, "compare_candidates", stop)
        with pytest.raises(KeyboardInterrupt):
            index.report(tmp_path)
    assert index.runs()[0].state == "interrupted"
    assert counted(index, schema.near_pair, schema.cluster, schema.baseline) == [0, 0, 0]
    summary = index.report(tmp_path)
    assert summary["texts_searched"] == 0
    assert clusters(tmp_path) == {"c1": {"1", "2"}, "c2": {"3", "4"}}


class Meddling:
    """A model that does something while it compares."""

    def __init__(self, deed: Any) -> None:
        self._deed = deed

    def __getattr__(self, name: str) -> Any:
        return getattr(MODEL, name)

    def with_corpus(self, corpus: object) -> Meddling:
        return self

    def explain(self, left: str, right: str, similarity: float) -> Explanation:
        return MODEL.explain(left, right, similarity)

    def compare(self, *arguments: Any) -> Any:
        deed, self._deed = self._deed, lambda: None
        deed()
        return MODEL.compare(*arguments)


@pytest.mark.parametrize("deed", ["add", "delete"])
def test_what_is_indexed_during_a_report_is_in_it(
    index: neardup.Index, tmp_path: Path, deed: str, caplog: pytest.LogCaptureFixture
) -> None:
    def meddle() -> None:
        with neardup.Index(index._workspace.url.render_as_string(hide_password=False),
                           workspace=tmp_path / "workspace", model=MODEL) as other:  # fmt: skip
            other.delete(["4"]) if deed == "delete" else other.add(
                [{"id": "9", "name": "Fabrikam Steell"}], source="new"
            )

    url = index._workspace.url.render_as_string(hide_password=False)
    with neardup.Index(url, workspace=tmp_path / "workspace", model=Meddling(meddle)) as slow:
        summary = slow.report(tmp_path)
    assert "starts again" in caplog.text
    expected = {"1", "2"} if deed == "delete" else {"1", "2", "3", "4", "6", "9"}
    assert set().union(*clusters(tmp_path).values()) == expected
    assert summary["records"] == len(OTHERS) + (5 if deed == "delete" else 7)
    assert [run.state for run in index.runs() if run.kind == "report"] == ["done"]


def test_a_record_that_goes_while_records_are_read_is_not_in_the_report(index: neardup.Index, tmp_path: Path) -> None:
    """It was counted, and is gone when its source and id are looked up."""

    def meddle(stage: str, done: int, total: int | None) -> None:
        if stage == "read records" and done == total and not deleted:
            deleted.append("4")
            index.delete(deleted)

    deleted: list[str] = []
    url = index._workspace.url.render_as_string(hide_password=False)
    with neardup.Index(url, workspace=tmp_path / "workspace", model=MODEL, progress=meddle) as slow:
        summary = slow.report(tmp_path)
    assert deleted and set().union(*clusters(tmp_path).values()) == {"1", "2"}
    assert summary["records"] == len(OTHERS) + 5
    assert [run.state for run in index.runs() if run.kind == "report"] == ["done"]


def test_a_report_that_fails_at_its_end_does_not_start_again(
    index: neardup.Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fail(*_: object) -> None:
        tries.append(1)
        raise CorruptStore("the table is damaged")

    with monkeypatch.context() as patch:
        patch.setattr("indexer.jobs.report.write_pairs", fail)
        with pytest.raises(CorruptStore, match="the table is damaged"):
            index.report(tmp_path / "report")
    assert tries == [1]
    assert [run.state for run in index.runs()] == ["failed", "done"]


def test_a_report_that_is_stopped_says_so(
    index: neardup.Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("indexer.jobs.report.write_pairs", stop)
        with pytest.raises(KeyboardInterrupt):
            index.report(tmp_path / "report")
    last = index.runs()[0]
    assert (last.state, last.manifest["error"]) == ("interrupted", "Stopped by a signal or by the user.")


def test_a_writer_at_the_end_is_not_waited_for(index: neardup.Index, tmp_path: Path) -> None:
    index.report(tmp_path)
    with index._workspace.open(for_writing=True), pytest.raises(WriterBusy):
        index.report(tmp_path)
    assert [run.state for run in index.runs() if run.kind == "report"] == ["done"]


# What is left by a process that is killed at any moment


class Killed(BaseException):
    """From one call on, nothing works that changes a disk."""


def report_killed_at(place: Path, output: Path, k: int) -> bool:
    """Report until the k-th call that changes a disk or the database; return whether there were so many."""
    left = k

    def strike(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    def on_statement(_: object, __: object, statement: str, *___: object) -> None:
        if not statement.startswith(("SELECT", "PRAGMA")):
            strike()

    def watched(call: Any) -> Any:
        return lambda *arguments, **options: (strike(), call(*arguments, **options))[1]

    event.listen(Engine, "before_cursor_execute", on_statement)
    event.listen(Engine, "commit", strike)
    try:
        with pytest.MonkeyPatch.context() as patch, neardup.Index(place, model=MODEL) as index:
            for name in ("fsync", "rename", "replace", "unlink"):
                patch.setattr(os, name, watched(getattr(os, name)))
            index.report(output)
    except Killed:
        return True
    finally:
        event.remove(Engine, "before_cursor_execute", on_statement)
        event.remove(Engine, "commit", strike)
    return False


def state_of(place: Path) -> list[Any]:
    tables = ("near_pair", "cluster", "cluster_member", "cluster_event", "pair_event", "baseline")
    with closing(sqlite3.connect(place / "neardup.sqlite")) as connection:
        return [sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables]


def test_a_report_that_is_killed_leaves_the_last_one_or_the_next(tmp_path: Path) -> None:
    place = tmp_path / "workspace"
    with neardup.Index(place, model=MODEL) as index:
        add(index, ROWS)
        index.report(tmp_path / "out")
        add(index, {**ROWS, "7": "Contoso Food", "2": "Something Else", "8": "Fabrikam Steell"})
    shutil.copytree(place, tmp_path / "kept")
    before = state_of(place)
    assert not report_killed_at(place, tmp_path / "out", 10**6)
    after = state_of(place)
    assert after != before
    files = {name: (tmp_path / "out" / name).read_bytes() for name in ("pairs.csv", "clusters.csv")}
    found = []
    while True:
        shutil.rmtree(place)
        shutil.copytree(tmp_path / "kept", place)
        k = len(found)
        if not report_killed_at(place, tmp_path / "out", k):
            break
        found.append(state_of(place))
        assert found[-1] in (before, after), k
        with neardup.Index(place, model=MODEL) as index:
            index.report(tmp_path / "out")
            assert bool(index.verify()), k
        assert state_of(place)[:3] == after[:3], k
        assert {name: (tmp_path / "out" / name).read_bytes() for name in files} == files, k
        assert len(list((place / "snapshots").glob("near-*.npz"))) == 1, k
    assert len(found) >= 20 and before in found and after in found
