"""Break a job at one point, look at what that leaves, and let the same job finish: a fork server.

The program is imported once. For every point one child does the job and is broken, and a second child, as a new
process would, judges the workspace, does the job again and judges what that comes to. The parent holds neither
connections nor threads that a child could inherit.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import alembic.command
import alembic.config  # noqa: F401 - imported once, before the children are made, as faiss is
import faiss  # noqa: F401
import oracle
from databases import Place
from faults import Faults
from oracle import Dump, Problem
from workloads import DIMENSION, MODEL, RETRY_PAUSES_S, WORKLOADS

from cli.exit_codes import ENVIRONMENT, exit_code
from dedup.errors import UsageError, VersionMismatch
from indexer.jobs.verify import verify
from indexer.store.workspace import Workspace

LIMIT_S = 60
"""A child that takes longer hangs."""
FATAL = ("kill", "torn", "power", "random")
"""Flavours after which the process is dead; after the others it has to end by itself, and well."""

Tell = Callable[..., None]
Work = Callable[[Tell, int], None]
"""Done in a child: it tells events by a function, or by lines written to a descriptor."""


@dataclass
class Child:
    """What a child told before it ended with ``status``, that of ``waitpid``; ``errors`` is its standard error."""

    acked: int = 0
    done: bool = False
    calls: list[str] = field(default_factory=list)
    raised: tuple[int, str] | None = None  # exit code, error
    problems: list[Problem] = field(default_factory=list)
    final: Dump = field(default_factory=dict)
    status: int = 0
    errors: str = ""


@dataclass(frozen=True)
class Point:
    """What came of one point; ``call`` is the one that was broken, empty if the job took another way."""

    database: str
    workload: str
    flavour: str
    k: int
    seed: int
    version: str
    call: str
    acked: int
    problems: list[Problem]


class Bench:
    """One workload on one database: where it starts, which calls it makes, and what it comes to."""

    def __init__(self, place: Place, name: str) -> None:
        self.name = name
        self.workload = WORKLOADS[name]
        self._place = place
        gc.freeze()  # a collection in a child would copy every page
        with place.new(None) as (path, url):
            self._well(_in_child(path, lambda tell, report: self.workload.prepare(_workspace(path, url))))
            place.settle()
            place.keep(name)
        self.final: Dump = {}
        first, second = self.count(), self.count()
        if not place.is_shared and len(first) != len(second):
            raise RuntimeError(f"{name} makes {len(first)} calls, and then {len(second)}")
        self.calls = max(first, second, key=len)

    def count(self) -> list[str]:
        """Return the calls of the job when nothing is broken, and see that it is done well."""
        with self._place.new(self.name) as (path, url):
            told = self._well(_in_child(path, lambda tell, report: self._job(path, url, tell, report, "trace", 0, 0)))
            self._place.settle()
            judged = self._well(_in_child(path, lambda tell, report: self._judge(path, url, tell, told)))
        if judged.problems:
            raise RuntimeError(f"{self.name} has problems when nothing is broken: {judged.problems}")
        self.final = self.final or judged.final
        return told.calls

    def strike(self, flavour: str, k: int, seed: int) -> Point:
        """Break the job at its ``k``-th call, or after the last, and judge what that leaves."""
        with self._place.new(self.name) as (path, url):
            chance = 1000 * k + seed
            broken = _in_child(path, lambda tell, report: self._job(path, url, tell, report, flavour, k, chance))
            self._place.settle()
            judged = _in_child(path, lambda tell, report: self._judge(path, url, tell, broken))
            self._place.settle()
        problems = [*_judge_end(broken, flavour), *judged.problems]
        if judged.status or judged.raised:
            problems.append(Problem("rerun", f"ended with {judged.status}, {judged.raised}, {judged.errors}"))
        call = broken.calls[0] if broken.calls else ""
        return Point(self._place.kind, self.name, flavour, k, seed, self._place.version, call, broken.acked, problems)

    def _job(self, path: Path, url: str | None, tell: Tell, report: int, flavour: str, k: int, seed: int) -> None:
        faults = Faults()
        faults.arm(path.parent, k, flavour, seed=seed, sockets=url is not None, report=report)
        self.workload.run(_workspace(path, url), tell)
        if flavour in FATAL:
            faults.strike()

    def _judge(self, path: Path, url: str | None, tell: Tell, broken: Child) -> None:
        left = list(oracle.judge(path, url, self.workload, broken.acked, done=broken.done))
        with suppress(UsageError, VersionMismatch):  # nothing is indexed yet, or nothing migrated
            left += _verify(_workspace(path, url), ("truth", "vectors"))
        for problem in left:
            tell("problem", problem.kind, problem.message)
        is_final = broken.done and self.final and not left
        if is_final and (message := oracle.difference(oracle.dump(path, url), self.final)):
            tell("problem", "unequal", f"when it was done: {message}")
        self.workload.run(_workspace(path, url), lambda *event: None)
        again = [*oracle.judge(path, url, self.workload, 0, done=True), *oracle.judge_files(path, url)]
        again += _verify(_workspace(path, url), ("truth", "vectors", "snapshot", "note"))
        for problem in again:
            tell("problem", problem.kind, f"after the rerun: {problem.message}")
        final = oracle.dump(path, url)
        if self.final and (message := oracle.difference(final, self.final)):
            tell("problem", "unequal", message)
        tell("final", final)

    def _well(self, child: Child) -> Child:
        if child.status or child.raised:
            raise RuntimeError(f"{self.name}: nothing was broken, and yet {child.status} {child.raised} {child.errors}")
        return child


def _workspace(path: Path, url: str | None) -> Workspace:
    return Workspace(path, url, retry_pauses_s=RETRY_PAUSES_S)


def _verify(workspace: Workspace, kinds: tuple[str, ...]) -> Iterator[Problem]:
    """Yield what ``dedup verify`` finds; a snapshot may be missing until the job is done."""
    with workspace.open(for_writing=False) as store:
        for check in verify(store, workspace.directory, MODEL.model_id, DIMENSION):
            if check.faults and check.kind in kinds:
                yield Problem("verify", f"{check.name}: {check.examples}")


def _judge_end(broken: Child, flavour: str) -> Iterator[Problem]:
    """Yield what is wrong with the end of a job: dead if it was killed, else done, or ended by an error of ours."""
    if flavour in FATAL:
        if broken.status != signal.SIGKILL:
            yield Problem("harness", f"ended with {broken.status}, {broken.raised}, {broken.errors}")
    elif broken.status:
        yield Problem("error", f"killed by signal {broken.status}: {broken.errors}")
    elif broken.raised and broken.raised[0] != ENVIRONMENT:
        yield Problem("error", f"ended with {broken.raised}")
    elif not broken.raised and not broken.done:
        yield Problem("error", "ended as if all were well, and was not done")


def _in_child(path: Path, work: Work) -> Child:
    """Do something in a child process and return what it told."""
    errors = path.parent.with_name("stderr")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        gc.disable()
        os.close(reading)
        signal.alarm(LIMIT_S)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
        tempfile.tempdir = str(path.parent)
        _work(work, writing)
        os._exit(0)
    os.close(writing)
    child = Child()
    with open(reading, encoding="utf-8") as lines:
        for line in lines:
            _note(child, line)
    child.status = os.waitpid(pid, 0)[1]
    child.errors = errors.read_text(errors="replace")[-2000:]
    return child


def _work(work: Work, report: int) -> None:
    def tell(*event: object) -> None:
        os.write(report, json.dumps(event).encode() + b"\n")

    try:
        work(tell, report)
    except BaseException as error:  # whatever it is, it is told, and judged by the exit code that a user sees
        Faults().disarm()
        tell("raised", exit_code(error), f"{type(error).__name__}: {error}")


def _note(child: Child, line: str) -> None:
    if line.startswith("fault "):
        child.calls.append(line.removeprefix("fault ").rstrip())
        return
    event, *values = json.loads(line)
    if event == "rows":
        child.acked = values[0]
    elif event == "done":
        child.done = True
    elif event == "raised":
        child.raised = values[0], values[1]
    elif event == "problem":
        child.problems.append(Problem(*values))
    else:
        child.final = values[0]
