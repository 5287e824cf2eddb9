"""``dedup report``: what it says of estimates."""

import json
from pathlib import Path

import pytest
from invocation import dedup_, write

from dedup.clustering import cluster


def test_what_was_estimated_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "word " * 300
    write("some.csv", f"id,name\n1,Acme Holdings Inc\n2,Acme Holding Inc\n3,Beta\n4,{long}\n")
    assert dedup_("index", "some.csv", "--quiet").exit_code == 0
    assert dedup_("report").stderr == (
        "Note: 1 text of 1,024 characters or more was compared by equal words and one measure of spelling.\n"
    )
    monkeypatch.setattr(cluster, "LARGEST_COMPONENT", 1)
    result = dedup_("report")
    assert result.exit_code == 0
    assert result.stderr.startswith("Note: 1 group of more than 1 texts each that pairs connect, 2 texts in all, was ")
    summary = json.loads(Path("dedup-report/summary.json").read_text())
    assert (summary["components_sampled"], summary["texts_sampled"], summary["long_texts"]) == (1, 2, 1)
    assert summary["clusters"] == 1
    assert dedup_("report", "--quiet").output == ""


def test_nothing_is_told_of_short_names() -> None:
    write("some.csv", "id,name\n1,Acme Holdings Inc\n2,Acme Holding Inc\n3,Beta\n")
    assert dedup_("index", "some.csv", "--quiet").exit_code == 0
    assert dedup_("report").stderr == ""
