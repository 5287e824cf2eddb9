"""What ``dedup status`` says of a search in cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles import fake_model
from invocation import dedup_

import dedup.model
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots


def test_the_recall_is_shown_with_the_similarity_that_it_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fake_model()
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: model)
    monkeypatch.chdir(tmp_path)
    Path("names.csv").write_text("name\n" + "".join(f"Harbour Works {number}\n" for number in range(40)))
    assert dedup_("index", "names.csv", "--workspace", "held", "--quiet").exit_code == 0
    status = ["status", "--workspace", "held", "--format"]
    assert "recall_min_similarity" not in json.loads(dedup_(*status, "json").stdout)["snapshot"]
    place = Workspace(Path("held"))
    with place.open(for_writing=True) as store:
        Snapshots(store, place.snapshots, flat_up_to=16).publish(model.model_id, min_similarity=0.4375)
    assert json.loads(dedup_(*status, "json").stdout)["snapshot"]["recall_min_similarity"] == 0.4375
    assert "recall min similarity  0.438" in dedup_(*status, "table").stdout


def test_the_reason_of_a_run_that_failed_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: fake_model())
    monkeypatch.chdir(tmp_path)
    names = Path("names.csv")
    names.write_text("id,name\n" + "".join(f"{number},Harbour Works {number}\n" for number in range(40)))
    assert dedup_("index", "names.csv").exit_code == 0
    names.write_text("id,name\n1,Harbour Works 1\n")
    refused = dedup_("index", "names.csv", "--sync")
    assert refused.exit_code == 9
    reason = refused.stderr.splitlines()[-1].removeprefix("Error: ")
    assert "39" in reason

    failed, done = json.loads(dedup_("status", "--format", "json").stdout)["runs"]
    assert (failed["state"], failed["error"]) == ("failed", reason)
    assert (done["state"], done["error"]) == ("done", None)
    assert failed["finished"] >= failed["started"]
    line = next(line for line in dedup_("status").stdout.splitlines() if "failed" in line)
    assert line.endswith(f"  {reason}")

    from neardup import Index

    with Index(".dedup", model=fake_model()) as index:
        assert index.status().runs[0]["error"] == reason


def test_a_run_that_was_killed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from indexer.store.runs import begin_run, recorded_run

    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: fake_model())
    with Workspace(tmp_path / "w").open(for_writing=True) as store:
        begin_run(store, "report")  # and is killed
        with pytest.raises(KeyboardInterrupt), recorded_run(store, "report"):
            raise KeyboardInterrupt
        begin_run(store, "report")
    result = dedup_("status", "--workspace", tmp_path / "w", "--format", "json")
    now, stopped, killed = json.loads(result.stdout)["runs"]
    assert (now["state"], now["error"]) == ("running", None)
    assert (stopped["state"], stopped["error"]) == ("interrupted", "Stopped by a signal or by the user.")
    assert killed["state"] == "interrupted" and "killed" in killed["error"]
