"""The whole job of neardup, index and report, by the installed command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from process import DEDUP, SOME_ROWS_REJECTED, Finished, run

from indexer.store.runs import last_runs
from indexer.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class WholeJob:
    """Both commands as they ended, the seconds of their stages, the summary of the report, and bytes on disk."""

    index: Finished
    report: Finished
    stages: dict[str, float]
    summary: dict[str, Any]
    workspace_bytes: int
    snapshot_bytes: int

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of both."""
        return self.index.seconds + self.report.seconds

    @property
    def peak_gib(self) -> float:
        """The higher of both peaks."""
        return max(self.index.peak_gib, self.report.peak_gib)


def whole_job(names: Path, place: Path, limit: float | None = None) -> WholeJob:
    """Index a file and report its duplicates in ``place``: ``workspace``, ``report`` and ``rejects.jsonl``.

    Raises:
        TookTooLong: both together ran for more than ``limit`` seconds.
    """
    where = ["--quiet", "--workspace", str(place / "workspace")]
    index = run(
        [DEDUP, "index", str(names), "--rejects", str(place / "rejects.jsonl"), *where],
        accept=(0, SOME_ROWS_REJECTED),
        limit=limit,
    )
    left = None if limit is None else max(0.0, limit - index.seconds)
    report = run([DEDUP, "report", "--output", str(place / "report"), *where], limit=left)
    with Workspace(place / "workspace", None).open(for_writing=False) as store:
        manifests = {run.kind: run.manifest for run in last_runs(store, 2)}
        snapshot = store.current_snapshot()
    stages = {
        f"{command}: {stage}": seconds
        for command in ("index", "report")
        for stage, seconds in manifests[command]["seconds"].items()
    }
    snapshot_bytes = snapshot.n_bytes if snapshot else 0
    return WholeJob(index, report, stages, manifests["report"], size_of(place / "workspace"), snapshot_bytes)


def size_of(folder: Path) -> int:
    """Return the bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
