"""Measure what the whole job costs as the number of names grows; writes results/scaling.md.

    python benchmarks/scaling.py --data ../shared/data --work DIR [--size N ...]

Runs `dedup index` and `dedup report` on each number of names. The real names come first; the others are generated:
three of four join the first words of one real name to the last of another, the fourth is a name misspelt. Results are
kept in DIR/scaling-SIZE.json, so that an interrupted run resumes. Exits with 1 if a bar is missed.
"""

import random
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import results
from corpora import OTHERS, write_names
from process import whole_job
from results import Result, result

from dedup.text.normalise import normalise
from dedup.training.data.sources import read_rows
from dedup.training.data.variants import variant

TEN_MILLION = 10_000_000  # takes hours: ask for it
SIZES = (100_000, 300_000, 1_000_000, 3_000_000)
SEED = 7
SHARE_OF_VARIANTS = 0.25
KINDS = {"seconds": ("Seconds", 1.0, 1), "bytes": ("MiB", 2.0**20, 0), "counts": ("What was found", 1.0, 0)}
HEAD = """# What more names cost

Written by `python benchmarks/scaling.py`; [README.md](../README.md) says how. Seconds by stage; the *exponent* is the
slope of a least-squares line through the logarithms of names and cost: 1 is linear. Code {code}.

"""


def names_of(data: Path, size: int) -> Iterator[str]:
    """Yield ``size`` names, always the same: real ones in a random order, then generated ones."""
    rng = random.Random(SEED)
    real = [row["name"] for row in read_rows(data / OTHERS)]
    rng.shuffle(real)
    yield from real[:size]
    for _ in range(size - len(real)):
        yield generated(real, rng)


def generated(real: Sequence[str], rng: random.Random) -> str:
    """Return another spelling of a real name, or a name made of two."""
    first = rng.choice(real)
    normal = normalise(first)
    if normal and rng.random() < SHARE_OF_VARIANTS:
        return variant(normal, rng)
    start, end = first.split(), rng.choice(real).split()
    return " ".join([*start[: (len(start) + 1) // 2], *end[len(end) // 2 :]])


def measure(data: Path, work: Path, size: int) -> dict[str, Any]:
    """Run the whole job on so many names, and remove its files."""
    place = work / "scaling"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    write_names(place / "names.csv", names_of(data, size))
    done = whole_job(place / "names.csv", place)
    measured = {
        "size": size,
        "seconds": done.stages | {"index": done.index.seconds, "report": done.report.seconds, "in all": done.seconds},
        "bytes": {
            "peak memory, index": done.index.peak_gib * 2**30,
            "peak memory, report": done.report.peak_gib * 2**30,
            "workspace": done.workspace_bytes,
            "snapshot": done.snapshot_bytes,
            "input": (place / "names.csv").stat().st_size,
        },
        "counts": {name: done.summary[name] for name in ("distinct_texts", "candidates", "near_pairs", "clusters")},
    }
    shutil.rmtree(place)
    return measured


def exponent(costs: Mapping[int, float]) -> float | None:
    """Return the slope of log cost over log size; None for fewer than two sizes that cost anything."""
    known = {size: cost for size, cost in costs.items() if cost > 0}
    if len(known) < 2:
        return None
    return float(np.polyfit(np.log(list(known)), np.log(list(known.values())), 1)[0])


def costs_of(measured: Sequence[Mapping[str, Any]], kind: str) -> dict[str, dict[int, float]]:
    """Return what each part cost by size, parts in the order of the first size."""
    parts = dict.fromkeys(part for one in measured for part in one[kind])
    return {part: {one["size"]: one[kind][part] for one in measured if part in one[kind]} for part in parts}


def page(measured: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables."""
    sizes = [one["size"] for one in measured]
    blocks = []
    for kind, (title, unit, digits) in KINDS.items():
        rows = []
        for part, costs in costs_of(measured, kind).items():
            slope = exponent(costs)
            cells = [f"{costs[size] / unit:,.{digits}f}" if size in costs else "–" for size in sizes]
            rows.append([part, *cells, "–" if slope is None else f"{slope:.2f}"])
        blocks.append(results.table([title, *(f"{size:,}" for size in sizes), "exponent"], rows))
    return HEAD.format(code=results.code()) + "\n".join(blocks)


def measured_in(work: Path) -> list[dict[str, Any]]:
    """Return what was measured of this code, by size."""
    found = [one for path in work.glob("scaling-*.json") if (one := results.kept(path))]
    return sorted(found, key=lambda one: int(one["size"]))


def judged(measured: Sequence[Mapping[str, Any]]) -> Iterator[Result]:
    """Yield what has a bar."""
    seconds = costs_of(measured, "seconds").get("in all", {})
    slope = exponent(seconds)
    if slope is not None:
        yield result("whole job", "exponent", slope)
    sizes = costs_of(measured, "bytes")
    if "snapshot" in sizes:
        beyond = max(sizes["peak memory, index"][size] - one for size, one in sizes["snapshot"].items())
        yield result("whole job", "index peak beyond the snapshot, GiB", beyond / 2**30)
    if TEN_MILLION in seconds:
        peak = max(sizes[f"peak memory, {command}"][TEN_MILLION] for command in ("index", "report"))
        yield result("10 million", "index and report, min", seconds[TEN_MILLION] / 60)
        yield result("10 million", "peak GB", peak / 1e9)


def main() -> None:
    parser = results.arguments(__doc__, work="results and the workspace")
    parser.add_argument("--size", type=int, nargs="+", default=list(SIZES), help="names; default %(default)s")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    for size in sorted(asked.size):
        path = asked.work / f"scaling-{size}.json"
        if results.kept(path) is None:
            results.keep(path, measure(asked.data, asked.work, size))
        print(f"{size:,}: measured", file=sys.stderr, flush=True)
    measured = measured_in(asked.work)
    if {*SIZES} <= {one["size"] for one in measured}:
        results.put("scaling", page(measured))
    print(page(measured), end="", flush=True)
    results.show(judged(measured), to=sys.stderr)


if __name__ == "__main__":
    main()
