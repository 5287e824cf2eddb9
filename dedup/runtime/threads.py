"""The number of threads to compute with, shared by every library that starts threads.

It is kept in the environment variable ``OMP_NUM_THREADS``. OpenMP (FAISS) and OpenBLAS (NumPy, SciPy) read the
environment once, at import, so call ``compute_with`` before importing them. ONNX Runtime, RapidFuzz and our own
thread pools call ``count``. Child processes inherit the number.

A process forked from one that has used FAISS has no OpenMP threads: GNU OpenMP does not restart its pool after a fork,
and the first parallel region would wait for it for ever. So FAISS computes with one thread in the thread that forked;
the results are the same. Threads started later have pools of their own.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from dedup.errors import EnvironmentFault

T = TypeVar("T")
R = TypeVar("R")

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_CGROUP_ROOT = Path("/sys/fs/cgroup")

_MOST_PER_CORE = 8
"""More threads than this on a core are no faster, and thousands of them end the process in a crash."""

_ADDRESSES, _ADDRESSES_PER_THREAD = 832 << 20, 64 << 20
"""Address space that the libraries take before any data; one and two cores were measured, up to 16 threads."""


def compute_with(threads: int | None) -> None:
    """Set the number of threads; None keeps the environment's value, or ``usable()`` if it has none.

    More than ``_MOST_PER_CORE`` for each usable core are never used.
    """
    number = _bounded(threads or count())
    for variable in _VARIABLES:
        os.environ[variable] = str(number)


def count() -> int:
    """Return the number of threads to compute with: the environment's value, or else ``usable()``."""
    value = os.environ.get(_VARIABLES[0], "").partition(",")[0]  # OpenMP allows one number per nesting level
    try:
        number = int(value)
    except ValueError:
        return usable()
    return _bounded(number) if number > 0 else usable()


def require_address_space(threads: int | None) -> None:
    """Refuse to start where the libraries could not be loaded: out of addresses, they crash without a word.

    Raises:
        EnvironmentFault: a limit of this process (``ulimit -v`` or ``-d``) is too low for ``threads``.
    """
    number = _bounded(threads or count())
    needed = _ADDRESSES + number * _ADDRESSES_PER_THREAD
    for option, kind in (("v", resource.RLIMIT_AS), ("d", resource.RLIMIT_DATA)):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY and limit < needed:
            raise EnvironmentFault(
                f"This process may use {limit >> 20:,} MiB of memory addresses (`ulimit -{option}`), but {number} "
                f"{'thread needs' if number == 1 else 'threads need'} at least {needed >> 20:,} MiB. Raise the limit, "
                "or use fewer --threads."
            )


def _bounded(number: int) -> int:
    return number if number <= _MOST_PER_CORE else min(number, _MOST_PER_CORE * usable())


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


def _after_fork() -> None:
    """Make FAISS compute with one thread, without importing it."""
    faiss: Any = sys.modules.get("faiss")
    if hasattr(faiss, "omp_set_num_threads"):  # not if another thread was just importing it
        faiss.omp_set_num_threads(1)


os.register_at_fork(after_in_child=_after_fork)
