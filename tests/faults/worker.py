"""A process of ``crash.py``: strikes its share of the points and adds what comes of each to a log, a line of JSON.

It is started with the shim loaded. For a write-ahead log, the SQLite of a package ``pysqlite3`` takes the place of
Python's if it is installed: that one may be too old for us to choose this mode. Every point tells its version.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

TASK: dict[str, Any] = json.loads(sys.argv[1])

if TASK["database"] == "wal" and importlib.util.find_spec("pysqlite3"):
    bundled = importlib.import_module("pysqlite3")  # before anything else asks for sqlite3
    sys.modules["sqlite3"], sys.modules["sqlite3.dbapi2"] = bundled, bundled.dbapi2

import sabotage  # noqa: E402
from crash import KEY  # noqa: E402
from databases import Place  # noqa: E402
from points import FATAL, Bench  # noqa: E402


def places(calls: list[str], flavour: str, sample: int | None) -> list[int]:
    """Return the calls to break, from 1: messages only if it is a reply that is lost, one more if it can be fatal."""
    numbers = list(range(1, len(calls) + 1 + (flavour in FATAL)))
    if flavour == "reply":
        numbers = [k for k in numbers if calls[k - 1].startswith("send")]
    if sample is None or sample >= len(numbers):
        return numbers
    last = len(numbers) - 1
    return sorted({numbers[round(step * last / max(1, sample - 1))] for step in range(sample)})


def main(task: dict[str, Any]) -> None:
    """Strike the points of a task, every ``of``-th from the ``share``-th on, but for those that went well before."""
    place = Place(task["database"], Path(task["base"]), task["server"])
    log = Path(task["log"])
    struck = map(json.loads, log.read_text().splitlines())
    known = {tuple(point[name] for name in KEY) for point in struck if not point["problems"]}
    try:
        bench = Bench(place, task["workload"])
        if task["sabotage"]:
            sabotage.apply(task["sabotage"])
        with log.open("a", buffering=1) as lines:
            for flavour in task["flavours"]:
                seeds = range(task["seeds"] if flavour == "random" else 1)
                points = [(k, seed) for seed in seeds for k in places(bench.calls, flavour, task["sample"])]
                for k, seed in points[task["share"] :: task["of"]]:
                    if (place.kind, task["workload"], flavour, k, seed) not in known:
                        lines.write(json.dumps(asdict(bench.strike(flavour, k, seed))) + "\n")
    finally:
        place.close()


if __name__ == "__main__":
    main(TASK)
