"""Measure accuracy, the whole job on 1.12 million names, and start-up; compare with the bars.

Everything runs through the installed command line, in processes of its own.

    python benchmarks/run.py --data ../shared/data [--only NAME ...] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from job import whole_job
from process import DEDUP, Finished, run

BARE_PYTHON = [sys.executable, "-c", "pass"]
RUNS = 7  # of each start-up time; the median counts
QUERY = "international flavor and fragrances"

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table; ``bar`` is what the value must reach, if anything, as in "< 1.5"."""

    bench: str
    measure: str
    value: float
    bar: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the value reaches the bar; None without a bar."""
        if not self.bar:
            return None
        comparison, limit = self.bar.split()
        return COMPARISONS[comparison](self.value, float(limit))


def evaluate(*options: str) -> tuple[dict[str, Any], Finished]:
    """Return what ``dedup evaluate`` measures, and the process that did."""
    process = run([DEDUP, "evaluate", *options, "--format", "json"])
    return json.loads(process.output), process


def bench_pairs(data: Path) -> Iterator[Result]:
    """Measure accuracy on labelled pairs, beside the best RapidFuzz scorer."""
    for name, bar in (("company_validation_h1b", ">= 0.955"), ("company_validation_nber", ">= 0.92")):
        measured, _ = evaluate("--pairs", str(data / "pairs" / f"{name}.csv.gz"))
        yield Result(name, "best F1", measured["best_f1"], bar)
        for key in ("auc", "average_precision", "f1", "brier", "expected_calibration_error"):
            yield Result(name, key.replace("_", " "), measured[key])
        baselines = measured["baselines"]
        yield Result(name, "best F1, siamese alone", baselines.pop("siamese_similarity")["best_f1"])
        best = max(baselines, key=lambda scorer: float(baselines[scorer]["best_f1"]))
        yield Result(name, f"best F1, RapidFuzz {best}", baselines[best]["best_f1"])


def bench_clusters(data: Path) -> Iterator[Result]:
    """Measure retrieval and clusters of 20 thousand records among 1.1 million distractors."""
    name = "h1b_employers_validation"
    truth, others = data / "clusters" / f"{name}.csv.gz", data / "names" / "organisations.csv.gz"
    measured, process = evaluate("--clusters", str(truth), "--distractors", str(others))
    yield Result(name, "distractors", measured["distractors"])
    for k, recall in measured["recall_at"].items():
        yield Result(name, f"recall at {k}", recall)
    for kind in ("pair", "b_cubed"):
        for key in ("precision", "recall", "f1"):
            yield Result(name, f"{kind} {key}".replace("_", "-"), measured[f"{kind}_{key}"])
    for stage, seconds in measured["seconds"].items():
        yield Result(name, f"{stage}, s", seconds)
    yield Result(name, "in all, s", process.seconds)
    yield Result(name, "peak GiB", process.peak_gib)


def bench_job(data: Path) -> Iterator[Result]:
    """Index 1.12 million names, report their duplicates, then query them with cold processes."""
    with tempfile.TemporaryDirectory(prefix="dedup-bench-") as folder:
        place = Path(folder)
        done = whole_job(data / "names" / "organisations.csv.gz", place)
        index, report = done.index, done.report
        yield Result("whole job", "index, s", index.seconds)
        yield Result("whole job", "report, s", report.seconds)
        yield Result("whole job", "index and report, min", done.seconds / 60, "<= 20")
        yield Result("whole job", "index, peak GiB", index.peak_gib, "<= 1.4")
        yield Result("whole job", "report, peak GiB", report.peak_gib, "<= 1.4")
        yield Result("whole job", "workspace, GiB", done.workspace_bytes / 2**30)
        environment = {"DEDUP_WORKSPACE": str(place / "workspace")}
        yield from start_up("query", [DEDUP, "query", QUERY, "--format", "json"], "<= 0.8", environment)


def bench_help(data: Path) -> Iterator[Result]:
    """Time the help text."""
    yield from start_up("help", [DEDUP, "--help"], "< 0.3")


BENCHES = {"pairs": bench_pairs, "clusters": bench_clusters, "job": bench_job, "help": bench_help}


def start_up(
    name: str, command: Sequence[str], bar: str, environment: Mapping[str, str] | None = None
) -> Iterator[Result]:
    """Time a short command, in turns with a Python that does nothing, so that both see the same machine."""
    times, bare = [], []
    for _ in range(RUNS):
        times.append(run(command, environment=environment).seconds)
        bare.append(run(BARE_PYTHON).seconds)
    yield Result(name, f"median of {RUNS}, s", statistics.median(times), bar)
    yield Result(name, f"slowest of {RUNS}, s", max(times))
    yield Result(name, "times a bare Python", statistics.median(times) / statistics.median(bare))


def line(result: Result) -> str:
    """Return a result as a line of the table."""
    verdict = {None: "", True: "pass", False: "FAIL"}[result.passed]
    return f"{result.bench:<26} {result.measure:<34} {result.value:>12,.4g}  {result.bar:<8} {verdict}".rstrip()


def main() -> None:
    """Run the benchmarks asked for; exit with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description="Run the benchmarks and compare them with the bars.")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES), help="which; default all")
    parser.add_argument("--output", type=Path, help="also write the results to this JSON file")
    arguments = parser.parse_args()

    results = []
    print(f"{'bench':<26} {'measure':<34} {'value':>12}  bar")
    for name in arguments.only:
        for result in BENCHES[name](arguments.data):
            results.append(result)
            print(line(result), flush=True)
    if arguments.output:
        machine = {"python": platform.python_version(), "system": platform.platform(), "cpus": os.cpu_count()}
        rows = [asdict(result) | {"passed": result.passed} for result in results]
        text = json.dumps({"machine": machine, "results": rows}, indent=2)
        arguments.output.write_text(text + "\n", encoding="utf-8")
    sys.exit(any(result.passed is False for result in results))


if __name__ == "__main__":
    main()
