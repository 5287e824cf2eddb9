"""Work on blocks in several processes, results in order.

The processes are spawned, since one forked off a program with threads may hang, and each talks to this one
through a pipe of its own: when this program ends, however it ends, the pipe ends and so does the process.
"""

from __future__ import annotations

import gc
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from dedup.errors import EnvironmentFault
from dedup.runtime import threads

T = TypeVar("T")


class Processes:
    """Up to ``count`` processes that each have a copy of ``shared``; started when first needed."""

    def __init__(self, count: int, shared: object) -> None:
        self._count = count
        self._shared = shared
        self._running: list[tuple[BaseProcess, Connection]] = []
        self._have_answered = False

    @property
    def are_running(self) -> bool:
        """Whether they have been started, so that a small job is worth dividing."""
        return bool(self._running)

    def close(self) -> None:
        """End all processes at once, whatever they are at."""
        running, self._running = self._running, []  # another thread may be starting one
        for process, _ in running:
            process.terminate()
        for process, connection in running:
            process.join()
            connection.close()  # now that nobody can be writing to it

    def map(self, function: Callable[..., T], tasks: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """Yield ``function(shared, *task)`` for each task, in order.

        Function, tasks and results are pickled. Only one such iteration can go on at a time, and one that
        is given up has to be followed by ``close``.

        Raises:
            EnvironmentFault: a process ended before its time, or what it made or raised cannot be pickled.
        """
        waiting = iter(tasks)
        busy: deque[Connection] = deque()
        try:
            for connection in self._connections():
                _send_next(connection, function, waiting, busy)
            while busy:
                connection = busy.popleft()
                is_good, result = connection.recv()
                self._have_answered = True
                if not is_good:
                    raise result
                # Not before: a process that writes its result does not read, and both would wait for ever.
                _send_next(connection, function, waiting, busy)
                yield result
        except (EOFError, ConnectionError) as error:
            raise EnvironmentFault(self._why_ended()) from error

    def _why_ended(self) -> str:
        """Return what to say of the processes that are gone."""
        for process, _ in self._running:
            process.join(1)
        codes = sorted({str(process.exitcode) for process, _ in self._running if process.exitcode})
        script = "; 1, a script that is imported by its processes: guard it with `if __name__ == '__main__':`"
        return (
            f"A process of this job ended with code {', '.join(codes) or 'unknown'} (-9 is mostly want of memory"
            f"{'' if self._have_answered else script}); try --threads 1."
        )

    def _connections(self) -> list[Connection]:
        context = get_context("spawn")
        resource_tracker.ensure_running()  # starting it would let through again what is blocked now
        # A terminal sends an interrupt to all processes; they inherit that it is blocked, and this one decides.
        allowed = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            started = []
            while len(self._running) < self._count:
                here, there = context.Pipe()
                process = context.Process(target=_serve, args=(there,), daemon=True)
                process.start()
                there.close()
                self._running.append((process, here))
                started.append(here)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, allowed)
        # Not as an argument: a process that ends before it has read that would be waited for without end.
        for connection in started:
            connection.send(self._shared)
        return [connection for _, connection in self._running]


def _send_next(
    connection: Connection,
    function: Callable[..., Any],
    tasks: Iterator[tuple[Any, ...]],
    busy: deque[Connection],
) -> None:
    task = next(tasks, None)
    if task is not None:
        connection.send((function, task))
        busy.append(connection)


def _serve(connection: Connection) -> None:
    """Do what is asked of what comes first, until the other end closes."""
    threads.compute_with(1)  # before what comes loads NumPy
    gc.set_threshold(200_000, 20, 100)  # as in the program itself: what is made here has hardly any cycles
    try:
        shared = connection.recv()
    except (EOFError, ConnectionError):
        return
    while True:
        try:
            function, task = connection.recv()
        except (EOFError, ConnectionError):
            return
        try:
            _send(connection, *_result(function, shared, task))
        except ConnectionError:
            return


def _result(function: Callable[..., Any], shared: object, task: tuple[Any, ...]) -> tuple[bool, object]:
    """Return whether a task went well, and what came of it or the error."""
    try:
        return True, function(shared, *task)
    except Exception as error:
        with suppress(Exception):
            pickle.loads(pickle.dumps(error))
            return False, error
        return False, _fault(error)


def _send(connection: Connection, is_good: bool, result: object) -> None:
    try:
        connection.send((is_good, result))
    except ConnectionError:
        raise
    except Exception as error:  # before anything was written
        connection.send((False, _fault(error)))


def _fault(error: Exception) -> EnvironmentFault:
    return EnvironmentFault(f"A process of this job failed: {error!r}.")
