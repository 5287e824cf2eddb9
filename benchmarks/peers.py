"""Find the near-duplicates of the same names with neardup and with its peers; writes results/peers.md.

    python benchmarks/peers.py --data ../shared/data --work DIR [--size N ...] [--only NAME ...] [--limit SECONDS]

Each run is a process of its own. Results are kept in DIR, so that an interrupted job resumes; runs shorter than a
minute are done three times, in turns, and their medians count. A run that would exceed the limit, by the rate at a
smaller size, is skipped. Exits with 1 if a bar is missed. Needs `neardup[bench]`; emm, whose requirements exclude
those of neardup, is installed into an environment in DIR.
"""

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
from functools import cache
from importlib import metadata
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import results
from corpora import ALL, Planted, Verdict, read_planted, write_names
from numpy.typing import NDArray
from process import TookTooLong, run, whole_job
from results import Result, result

HERE = Path(__file__).parent
SIZES = (20_000, 200_000, ALL)
TUNED_ON = 20_000  # records: the pairs between planted ones hardly depend on the others
RUNS = 3
SHORT = 60.0  # seconds; longer runs are done once
EMM_REQUIREMENTS = HERE / "emm-requirements.txt"
ALIASES = "aliases/h1b_employers_train.csv.gz"


@dataclass(frozen=True, slots=True)
class Peer:
    """A method of ``peer.py`` and the threshold of its scores; default: the best on ``TUNED_ON`` records.

    To find that, it is run once with the ``loosest``. Its time grows at least as the number of records to the power
    of ``scale``.
    """

    name: str
    method: str
    package: str
    threshold: float | None = None
    loosest: float = 0.5
    scale: int = 1


OURS = "neardup"
THEIRS = "string_grouper at 0.7"  # the peer that sets a bar
IN_MEMORY = "neardup.deduplicate"
PEERS = (
    Peer(IN_MEMORY, "deduplicate", "neardup", 0.5),
    Peer("string_grouper, its default 0.8", "string_grouper", "string-grouper", 0.8),
    Peer(THEIRS, "string_grouper", "string-grouper", 0.7),
    Peer("string_grouper, best threshold", "string_grouper", "string-grouper"),
    Peer("RapidFuzz cdist, Jaro-Winkler", "rapidfuzz", "rapidfuzz", loosest=0.8, scale=2),
    Peer("datasketch MinHash LSH", "datasketch", "datasketch"),
    Peer("all-MiniLM-L6-v2 + FAISS", "sentence_model", "sentence-transformers"),
    Peer("ING emm", "emm", "emm", loosest=0.1),
)
BY_NAME = {peer.name: peer for peer in PEERS}
NAMES = (OURS, *BY_NAME)


@dataclass(frozen=True, slots=True)
class Job:
    """Where the names are, where to work, and how long a run may take."""

    data: Path
    work: Path
    limit: float

    def names(self, size: int) -> Path:
        """Return the file of so many names, written if it is missing."""
        path = self.work / f"names-{size}.csv"
        if not path.exists():
            write_names(path, planted(self.data, size).names)
        return path


planted = cache(read_planted)


# One run: seconds, peak GiB, and what was found, by the name of the row


def run_neardup(job: Job, size: int, corpus: Planted | None) -> dict[str, Any]:
    """Run `dedup index` and `dedup report` from start to end; judge both files if there is a corpus."""
    place = job.work / "neardup"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    done = whole_job(job.names(size), place, job.limit)
    measured: dict[str, Any] = {"seconds": done.seconds, "peak_gib": done.peak_gib, "stages": done.stages}
    if corpus:
        pairs = {"pairs": pairs_of_report(place / "report"), "clusters": pairs_of_clusters(place / "report")}
        measured["found"] = {file: asdict(corpus.judge(found)) for file, found in pairs.items()}
    shutil.rmtree(place)
    return measured


def run_peer(job: Job, peer: Peer, threshold: float, size: int, corpus: Planted | None) -> dict[str, Any]:
    """Run a peer; judge its pairs if there is a corpus."""
    found = job.work / f"found-{peer.method}.npz"
    process = run(
        [
            *(python_of(job, peer), str(HERE / "peer.py"), peer.method, str(job.names(size))),
            *("--threshold", str(threshold), "--output", str(found), "--training", str(job.data / ALIASES)),
        ],
        environment={"PYTHONPATH": ""} if peer.method == "emm" else None,
        limit=job.limit,
    )
    measured = json.loads(process.output.splitlines()[-1]) | {"peak_gib": process.peak_gib, "threshold": threshold}
    if corpus:
        with np.load(found) as archive:
            measured["found"] = {"pairs": asdict(corpus.judge(archive["pairs"].astype(np.int64)))}
    return dict(measured)


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


def best_threshold(job: Job, peer: Peer) -> float:
    """Return the threshold, in hundredths, with the best F1 of a peer on ``TUNED_ON`` records; kept once found."""
    path = job.work / f"threshold-{peer.method}.json"
    known = results.kept(path)
    if known is None:
        run_peer(job, peer, peer.loosest, TUNED_ON, None)
        with np.load(job.work / f"found-{peer.method}.npz") as archive:
            pairs, scores = archive["pairs"].astype(np.int64), archive["scores"]
        grid = [step / 100 for step in range(round(peer.loosest * 100), 100)]
        f1 = {threshold: planted(job.data, TUNED_ON).judge(pairs[scores >= threshold]).f1 for threshold in grid}
        known = {"best": max(f1, key=f1.__getitem__), "f1": f1}
        results.keep(path, known)
    return float(known["best"])


def pairs_of_report(report: Path) -> NDArray[np.int64]:
    """Return the near pairs (p, 2) of ``pairs.csv`` as record numbers."""
    with (report / "pairs.csv").open(encoding="utf-8", newline="") as file:
        rows = [(int(row["id_1"]), int(row["id_2"])) for row in csv.DictReader(file) if row["kind"] == "near"]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def pairs_of_clusters(report: Path) -> NDArray[np.int64]:
    """Return all pairs (p, 2) within the clusters of ``clusters.csv`` as record numbers."""
    members: dict[str, list[int]] = {}
    with (report / "clusters.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            members.setdefault(row["cluster_id"], []).append(int(row["id"]))
    lots = [np.array(cluster)[np.column_stack(np.triu_indices(len(cluster), 1))] for cluster in members.values()]
    return np.concatenate([np.empty((0, 2), np.int64), *lots])


# What is kept of a method at one size: its runs, or why there is none


def kept_at(work: Path, name: str, size: int) -> Path:
    letters = "".join(char if char.isalnum() else "-" for char in name)
    return work / f"runs-{letters}-{size}.json"


def runs_of(work: Path, name: str, size: int) -> dict[str, Any]:
    """Return the runs that were done; ``failure`` says why there are no more, ``at_least`` why there was none.

    That is the seconds that a run would have taken, None if it did not end on fewer records.
    """
    return results.kept(kept_at(work, name, size)) or {"name": name, "size": size, "runs": []}


def records_of(work: Path, size: int) -> dict[str, dict[str, Any]]:
    """Return what is kept of each method on so many records."""
    return {name: runs_of(work, name, size) for name in NAMES}


def is_done(record: dict[str, Any]) -> bool:
    """Return whether nothing is left to run."""
    seconds = [one["seconds"] for one in record["runs"]]
    return "failure" in record or "at_least" in record or len(seconds) >= RUNS or max(seconds, default=0) > SHORT


def expected_seconds(work: Path, name: str, size: int) -> float:
    """Return the seconds that a run takes at least, by the largest smaller size that was run."""
    known = [one for other in SIZES if other < size and ((one := runs_of(work, name, other))["runs"] or is_done(one))]
    if not known:
        return 0.0
    scale = BY_NAME[name].scale if name in BY_NAME else 1
    return seconds_of(known[-1]) * float(size / known[-1]["size"]) ** scale if known[-1]["runs"] else float("inf")


def seconds_of(record: dict[str, Any]) -> float:
    """Return the median of the seconds."""
    return float(statistics.median(one["seconds"] for one in record["runs"]))


def measure(job: Job, name: str, size: int) -> None:
    """Add one run of a method on so many records to what is kept, or why there cannot be one."""
    record = runs_of(job.work, name, size)
    corpus = None if record["runs"] else planted(job.data, size)
    seconds = expected_seconds(job.work, name, size)
    try:
        if seconds > job.limit:
            record["at_least"] = seconds if np.isfinite(seconds) else None
        elif name == OURS:
            record["runs"].append(run_neardup(job, size, corpus))
        else:
            peer = BY_NAME[name]
            threshold = best_threshold(job, peer) if peer.threshold is None else peer.threshold
            record["runs"].append(run_peer(job, peer, threshold, size, corpus))
    except TookTooLong:
        record["failure"] = f"not finished in {job.limit:,.0f} s"
    results.keep(kept_at(job.work, name, size), record)
    said = record.get("failure") or ("skipped" if "at_least" in record else f"{record['runs'][-1]['seconds']:,.1f} s")
    print(f"{size:,}: {name}: {said}", file=sys.stderr, flush=True)


# The tables

LEFT_OUT = "Not run, as it would take too long: "
HEAD = """# neardup beside its peers

Written by `python benchmarks/peers.py`; [README.md](../README.md) says how they are run. {truth:,} true pairs are
planted among the other names. Recall and precision are of the pairs between planted records, one for two distinct
normal forms; *pairs* are those of the whole corpus. Seconds of peers are of the matching alone; those of neardup of
both commands, from start to end, with reading, storing and writing.

{machine}. Code {code}.
"""


def page(work: Path, sizes: Iterable[int]) -> str:
    """Return the tables of all that is kept, under a heading."""
    records = {size: records_of(work, size) for size in sorted(sizes)}
    runs = [run for of_size in records.values() for record in of_size.values() for run in record["runs"]]
    truth = max((run["found"]["pairs"]["wanted"] for run in runs if "found" in run), default=0)
    blocks = [table(size, of_size) for size, of_size in records.items() if any(rows_of(of_size))]
    return "\n".join([HEAD.format(truth=truth, machine=machine(), code=results.code()), *blocks])


def table(size: int, records: dict[str, dict[str, Any]]) -> str:
    """Return the table of one size, and below it which methods were skipped as they would take too long."""
    header = ("method", "threshold", "seconds", "times neardup", "peak GiB", "pairs", "recall", "precision")
    text = f"## {size:,} names\n\n" + results.table(header, rows_of(records))
    left_out = [
        name if record["at_least"] is None else f"{name} (at least {record['at_least']:,.0f} s)"
        for name, record in records.items()
        if "at_least" in record
    ]
    return text + (f"\n{LEFT_OUT}{', '.join(left_out)}.\n" if left_out else "")


def rows_of(records: dict[str, dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a table: none of a method that was not run, two of neardup, for the two files of a report."""
    for name, record in records.items():
        if not record["runs"]:
            if "failure" in record:
                yield (name, "–", record["failure"], *["–"] * 5)
            continue
        first, seconds = record["runs"][0], seconds_of(record)
        ratio = f"{seconds / seconds_of(records[OURS]):.1f}" if records[OURS]["runs"] else "–"
        peak = max(one["peak_gib"] for one in record["runs"])
        for file, found in first["found"].items():
            verdict = Verdict(**found)
            title = name if name != OURS else f"**{OURS}**, {file}.csv"
            threshold = f"{first['threshold']:.2f}" if "threshold" in first else "–"
            shares = (f"{verdict.recall:.3f}", f"{verdict.precision:.3f}")
            yield (title, threshold, f"{seconds:,.1f}", ratio, f"{peak:.2f}", f"{verdict.pairs:,}", *shares)


def machine() -> str:
    """Return what the figures depend on, in one sentence."""
    packages = dict.fromkeys(peer.package for peer in PEERS if peer.method != "emm")
    versions = [f"{package} {metadata.version(package)}" for package in packages]
    pinned = next(line for line in EMM_REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line.startswith("emm="))
    versions.append(pinned.replace("==", " "))
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {', '.join(versions)}"


def judged(records: dict[str, dict[str, Any]]) -> Iterator[Result]:
    """Yield what has a bar, of runs on all names."""
    ours, theirs = records[OURS], records[THEIRS]
    if not ours["runs"]:
        return
    if theirs["runs"]:
        yield result("whole job", f"share of {THEIRS}", seconds_of(ours) / seconds_of(theirs))
    for file, found in ours["runs"][0]["found"].items():
        verdict = Verdict(**found)
        yield result("planted pairs", f"recall of {file}.csv", verdict.recall)
        yield result("planted pairs", f"precision of {file}.csv", verdict.precision)


def judged_in_memory(records: dict[str, dict[str, Any]]) -> Iterator[Result]:
    """Yield how long ``neardup.deduplicate`` takes beside string_grouper, of runs on ``TUNED_ON`` names."""
    ours, theirs = records[IN_MEMORY], records[THEIRS]
    if ours["runs"] and theirs["runs"]:
        yield result(f"{TUNED_ON:,} names", f"{IN_MEMORY}, times string_grouper", seconds_of(ours) / seconds_of(theirs))


def main() -> None:
    parser = results.arguments(__doc__, work="results and 3 GB of files")
    parser.add_argument("--size", type=int, nargs="+", default=list(SIZES), help="records; default %(default)s")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=f"of {NAMES}")
    parser.add_argument("--limit", type=float, default=3600, help="seconds of one run; default %(default)s")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    job = Job(asked.data, asked.work, asked.limit)
    for size in sorted(asked.size):
        for _, name in product(range(RUNS), asked.only):  # in turns, so that all see the same machine
            if not is_done(runs_of(asked.work, name, size)):
                measure(job, name, size)
    text = page(asked.work, {*SIZES, *asked.size})
    if all(is_done(record) for size in SIZES for record in records_of(asked.work, size).values()):
        results.put("peers", text)
    print(text, flush=True)
    in_memory = judged_in_memory(records_of(asked.work, TUNED_ON))
    results.show(chain(judged(records_of(asked.work, ALL)), in_memory), to=sys.stderr)


if __name__ == "__main__":
    main()
