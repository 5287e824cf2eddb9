"""Crash proof: break every job at every call that changes a disk or talks to a server, and check that nothing is lost.

    python tests/faults/crash.py --log crash.jsonl    # run again with the same log, it resumes
    python tests/faults/crash.py --only delete/update/power --sample 50

Each point is one job broken once, in a fresh workspace, and judged twice: as the fault left it, and after the same
job was repeated. ``judge.py`` defines what counts as lost, phantom and so on, ``faults.c`` the flavours of faults,
``jobs.py`` the jobs. Exit code 1 if any point has a problem.
"""

import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from jobs import KINDS
from server import running_server

DATABASES = ("delete", "wal", "postgresql")
ON_FILES = ("kill", "torn", "eio", "enospc", "power", "random")
ON_SERVER = ("kill", "torn", "eio", "reply", "power")
SHOWN = ("lost", "phantom", "unequal")
"""Kinds of problems that have a column in the table even if there are none."""

FLAVOURS = ("trace", "kill", "torn", "eio", "enospc", "power", "random", "reply")
"""What can happen at the k-th call, as ``faults.c`` explains; the order is that of its ``enum flavour``."""
FATAL = ("kill", "torn", "power", "random")
"""Flavours after which the process is dead; after the others it must end by itself, and well."""
KEY = ("database", "job", "flavour", "k", "seed")
"""What identifies a point in the log."""

Point = dict[str, Any]


def build(directory: Path) -> Path:
    """Compile the injector into ``directory`` and return the library."""
    library = directory / "faults.so"
    compiler = shutil.which(os.environ.get("CC", "cc")) or "gcc"
    options = ["-D_GNU_SOURCE", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread"]
    sources = sorted(Path(__file__).parent.glob("*.c"))
    subprocess.run([compiler, *options, "-o", library, *sources, "-ldl"], check=True)
    return library


def plan(options: argparse.Namespace, directory: Path) -> list[dict[str, Any]]:
    """Return the tasks: for each database and job, ``options.jobs`` of them, each with a directory of its own."""
    tasks = []
    for database in DATABASES:
        for job in KINDS:
            flavours = ON_SERVER if database == "postgresql" else ON_FILES
            wanted = [f for f in flavours if fnmatch.fnmatch(f"{database}/{job}/{f}", options.only)]
            for share in range(options.jobs if wanted else 0):
                base = directory / f"{database}_{job}_{share}"
                base.mkdir()
                task = {"database": database, "job": job, "flavours": wanted, "base": str(base), "share": share}
                task |= {"of": options.jobs, "seeds": options.seeds, "sample": options.sample}
                tasks.append(task | {"sabotage": options.sabotage})
    return tasks


def strike(tasks: list[dict[str, Any]], workers: int, library: Path) -> None:
    """Have worker processes do the tasks, ``workers`` at a time."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]),
        "LD_PRELOAD": str(library),
        "OMP_NUM_THREADS": "1",  # a thread of the parent would be missing in its children
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }
    worker = str(Path(__file__).with_name("points.py"))

    def do(task: dict[str, Any]) -> None:
        subprocess.run([sys.executable, worker, json.dumps(task)], env=environment, check=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(do, tasks))


def run(options: argparse.Namespace) -> list[Point]:
    """Strike all points that the options ask for; return them with those that the log already held."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="neardup-crash-", dir=memory if memory.is_dir() else None) as name:
        directory = Path(name)
        log = options.log or directory / "log.jsonl"
        log.touch()
        tasks = plan(options, directory)
        needs_server = any(task["database"] == "postgresql" for task in tasks)
        with running_server() if needs_server else nullcontext() as server:
            given = {"server": server.url() if server else None, "log": str(log)}
            strike([task | given for task in tasks], options.jobs, build(directory))
        struck = [json.loads(line) for line in log.read_text().splitlines()]
        return list({tuple(point[name] for name in KEY): point for point in struck}.values())


def table(points: list[Point]) -> list[str]:
    """Return one line for each database, job and flavour: points, faults that came to pass, problems by kind."""
    groups: defaultdict[tuple[str, ...], list[Point]] = defaultdict(list)
    for point in points:
        groups[point["database"], point["job"], point["flavour"]].append(point)
    groups["all", "", ""] = points
    kinds = list(dict.fromkeys((*SHOWN, *(kind for point in points for kind in sorted(_kinds(point))))))
    lines = [f"{'database':<11}{'job':<10}{'flavour':<9}{'points':>7}{'fired':>7}"]
    lines[0] += "".join(f"{kind:>10}" for kind in kinds)
    for (database, job, flavour), group in groups.items():
        found = Counter(kind for point in group for kind in _kinds(point))
        fired = sum(bool(point["call"]) for point in group)
        line = f"{database:<11}{job:<10}{flavour:<9}{len(group):>7}{fired:>7}"
        lines.append(line + "".join(f"{found[kind]:>10}" for kind in kinds))
    return lines


def _kinds(point: Point) -> set[str]:
    return {problem["kind"] for problem in point["problems"]}


def arguments() -> argparse.ArgumentParser:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="*", help="pattern of database/job/flavour; default all: *")
    parser.add_argument("--sample", type=int, help="points of each kind, in even steps; default all")
    parser.add_argument("--seeds", type=int, default=1, help="times that each point of flavour random is struck")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--log", type=Path, help="file for all points; those that went well are not struck again")
    parser.add_argument("--output", type=Path, help="JSON file for the table and every point with a problem")
    parser.add_argument("--sabotage", help="break the program itself first, as sabotage.py does")
    return parser


def main() -> int:
    options = arguments().parse_args()
    start = time.monotonic()
    points = run(options)
    bad = [point for point in points if point["problems"]]
    acked = sum(point["acked"] for point in points)
    print("\n".join([*table(points), *sorted({f"{point['database']}: {point['version']}" for point in points})]))
    print(f"{len(points):,} points, {acked:,} rows acknowledged, {len(bad)} points with a problem,", end=" ")
    print(f"{time.monotonic() - start:.0f} s")
    for point in bad[:10]:
        print(json.dumps(point)[:600], file=sys.stderr)
    if options.output:
        report = {"table": table(points), "points": len(points), "acknowledged": acked, "bad": bad}
        options.output.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if bad or not points else 0


if __name__ == "__main__":
    sys.exit(main())
