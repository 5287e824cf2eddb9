"""Find the near-duplicates of the same names with neardup and with its peers: what peers.md reports.

    python benchmarks/peers.py --data ../shared/data --work DIR [--size N ...] [--only NAME ...] [--limit SECONDS]

Each run is a process of its own, alone. What is measured is kept in DIR, so that an interrupted job goes on where it
stopped; runs shorter than a minute are done three times, in turns, and their medians count. A run that would exceed
the limit by the rate at a smaller size is not begun. The tables of all that is in DIR, and was run beside this code,
go to standard output, and into ``peers.md`` if nothing is left to be run at a usual size, the bars to standard error;
it exits with 1 if one is missed. Needs ``neardup[bench]``; emm, whose requirements rule out those of neardup, is
installed into an environment in DIR.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import bars
import kept
import numpy as np
import page
from bars import Result
from job import whole_job
from numpy.typing import NDArray
from planted import ALL, Planted, Verdict, read_planted, write_names
from process import TookTooLong, run

HERE = Path(__file__).parent
SIZES = (20_000, 200_000, ALL)
TUNED_ON = 20_000  # records: the pairs between planted ones hardly depend on the others
RUNS = 3
SHORT = 60.0  # seconds; longer runs are done once
EMM_REQUIREMENTS = HERE / "emm-requirements.txt"
ALIASES = "aliases/h1b_employers_train.csv.gz"


@dataclass(frozen=True, slots=True)
class Peer:
    """A method of ``peer.py`` and the least score of its pairs: its best one on ``TUNED_ON`` records if not fixed.

    To find that, it is run with ``loosest`` once. ``scale`` is how the time grows with the records, at least: as
    their number to this power.
    """

    name: str
    method: str
    package: str
    least: float | None = None
    loosest: float = 0.5
    scale: int = 1


OURS = "neardup"
THEIRS = "string_grouper at 0.7"  # the peer that a bar is set by
PEERS = (
    Peer("string_grouper, its default 0.8", "string_grouper", "string-grouper", 0.8),
    Peer(THEIRS, "string_grouper", "string-grouper", 0.7),
    Peer("string_grouper, best threshold", "string_grouper", "string-grouper"),
    Peer("RapidFuzz cdist, Jaro-Winkler", "rapidfuzz", "rapidfuzz", loosest=0.8, scale=2),
    Peer("datasketch MinHash LSH", "datasketch", "datasketch"),
    Peer("all-MiniLM-L6-v2 + FAISS", "sentence_model", "sentence-transformers"),
    Peer("ING emm", "emm", "emm", loosest=0.1),
)


@dataclass(frozen=True, slots=True)
class Job:
    """Where the names are, what may be used of them, and how long a run may take."""

    data: Path
    work: Path
    limit: float

    def names(self, size: int) -> Path:
        """Return the file of so many names, written if it is missing."""
        path = self.work / f"names-{size}.csv"
        if not path.exists():
            write_names(path, read_planted(self.data, size).names)
        return path


class Corpus:
    """The planted names of one size, read when the first run is judged."""

    def __init__(self, data: Path, size: int) -> None:
        self._data = data
        self._size = size

    @cached_property
    def planted(self) -> Planted:
        """The names and their truth."""
        return read_planted(self._data, self._size)


# One run each: seconds, peak GiB, and what was found, by the name of the row


def run_neardup(job: Job, size: int, corpus: Corpus | None) -> dict[str, Any]:
    """Run ``dedup index`` and ``dedup report`` from start to end; judge both files if there is a corpus."""
    place = job.work / "neardup"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    done = whole_job(job.names(size), place, job.limit)
    result: dict[str, Any] = {"seconds": done.seconds, "peak_gib": done.peak_gib, "stages": done.stages}
    if corpus:
        result["found"] = {
            "pairs": asdict(corpus.planted.judge(pairs_of_report(place / "report" / "pairs.csv"))),
            "clusters": asdict(corpus.planted.judge(pairs_of_clusters(place / "report" / "clusters.csv"))),
        }
    shutil.rmtree(place)
    return result


def run_peer(job: Job, peer: Peer, least: float, size: int, corpus: Corpus | None) -> dict[str, Any]:
    """Run a peer; judge its pairs if there is a corpus."""
    found = job.work / f"found-{peer.method}.npz"
    process = run(
        [
            *(python_of(job, peer), str(HERE / "peer.py"), peer.method, str(job.names(size))),
            *("--least", str(least), "--output", str(found), "--training", str(job.data / ALIASES)),
        ],
        environment={"PYTHONPATH": ""} if peer.method == "emm" else None,
        limit=job.limit,
    )
    result = json.loads(process.output.splitlines()[-1]) | {"peak_gib": process.peak_gib, "least": least}
    if corpus:
        with np.load(found) as archive:
            result["found"] = {"pairs": asdict(corpus.planted.judge(archive["pairs"].astype(np.int64)))}
    return dict(result)


def python_of(job: Job, peer: Peer) -> str:
    """Return the interpreter that a peer runs in; an environment for emm is made if it is missing."""
    if peer.method != "emm":
        return sys.executable
    place = job.work / "emm"
    python = place / "bin" / "python"
    if not (place / "installed").exists():
        venv.create(place, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", EMM_REQUIREMENTS], check=True)
        (place / "installed").touch()
    return str(python)


def tuned(job: Job, peer: Peer) -> float:
    """Return the threshold, in hundredths, with the best F1 of a peer on ``TUNED_ON`` records; kept when found."""
    path = job.work / f"threshold-{peer.method}.json"
    known = kept.read(path)
    if known is None:
        corpus = read_planted(job.data, TUNED_ON)
        run_peer(job, peer, peer.loosest, TUNED_ON, None)
        with np.load(job.work / f"found-{peer.method}.npz") as archive:
            pairs, scores = archive["pairs"].astype(np.int64), archive["scores"]
        grid = [step / 100 for step in range(round(peer.loosest * 100), 100)]
        f1 = {least: corpus.judge(pairs[scores >= least]).f1 for least in grid}
        known = {"best": max(f1, key=f1.__getitem__), "f1": f1}
        kept.write(path, known)
    return float(known["best"])


def pairs_of_report(path: Path) -> NDArray[np.int64]:
    """Return the near pairs (p, 2) of ``pairs.csv`` as places of records."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(int(row["id_1"]), int(row["id_2"])) for row in csv.DictReader(file) if row["kind"] == "near"]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def pairs_of_clusters(path: Path) -> NDArray[np.int64]:
    """Return all pairs (p, 2) within the clusters of ``clusters.csv`` as places of records."""
    members: dict[str, list[int]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            members.setdefault(row["cluster_id"], []).append(int(row["id"]))
    pairs = [np.column_stack(np.triu_indices(len(cluster), 1)) for cluster in members.values()]
    lots = [np.array(cluster)[lot] for cluster, lot in zip(members.values(), pairs, strict=True)]
    return np.concatenate([np.empty((0, 2), np.int64), *lots])


# What is kept: DIR/NAME-SIZE.json with all runs


def kept_at(work: Path, name: str, size: int) -> Path:
    """Return the file of the runs of a method on so many records."""
    letters = "".join(char if char.isalnum() else "-" for char in name)
    return work / f"runs-{letters}-{size}.json"


def runs_of(work: Path, name: str, size: int) -> dict[str, Any]:
    """Return the runs that were done; ``failure`` says why there are no more, ``at_least`` why there was none.

    That is the seconds that a run would have taken, None if it did not end on fewer records.
    """
    return kept.read(kept_at(work, name, size)) or {"name": name, "size": size, "runs": []}


def was_run(record: dict[str, Any]) -> bool:
    """Return whether a run was begun at least."""
    return bool(record["runs"]) or "failure" in record


def is_done(record: dict[str, Any]) -> bool:
    """Return whether nothing is left to be run."""
    runs = record["runs"]
    is_given_up = "failure" in record or "at_least" in record
    return is_given_up or len(runs) >= RUNS or any(one["seconds"] > SHORT for one in runs)


def expected(work: Path, name: str, size: int, scale: int) -> float:
    """Return the seconds that a run takes at least, by the largest smaller size that was run."""
    smaller = [runs_of(work, name, other) for other in SIZES if other < size]
    known = [record for record in smaller if was_run(record) or is_done(record)]
    if not known:
        return 0.0
    last = known[-1]
    if not last["runs"]:
        return float("inf")
    return seconds_of(last) * float(size / last["size"]) ** scale


def seconds_of(record: dict[str, Any]) -> float:
    """Return the median of the seconds."""
    return float(statistics.median(one["seconds"] for one in record["runs"]))


def measure(job: Job, name: str, size: int, corpus: Corpus) -> None:
    """Add one run of a method on so many records to what is kept, or why there cannot be one."""
    record = runs_of(job.work, name, size)
    first = corpus if not record["runs"] else None
    peer = next((one for one in PEERS if one.name == name), None)
    least_seconds = expected(job.work, name, size, peer.scale if peer else 1)
    try:
        if least_seconds > job.limit:
            record["at_least"] = least_seconds if np.isfinite(least_seconds) else None
        elif peer is None:
            record["runs"].append(run_neardup(job, size, first))
        else:
            least = tuned(job, peer) if peer.least is None else peer.least
            record["runs"].append(run_peer(job, peer, least, size, first))
    except TookTooLong:
        record["failure"] = f"not finished in {job.limit:,.0f} s"
    kept.write(kept_at(job.work, name, size), record)
    if "at_least" in record:
        said = "not run, as it would take too long"
    else:
        said = record.get("failure") or f"{record['runs'][-1]['seconds']:,.1f} s"
    print(f"{size:,}: {name}: {said}", file=sys.stderr, flush=True)


def measure_all(job: Job, sizes: Iterable[int], names: Iterable[str]) -> None:
    """Do all runs that are missing: in turns, so that all methods see the same machine."""
    wanted = list(names)
    for size in sorted(sizes):
        corpus = Corpus(job.data, size)
        for _ in range(RUNS):
            for name in wanted:
                if not is_done(runs_of(job.work, name, size)):
                    measure(job, name, size, corpus)


# The table

LEFT_OUT = "Not run, as it would take too long: "
HEAD = """# neardup beside its peers

Written by `python benchmarks/peers.py`; [README.md](README.md) says how they are run. {truth:,} true pairs are planted
among the other names. Recall and precision are of the pairs between planted records, one for two distinct normal
forms; *pairs* are those of the whole corpus. Seconds of peers are of the matching alone; those of neardup of both
commands, from start to end, with reading, storing and writing.

{machine}. The code of neardup is what `python benchmarks/kept.py` named {code}.
"""


def document(work: Path, sizes: Iterable[int]) -> str:
    """Return the tables of all that is kept, under a heading."""
    records = {size: records_of(work, size) for size in sorted(sizes)}
    runs = [run for of_size in records.values() for record in of_size.values() for run in record["runs"]]
    truth = max((run["found"]["pairs"]["wanted"] for run in runs if "found" in run), default=0)
    blocks = [table(size, of_size) for size, of_size in records.items() if any(map(was_run, of_size.values()))]
    return "\n".join([HEAD.format(truth=truth, machine=machine(), code=kept.code()), *blocks])


def records_of(work: Path, size: int) -> dict[str, dict[str, Any]]:
    """Return what is kept of each method on so many records."""
    return {name: runs_of(work, name, size) for name in (OURS, *(peer.name for peer in PEERS))}


def table(size: int, records: dict[str, dict[str, Any]]) -> str:
    """Return the table of one size, and below it which methods were not run as they would take too long."""
    header = ("method", "least score", "seconds", "times neardup", "peak GiB", "pairs", "recall", "precision")
    rows = [header, ["---"] * len(header), *(row for one in records.values() for row in lines(one, records[OURS]))]
    text = f"## {size:,} names\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    left_out = [
        name if record["at_least"] is None else f"{name} (at least {record['at_least']:,.0f} s)"
        for name, record in records.items()
        if "at_least" in record
    ]
    return text + (f"\n{LEFT_OUT}{', '.join(left_out)}.\n" if left_out else "")


def lines(record: dict[str, Any], ours: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a method at one size: none if it was not run, two for the two files of a report."""
    name = record["name"]
    if not record["runs"]:
        if "failure" in record:
            yield (name, "–", record["failure"], *["–"] * 5)
        return
    first = record["runs"][0]
    seconds = seconds_of(record)
    ratio = f"{seconds / seconds_of(ours):.1f}" if ours["runs"] else "–"
    peak = max(one["peak_gib"] for one in record["runs"])
    for file, found in first["found"].items():
        verdict = Verdict(**found)
        title = name if name != OURS else f"**{OURS}**, {file}.csv"
        yield (
            *(title, f"{first['least']:.2f}" if "least" in first else "–"),
            *(f"{seconds:,.1f}", ratio, f"{peak:.2f}", f"{verdict.pairs:,}"),
            *(f"{verdict.recall:.3f}", f"{verdict.precision:.3f}"),
        )


def machine() -> str:
    """Return what the figures depend on, in one sentence."""
    versions = []
    for package in dict.fromkeys(peer.package for peer in PEERS if peer.method != "emm"):
        versions.append(f"{package} {metadata.version(package)}")
    pinned = next(line for line in EMM_REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line.startswith("emm="))
    versions.append(pinned.replace("==", " "))
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {', '.join(versions)}"


def judged(records: dict[str, dict[str, Any]]) -> Iterator[Result]:
    """Yield what has a bar, of runs on all names."""
    ours, theirs = records[OURS], records[THEIRS]
    if not ours["runs"]:
        return
    if theirs["runs"]:
        share = seconds_of(ours) / seconds_of(theirs)
        yield Result("whole job", f"share of {THEIRS}", share, bars.SHARE_OF_STRING_GROUPER)
    for file, found in ours["runs"][0]["found"].items():
        has_bars = file == "pairs"
        verdict = Verdict(**found)
        yield Result("planted pairs", f"recall of {file}.csv", verdict.recall, bars.PLANTED_RECALL * has_bars)
        yield Result("planted pairs", f"precision of {file}.csv", verdict.precision, bars.PLANTED_PRECISION * has_bars)


def main() -> None:
    """Measure what is missing of what is asked for, print tables and bars; exit with 1 if a bar is missed."""
    names = [OURS, *(peer.name for peer in PEERS)]
    parser = argparse.ArgumentParser(description="Find near-duplicates with neardup and with its peers.")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is measured, and for 3 GB of files")
    parser.add_argument("--size", type=int, nargs="+", default=list(SIZES), help="records; default %(default)s")
    parser.add_argument("--only", nargs="+", choices=names, help="which methods; default all")
    parser.add_argument("--limit", type=float, default=3600, help="seconds of one run; default %(default)s")
    arguments = parser.parse_args()

    arguments.work.mkdir(parents=True, exist_ok=True)
    job = Job(arguments.data, arguments.work, arguments.limit)
    measure_all(job, arguments.size, arguments.only or names)
    text = document(arguments.work, {*SIZES, *arguments.size})
    if all(is_done(record) for size in SIZES for record in records_of(arguments.work, size).values()):
        page.put(Path(__file__).with_suffix(".md"), text)
    print(text, flush=True)
    bars.show(judged(records_of(arguments.work, ALL)), to=sys.stderr)


if __name__ == "__main__":
    main()
