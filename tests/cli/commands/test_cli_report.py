"""``dedup report``: what it warns of."""

import json
from pathlib import Path

import pytest
from invocation import dedup_, write

from dedup.clustering import cluster


def test_components_that_are_too_large_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    write("same.csv", "id,name\n" + "".join(f"{n},{name}\n" for n, name in enumerate(("Acme 1", "Acme 2", "Beta"), 1)))
    assert dedup_("index", "same.csv", "--quiet").exit_code == 0
    asked = "report", "--min-probability", "0.5", "--quiet"
    assert dedup_(*asked).stderr == ""
    monkeypatch.setattr(cluster, "LARGEST_COMPONENT", 1)
    monkeypatch.setattr(cluster, "_THRESHOLDS", (0.6,))
    result = dedup_(*asked)
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: 1 group of more than 1 texts each, 2 in all, ")
    summary = json.loads(Path("dedup-report/summary.json").read_text())
    assert (summary["components_skipped"], summary["texts_skipped"]) == (1, 2)
