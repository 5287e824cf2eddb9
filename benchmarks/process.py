"""Run a command as a process of its own: its output, how long it took, and the memory of its whole tree."""

from __future__ import annotations

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

DEDUP = str(Path(sysconfig.get_path("scripts")) / "dedup")
SOME_ROWS_REJECTED = 3
_LOOK_EVERY = 0.1  # seconds between two looks at the tree
_PAGE_KIB = os.sysconf("SC_PAGESIZE") // 1024


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that has ended: its standard output, wall-clock seconds and peak resident memory in GiB."""

    output: str
    seconds: float
    peak_gib: float


class TookTooLong(Exception):
    """A process was ended at its limit."""


class _Watch(threading.Thread):
    """Sums up the memory of a process and its descendants while they run, and ends them at the limit.

    Memory that processes share is counted once: ``peak`` is in KiB of proportional set size. It is only looked
    at while there are descendants, since the kernel knows the peak of one process exactly, and only when resident
    memory, which is told at once, has grown by a hundredth since: the kernel goes through all pages for it, and did
    nothing else for a fifth of the time when it was asked ten times a second about gigabytes.
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
        while not self.is_over.wait(_LOOK_EVERY):
            tree = _tree(self._pid)
            resident = sum(map(_resident_kib, tree)) if len(tree) > 1 else 0
            if resident > 1.01 * seen:
                seen = resident
                self.peak = max(self.peak, sum(map(_proportional_kib, tree)))
            if self._limit is not None and time.monotonic() - start > self._limit:
                self.was_late = True
                end(self._pid)
                return


def run(
    command: Sequence[str],
    *,
    accept: Sequence[int] = (0,),
    environment: Mapping[str, str] | None = None,
    limit: float | None = None,
) -> Finished:
    """Run a command to its end; one that fails ends the benchmark with its message.

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
            end(process.pid)
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
        return Finished(output.read(), seconds, max(usage.ru_maxrss, watch.peak) / 2**20)


def end(pid: int) -> None:
    """Kill a process that is not waited for yet, and all its descendants."""
    for process in _tree(pid):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _tree(pid: int) -> list[int]:
    """Return a process and its descendants; those that are gone are left out."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(descendant for child in children for descendant in _tree(child))]


def _resident_kib(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KIB
    except (OSError, IndexError):  # gone, or about to be
        return 0


def _proportional_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
