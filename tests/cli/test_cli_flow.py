"""From a file to a report in one workspace, and what the commands have in common: where it is, memory, threads."""

import json
import os
from pathlib import Path

import pytest
from invocation import corpus, dedup_, rows_of, write

from dedup.runtime import threads
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots


def test_index_query_report_status(indexed: None) -> None:
    found = rows_of(dedup_("query", "acme widgets inc", "--limit", "2", "--format", "csv"))
    assert [(row["id"], row["exact"]) for row in found] == [("28", "true"), ("29", "true"), ("30", "false")]
    assert list(found[0]) == ["probability", "similarity", "exact", "source", "id", "text", "city"]
    assert found[0] | {"similarity": ""} == {
        "probability": "1.000000",
        "similarity": "",
        "exact": "true",
        "source": "companies",
        "id": "28",
        "text": "Acme Widgets Inc",
        "city": "city 28",
    }

    report = dedup_("report", "--output", "found", "--summary", "json")
    assert report.exit_code == 0, report.stderr
    assert json.loads(report.stdout) == json.loads(Path("found/summary.json").read_text())
    assert {path.name for path in Path("found").iterdir()} == {
        "pairs.csv",
        "clusters.csv",
        "changes.csv",
        "summary.json",
    }

    status = json.loads(dedup_("status", "--format", "json").stdout)
    assert (status["records"], status["distinct_texts"], status["vectors"]) == (30, 29, 29)
    assert status["sources"] == {"companies": 30}
    assert status["model"] == "f" * 12
    assert [(run["kind"], run["state"]) for run in status["runs"]] == [("report", "done"), ("index", "done")]
    assert status["runs"][1]["rows"] == 30
    assert set(status["versions"]) == {"neardup", "python", "onnxruntime", "faiss", "sqlalchemy"}
    assert dedup_("status").stdout.startswith("workspace")


def test_the_environment_names_the_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEDUP_WORKSPACE", "elsewhere")
    assert dedup_("index", corpus()).exit_code == 0
    assert Path("elsewhere/neardup.sqlite").exists()
    monkeypatch.delenv("DEDUP_WORKSPACE")
    monkeypatch.setenv("DEDUP_DATABASE_URL", "sqlite:///elsewhere/neardup.sqlite")
    assert "Acme Widgets Inc" in dedup_("query", "acme widgets inc").stdout


def test_a_job_that_would_take_too_much_memory_changes_nothing(indexed: None) -> None:
    for command in (("index", write("more.csv", "id,name\n1,Acme\n")), ("report", "--output", "found")):
        refused = dedup_(*command, "--memory", "100M")
        assert refused.exit_code == 2
        assert "--memory allows 100M. Allow more" in refused.stderr
        assert dedup_(*command, "--memory", "lots").exit_code == 2
    assert json.loads(dedup_("status", "--format", "json").stdout)["sources"] == {"companies": 30}
    assert not Path("found").exists()
    assert dedup_("index", "more.csv", "--memory", "1.5 GiB").exit_code == 0
    assert dedup_("report", "--output", "found", "--memory", "2g").exit_code == 0


def test_threads_are_those_that_were_asked_for(indexed: None) -> None:
    usable = threads.count()
    assert dedup_("query", "acme").exit_code == 0
    assert threads.count() == usable
    commands = ["index companies.csv", "report", "query acme", "verify", "delete --id 1", "evaluate --pairs no.csv"]
    for command in commands:
        dedup_(*command.split(), "--threads", str(usable + 3))
        assert os.environ.pop("OMP_NUM_THREADS") == str(usable + 3)
    assert dedup_("query", "acme", "--threads", "0").exit_code == 2


def test_status_shows_what_a_search_in_cells_finds(indexed: None) -> None:
    assert "recall_of_all" not in json.loads(dedup_("status", "--format", "json").stdout)["snapshot"]
    place = Workspace(Path(".dedup"), None)
    with place.open(for_writing=True) as store:
        model_id = store.current_snapshot().model_id
        Snapshots(store, place.snapshots, flat_up_to=16).publish(model_id, min_similarity=0.3)
    shown = json.loads(dedup_("status", "--format", "json").stdout)["snapshot"]
    assert 0 < shown["recall_of_all"] <= 1
    assert shown["recall_of_queries"] == 1  # all cells are searched
