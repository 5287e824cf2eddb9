"""Run a command as a process of its own: its output, how long it took, and the memory of its whole tree."""

import os
import signal
import subprocess
import sysconfig
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEDUP = str(Path(sysconfig.get_path("scripts")) / "dedup")
SOME_ROWS_REJECTED = 3
_INTERVAL = 0.1  # seconds between two looks at the tree
_PAGE_KIB = os.sysconf("SC_PAGESIZE") // 1024


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that has ended: its standard output, wall-clock seconds and peak resident memory in GiB.

    ``processor_seconds`` are those of the process and of the descendants that it waited for.
    """

    output: str
    seconds: float
    peak_gib: float
    processor_seconds: float


class TookTooLong(Exception):
    """A process was killed at its limit."""


class _Watch(threading.Thread):
    """Sums up the memory of a process and its descendants while they run, and kills them at the limit.

    Shared memory is counted once: ``peak`` is in KiB of proportional set size, which costs the kernel a walk over all
    pages. So it is read only while there are descendants (the kernel knows the peak of a single process) and only once
    resident memory has grown by a hundredth.
    """

    def __init__(self, pid: int, limit: float | None) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.is_over = threading.Event()
        self.was_late = False
        self._pid = pid
        self._limit = limit

    def run(self) -> None:
        start = time.monotonic()
        seen = 0.0
        while not self.is_over.wait(_INTERVAL):
            tree = _tree(self._pid)
            resident = sum(map(_resident_kib, tree)) if len(tree) > 1 else 0
            if resident > 1.01 * seen:
                seen = resident
                self.peak = max(self.peak, sum(map(_proportional_kib, tree)))
            if self._limit is not None and time.monotonic() - start > self._limit:
                self.was_late = True
                kill_tree(self._pid)
                return


def run(
    command: Sequence[str],
    *,
    accept: Sequence[int] = (0,),
    environment: Mapping[str, str] | None = None,
    limit: float | None = None,
) -> Finished:
    """Run a command to its end; exit with its message if it fails.

    Raises:
        TookTooLong: it ran for more than ``limit`` seconds.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env={**os.environ, **(environment or {})})
        watch = _Watch(process.pid, limit)
        watch.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            kill_tree(process.pid)
            raise
        finally:
            watch.is_over.set()
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.join()
        output.seek(0)
        errors.seek(0)
        if watch.was_late:
            raise TookTooLong
        if process.returncode not in accept:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{errors.read()}")
        peak = max(usage.ru_maxrss, watch.peak) / 2**20
        return Finished(output.read(), seconds, peak, usage.ru_utime + usage.ru_stime)


def kill_tree(pid: int) -> None:
    """Kill a process that is not waited for yet, and all its descendants."""
    for process in _tree(pid):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _tree(pid: int) -> list[int]:
    """Return a process and its descendants, without those that are gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(descendant for child in children for descendant in _tree(child))]


def _resident_kib(pid: int) -> int:
    with suppress(OSError, IndexError):  # gone, or about to be
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KIB
    return 0


def _proportional_kib(pid: int) -> int:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return 0


@dataclass(frozen=True, slots=True)
class WholeJob:
    """``dedup index`` and ``dedup report`` as they ended; the seconds of their stages, the report's summary, bytes."""

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
        """The higher of the two peaks."""
        return max(self.index.peak_gib, self.report.peak_gib)


def whole_job(names: Path, place: Path, limit: float | None = None) -> WholeJob:
    """Index a file and report its duplicates in ``place``: ``workspace``, ``report`` and ``rejects.jsonl``.

    Raises:
        TookTooLong: both together ran for more than ``limit`` seconds.
    """
    from indexer.store.runs import last_runs
    from indexer.store.workspace import Workspace

    workspace = place / "workspace"
    where = ["--quiet", "--workspace", str(workspace)]
    command = [DEDUP, "index", str(names), "--rejects", str(place / "rejects.jsonl"), *where]
    index = run(command, accept=(0, SOME_ROWS_REJECTED), limit=limit)
    left = None if limit is None else max(0.0, limit - index.seconds)
    report = run([DEDUP, "report", "--output", str(place / "report"), *where], limit=left)
    with Workspace(workspace, None).open(for_writing=False) as store:
        manifests = {run.kind: run.manifest for run in last_runs(store, 2)}
        snapshot = store.current_snapshot()
    stages = {
        f"{command}: {stage}": seconds
        for command in ("index", "report")
        for stage, seconds in manifests[command]["seconds"].items()
    }
    workspace_bytes = sum(path.stat().st_size for path in workspace.rglob("*") if path.is_file())
    snapshot_bytes = snapshot.n_bytes if snapshot else 0
    return WholeJob(index, report, stages, manifests["report"], workspace_bytes, snapshot_bytes)
