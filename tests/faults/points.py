"""A worker of ``crash.py``: break a job at one call, judge what that leaves, repeat the job, and judge again.

The program is imported once, with the injector loaded. For every point one child process does the job and is broken;
a second child, as a new process would, judges the workspace, repeats the job and judges the result. The parent holds
no connections or threads that a child could inherit.

For a write-ahead log, the SQLite of a package ``pysqlite3`` replaces Python's own if it is installed: that may be too
old for us to choose this mode. Every point names its version.
"""

import ctypes
import gc
import importlib.util
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TASK: dict[str, Any] = json.loads(sys.argv[1])

if TASK["database"] == "wal" and importlib.util.find_spec("pysqlite3"):
    bundled = importlib.import_module("pysqlite3")  # before anything else imports sqlite3
    sys.modules["sqlite3"], sys.modules["sqlite3.dbapi2"] = bundled, bundled.dbapi2

import sqlite3  # noqa: E402

import alembic.command  # noqa: E402
import alembic.config  # noqa: E402, F401 - imported once, before the children are made, as faiss is
import faiss  # noqa: E402, F401
import sabotage  # noqa: E402
from crash import FATAL, FLAVOURS, KEY  # noqa: E402
from jobs import code, make_job, model  # noqa: E402
from judge import Dump, Problem, Stage, difference, dump, judge, judge_files, last_run  # noqa: E402
from server import execute  # noqa: E402
from sqlalchemy import make_url  # noqa: E402

from cli.exit_codes import ENVIRONMENT, exit_code  # noqa: E402
from dedup.errors import UsageError, VersionMismatch  # noqa: E402
from indexer.jobs.verify import verify  # noqa: E402
from indexer.models.stored import model_of_vectors  # noqa: E402
from indexer.store import engines  # noqa: E402
from indexer.store.workspace import Workspace  # noqa: E402
from indexer.vectors.snapshot import Snapshots  # noqa: E402

LIMIT_S = 60
"""A child that takes longer hangs."""
INJECTOR = ctypes.CDLL(None)
"""This process, which was started with ``LD_PRELOAD`` set to the library."""
RETRY_PAUSES_S = (0.01,) * len(engines.RETRY_PAUSES_S)

Tell = Callable[..., None]
Work = Callable[[Tell, int], None]
"""Done in a child, which reports events through a function, or as lines written to a descriptor."""


@dataclass
class Child:
    """What a child reported before it ended with ``status``, that of ``waitpid``."""

    acked: int = 0
    done: bool = False
    calls: list[str] = field(default_factory=list)
    raised: tuple[int, str] | None = None  # exit code, error
    problems: list[Problem] = field(default_factory=list)
    final: Dump = field(default_factory=dict)
    status: int = 0
    errors: str = ""


def arm(root: Path, k: int, flavour: str, *, seed: int, sockets: bool, report: int) -> None:
    """Count calls from now on and break the ``k``-th one, which is named in a line written to ``report``."""
    number = FLAVOURS.index(flavour)
    INJECTOR.faults_arm(os.fsencode(root), ctypes.c_long(k), number, seed, int(sockets), report)


class Place:
    """Makes workspaces under ``base``, one at a time.

    ``kind`` is ``delete`` (SQLite with a rollback journal), ``wal`` (with a write-ahead log) or ``postgresql``, with
    the URL of a server.
    """

    def __init__(self, kind: str, base: Path, server: str | None) -> None:
        self.kind = kind
        self.is_shared = kind == "postgresql"
        """Whether a server takes part, whose pace may change the number of messages by one or two."""
        self.version = f"SQLite {sqlite3.sqlite_version}"
        self._base = base
        self._server = server if self.is_shared else None
        self._database = f"crash_{base.name}"
        if self._server:
            self.version = f"PostgreSQL {execute(self._server, 'SHOW server_version')[0][0]}"
        else:
            engines.journal_mode = lambda *known: "DELETE" if kind == "delete" else "WAL"

    @contextmanager
    def new(self, kept: str | None) -> Iterator[tuple[Path, str | None]]:
        """Copy what was kept under a name, or start from nothing; yield the directory and the database URL."""
        root, origin = self._base / "point", self._base / f"kept-{kept}"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        if kept and origin.exists():
            shutil.copytree(origin, root / "workspace")
        url = None
        if self._server:
            template = f"TEMPLATE {self._database}_{kept}" if kept else ""
            execute(self._server, f"DROP DATABASE IF EXISTS {self._database} WITH (FORCE)")
            execute(self._server, f"CREATE DATABASE {self._database} {template} STRATEGY FILE_COPY")
            url = make_url(self._server).set(database=self._database).render_as_string(hide_password=False)
        yield root / "workspace", url

    def keep(self, name: str) -> None:
        """Keep the workspace that ``new`` yielded, to make copies of it."""
        made = self._base / "point" / "workspace"
        if made.exists():
            made.rename(self._base / f"kept-{name}")
        if self._server:
            execute(self._server, f"ALTER DATABASE {self._database} RENAME TO {self._database}_{name}")

    def settle(self) -> None:
        """Wait until the server has noticed that the client is gone."""
        query = f"SELECT FROM pg_stat_activity WHERE datname = '{self._database}'"
        while self._server and execute(self._server, query):
            time.sleep(0.001)


class Bench:
    """One job on one database: where it starts, which calls it makes, and what it comes to."""

    def __init__(self, place: Place, kind: str) -> None:
        self._job = make_job(kind, random.Random(kind))
        self._place = place
        for normal in {name.lower() for state in self._job.states for name, _ in state.values()}:
            code(self._job.letter, normal)  # computed once for all children
        gc.freeze()  # a collection in a child would copy every page
        with place.new(None) as (path, url):
            self._well(_in_child(path, lambda tell, report: self._job.prepare(_workspace(path, url))))
            place.settle()
            self._after_run = last_run(path, url)
            place.keep(kind)
        self._final: Dump = {}
        first, second = self._count(), self._count()
        if not place.is_shared and len(first) != len(second):
            raise RuntimeError(f"{kind} makes {len(first)} calls, and then {len(second)}")
        self.calls = max(first, second, key=len)

    def _count(self) -> list[str]:
        """Return the calls of the job when nothing is broken, and check that it is done well."""
        with self._place.new(self._job.kind) as (path, url):
            told = self._well(_in_child(path, lambda tell, report: self._do(path, url, tell, report, "trace", 0, 0)))
            self._place.settle()
            judged = self._well(_in_child(path, lambda tell, report: self._judge(path, url, tell, told)))
        if judged.problems:
            raise RuntimeError(f"{self._job.kind} has problems when nothing is broken: {judged.problems}")
        self._final = self._final or judged.final
        return told.calls

    def strike(self, flavour: str, k: int, seed: int) -> dict[str, Any]:
        """Break the job at its ``k``-th call, or after the last, and judge what that leaves.

        ``call`` is the one that was broken, empty if the job took another way.
        """
        with self._place.new(self._job.kind) as (path, url):
            chance = 1000 * k + seed
            broken = _in_child(path, lambda tell, report: self._do(path, url, tell, report, flavour, k, chance))
            self._place.settle()
            judged = _in_child(path, lambda tell, report: self._judge(path, url, tell, broken))
            self._place.settle()
        problems = [*_judge_end(broken, flavour), *judged.problems]
        if judged.status or judged.raised:
            problems.append(Problem("rerun", f"ended with {judged.status}, {judged.raised}, {judged.errors}"))
        found = {"call": broken.calls[0] if broken.calls else "", "acked": broken.acked}
        found["problems"] = [asdict(problem) for problem in problems]
        key = (self._place.kind, self._job.kind, flavour, k, seed)
        return dict(zip(KEY, key, strict=True)) | {"version": self._place.version} | found

    def _do(self, path: Path, url: str | None, tell: Tell, report: int, flavour: str, k: int, seed: int) -> None:
        arm(path.parent, k, flavour, seed=seed, sockets=url is not None, report=report)
        self._job.do(_workspace(path, url), tell)
        if flavour in FATAL:
            INJECTOR.faults_now()

    def _judge(self, path: Path, url: str | None, tell: Tell, broken: Child) -> None:
        left = list(judge(path, url, self._job, Stage(broken.acked, broken.done, self._after_run, attempts=1)))
        with suppress(UsageError, VersionMismatch):  # nothing is indexed yet, or nothing migrated
            left += self._verify(_workspace(path, url), "truth", "vectors")
        if broken.done and self._final and not left and (found := difference(dump(path, url), self._final)):
            left.append(Problem("unequal", f"when it was done: {found}"))
        self._job.do(_workspace(path, url), lambda *event: None)
        repeated = Stage(done=True, after_run=self._after_run, attempts=2, is_repeated=True)
        again = [*judge(path, url, self._job, repeated), *judge_files(path, url)]
        again += self._verify(_workspace(path, url), "truth", "vectors", "snapshot", "note")
        final = dump(path, url)
        if self._final and (found := difference(final, self._final)):
            again.append(Problem("unequal", found))
        for problem in [*left, *(Problem(one.kind, f"after the rerun: {one.message}") for one in again)]:
            tell("problem", problem.kind, problem.message)
        tell("final", final)

    def _verify(self, workspace: Workspace, *kinds: str) -> Iterator[Problem]:
        with workspace.open(for_writing=False) as store:
            own = model((model_of_vectors(store) or self._job.letter)[0])
            for check in verify(
                Snapshots(store, workspace.snapshots), workspace.directory, own.model_id, own.dimension
            ):
                if check.faults and check.kind in kinds:
                    yield Problem("verify", f"{check.name}: {check.examples}")

    def _well(self, child: Child) -> Child:
        if child.status or child.raised:
            state = f"{child.status} {child.raised} {child.errors}"
            raise RuntimeError(f"{self._job.kind}: nothing was broken, and yet {state}")
        return child


def _workspace(path: Path, url: str | None) -> Workspace:
    return Workspace(path, url, retry_pauses_s=RETRY_PAUSES_S)


def _judge_end(broken: Child, flavour: str) -> Iterator[Problem]:
    """Yield what is wrong with the end of a job: it must be dead if it was killed, else done, or end with our error."""
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
    except BaseException as error:  # whatever it is, it is judged by the exit code that a user sees
        INJECTOR.faults_disarm()
        tell("raised", (exit_code(error), f"{type(error).__name__}: {error}"))


def _note(child: Child, line: str) -> None:
    if line.startswith("fault "):
        child.calls.append(line.removeprefix("fault ").rstrip())
        return
    event, *values = json.loads(line)
    if event == "problem":
        child.problems.append(Problem(*values))
    else:
        setattr(child, {"rows": "acked"}.get(event, event), values[0] if values else True)


def numbers(calls: list[str], flavour: str, sample: int | None) -> list[int]:
    """Return the calls to break, from 1: only messages if a reply is lost, one more if the flavour is fatal."""
    found = list(range(1, len(calls) + 1 + (flavour in FATAL)))
    if flavour == "reply":
        found = [k for k in found if calls[k - 1].startswith("send")]
    if sample is None or sample >= len(found):
        return found
    return sorted({found[round(step * (len(found) - 1) / max(1, sample - 1))] for step in range(sample)})


def main(task: dict[str, Any]) -> None:
    place = Place(task["database"], Path(task["base"]), task["server"])
    log = Path(task["log"])
    struck = map(json.loads, log.read_text().splitlines())
    known = {tuple(point[name] for name in KEY) for point in struck if not point["problems"]}
    with log.open("a", buffering=1) as lines:
        bench = Bench(place, task["job"])
        for owner, name, new in sabotage.patches_of(task["sabotage"]):
            setattr(owner, name, new)
        for flavour in task["flavours"]:
            seeds = range(task["seeds"] if flavour == "random" else 1)
            points = [(k, seed) for seed in seeds for k in numbers(bench.calls, flavour, task["sample"])]
            for k, seed in points[task["share"] :: task["of"]]:
                if (place.kind, task["job"], flavour, k, seed) not in known:
                    lines.write(json.dumps(bench.strike(flavour, k, seed)) + "\n")


if __name__ == "__main__":
    main(TASK)
