"""Measure accuracy, the whole job on 1.14 million names, and start-up; compare with the bars.

Everything runs through the installed command line, in processes of its own.

    python benchmarks/run.py --data ../shared/data [--only NAME ...] [--work DIR] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bars
from bars import Result
from job import whole_job
from planted import ALL, read_planted, write_names
from process import DEDUP, Finished, run

BARE_PYTHON = [sys.executable, "-c", "pass"]
RUNS = 7  # of each start-up time; the median counts
QUERY = "international flavor and fragrances"
GB_IN_GIB = 2**30 / 1e9


def evaluate(*options: str) -> tuple[dict[str, Any], Finished]:
    """Return what ``dedup evaluate`` measures, and the process that did."""
    process = run([DEDUP, "evaluate", *options, "--format", "json"])
    return json.loads(process.output), process


def bench_pairs(data: Path, work: Path) -> Iterator[Result]:
    """Measure accuracy on labelled pairs, beside the best RapidFuzz scorer."""
    for name, bar, held in (
        ("company_validation_h1b", bars.F1_H1B, bars.F1_H1B_HELD),
        ("company_validation_nber", bars.F1_NBER, bars.F1_NBER_HELD),
    ):
        measured, _ = evaluate("--pairs", str(data / "pairs" / f"{name}.csv.gz"))
        yield Result(name, "best F1", measured["best_f1"], bar)
        yield Result(name, "best F1, held", measured["best_f1"], held)
        for key in ("auc", "average_precision", "f1", "brier", "expected_calibration_error"):
            yield Result(name, key.replace("_", " "), measured[key])
        baselines = measured["baselines"]
        yield Result(name, "best F1, siamese alone", baselines.pop("siamese_similarity")["best_f1"])
        best = max(baselines, key=lambda scorer: float(baselines[scorer]["best_f1"]))
        yield Result(name, f"best F1, RapidFuzz {best}", baselines[best]["best_f1"])


def bench_clusters(data: Path, work: Path) -> Iterator[Result]:
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
    yield Result(name, "peak GB", process.peak_gib * GB_IN_GIB)


def bench_job(data: Path, work: Path) -> Iterator[Result]:
    """Index all names with the planted ones, report their duplicates, then query them with cold processes.

    The workspace and the names stay in ``work``, where ``latency.py`` and ``search.py`` find them.
    """
    place = work / "job"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    names = read_planted(data, ALL).names
    write_names(place / "names.csv", names)
    done = whole_job(place / "names.csv", place)
    index, report = done.index, done.report
    beyond_text = done.workspace_bytes - sum(len(name.encode()) for name in names)
    yield Result("whole job", "index, s", index.seconds)
    yield Result("whole job", "report, s", report.seconds)
    yield Result("whole job", "index and report, min", done.seconds / 60, bars.JOB_MINUTES)
    yield Result("whole job", "index, peak GB", index.peak_gib * GB_IN_GIB, bars.JOB_PEAK_GB)
    yield Result("whole job", "report, peak GB", report.peak_gib * GB_IN_GIB, bars.JOB_PEAK_GB)
    yield Result("whole job", "workspace, GB", done.workspace_bytes / 1e9)
    yield Result(
        "whole job", "bytes a record beyond its text", beyond_text / done.summary["records"], bars.BYTES_A_RECORD
    )
    environment = {"DEDUP_WORKSPACE": str(place / "workspace")}
    yield from start_up("cold query", [DEDUP, "query", QUERY, "--format", "json"], bars.COLD_QUERY_SECONDS, environment)


def bench_help(data: Path, work: Path) -> Iterator[Result]:
    """Time the help text."""
    yield from start_up("help", [DEDUP, "--help"], bars.HELP_SECONDS)


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


def main() -> None:
    """Run the benchmarks asked for; exit with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description="Run the benchmarks and compare them with the bars.")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES), help="which; default all")
    parser.add_argument("--work", type=Path, help="folder in which `job` leaves its workspace; default: none is left")
    parser.add_argument("--output", type=Path, help="also write the results to this JSON file")
    arguments = parser.parse_args()

    with ExitStack() as stack:
        work = arguments.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dedup-bench-")))
        bars.show(
            (result for name in arguments.only for result in BENCHES[name](arguments.data, work)), arguments.output
        )


if __name__ == "__main__":
    main()
