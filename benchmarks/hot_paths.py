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
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
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
from dedup.matching.batch import Comparison
from dedup.matching.ceiling import Ceiling
from dedup.matching.name_table import describe, table_of_names
from dedup.model import Model, load_model
from dedup.text.normalise import normalise
from indexer.jobs.index import index_rows
from indexer.jobs.query import LEAST_CANDIDATES, Searcher
from indexer.reading.open import Row, open_table
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.cells import find_centres, nearest_cells
from indexer.vectors.int8_products import products
from indexer.vectors.knn_graph import all_neighbours
from indexer.vectors.recall import NEIGHBOURS, SAMPLE, measure_recall
from indexer.vectors.sketch import Sketch, candidates_for
from indexer.vectors.top_k import NearPairs

NAMES = Path(__file__).parent.parent / "examples" / "companies.csv"
TURNS = range(6)  # the first to warm up
REPEATS = 20  # of operations too short to be timed alone
DIMENSION = 128
ENDINGS = 2  # of other names, that each name is also given
CELLS_PER_TEXT = 34  # about as many as a million texts need
COMPARED = 2_000
QUERIES = 100
MIN_PROBABILITY = 0.05  # as `dedup query`
SKETCHED = 16  # times the codes of all texts
BLOCK = 512


@dataclass(frozen=True)
class Corpus:
    """Names, their distinct normal forms, and the near pairs among more of them, each computed when needed."""

    model: Model
    names: list[str]

    @cached_property
    def texts(self) -> list[str]:
        return list(dict.fromkeys(map(normalise, self.names)))

    @cached_property
    def more(self) -> list[str]:
        """The texts, n in all with those made of two."""
        ends = [text.split()[-1] for text in self.texts]
        mixed = [f"{text} {ends[at - shift]}" for shift in range(1, ENDINGS + 1) for at, text in enumerate(self.texts)]
        return list(dict.fromkeys([*self.texts, *mixed]))

    @cached_property
    def codes(self) -> NDArray[np.int8]:
        """The vectors of ``more`` (n, d)."""
        return self.model.encoder.encode(self.more)

    @cached_property
    def centres(self) -> NDArray[np.int8]:
        return find_centres(self.codes)

    @cached_property
    def near(self) -> NearPairs:
        return all_neighbours(self.codes, NEIGHBOURS, self.model.min_similarity, None).pairs()

    @cached_property
    def ceiling(self) -> Ceiling:
        return Ceiling(self.model.scorer, table_of_names([describe(self.more)], self.model.lexicon))

    def sides(self, which: Any = slice(None)) -> tuple[list[str], list[str]]:
        """Return the texts of near pairs, those on either side."""
        left, right = ([self.more[at] for at in side] for side in self.near.pairs[which].T.tolist())
        return left, right


@dataclass(frozen=True, slots=True)
class HotPath:
    """A hot path, the bare operation beside it, done ``repeats`` times, and the largest ratio allowed."""

    name: str
    bound: float
    work: Work
    bare: Work
    repeats: int = 1

    def ratio(self) -> float:
        """Return the median of the ratios of a few turns, after one to warm up."""
        ratios = [cpu_seconds(self.work) * self.repeats / cpu_seconds(often(self.bare, self.repeats)) for _ in TURNS]
        return statistics.median(ratios[1:])


def cpu_seconds(work: Work) -> float:
    """Return the processor seconds of one call; work that measures itself returns them."""
    start = time.process_time()
    told = work()
    return told if isinstance(told, float) else time.process_time() - start


def often(work: Work, repeats: int) -> Work:
    """Return several calls of the same work."""
    return work if repeats == 1 else lambda: deque((work() for _ in range(repeats)), 0)


def in_blocks(codes: NDArray[np.int8], others: NDArray[np.int8]) -> Work:
    """Return the integer products of all codes (n, d) with others (m, d), block by block."""
    return lambda: deque((products(codes[at : at + BLOCK], others) for at in range(0, len(codes), BLOCK)), 0)


def of_index(corpus: Corpus) -> Iterator[HotPath]:
    """Yield the paths of ``dedup index``."""
    model, names, texts, codes, centres = corpus.model, corpus.names, corpus.texts, corpus.codes, corpus.centres
    yield HotPath("read / csv.reader", 20, read_examples, lambda: machine.bare_read(NAMES), REPEATS)
    yield HotPath(
        "normalise / lower and split",
        10,
        lambda: list(map(normalise, names)),
        lambda: [" ".join(name.lower().split()) for name in names],
        REPEATS,
    )
    product, operations = machine.product()
    share = machine.tower_operations(model, texts) / operations
    yield HotPath("encode / SGEMM", 7.5, lambda: model.encoder.encode(texts), lambda: cpu_seconds(product) * share)
    yield storing(names)
    with_centres = in_blocks(codes, centres)
    yield HotPath("centres / products with them", 40, lambda: find_centres(codes), with_centres)
    yield HotPath(
        "cells / products with centres", 15, lambda: nearest_cells(codes, centres, CELLS_PER_TEXT), with_centres
    )
    yield HotPath(
        "recall / products",
        24,
        lambda: measure_recall(codes, centres, model.min_similarity),
        in_blocks(codes, codes[:SAMPLE]),
    )


def of_report(corpus: Corpus) -> Iterator[HotPath]:
    """Yield the paths of ``dedup report``."""
    model, texts, codes, near = corpus.model, corpus.texts, corpus.codes, corpus.near
    cells = nearest_cells(codes, corpus.centres, CELLS_PER_TEXT)
    yield HotPath(
        "all neighbours / products",
        12,
        lambda: all_neighbours(codes, NEIGHBOURS, model.min_similarity, cells).pairs(),
        in_blocks(codes, codes),
    )
    yield HotPath(
        "describe names / cpdist",
        170,
        lambda: table_of_names([describe(texts)], model.lexicon),
        ratios_of(texts[:-1], texts[1:]),
        REPEATS,
    )
    ceiling, pairs = corpus.ceiling, near.pairs.astype(np.int64)
    at_most = ceiling.probabilities(pairs, near.cosines)
    yield HotPath(
        "rule out / cpdist", 32, lambda: ceiling.probabilities(pairs, near.cosines), ratios_of(*corpus.sides())
    )
    which = np.flatnonzero(at_most >= model.default_probability)[:COMPARED]
    left, right = corpus.sides(which)
    yield HotPath(
        "compare / cpdist",
        600,
        lambda: model.compare(left, right, near.cosines[which]),
        ratios_of(left, right),
        REPEATS,
    )
    yield clustering(corpus)


def of_query(corpus: Corpus) -> Iterator[HotPath]:
    """Yield the paths of ``dedup query``."""
    many = np.concatenate([np.roll(corpus.codes, shift, axis=1) for shift in range(SKETCHED)])
    sketch, codes = Sketch([many]), corpus.codes[:QUERIES]
    k = candidates_for(LEAST_CANDIDATES)
    yield HotPath(
        "sketches / products",
        4,
        lambda: [sketch.candidates(codes[at : at + 1], k) for at in range(QUERIES)],
        in_blocks(many, codes),
    )
    queries = corpus.texts[:QUERIES]
    with indexed(corpus) as searcher:
        yield HotPath(
            "query / RapidFuzz extract",
            35,
            lambda: [searcher.query([query], min_probability=MIN_PROBABILITY) for query in queries],
            lambda: [extract(query, corpus.texts, scorer=fuzz.ratio, limit=10) for query in queries],
        )


def read_examples() -> None:
    with open_table(NAMES) as table:
        deque(table, 0)


def ratios_of(left: list[str], right: list[str]) -> Work:
    """Return one RapidFuzz measure of pairs."""
    return lambda: cpdist(left, right, scorer=fuzz.ratio)


def clustering(corpus: Corpus) -> HotPath:
    """Compare clustering, with the comparisons that it needs, with finding the components of the same pairs."""
    min_probability, n = corpus.model.default_probability, len(corpus.more)
    comparison = Comparison(corpus.model, corpus.codes, corpus.more, workers=1)
    likely, probabilities = comparison.likely(corpus.near.pairs, corpus.near.cosines, min_probability)
    pairs = corpus.near.pairs[likely].astype(np.int64)

    def bare() -> None:
        graph = coo_array((np.ones(len(pairs), np.int8), tuple(pairs.T)), shape=(n, n))
        connected_components(graph, directed=False)

    return HotPath(
        "cluster / components",
        270,
        lambda: cluster_pairs(pairs, probabilities, n, min_probability=min_probability, comparison=comparison),
        bare,
        REPEATS,
    )


def storing(names: list[str]) -> HotPath:
    """Compare storing rows in a new workspace with bare ``executemany`` of the same; neither encodes."""
    numbered = [f"{name} {number}" for number, name in enumerate(names)]
    texts = list(map(normalise, numbered))
    codes = np.ones((len(texts), DIMENSION), np.int8)
    encoder = SimpleNamespace(encode=lambda normals: codes[: len(normals)])
    model: Any = SimpleNamespace(model_id="0" * 64, dimension=DIMENSION, encoder=encoder, min_similarity=0.5)

    def store() -> float:
        with opened() as (place, store):
            return cpu_seconds(lambda: index(store, place, model, numbered))

    def bare() -> float:
        with tempfile.TemporaryDirectory(prefix="dedup-bench-") as folder:
            path = Path(folder, "bare.sqlite")
            return cpu_seconds(machine.bare_store(path, numbered, range(len(texts)), texts, codes))

    return HotPath("index / executemany", 11, store, bare)


@contextmanager
def indexed(corpus: Corpus) -> Iterator[Searcher]:
    """Index the names, and yield what answers queries."""
    with opened() as (place, store):
        index(store, place, corpus.model, corpus.names)
        yield Searcher(store, place.snapshots, corpus.model)


@contextmanager
def opened() -> Iterator[tuple[Workspace, Store]]:
    """Yield a new workspace, opened for writing."""
    with tempfile.TemporaryDirectory(prefix="dedup-bench-") as folder:
        place = Workspace(Path(folder, "workspace"), None)
        with place.open(for_writing=True) as store:
            yield place, store


def index(store: Store, place: Workspace, model: Model, names: list[str]) -> None:
    rows = [Row(number, number, str(number), name, {}, name) for number, name in enumerate(names, 1)]
    index_rows(store, place.snapshots, model, "names", rows, identity="column", on_reject=refuse)


def refuse(reject: object) -> None:
    raise SystemExit(f"A row of the examples was rejected: {reject}")


def main() -> None:
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:  # libraries start their threads when they are imported
        os.sched_setaffinity(0, {min(cores)})
        os.execv(sys.executable, [sys.executable, *sys.argv])
    with NAMES.open(encoding="utf-8", newline="") as file:
        corpus = Corpus(load_model(), [row["name"] for row in csv.DictReader(file)])
    is_slow = False
    for path in chain(of_index(corpus), of_report(corpus), of_query(corpus)):
        is_slow |= show(path)
    sys.exit(is_slow)


def show(path: HotPath) -> bool:
    """Print the ratio of a path; tell whether it is above its bound."""
    ratio = path.ratio()
    is_slow = ratio > path.bound
    print(f"{path.name:<28} {ratio:>8.3g}   at most {path.bound:g}{'   SLOW' if is_slow else ''}", flush=True)
    return is_slow


if __name__ == "__main__":
    main()
