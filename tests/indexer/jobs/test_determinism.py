"""The number of threads and processes changes no byte, from a file of names to a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from invocation import dedup_
from paths import ROOT

from dedup.runtime.processes import Processes
from indexer.store.workspace import Workspace
from indexer.vectors.knn_graph import Tiles, build_knn_graph
from indexer.vectors.snapshot import Snapshots

EXAMPLE = ROOT / "examples" / "companies.csv"
SMALL = {
    "dedup.evidence.name_pairs._MIN_PAIRS_FOR_THREADS": 10,
    "dedup.matching.batch._BLOCK_SIZE": 50,
    "dedup.matching.batch._MIN_BLOCKS_FOR_PROCESSES": 1,
    "dedup.matching.batch._MIN_BLOCK_SIZE": 20,
    "indexer.vectors.cells._ROWS": 64,
    "indexer.ingest.encoding._BATCH_TEXTS": 100,
    "indexer.vectors.recall._COLUMNS": 64,
}
"""Blocks so small that a few hundred names are divided as millions are."""


def test_threads_change_no_byte_of_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # restores the value after the test
    for name, value in SMALL.items():
        monkeypatch.setattr(name, value)
    monkeypatch.setitem(build_knn_graph.__kwdefaults__, "tiles", Tiles(16, 32, 64))
    monkeypatch.setitem(Snapshots.__init__.__kwdefaults__, "flat_up_to", 100)
    started: list[str] = []
    in_processes = Processes.map
    monkeypatch.setattr(Processes, "map", lambda *given: [started.append(number), in_processes(*given)][1])
    monkeypatch.chdir(tmp_path)
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    Path("names.csv").write_text("\n".join(lines[:801]), encoding="utf-8")
    results = []
    for number in ("1", "3"):
        options = ["--workspace", number, "--threads", number, "--quiet"]
        indexed = dedup_("index", "names.csv", *options)
        assert indexed.exit_code == 0, indexed.stderr
        reported = dedup_("report", "--output", f"report-{number}", *options)
        assert reported.exit_code == 0, reported.stderr
        with Workspace(Path(number)).open(for_writing=False) as store:
            snapshot = store.current_snapshot()
        assert snapshot is not None and snapshot.parameters["cells"]
        summary = json.loads(Path(f"report-{number}", "summary.json").read_text(encoding="utf-8"))
        del summary["seconds"], summary["finished_at"]
        files = [Path(f"report-{number}", name).read_bytes() for name in ("pairs.csv", "clusters.csv")]
        results.append((files, summary, snapshot.sha256, snapshot.digest))
    assert results[0] == results[1]
    assert results[0][1]["near_pairs"] > 50
    assert started == ["3"] * 3  # encode, parse names, compare: a sample of all pairs is not compared again
