"""How many threads to compute with: one figure for every library that has threads of its own.

The figure is the environment's ``OMP_NUM_THREADS``. OpenMP (FAISS) and OpenBLAS (NumPy, SciPy) read the
environment once, when they are loaded, so ``compute_with`` is called before their import; ONNX Runtime, RapidFuzz
and our own pools ask ``count``. A process that is started later inherits the figure.
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
_CGROUPS = Path("/sys/fs/cgroup")


def compute_with(threads: int | None) -> None:
    """Compute with at most ``threads`` threads; None keeps what the environment says, or else takes ``usable``."""
    for variable in _VARIABLES:
        os.environ[variable] = str(threads or count())


def count() -> int:
    """Return how many threads to compute with: what the environment says, or else ``usable``."""
    asked = os.environ.get(_VARIABLES[0], "").partition(",")[0]  # OpenMP allows one figure for each level
    return int(asked) if asked.isdecimal() and int(asked) > 0 else usable()


def in_order(function: Callable[[T], R], items: Iterable[T], threads: int | None = None) -> Iterator[R]:
    """Yield what a function makes of each item, in order, worked out in so many threads (None: ``count``).

    What has not begun when an error or Ctrl-C ends it is not begun any more.
    """
    pool = ThreadPoolExecutor(threads or count())
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def usable() -> int:
    """Return how many cores this process may use: its affinity, and less under a quota of its control group."""
    cores = len(os.sched_getaffinity(0))
    quotas = [_quota(group / "cpu.max") for group in _groups()]
    return max(1, min(cores, *quotas, cores))


def _groups() -> list[Path]:
    """Return the directories of the control group (version 2) of this process and of those above it."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    return [_CGROUPS / own, *(_CGROUPS / own).parents][: len(Path(own).parts) + 1]


def _quota(file: Path) -> int:
    """Return the cores of a quota, rounded up; as many as there may ever be if there is none."""
    try:
        quota, period = file.read_text(encoding="ascii").split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):  # no such file, or "max"
        return os.cpu_count() or 1
