"""Compare the hot paths with bare operations on the same machine: exits with 1 if one has become slow.

    python benchmarks/hot_paths.py

The paths are those of ``dedup index``, ``dedup report`` and ``dedup query``. Each is run in turns with a bare operation
on the same data, all on one core. What counts is the median of the ratios of their processor time, which other work on
the machine hardly changes. A bound is about twice what was measured, so that only a real loss is caught. The names are
those of ``examples/companies.csv``; the search also sees each with the last words of others.
"""

import csv
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import machine
import numpy as np
from machine import Work
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist, extract
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dedup.clustering.cluster import cluster_pairs
from dedup.matching.batch import BatchComparison
from dedup.matching.name_table import describe, table_of_names
from dedup.matching.probability_bounds import ProbabilityBounds
from dedup.model import Model, load_model
from dedup.text.normalise import normalise
from indexer.jobs.index import index_rows
from indexer.jobs.query import MIN_CANDIDATES, Searcher
from indexer.reading.open import Row, open_table
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.cells import find_centres, nearest_cells
from indexer.vectors.int8_products import products
from indexer.vectors.knn_graph import build_knn_graph
from indexer.vectors.recall import NEIGHBOURS, SAMPLE, measure_recall
from indexer.vectors.sketch import Sketch, candidates_for
from indexer.vectors.snapshot import Snapshots

NAMES = Path(__file__).parent.parent / "examples" / "companies.csv"
TURNS = 6  # the first to warm up
REPEATS = 20  # of bare operations too short to be timed alone
DIMENSION = 128
ENDINGS = 2  # of other names, that each name is also given
CELLS_PER_TEXT = 34  # about as many as a million texts need
COMPARED = 2_000
QUERIES = 100
MIN_PROBABILITY = 0.05  # as `dedup query`
SKETCHED = 16  # times the codes of all texts
BLOCK = 512

SLOW: list[str] = []
"""The paths found to be slow."""
Codes = NDArray[np.int8]


def compare(name: str, bound: float, work: Work, bare: Work, repeats: int = 1) -> None:
    """Print the ratio of a path to the bare operation, done ``repeats`` times; note if it exceeds the bound."""

    def often() -> Any:
        return bare() if repeats == 1 else deque((bare() for _ in range(repeats)), 0)

    ratio = statistics.median([cpu_seconds(work) * repeats / cpu_seconds(often) for _ in range(TURNS)][1:])
    is_slow = ratio > bound
    SLOW.extend([name] * is_slow)
    print(f"{name:<28} {ratio:>8.3g}   at most {bound:g}{'   SLOW' if is_slow else ''}", flush=True)


def cpu_seconds(work: Work) -> float:
    """Return the processor seconds of one call; work that measures itself returns them."""
    start = time.process_time()
    told = work()
    return told if isinstance(told, float) else time.process_time() - start


def in_blocks(codes: Codes, others: Codes) -> Work:
    """Return the integer products of all codes (n, d) with others (m, d), block by block."""
    return lambda: deque((products(codes[at : at + BLOCK], others) for at in range(0, len(codes), BLOCK)), 0)


def ratios_of(left: list[str], right: list[str]) -> Work:
    """Return one RapidFuzz measure of pairs."""
    return lambda: cpdist(left, right, scorer=fuzz.ratio)


def index_paths(model: Model, names: list[str], texts: list[str]) -> None:
    compare("read / csv.reader", 20, read_examples, lambda: machine.bare_read(NAMES), REPEATS)
    compare(
        "normalise / lower and split",
        10,
        lambda: list(map(normalise, names)),
        lambda: [" ".join(name.lower().split()) for name in names],
        REPEATS,
    )
    product, operations = machine.product()
    share = machine.tower_operations(model, texts) / operations
    compare("encode / SGEMM", 7.5, lambda: model.encoder.encode(texts), lambda: cpu_seconds(product) * share)
    storing(names)


def read_examples() -> None:
    with open_table(NAMES) as table:
        deque(table, 0)


def vector_paths(model: Model, codes: Codes, centres: Codes) -> None:
    bare = in_blocks(codes, centres)
    compare("centres / products with them", 40, lambda: find_centres(codes), bare)
    compare("cells / products with centres", 15, lambda: nearest_cells(codes, centres, CELLS_PER_TEXT), bare)
    bare = in_blocks(codes, codes[:SAMPLE])
    compare("recall / products", 24, lambda: measure_recall(codes, centres, model.min_similarity), bare)
    cells, bare = nearest_cells(codes, centres, CELLS_PER_TEXT), in_blocks(codes, codes)
    similar = model.min_similarity
    compare("k-NN graph / products", 12, lambda: build_knn_graph(codes, NEIGHBOURS, similar, cells).pairs(), bare)
    many = np.concatenate([np.roll(codes, shift, axis=1) for shift in range(SKETCHED)])
    sketch, k = Sketch([many]), candidates_for(MIN_CANDIDATES)
    compare(
        "sketches / products",
        4,
        lambda: [sketch.candidates(codes[at : at + 1], k) for at in range(QUERIES)],
        in_blocks(many, codes[:QUERIES]),
    )


def pair_paths(model: Model, texts: list[str], more: list[str], codes: Codes) -> None:
    """Compare parsing names, ruling out, comparing and clustering, on the near pairs of ``more`` texts."""
    bare = ratios_of(texts[:-1], texts[1:])
    compare("describe names / cpdist", 170, lambda: table_of_names([describe(texts)], model.word_model), bare, REPEATS)
    near = build_knn_graph(codes, NEIGHBOURS, model.min_similarity, None).pairs()
    pairs = near.pairs.astype(np.int64)
    bounds = ProbabilityBounds(model.scorer, table_of_names([describe(more)], model.word_model))
    left, right = ([more[at] for at in side] for side in pairs.T.tolist())
    bare = ratios_of(left, right)
    compare("rule out / cpdist", 32, lambda: bounds.probabilities(pairs, near.cosines), bare)
    min_probability = model.default_probability
    which = np.flatnonzero(bounds.probabilities(pairs, near.cosines) >= min_probability)[:COMPARED]
    likely_left, likely_right = ([side[at] for at in which.tolist()] for side in (left, right))
    bare, cosines = ratios_of(likely_left, likely_right), near.cosines[which]
    compare("compare / cpdist", 600, lambda: model.compare(likely_left, likely_right, cosines), bare, REPEATS)
    comparison = BatchComparison(model, codes, more, workers=1)
    likely, probabilities = comparison.likely(near.pairs, near.cosines, min_probability)
    linked, n = pairs[likely], len(more)

    def components() -> None:
        graph = coo_array((np.ones(len(linked), np.int8), tuple(linked.T)), shape=(n, n))
        connected_components(graph, directed=False)

    compare(
        "cluster / components",
        270,
        lambda: cluster_pairs(linked, probabilities, n, min_probability=min_probability, comparison=comparison),
        components,
        REPEATS,
    )


def storing(names: list[str]) -> None:
    """Compare storing rows in a new workspace with bare ``executemany`` of the same; neither encodes.

    Of so few rows each is in the sample that describes the corpus, which takes as long as storing them.
    """
    numbered = [f"{name} {number}" for number, name in enumerate(names)]
    texts = list(map(normalise, numbered))
    codes = np.ones((len(texts), DIMENSION), np.int8)
    encoder = SimpleNamespace(encode=lambda normals: codes[: len(normals)])
    model: Any = SimpleNamespace(
        model_id="0" * 64,
        dimension=DIMENSION,
        encoder=encoder,
        min_similarity=0.5,
        is_shipped=True,
        kind="company",
        kinds=("company",),
    )

    def store() -> float:
        with opened() as (place, store):
            return cpu_seconds(lambda: index(store, place, model, numbered))

    def bare() -> float:
        with tempfile.TemporaryDirectory(prefix="dedup-bench-") as folder:
            path = Path(folder, "bare.sqlite")
            return cpu_seconds(machine.bare_store(path, numbered, range(len(texts)), texts, codes))

    compare("index / executemany", 19, store, bare)


def querying(model: Model, names: list[str], texts: list[str]) -> None:
    """Compare queries, one by one, with the best ten of all texts by one RapidFuzz measure."""
    with opened() as (place, store):
        index(store, place, model, names)
        searcher = Searcher(Snapshots(store, place.snapshots), model)
        compare(
            "query / RapidFuzz extract",
            35,
            lambda: [searcher.query([text], min_probability=MIN_PROBABILITY) for text in texts[:QUERIES]],
            lambda: [extract(text, texts, scorer=fuzz.ratio, limit=10) for text in texts[:QUERIES]],
        )


@contextmanager
def opened() -> Iterator[tuple[Workspace, Store]]:
    """Yield a new workspace, opened for writing."""
    with tempfile.TemporaryDirectory(prefix="dedup-bench-") as folder:
        place = Workspace(Path(folder, "workspace"), None)
        with place.open(for_writing=True) as store:
            yield place, store


def index(store: Store, place: Workspace, model: Model, names: list[str]) -> None:
    rows = [Row(number, number, str(number), name, {}, name) for number, name in enumerate(names, 1)]
    snapshots = Snapshots(store, place.snapshots)
    index_rows(snapshots, model, "names", rows, identity="column", mirror=False, on_reject=refuse)


def refuse(reject: object) -> None:
    raise SystemExit(f"A row of the examples was rejected: {reject}")


def main() -> None:
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:  # libraries start their threads when they are imported
        os.sched_setaffinity(0, {min(cores)})
        os.execv(sys.executable, [sys.executable, *sys.argv])
    with NAMES.open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    model = load_model()
    texts = list(dict.fromkeys(map(normalise, names)))
    ends = [text.split()[-1] for text in texts]
    mixed = [f"{text} {ends[at - shift]}" for shift in range(1, ENDINGS + 1) for at, text in enumerate(texts)]
    more = list(dict.fromkeys([*texts, *mixed]))
    codes = model.encoder.encode(more)
    index_paths(model, names, texts)
    vector_paths(model, codes, find_centres(codes))
    pair_paths(model, texts, more, codes)
    querying(model, names, texts)
    sys.exit(bool(SLOW))


if __name__ == "__main__":
    main()
