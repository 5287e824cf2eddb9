"""Judgements are part of what a report is a function of: an increment gives what a full report gives."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import neardup

NAMES = (
    *("Acme Corporation", "Acme Corp.", "Acme Corp Inc", "Globex GmbH", "Globex Gmbh & Co", "Zebra Ltd"),
    *("Acme Corporation", "Initech LLC", "Initech L.L.C", "Umbrella AG", "Umbrela AG"),
)
ROWS = [{"id": str(number), "name": name} for number, name in enumerate(NAMES, 1)]


def judge(one: str, other: str, verdict: str | None) -> Callable[[neardup.Index], Any]:
    return lambda index: index.judge(("s", one), ("s", other), verdict)


def add_some(index: neardup.Index) -> None:
    index.add([{"id": "20", "name": "Umbrella A.G. Berlin"}, ROWS[4]], text="name", id="id", source="s")


STEPS: list[tuple[Callable[[neardup.Index], Any], list[str]]] = [
    (lambda index: None, []),
    (judge("1", "2", "different"), ["shrunk"]),
    (judge("1", "7", "different"), ["split"]),  # two records of one text
    (judge("6", "10", "same"), ["changed"]),
    (add_some, []),
    (judge("6", "10", None), ["changed"]),
    (judge("1", "7", None), ["merged"]),
    (judge("1", "2", None), ["grown"]),  # the last one
]


def read(folder: Path) -> list[list[dict[str, str]]]:
    tables = []
    for name in ("pairs", "clusters", "records"):
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            tables.append(list(csv.DictReader(file)))
    return tables


def changes(folder: Path) -> list[tuple[str, str]]:
    with (folder / "changes.csv").open(newline="", encoding="utf-8") as file:
        return [(row["event"], row["reason"]) for row in csv.DictReader(file) if row["reason"] == "judgements"]


def test_an_increment_gives_what_a_full_report_gives(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "index") as index:
        index.add(ROWS, text="name", id="id", source="s")
        index.report(tmp_path / "first")
        for number, (step, events) in enumerate(STEPS):
            step(index)
            part, whole = tmp_path / f"part-{number}", tmp_path / f"whole-{number}"
            assert not index.report(part, records=True)["is_full"]
            assert index.report(whole, records=True, full=True)["is_full"]
            assert read(part) == read(whole)
            assert changes(part) == [(event, "judgements") for event in events]
            assert changes(whole) == []  # nothing has changed since the increment
        assert index.verify()


def test_what_was_judged_different_is_not_listed_nor_new(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "index") as index:
        index.add([*ROWS[:1], *ROWS[5:6]], text="name", id="id", source="s")
        index.report(tmp_path / "out")
        index.judge(("s", "1"), ("s", "6"), "different")
        index.add([{"id": "6", "name": "Acme Corp."}], text="name", id="id", source="s")
        summary = index.report(tmp_path / "out", records=True)
    assert summary["pairs_judged_different"] == 1 and not summary["has_new"]
    assert [*read(tmp_path / "out")[0], *changes(tmp_path / "out")] == []
