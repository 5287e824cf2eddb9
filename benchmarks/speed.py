"""Measure how fast neardup is and how much memory and disk it takes; compare with the bars.

    python benchmarks/speed.py job start --data ../shared/data --work DIR
    python benchmarks/speed.py latency search --data ../shared/data --work DIR
    python benchmarks/speed.py floors --data ../shared/data --work DIR

job      `dedup index` of 1.14 million names and `dedup report`, by the installed command line; leaves DIR/job
start    `dedup --help`, and a cold `dedup query` on DIR/job
latency  queries in a warm process on DIR/job, one by one and many at once
search   the k-nearest-neighbour graph of DIR/job beside an exact search of the planted names
floors   each stage of the whole job beside the least it could take; writes results/floors.md

Exits with 1 if a bar is missed. OMP_NUM_THREADS limits the threads.
"""

import csv
import random
import shutil
import statistics
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
import results
from corpora import ALL, TRUTH, read_planted, write_names
from machine import seconds_of
from numpy.typing import NDArray
from process import DEDUP, WholeJob, run, whole_job
from results import Result, result

from dedup.encoder.cosine import exact_neighbours
from dedup.evaluation.evaluate import mates_of, others_first
from dedup.evaluation.measures import recall_at
from dedup.model import Model, load_model
from dedup.runtime import threads
from dedup.text.normalise import normalise
from dedup.training.data.sources import read_rows
from indexer.ingest.encoding import Encoding
from indexer.jobs.loading import cells_of_texts
from indexer.jobs.query import Searcher
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.knn_graph import build_knn_graph
from indexer.vectors.recall import NEIGHBOURS
from indexer.vectors.snapshot import Snapshots

RUNS = 7  # of each start-up time
QUERY = "international flavor and fragrances"
QUERIES, WARM_UP = 4_000, 200  # one half one by one, the other at once
MIN_PROBABILITY = 0.05  # as `dedup query`
GB_IN_GIB = 2**30 / 1e9
SAMPLE = 200_000  # pairs by which RapidFuzz is timed

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """Where the data are, where to work, and on how many names."""

    data: Path
    work: Path
    size: int

    @property
    def names(self) -> Path:
        return self.work / "job" / "names.csv"

    @property
    def workspace(self) -> Path:
        return self.work / "job" / "workspace"


def begin_job(asked: Asked, name: str) -> tuple[Path, WholeJob, list[str]]:
    """Run the whole job in an empty folder of this name; return the folder, the job and the names."""
    place = asked.work / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    names = read_planted(asked.data, asked.size).names
    write_names(place / "names.csv", names)
    return place, whole_job(place / "names.csv", place), names


def job(asked: Asked) -> Iterator[Result]:
    """Index all names with the planted ones and report their duplicates."""
    _, done, names = begin_job(asked, "job")
    beyond_text = done.workspace_bytes - sum(len(name.encode()) for name in names)
    yield result("whole job", "index, s", done.index.seconds)
    yield result("whole job", "report, s", done.report.seconds)
    yield result("whole job", "index and report, min", done.seconds / 60)
    yield result("whole job", "index, peak GB", done.index.peak_gib * GB_IN_GIB)
    yield result("whole job", "report, peak GB", done.report.peak_gib * GB_IN_GIB)
    yield result("whole job", "workspace, GB", done.workspace_bytes / 1e9)
    yield result("whole job", "bytes a record beyond its text", beyond_text / done.summary["records"])


def start(asked: Asked) -> Iterator[Result]:
    """Time short commands, in turns with a Python that does nothing, so that both see the same machine."""
    commands = {"help": [DEDUP, "--help"]}
    if asked.workspace.exists():
        where = ["--workspace", str(asked.workspace), "--format", "json"]
        commands["cold query"] = [DEDUP, "query", QUERY, *where]
    for name, command in commands.items():
        times, bare = [], []
        for _ in range(RUNS):
            times.append(run(command).seconds)
            bare.append(run([sys.executable, "-c", "pass"]).seconds)
        yield result(name, "median, s", statistics.median(times))
        yield result(name, "slowest, s", max(times))
        yield result(name, "times a bare Python", statistics.median(times) / statistics.median(bare))


def latency(asked: Asked) -> Iterator[Result]:
    """Time opening the workspace, queries one by one, and as many of them at once."""
    with asked.names.open(encoding="utf-8", newline="") as file:
        known = [row["name"] for row in csv.DictReader(file) if normalise(row["name"])]
    texts = random.Random(1).sample(known, min(WARM_UP + QUERIES, len(known)))
    place = Workspace(asked.workspace)
    with place.open(for_writing=False) as store:
        yield result("opening", "threads", threads.count())
        begin = time.perf_counter()
        searcher = Searcher(Snapshots(store, place.snapshots), load_model())
        searcher.query(texts[:1])
        yield result("opening", "to the first answer, s", time.perf_counter() - begin)

        def query(some: list[str]) -> float:
            return seconds_of(lambda: searcher.query(some, min_probability=MIN_PROBABILITY))

        for text in texts[1:WARM_UP]:
            query([text])
        half = (len(texts) + WARM_UP) // 2
        milliseconds = [query([text]) * 1e3 for text in texts[WARM_UP:half]]
        for share in (50, 90, 99):
            yield result("one query", f"p{share}, ms", float(np.percentile(milliseconds, share)))
        query(texts[WARM_UP:half])  # starts the processes that compare
        yield result("many at once", "queries/s", len(texts[half:]) / query(texts[half:]))


def search(asked: Asked) -> Iterator[Result]:
    """Time the search of all and measure its recall of planted mates beside that of exact search.

    The lists of the search hold only what is similar enough to be compared; those of exact search the ten nearest.
    """
    model = load_model()
    place = Workspace(asked.workspace)
    with place.open(for_writing=False) as store:
        ids, codes = store.load_vectors(model.model_id)
        begin = time.perf_counter()
        _, cells = cells_of_texts(Snapshots(store, place.snapshots), model, codes)
        found = build_knn_graph(codes, NEIGHBOURS, model.min_similarity, cells).nearest()[0]
        seconds = time.perf_counter() - begin
        rows, mates = planted_rows(asked.data, store, ids)
    yield result("search of all", "threads", threads.count())
    yield result("search of all", "texts", len(codes))
    yield result("search of all", "s", seconds)
    yield result("search of all", "texts/s", len(codes) / seconds)
    yield result("planted texts", "with mates", len(rows))
    recall, best = (recall_at(near, mates, NEIGHBOURS) for near in (found[rows], exact_neighbours_of(rows, codes)))
    yield result("planted recall at 10", "search of all", recall)
    yield result("planted recall at 10", "exact search", best)
    yield result("planted recall at 10", "lost", best - recall)


def planted_rows(data: Path, store: Store, ids: Rows) -> tuple[Rows, list[set[int]]]:
    """Return the rows, among texts with the ascending ``ids``, of planted texts with mates, and the rows of these.

    Planted texts that the workspace does not hold are left out.
    """
    records = [(normalise(row["text"]), row["cluster_id"]) for row in read_rows(data / TRUTH)]
    known = store.text_ids({text for text, _ in records})
    records = [(text, cluster) for text, cluster in records if text in known]
    number_of = {text: number for number, text in enumerate(dict.fromkeys(text for text, _ in records))}
    rows = np.searchsorted(ids, [known[text] for text in number_of])
    mates = mates_of(np.array([number_of[text] for text, _ in records]), [cluster for _, cluster in records])
    with_mates = [number for number, of_text in enumerate(mates) if of_text]
    return rows[with_mates], [{int(rows[mate]) for mate in mates[number]} for number in with_mates]


def exact_neighbours_of(rows: Rows, codes: NDArray[np.int8]) -> Rows:
    """Return the 10 nearest others (m, 10) of ``rows`` (m,) among all ``codes`` (n, d), nearest first, -1 for none."""
    found, _ = exact_neighbours(codes[rows], codes, NEIGHBOURS + 1)
    return np.take_along_axis(found, others_first(found, rows), axis=1)[:, :NEIGHBOURS]


# Floors

HEAD = """# The floor of each stage

Written by `python benchmarks/speed.py floors`; [README.md](../README.md) says how. {size:,} names, {texts:,} distinct
texts, {candidates:,} candidate pairs, {pairs:,} near pairs. Measured in the same run: SGEMM {gflops:.0f} GFLOP/s,
RapidFuzz `cpdist` {cpdist:.2f} million pairs/s by one measure. A ratio below 1 means that the stage does less than the
floor assumes. Code {code}.

"""


def floors(asked: Asked) -> Iterator[Result]:
    """Run the whole job, then measure the floor of each stage."""
    path = asked.work / f"floors-{asked.size}.json"
    measured = results.kept(path)
    if measured is None:
        measured = measure_floors(asked)
        results.keep(path, measured)
    if asked.size == ALL:
        results.put("floors", floors_page(measured))
    print(floors_page(measured), flush=True)
    ((floor, seconds),) = [(floor, seconds) for name, floor, seconds, _ in measured["stages"] if name == "encoding"]
    yield result("encoding", "share of the rate of SGEMM", floor / seconds)
    yield result("encoding", "names/s", measured["counts"]["texts"] / seconds)


def measure_floors(asked: Asked) -> dict[str, Any]:
    """Return the stages of one job with their floors, the rates of the machine, and the counts."""
    place, done, _ = begin_job(asked, "floors")
    with (place / "report" / "pairs.csv").open(encoding="utf-8", newline="") as file:
        pairs = [(row["text_1"], row["text_2"]) for row, _ in zip(csv.DictReader(file), range(SAMPLE), strict=False)]
    rates = {"sgemm": machine.sgemm_rate(), "cpdist": machine.cpdist_rate(*map(list, zip(*pairs, strict=True)))}
    stages = list(stages_of(place, done, load_model(), **rates))
    shutil.rmtree(place)
    counts = {"texts": "distinct_texts", "candidates": "candidates", "pairs": "near_pairs"}
    counts = {name: done.summary[key] for name, key in counts.items()}
    return {"size": asked.size, "rates": rates, "counts": counts, "seconds": done.seconds, "stages": stages}


Stage = tuple[str, float | None, float, str]
"""A stage: its name, the seconds of its floor if one is known, its own seconds, and what the floor is."""


def stages_of(place: Path, done: WholeJob, model: Model, sgemm: float, cpdist: float) -> Iterator[Stage]:
    """Yield the stages of a job that was done in ``place``, in their order."""
    left = dict(done.stages)
    with (place / "names.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    normals: list[str] = []
    normalising = seconds_of(lambda: normals.extend(map(normalise, names)))
    names, normals = map(list, zip(*((n, f) for n, f in zip(names, normals, strict=True) if f), strict=True))
    texts = list(dict.fromkeys(normals))
    codes: list[Any] = []
    with Encoding(model) as encoder:  # in processes of its own, as `dedup index` does it
        encoding = seconds_of(lambda: codes.append(encoder.begin(texts)()))
    number_of = {text: number for number, text in enumerate(texts)}
    bare = place / "bare.sqlite"
    storing = machine.bare_store(bare, names, [number_of[normal] for normal in normals], texts, codes[0])
    floor = seconds_of(lambda: machine.bare_read(place / "names.csv")) + seconds_of(storing)
    rows = left.pop("index: texts") + left.pop("index: rows") - normalising - encoding
    yield "reading, storing", floor, rows, "`csv.reader`, and bare `executemany` of the same rows, texts and codes"
    floor = seconds_of(lambda: [unicodedata.normalize("NFKC", name).lower() for name in names])
    yield "normalising", floor, normalising, "NFKC and `lower` of every name"
    floor = machine.tower_operations(model, texts) / sgemm
    yield "encoding", floor, encoding, "the products of the tower at the rate of SGEMM"
    floor = seconds_of(lambda: machine.durable_write(place / "bare.bin", done.snapshot_bytes))
    yield "snapshot", floor, left.pop("index: snapshot"), "SHA-256 of a file of that size, written and synced"
    floor = seconds_of(lambda: machine.bare_load(bare))
    yield "loading", floor, left.pop("report: load"), "bare SELECT of texts and codes"
    floor = len(texts) ** 2 * model.dimension / sgemm
    yield "neighbours", floor, left.pop("report: search"), "exact: every two texts once, at the rate of SGEMM"
    floor = done.summary["candidates"] / cpdist
    yield "comparing", floor, left.pop("report: compare"), "one RapidFuzz measure of every candidate"
    files = [place / "report" / f"{name}.csv" for name in ("pairs", "clusters")]
    floor = sum(seconds_of(machine.bare_rewrite(file, place / "bare.csv")) for file in files)
    seconds = left.pop("report: cluster") + left.pop("report: write")
    yield "clustering, writing", floor, seconds, "`csv.writer` of the same files"
    yield from ((name, None, seconds, "") for name, seconds in left.items())
    rest = done.seconds - sum(done.stages.values())
    yield "starting", None, rest, "imports, model, opening and closing; both commands"


def floors_page(measured: dict[str, Any]) -> str:
    """Return the table of stages."""
    rates, size = measured["rates"], measured["size"]
    gflops, cpdist = rates["sgemm"] / 1e9, rates["cpdist"] / 1e6
    rows: list[tuple[str, ...]] = []
    for name, floor, seconds, what in measured["stages"]:
        bare, ratio = (f"{floor:,.2f}", f"{seconds / floor:,.1f}") if floor else ("–", "–")
        rows.append((name, bare, f"{seconds:,.2f}", ratio, what))
    rows.append(("in all", "", f"{measured['seconds']:,.2f}", "", ""))
    head = HEAD.format(size=size, gflops=gflops, cpdist=cpdist, code=results.code(), **measured["counts"])
    return head + results.table(("stage", "floor, s", "measured, s", "measured / floor", "the floor is"), rows)


BENCHES: dict[str, Callable[[Asked], Iterator[Result]]] = {
    "job": job,
    "start": start,
    "latency": latency,
    "search": search,
    "floors": floors,
}


def main() -> None:
    parser = results.arguments(__doc__, work="the workspace, 2 GB")
    parser.add_argument("what", nargs="+", choices=BENCHES, metavar="WHAT", help="one or more of these")
    parser.add_argument("--size", type=int, default=ALL, help="names of job and floors; default %(default)s, all")
    parser.add_argument("--output", type=Path, help="also write the results to this JSON file")
    asked = parser.parse_args()
    given = Asked(asked.data, asked.work, asked.size)
    results.show((one for name in asked.what for one in BENCHES[name](given)), asked.output)


if __name__ == "__main__":
    main()
