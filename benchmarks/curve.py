"""What the whole job costs as the names get more: what curve.md reports.

    python benchmarks/curve.py --data ../shared/data --work DIR [--size N ...]

Runs ``dedup index`` and ``dedup report`` on each number of names. Up to as many as there are they are real; the
others are generated: three of four join the first words of one real name to the last of another, the fourth is a
name misspelt (``dedup.training.data.variants``). What is measured of a size is kept in DIR/curve-SIZE.json, so that an
interrupted job goes on where it stopped; the table of all that are there, and of this code, goes to standard output,
and into ``curve.md`` if no usual size is missing, the bars to standard error. Exits with 1 if one is missed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bars
import kept
import numpy as np
import page
from bars import Result
from job import whole_job
from planted import OTHERS, write_names

from dedup.text.normalise import normalise
from dedup.training.data.sources import read_rows
from dedup.training.data.variants import variant

TEN_MILLION = 10_000_000  # takes hours: ask for it
SIZES = (100_000, 300_000, 1_000_000, 3_000_000)
SEED = 7
SHARE_OF_VARIANTS = 0.25
HEAD = """# What more names cost

Written by `python benchmarks/curve.py`; [README.md](README.md) says how. Seconds by stage; the *exponent* is the slope
of a least-squares line through the logarithms of names and cost: 1 is linear. All sizes are of one version, which
`python benchmarks/kept.py` named {code}.

"""


def names_of(data: Path, size: int) -> Iterator[str]:
    """Yield ``size`` names, the same for ever: real ones in an order drawn by chance, then generated ones."""
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
    """Run the whole job on so many names, and leave nothing but what was measured."""
    place = work / "curve"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    write_names(place / "names.csv", names_of(data, size))
    done = whole_job(place / "names.csv", place)
    result = {
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
    return result


def exponent(costs: Mapping[int, float]) -> float | None:
    """Return the slope of log cost over log size; None for fewer than two sizes that cost anything."""
    known = {size: cost for size, cost in costs.items() if cost > 0}
    if len(known) < 2:
        return None
    return float(np.polyfit(np.log(list(known)), np.log(list(known.values())), 1)[0])


def costs_of(results: Sequence[Mapping[str, Any]], kind: str) -> dict[str, dict[int, float]]:
    """Return what each part cost by size, parts in the order of the first size."""
    parts = dict.fromkeys(part for result in results for part in result[kind])
    return {part: {one["size"]: one[kind][part] for one in results if part in one[kind]} for part in parts}


def document(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables."""
    sizes = [result["size"] for result in results]
    blocks = []
    for kind, title, unit, digits in (
        ("seconds", "Seconds", 1.0, 1),
        ("bytes", "MiB", 2.0**20, 0),
        ("counts", "What was found", 1.0, 0),
    ):
        rows = [[title, *(f"{size:,}" for size in sizes), "exponent"], ["---"] * (len(sizes) + 2)]
        for part, costs in costs_of(results, kind).items():
            slope = exponent(costs)
            cells = [f"{costs[size] / unit:,.{digits}f}" if size in costs else "–" for size in sizes]
            rows.append([part, *cells, "–" if slope is None else f"{slope:.2f}"])
        blocks.append("".join("| " + " | ".join(row) + " |\n" for row in rows))
    return HEAD.format(code=kept.code()) + "\n".join(blocks)


def results_of(work: Path) -> list[dict[str, Any]]:
    """Return what was measured of this code, by size."""
    found = [result for path in work.glob("curve-*.json") if (result := kept.read(path))]
    return sorted(found, key=lambda result: int(result["size"]))


def judged(results: Sequence[Mapping[str, Any]]) -> Iterator[Result]:
    """Yield what has a bar."""
    seconds = costs_of(results, "seconds").get("in all", {})
    slope = exponent(seconds)
    if slope is not None:
        yield Result("whole job", "exponent", slope, bars.STEEPEST)
    if TEN_MILLION in seconds:
        sizes = costs_of(results, "bytes")
        peak = max(sizes[f"peak memory, {command}"][TEN_MILLION] for command in ("index", "report"))
        yield Result("10 million", "index and report, min", seconds[TEN_MILLION] / 60, bars.TEN_MILLION_MINUTES)
        yield Result("10 million", "peak GB", peak / 1e9, bars.TEN_MILLION_PEAK_GB)


def main() -> None:
    """Measure the sizes that are missing, print the table and the bars; exit with 1 if one is missed."""
    parser = argparse.ArgumentParser(description="Measure what the whole job costs as the names get more.")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is measured, and for the workspace")
    parser.add_argument("--size", type=int, nargs="+", default=list(SIZES), help="names; default %(default)s")
    arguments = parser.parse_args()

    arguments.work.mkdir(parents=True, exist_ok=True)
    for size in sorted(arguments.size):
        path = arguments.work / f"curve-{size}.json"
        if kept.read(path) is None:
            kept.write(path, measure(arguments.data, arguments.work, size))
        print(f"{size:,}: measured", file=sys.stderr, flush=True)
    results = results_of(arguments.work)
    text = document(results)
    if {*SIZES} <= {result["size"] for result in results}:
        page.put(Path(__file__).with_suffix(".md"), text)
    print(text, end="", flush=True)
    bars.show(judged(results), to=sys.stderr)


if __name__ == "__main__":
    main()
