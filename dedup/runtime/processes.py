"""Worker processes: tasks in, results out, in order.

Workers are started as fresh interpreters, because a process forked from one with threads may hang. Unlike those of
``multiprocessing`` they do not import the caller's main module, so a script needs no ``if __name__ == "__main__"``
guard and a notebook works. Each worker has a pipe of its own to the caller. When the caller ends, however it ends, the
pipe closes and the worker exits.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from threading import Lock, get_ident
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet

from dedup.errors import EnvironmentFault
from dedup.runtime import children, threads

T = TypeVar("T")


class _Worker(NamedTuple):
    process: subprocess.Popen[bytes]
    pipe: Connection


class _Team:
    """Workers that one iteration uses at a time: the one that holds ``turn``. Once stopped, they never run again."""

    def __init__(self) -> None:
        self.turn = Lock()
        self.user: int | None = None
        self.workers: list[_Worker] = []
        self._is_stopped = False
        self._change = Lock()

    def start(self, count: int, shared: object) -> list[Connection]:
        """Return a pipe to each of ``count`` workers; start those that are missing or have died."""
        with self._change:
            self.workers = [worker for worker in self.workers if worker.process.poll() is None]
        started = []
        # A terminal sends an interrupt to all processes. The workers inherit that it is blocked; the caller decides.
        allowed = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            while len(self.workers) < count:
                with self._change:
                    if self._is_stopped:
                        break
                    started.append(_start())
                    self.workers.append(started[-1])
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, allowed)
        for worker in started:
            worker.pipe.send(shared)
        with self._change:
            if self._is_stopped:
                raise EnvironmentFault(self.why_ended())
            return [worker.pipe for worker in self.workers]

    def stop(self) -> None:
        """Kill all workers, whatever they are doing."""
        with self._change:  # another thread may be starting one
            self._is_stopped = True
            workers, self.workers = self.workers, []
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.wait()
        # A pipe is closed when nobody holds it any more: another thread may be writing to it just now.

    def forget(self) -> None:
        """Leave all workers to the parent process; for use in a child right after a fork."""
        self._change = Lock()  # a thread of the parent may have held it
        self._is_stopped = True
        workers, self.workers = self.workers, []
        for worker in workers:
            worker.process.returncode = 0  # neither waited for nor killed here
            worker.pipe.close()  # or workers would outlive the parent while this process lives

    def why_ended(self) -> str:
        """Describe why workers are gone, with their exit codes."""
        if self._is_stopped:
            return "The worker processes were closed while they were working."
        for worker in self.workers:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(1)
        codes = sorted({str(worker.process.returncode) for worker in self.workers if worker.process.returncode})
        return (
            f"A worker process ended with code {', '.join(codes) or 'unknown'} (-9 usually means out of memory); "
            "try fewer threads, e.g. --threads 1 or OMP_NUM_THREADS=1."
        )


class Processes:
    """Up to ``count`` worker processes, each with a copy of ``shared``. They start when they are first needed.

    Several threads may share them: each iteration waits until the one before it has ended. A process forked from this
    one starts workers of its own.
    """

    def __init__(self, count: int, shared: object) -> None:
        self._count = count
        self._shared = shared
        self._team = _Team()
        _instances.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out the workers; a copy starts its own."""
        return Processes, (self._count, self._shared)

    @property
    def are_running(self) -> bool:
        """Whether the workers have been started, so that even a small job is worth dividing."""
        return bool(self._team.workers)

    def close(self) -> None:
        """Stop all workers at once, whatever they are doing; an iteration in another thread fails."""
        self._replace(self._team)

    def map(self, function: Callable[..., T], tasks: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """Yield ``function(shared, *task)`` for each task, in order.

        Function, tasks and results are pickled; the function must be importable by the worker, so it cannot be one of
        the main module. Workers that died while idle are replaced. An iteration that fails, or is closed while results
        are outstanding, stops the workers; the next one starts new ones.

        Raises:
            EnvironmentFault: a worker died, or its result or its exception cannot be pickled.
            RuntimeError: an earlier iteration of this thread has not ended.
        """
        while True:
            team = self._team
            if team.turn.locked() and team.user == get_ident():
                raise RuntimeError("An earlier iteration of this thread has not ended; exhaust it or close it.")
            with team.turn:
                if team is not self._team:  # replaced while this thread waited
                    continue
                team.user = get_ident()
                try:
                    yield from self._results(team, function, iter(tasks))
                finally:
                    team.user = None
                return

    def _results(self, team: _Team, function: Callable[..., T], tasks: Iterator[tuple[Any, ...]]) -> Iterator[T]:
        """Yield the results of ``tasks`` computed by ``team``, whose turn the caller holds."""
        busy: deque[Connection] = deque()
        is_idle = False
        try:
            for pipe in team.start(self._count, self._shared):
                _send_next(pipe, function, tasks, busy)
            while busy:
                pipe = busy.popleft()
                succeeded, result = pipe.recv()
                if not succeeded:
                    raise result
                # Not earlier: a worker that is writing its result does not read, and both sides would wait for ever.
                _send_next(pipe, function, tasks, busy)
                is_idle = not busy
                yield result
            is_idle = True
        except (EOFError, ConnectionError) as error:
            raise EnvironmentFault(team.why_ended()) from error
        finally:
            if not is_idle:  # the next iteration would receive results of this one
                self._replace(team)

    def _replace(self, team: _Team) -> None:
        """Stop ``team``; the next iteration starts another one."""
        if team is self._team:
            self._team = _Team()
        team.stop()

    def _forget(self) -> None:
        """Start workers of its own in a forked process."""
        team, self._team = self._team, _Team()
        team.forget()


_instances: WeakSet[Processes] = WeakSet()


def _after_fork() -> None:
    for processes in list(_instances):
        processes._forget()


os.register_at_fork(after_in_child=_after_fork)


def _start() -> _Worker:
    here, there = Pipe()
    try:
        process = children.start(
            __name__,
            serve.__name__,
            there.fileno(),
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
