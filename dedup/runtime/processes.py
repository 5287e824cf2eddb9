"""Worker processes: tasks in, results out, in order.

Workers are started as fresh interpreters, because a process forked from one with threads may hang. Unlike those of
``multiprocessing`` they do not import the caller's main module, so a script needs no ``if __name__ == "__main__"``
guard and a notebook works. A worker runs in Python's isolated mode and finds the standard library first: a file
``signal.py`` or ``pickle.py`` in the working directory is never imported. Each worker has a pipe of its own to the
caller. When the caller ends, however it ends, the pipe closes and the worker exits.
"""

from __future__ import annotations

import gc
import json
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from dedup.errors import EnvironmentFault
from dedup.runtime import threads

T = TypeVar("T")

_ROOT = Path(__file__).resolve().parents[2]
"""The directory that holds this package."""

_START = (
    "import json, sys; arguments = json.loads(sys.argv[1]); sys.path += arguments['path']; "
    "from dedup.runtime.processes import serve; serve(arguments['pipe'])"
)


class _Worker(NamedTuple):
    process: subprocess.Popen[bytes]
    pipe: Connection


class Processes:
    """Up to ``count`` worker processes, each with a copy of ``shared``. They start when they are first needed."""

    def __init__(self, count: int, shared: object) -> None:
        self._count = count
        self._shared = shared
        self._workers: list[_Worker] = []

    @property
    def are_running(self) -> bool:
        """Whether the workers have been started, so that even a small job is worth dividing."""
        return bool(self._workers)

    def close(self) -> None:
        """Stop all workers at once, whatever they are doing."""
        workers, self._workers = self._workers, []  # another thread may be starting one
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.wait()
        # A pipe is closed when nobody holds it any more: another thread may be writing to it just now.

    def map(self, function: Callable[..., T], tasks: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """Yield ``function(shared, *task)`` for each task, in order.

        Function, tasks and results are pickled; the function must be importable by the worker, so it cannot be one of
        the main module. Only one iteration can run at a time. After one that was abandoned, call ``close``.

        Raises:
            EnvironmentFault: a worker died, or its result or its exception cannot be pickled.
        """
        waiting = iter(tasks)
        busy: deque[Connection] = deque()
        try:
            for pipe in self._pipes():
                _send_next(pipe, function, waiting, busy)
            while busy:
                pipe = busy.popleft()
                succeeded, result = pipe.recv()
                if not succeeded:
                    raise result
                # Not earlier: a worker that is writing its result does not read, and both sides would wait for ever.
                _send_next(pipe, function, waiting, busy)
                yield result
        except (EOFError, ConnectionError) as error:
            raise EnvironmentFault(self._why_ended()) from error

    def _why_ended(self) -> str:
        """Describe the exit codes of the workers that are gone."""
        for worker in self._workers:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(1)
        codes = sorted({str(worker.process.returncode) for worker in self._workers if worker.process.returncode})
        return (
            f"A worker process ended with code {', '.join(codes) or 'unknown'} (-9 usually means out of memory); "
            "try fewer threads, e.g. --threads 1 or OMP_NUM_THREADS=1."
        )

    def _pipes(self) -> list[Connection]:
        """Return a pipe to each worker, started if it is not running yet."""
        # A terminal sends an interrupt to all processes. The workers inherit that it is blocked; the caller decides.
        allowed = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            started = []
            while len(self._workers) < self._count:
                started.append(_start())
                self._workers.append(started[-1])
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, allowed)
        for worker in started:
            worker.pipe.send(self._shared)
        return [worker.pipe for worker in self._workers]


def _start() -> _Worker:
    here, there = Pipe()
    try:
        arguments = json.dumps({"path": _search_path(), "pipe": there.fileno()})
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[there.fileno()],
        )
    except OSError as error:
        here.close()
        raise EnvironmentFault(
            f"A worker process cannot be started ({error}); try fewer threads, e.g. --threads 1 or OMP_NUM_THREADS=1."
        ) from error
    finally:
        there.close()
    return _Worker(process, here)


def _search_path() -> list[str]:
    """Return where a worker looks for modules that are not in the standard library: this package, then as the caller.

    Relative entries, such as the empty one that stands for the working directory, are left out.
    """
    return list(dict.fromkeys([str(_ROOT), *(entry for entry in sys.path if Path(entry).is_absolute())]))


def _send_next(
    pipe: Connection, function: Callable[..., Any], tasks: Iterator[tuple[Any, ...]], busy: deque[Connection]
) -> None:
    task = next(tasks, None)
    if task is not None:
        pipe.send((function, task))
        busy.append(pipe)


def serve(pipe: int) -> None:
    """Run in a worker: do the tasks that arrive over the pipe with this file descriptor, until it closes."""
    threads.compute_with(1)  # before unpickling loads NumPy
    gc.set_threshold(200_000, 20, 100)  # as in the program itself: hardly anything made here is part of a cycle
    connection = Connection(pipe)
    with suppress(EOFError, ConnectionError):
        shared = connection.recv()
        while True:
            function, task = connection.recv()
            _send(connection, *_result(function, shared, task))


def _result(function: Callable[..., Any], shared: object, task: tuple[Any, ...]) -> tuple[bool, object]:
    """Return whether a task succeeded, and its result or exception."""
    try:
        return True, function(shared, *task)
    except Exception as error:
        with suppress(Exception):
            pickle.loads(pickle.dumps(error))
            return False, error
        return False, _fault(error)


def _send(connection: Connection, succeeded: bool, result: object) -> None:
    try:
        connection.send((succeeded, result))
    except ConnectionError:
        raise
    except Exception as error:  # it cannot be pickled, and nothing was written yet
        connection.send((False, _fault(error)))


def _fault(error: Exception) -> EnvironmentFault:
    return EnvironmentFault(f"A worker process failed: {error!r}.")
