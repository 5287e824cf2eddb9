"""The number of threads to compute with, shared by every library that starts threads.

It is kept in the environment variable ``OMP_NUM_THREADS``. OpenMP (FAISS) and OpenBLAS (NumPy, SciPy) read the
environment once, at import, so call ``compute_with`` before importing them. ONNX Runtime, RapidFuzz and our own
thread pools call ``count``. Child processes inherit the number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_CGROUP_ROOT = Path("/sys/fs/cgroup")


def compute_with(threads: int | None) -> None:
    """Set the number of threads; None keeps the environment's value, or ``usable()`` if it has none."""
    for variable in _VARIABLES:
        os.environ[variable] = str(threads or count())


def count() -> int:
    """Return the number of threads to compute with: the environment's value, or else ``usable()``."""
    value = os.environ.get(_VARIABLES[0], "").partition(",")[0]  # OpenMP allows one number per nesting level
    return int(value) if value.isdecimal() and int(value) > 0 else usable()


def in_order(function: Callable[[T], R], items: Iterable[T], threads: int | None = None) -> Iterator[R]:
    """Yield ``function(item)`` for each item, in order, computed in ``threads`` threads (None: ``count()``).

    An error or Ctrl-C cancels the calls that have not started.
    """
    pool = ThreadPoolExecutor(threads or count())
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def usable() -> int:
    """Return the number of cores this process may use: its CPU affinity, capped by its cgroup quotas."""
    cores = len(os.sched_getaffinity(0))
    quotas = [_quota(group / "cpu.max") for group in _cgroups()]
    return max(1, min(cores, *quotas, cores))


def _cgroups() -> list[Path]:
    """Return the directories of this process's cgroup (version 2) and of its ancestors."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    return [_CGROUP_ROOT / own, *(_CGROUP_ROOT / own).parents][: len(Path(own).parts) + 1]


def _quota(file: Path) -> int:
    """Return the cores that a ``cpu.max`` file allows, rounded up; all cores if it sets no limit."""
    try:
        quota, period = file.read_text(encoding="ascii").split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return os.cpu_count() or 1
