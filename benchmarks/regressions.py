"""Hold the hot paths against bare operations of the same machine: exits with 1 if one has become slow.

    python benchmarks/regressions.py

The paths are those of ``dedup index``, ``dedup report`` and ``dedup query``. Each is run in turns with a bare operation
on the same data, all on one core; the median of the ratios of their processor time counts, which other work on the
machine hardly changes. A bound is about twice what was seen, so that only a real loss is caught. The names are those of
``examples/companies.csv``, for the search each also with the last words of others.
"""

from __future__ import annotations

import csv
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import machine
import numpy as np
from corpus import Corpus
from machine import Work
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist, extract
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dedup.clustering.cluster import cluster_pairs
from dedup.matching.batch import BatchComparison
from dedup.matching.name_table import describe, table_of_names
from dedup.model import load_model
from dedup.text.normalise import normalise
from indexer.jobs.index import index_rows
from indexer.jobs.query import LEAST_CANDIDATES, Searcher
from indexer.reading.open import Row, open_table
from indexer.store.workspace import Workspace
from indexer.vectors.cells import find_centres, nearest_cells
from indexer.vectors.int8_products import products
from indexer.vectors.knn_graph import build_knn_graph
from indexer.vectors.recall import NEIGHBOURS, SAMPLE, measure_recall
from indexer.vectors.sketch import Sketch, candidates_for

NAMES = Path(__file__).parent.parent / "examples" / "companies.csv"
RUNS = 5
LONG_ENOUGH = 20  # times that what is too short to be timed is done
DIMENSION = 128
CELLS_PER_TEXT = 34  # about as many as a million texts need
COMPARED = 2_000
QUERIES = 100
LEAST_PROBABILITY = 0.05  # as `dedup query`
SKETCHED = 16  # times the codes of all texts
BLOCK = 512


@dataclass(frozen=True, slots=True)
class HotPath:
    """A hot path, the bare operation beside it, both as processor seconds, and the most it may take of that."""

    name: str
    seconds: Callable[[], float]
    bare_seconds: Callable[[], float]
    bound: float

    def ratio(self) -> float:
        """Return the median of the ratios of a few turns, after one to warm up."""
        ratios = [self.seconds() / self.bare_seconds() for _ in range(RUNS + 1)]
        return statistics.median(ratios[1:])


def cpu_seconds(work: Work) -> float:
    """Return the processor seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def reading(_corpus: Corpus) -> HotPath:
    """Hold reading a file of names against reading it by the ``csv`` module."""

    def read() -> None:
        for _ in range(LONG_ENOUGH):
            with open_table(NAMES) as table:
                deque(table, 0)

    def bare() -> None:
        for _ in range(LONG_ENOUGH):
            machine.bare_read(NAMES)()

    return HotPath("read / csv.reader", lambda: cpu_seconds(read), lambda: cpu_seconds(bare), 20)


def normalising(corpus: Corpus) -> HotPath:
    """Hold normalising against one pass over the same names that lowers and splits them."""

    def bare() -> None:
        for _ in range(LONG_ENOUGH):
            [" ".join(name.lower().split()) for name in corpus.names]

    return HotPath(
        "normalise / lower and split",
        lambda: cpu_seconds(lambda: list(map(normalise, corpus.names))),
        lambda: cpu_seconds(bare) / LONG_ENOUGH,
        10,
    )


def encoding(corpus: Corpus) -> HotPath:
    """Hold encoding against the products of the tower at the rate of SGEMM."""
    product, operations = machine.product()
    share = machine.tower_operations(corpus.model, corpus.texts) / operations
    return HotPath(
        "encode / SGEMM",
        lambda: cpu_seconds(lambda: corpus.model.encoder.encode(corpus.texts)),
        lambda: cpu_seconds(product) * share,
        7.5,
    )


def bare_products(codes: NDArray[np.int8], others: NDArray[np.int8]) -> Work:
    """Return the integer products of all codes (n, d) with others (m, d), block by block."""

    def multiply() -> None:
        for start in range(0, len(codes), BLOCK):
            products(codes[start : start + BLOCK], others)

    return multiply


def making_cells(corpus: Corpus) -> HotPath:
    """Hold finding the centres of cells against one product of all codes with as many."""
    bare = bare_products(corpus.codes, corpus.centres)
    return HotPath(
        "centres / products with them",
        lambda: cpu_seconds(lambda: find_centres(corpus.codes)),
        lambda: cpu_seconds(bare),
        40,
    )


def choosing_cells(corpus: Corpus) -> HotPath:
    """Hold finding the cells of all texts against one product of their codes with all centres."""
    bare = bare_products(corpus.codes, corpus.centres)
    return HotPath(
        "cells / products with centres",
        lambda: cpu_seconds(lambda: nearest_cells(corpus.codes, corpus.centres, CELLS_PER_TEXT)),
        lambda: cpu_seconds(bare),
        15,
    )


def searching(corpus: Corpus) -> HotPath:
    """Hold the neighbours of all, cell by cell, against one product of all codes with all."""
    cells = nearest_cells(corpus.codes, corpus.centres, CELLS_PER_TEXT)
    least = corpus.model.min_similarity
    bare = bare_products(corpus.codes, corpus.codes)
    return HotPath(
        "all neighbours / products",
        lambda: cpu_seconds(lambda: build_knn_graph(corpus.codes, NEIGHBOURS, least, cells).pairs()),
        lambda: cpu_seconds(bare),
        12,
    )


def measuring_recall(corpus: Corpus) -> HotPath:
    """Hold measuring the recall of both searches against the products of all codes with those of the sample."""
    bare = bare_products(corpus.codes, corpus.codes[:SAMPLE])
    return HotPath(
        "recall / products",
        lambda: cpu_seconds(lambda: measure_recall(corpus.codes, corpus.centres, corpus.model.min_similarity)),
        lambda: cpu_seconds(bare),
        24,
    )


def describing(corpus: Corpus) -> HotPath:
    """Hold taking names apart into a table against one RapidFuzz measure of as many pairs."""
    left, right = corpus.texts[:-1] * LONG_ENOUGH, corpus.texts[1:] * LONG_ENOUGH
    return HotPath(
        "describe names / cpdist",
        lambda: cpu_seconds(lambda: table_of_names([describe(corpus.texts)], corpus.model.word_model)),
        lambda: cpu_seconds(lambda: cpdist(left, right, scorer=fuzz.ratio)) / LONG_ENOUGH,
        170,
    )


def ruling_out(corpus: Corpus) -> HotPath:
    """Hold ruling out pairs of near texts against one RapidFuzz measure of them."""
    pairs, sides = corpus.near.pairs.astype(np.int64), corpus.sides()
    bounds = corpus.bounds
    return HotPath(
        "rule out / cpdist",
        lambda: cpu_seconds(lambda: bounds.probabilities(pairs, corpus.near.cosines)),
        lambda: cpu_seconds(lambda: cpdist(*sides, scorer=fuzz.ratio)),
        32,
    )


def comparing(corpus: Corpus) -> HotPath:
    """Hold the probabilities of pairs that were not ruled out against one RapidFuzz measure of them."""
    which = corpus.likely[:COMPARED]
    left, right = corpus.sides(which)
    more = left * LONG_ENOUGH, right * LONG_ENOUGH
    return HotPath(
        "compare / cpdist",
        lambda: cpu_seconds(lambda: corpus.model.compare(left, right, corpus.near.cosines[which])),
        lambda: cpu_seconds(lambda: cpdist(*more, scorer=fuzz.ratio)) / LONG_ENOUGH,
        600,
    )


def clustering(corpus: Corpus) -> HotPath:
    """Hold clustering, with the comparisons that it needs, against finding the components of the same pairs."""
    least, n = corpus.model.default_probability, len(corpus.more)
    comparison = BatchComparison(corpus.model, corpus.codes, corpus.more, workers=1)
    likely, probabilities = comparison.likely(corpus.near.pairs, corpus.near.cosines, least)
    pairs = corpus.near.pairs[likely].astype(np.int64)

    def cluster() -> None:
        cluster_pairs(pairs, probabilities, n, min_probability=least, comparison=comparison)

    def bare() -> None:
        for _ in range(LONG_ENOUGH):
            graph = coo_array((np.ones(len(pairs), np.int8), tuple(pairs.T)), shape=(n, n))
            connected_components(graph, directed=False)

    return HotPath(
        "cluster / components",
        lambda: cpu_seconds(cluster),
        lambda: cpu_seconds(bare) / LONG_ENOUGH,
        270,
    )


def sketching(corpus: Corpus) -> HotPath:
    """Hold scanning sketches of many vectors, one query at a time, against all products of both."""
    many = np.concatenate([np.roll(corpus.codes, shift, axis=1) for shift in range(SKETCHED)])
    sketch, queries = Sketch([many]), corpus.codes[:QUERIES]
    bare = bare_products(many, queries)

    def scan() -> None:
        for at in range(QUERIES):
            sketch.candidates(queries[at : at + 1], candidates_for(LEAST_CANDIDATES))

    return HotPath("sketches / products", lambda: cpu_seconds(scan), lambda: cpu_seconds(bare), 4)


def asking(corpus: Corpus, searcher: Searcher) -> HotPath:
    """Hold queries, one by one, against the best ten of all texts by one RapidFuzz measure."""
    queries = corpus.texts[:QUERIES]

    def ask() -> None:
        for query in queries:
            searcher.query([query], min_probability=LEAST_PROBABILITY)

    def bare() -> None:
        for query in queries:
            extract(query, corpus.texts, scorer=fuzz.ratio, limit=10)

    return HotPath("query / RapidFuzz extract", lambda: cpu_seconds(ask), lambda: cpu_seconds(bare), 35)


class _SameCode:
    """An encoder that costs nothing."""

    def encode(self, normal_forms: list[str]) -> Any:
        return np.ones((len(normal_forms), DIMENSION), np.int8)


def storing(corpus: Corpus) -> HotPath:
    """Hold bringing rows into a new workspace against bare ``executemany`` of the same; neither encodes."""
    numbered = [f"{name} {number}" for number, name in enumerate(corpus.names)]
    rows = [Row(number, number, str(number), name, {}, name) for number, name in enumerate(numbered, 1)]
    texts = list(map(normalise, numbered))
    codes = _SameCode().encode(texts)
    model: Any = SimpleNamespace(model_id="0" * 64, dimension=DIMENSION, encoder=_SameCode(), min_similarity=0.5)

    def ours() -> float:
        with _folder() as folder:
            place = Workspace(folder / "workspace", None)
            with place.open(for_writing=True) as store:
                return cpu_seconds(
                    lambda: index_rows(
                        store, place.snapshots, model, "names", rows, identity="column", on_reject=_refused
                    )
                )

    def bare() -> float:
        with _folder() as folder:
            return cpu_seconds(machine.bare_store(folder / "bare.sqlite", numbered, range(len(texts)), texts, codes))

    return HotPath("index / executemany", ours, bare, 11)


@contextmanager
def _indexed(corpus: Corpus) -> Iterator[Searcher]:
    """Index the names, and yield what answers queries."""
    rows = [Row(number, number, str(number), name, {}, name) for number, name in enumerate(corpus.names, 1)]
    with _folder() as folder:
        place = Workspace(folder / "workspace", None)
        with place.open(for_writing=True) as store:
            index_rows(store, place.snapshots, corpus.model, "names", rows, identity="column", on_reject=_refused)
            yield Searcher(store, place.snapshots, corpus.model)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dedup-bench-") as folder:
        yield Path(folder)


def _refused(reject: object) -> None:
    raise SystemExit(f"A row of the examples was rejected: {reject}")


def hot_paths() -> Iterator[HotPath]:
    """Yield the hot paths, each made ready when it is asked for."""
    with NAMES.open(encoding="utf-8", newline="") as file:
        corpus = Corpus(load_model(), [row["name"] for row in csv.DictReader(file)])
    of_index = (reading, normalising, encoding, storing, making_cells, choosing_cells, measuring_recall)
    of_report = (searching, describing, ruling_out, comparing, clustering)
    for path in (*of_index, *of_report, sketching):
        yield path(corpus)
    with _indexed(corpus) as searcher:
        yield asking(corpus, searcher)


def main() -> None:
    """Print the ratios; exit with 1 if one is above its bound."""
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:  # libraries make their threads when they are imported
        os.sched_setaffinity(0, {min(cores)})
        os.execv(sys.executable, [sys.executable, *sys.argv])
    is_slow = False
    for path in hot_paths():
        ratio = path.ratio()
        is_slow |= ratio > path.bound
        print(f"{path.name:<28} {ratio:>8.3g}   at most {path.bound:g}{'   SLOW' if ratio > path.bound else ''}")
    sys.exit(is_slow)


if __name__ == "__main__":
    main()
