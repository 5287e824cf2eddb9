"""The files that a report writes."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from indexed import MODEL, NAMES, index
from report_pages import Structure

from dedup.errors import EnvironmentFault, UsageError
from dedup.runtime.progress import no_progress
from indexer.jobs.index import index_rows
from indexer.jobs.report import Asked, report_workspace
from indexer.jobs.report_tables import Tables
from indexer.jobs.reporting.report_files import files_of
from indexer.outputs.report_formats import ReportFormats
from indexer.reading.open import Row
from indexer.store.runs import last_runs
from indexer.store.store import Store
from indexer.vectors.snapshot import Snapshots


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(snapshots: Snapshots, output: Path, **options: Any) -> dict[str, Any]:
    progress = options.pop("progress", no_progress)
    return report_workspace(snapshots, MODEL, output, Asked(0.5, **options), progress=progress)


def test_pairs_clusters_and_summary(store: Store, snapshots: Snapshots, tmp_path: Path) -> None:
    index(snapshots, NAMES, identity="column")
    output = tmp_path / "new" / "report"
    steps: set[str] = set()
    summary = write(snapshots, output, progress=lambda stage, done, total: steps.add(stage))
    assert sorted(path.name for path in output.iterdir()) == sorted(files_of(Tables()))
    assert steps >= {"search", "compare", "cluster", "write pairs", "write clusters"}

    pairs = read(output / "pairs.csv")
    assert [(p["id_1"], p["id_2"], p["kind"]) for p in pairs if p["kind"] == "exact"] == [("r1", "r3", "exact")]
    near = [p for p in pairs if p["kind"] == "near"]
    assert {frozenset((p["text_1"], p["text_2"])) for p in near} == {
        frozenset(("Northwind Trading", "Northwind Tradng")),
        frozenset(("NORTHWIND TRADING", "Northwind Tradng")),
        frozenset(("Blue Ocean Shipping", "Blue Ocean Shiping")),
    }
    assert [float(p["probability"]) for p in near] == sorted(float(p["probability"]) for p in near)[::-1]

    clusters = read(output / "clusters.csv")
    facts = ["is_representative", "keep", "exact", "is_weakest"]
    assert list(clusters[0]) == ["cluster_id", "source", "id", "text", "weakest_probability", *facts, "city"]
    members: dict[str, set[str]] = {}
    for row in clusters:
        members.setdefault(row["cluster_id"], set()).add(row["id"])
    assert members == {"c1": {"r1", "r2", "r3"}, "c2": {"r4", "r6"}}
    assert list(members) == ["c1", "c2"]
    assert {row["id"]: row["city"] for row in clusters}["r6"] == "City 18"

    assert summary == json.loads((output / "summary.json").read_text(encoding="utf-8"))
    expected = {
        "records": 8,
        "distinct_texts": 7,
        "exact_duplicate_records": 1,
        "near_pairs": 2,
        "pairs_total": 4,
        "pairs_listed": 4,
        "clusters": 2,
        "records_in_clusters": 5,
        "largest_cluster": 3,
        "components_skipped": 0,
        "thresholds": {"min_probability": 0.5, "min_similarity": 0.3},
        "model_id": MODEL.model_id,
    }
    assert {key: summary[key] for key in expected} == expected
    assert {"python", "neardup", "faiss", "onnxruntime"} <= set(summary["versions"])
    assert {"search", "compare", "cluster", "write"} <= set(summary["seconds"])
    (run,) = last_runs(store, 1)
    assert (run.kind, run.state, run.manifest["near_pairs"]) == ("report", "done", 2)


def test_only_exact_duplicates(store: Store, snapshots: Snapshots, tmp_path: Path) -> None:
    index(snapshots, ["Acme", "ACME", "Zebra Oil Drilling"], identity="column")
    summary = write(snapshots, tmp_path)
    assert (summary["near_pairs"], summary["pairs_total"], summary["clusters"]) == (0, 1, 1)
    assert {row["weakest_probability"] for row in read(tmp_path / "clusters.csv")} == {"1.000000"}


def test_input_columns_with_the_names_of_ours(store: Store, snapshots: Snapshots, tmp_path: Path) -> None:
    fields = {"text": "=1+1", "column_text": "-5", "source": "@x", "=note": "n"}
    rows = [Row(n, n, str(n), "+Acme", fields, ["+Acme"]) for n in (1, 2)]
    index_rows(snapshots, MODEL, "-files", rows, identity="column", mirror=False, on_reject=lambda reject: None)
    index(snapshots, ["Other"], identity="column")
    write(snapshots, tmp_path)
    first = read(tmp_path / "clusters.csv")[0]
    assert first == {
        "cluster_id": "c1",
        "source": "'-files",
        "id": "1",
        "text": "'+Acme",
        "weakest_probability": "1.000000",
        "is_representative": "true",
        "keep": "true",
        "exact": "true",
        "is_weakest": "false",
        "column_column_text": "'=1+1",
        "column_text": "-5",
        "column_source": "'@x",
        "'=note": "n",
        "city": "",
    }


def test_columns_that_first_occur_late(store: Store, snapshots: Snapshots, tmp_path: Path) -> None:
    named: list[tuple[str, dict[str, str]]] = [
        ("Acme", {}),
        ("Acme", {"a": 'x, "y"'}),
        ("Zebra", {"b": ""}),
        ("Zebra", {"c": "z"}),
    ]
    rows = [Row(n, n, str(n), name, fields, [name]) for n, (name, fields) in enumerate(named, 1)]
    index_rows(snapshots, MODEL, "files", rows, identity="column", mirror=False, on_reject=lambda reject: None)
    write(snapshots, tmp_path)
    found = [tuple(row[column] for column in ("id", "a", "b", "c")) for row in read(tmp_path / "clusters.csv")]
    assert found == [("1", "", "", ""), ("2", 'x, "y"', "", ""), ("3", "", "", ""), ("4", "", "", "z")]


def test_every_record_with_its_cluster(store: Store, snapshots: Snapshots, tmp_path: Path) -> None:
    index(snapshots, NAMES, identity="column")
    write(snapshots, tmp_path, tables=Tables(records=True))
    found = read(tmp_path / "records.csv")
    assert list(found[0]) == ["source", "id", "text", "cluster_id", "is_representative", "keep", "city"]
    assert [row["id"] for row in found] == [f"r{n}" for n in range(1, 9)]
    assert [row["cluster_id"] for row in found] == ["c1", "c1", "c1", "c2", "", "c2", "", ""]
    assert [row["id"] for row in found if row["is_representative"] == "true"] == ["r1", "r4", "r5", "r7", "r8"]
    assert len([row for row in found if row["keep"] == "true"]) == 5


def test_a_page_counts_the_runs_before_it(store: Store, snapshots: Snapshots, tmp_path: Path) -> None:
    index(snapshots, NAMES[:3], identity="column")
    page = Tables(ReportFormats((), page=True))
    write(snapshots, tmp_path, tables=page)
    with pytest.raises(EnvironmentFault):  # a run that failed is not in the trend
        write(snapshots, Path("/dev/null/x"), tables=page)
    index(snapshots, NAMES, identity="column")
    write(snapshots, tmp_path, tables=page)
    text = Structure((tmp_path / "report.html").read_text("utf-8")).text
    assert "2 clusters +1 since the last run 5 records in clusters 62.5% of all; +2 since the last run" in text
    assert "8 records +5 since the last run" in text


def test_nothing_is_indexed(store: Store, snapshots: Snapshots, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"(?i)nothing is indexed"):
        write(snapshots, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert last_runs(store, 1)[0].state == "failed"


def test_a_failed_report_keeps_the_files_of_the_last_one(
    store: Store, snapshots: Snapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(snapshots, NAMES)
    write(snapshots, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(EnvironmentFault, match="No space left"):
        write(snapshots, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
