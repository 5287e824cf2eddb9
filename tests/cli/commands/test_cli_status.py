"""What ``dedup status`` says of a search in cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles import fake_model
from typer.testing import CliRunner

import dedup.model
from cli.main import app
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots


def test_the_recall_is_shown_with_the_similarity_that_it_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fake_model()
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: model)
    monkeypatch.chdir(tmp_path)
    Path("names.csv").write_text("name\n" + "".join(f"Harbour Works {number}\n" for number in range(40)))
    run = CliRunner().invoke
    assert run(app, ["index", "names.csv", "--workspace", "held", "--quiet"]).exit_code == 0
    status = ["status", "--workspace", "held", "--format"]
    assert "recall_min_similarity" not in json.loads(run(app, [*status, "json"]).stdout)["snapshot"]
    place = Workspace(Path("held"))
    with place.open(for_writing=True) as store:
        Snapshots(store, place.snapshots, flat_up_to=16).publish(model.model_id, min_similarity=0.4375)
    assert json.loads(run(app, [*status, "json"]).stdout)["snapshot"]["recall_min_similarity"] == 0.4375
    assert "recall min similarity  0.438" in run(app, [*status, "table"]).stdout
