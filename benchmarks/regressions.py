"""Hold the hot paths against bare operations of the same machine: exits with 1 if one has become slow.

    python benchmarks/regressions.py

Each path is run in turns with a bare operation on the same data, all on one core; the median of the ratios of their
processor time counts, which other work on the machine hardly changes. A bound is about twice what was seen, so that
only a real loss is caught. The names are those of ``examples/companies.csv``.
"""

from __future__ import annotations

import csv
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import machine
import numpy as np
from machine import Work
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist

from dedup.encode import pair_similarities
from dedup.model import Model, load_model
from dedup.nearest import exact_neighbours
from dedup.normalise import normalise
from indexer.indexing import index_rows
from indexer.readers import Row
from indexer.workspace import Workspace

NAMES = Path(__file__).parent.parent / "examples" / "companies.csv"
RUNS = 5
LONG_ENOUGH = 20  # times that what is too short to be timed is done
DIMENSION = 128


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


def normalising(names: list[str]) -> HotPath:
    """Hold normalising against one pass over the same names that lowers and splits them."""

    def bare() -> None:
        for _ in range(LONG_ENOUGH):
            [" ".join(name.lower().split()) for name in names]

    return HotPath(
        "normalise / lower and split",
        lambda: cpu_seconds(lambda: list(map(normalise, names))),
        lambda: cpu_seconds(bare) / LONG_ENOUGH,
        15,
    )


def encoding(model: Model, texts: list[str]) -> HotPath:
    """Hold encoding against the products of the tower at the rate of SGEMM."""
    product, operations = machine.product()
    share = machine.tower_operations(model, texts) / operations
    return HotPath(
        "encode / SGEMM",
        lambda: cpu_seconds(lambda: model.encoder.encode(texts)),
        lambda: cpu_seconds(product) * share,
        12,
    )


def searching(model: Model, texts: list[str]) -> HotPath:
    """Hold the exact neighbours of all against the product of all codes with all."""
    codes = model.encoder.encode(texts)
    wide = codes.astype(np.float32)
    return HotPath(
        "exact neighbours / SGEMM",
        lambda: cpu_seconds(lambda: exact_neighbours(codes, codes, 11)),
        lambda: cpu_seconds(lambda: wide @ wide.T),
        20,
    )


def comparing(model: Model, texts: list[str]) -> HotPath:
    """Hold the probabilities of pairs of neighbours in the file against one RapidFuzz measure of them."""
    left, right = texts[:-1], texts[1:]
    similarities = pair_similarities(model.encoder, left, right)
    more = left * LONG_ENOUGH, right * LONG_ENOUGH
    return HotPath(
        "compare / one cpdist",
        lambda: cpu_seconds(lambda: model.compare(left, right, similarities)),
        lambda: cpu_seconds(lambda: cpdist(*more, scorer=fuzz.ratio)) / LONG_ENOUGH,
        900,
    )


class _SameCode:
    """An encoder that costs nothing."""

    def encode(self, normal_forms: list[str]) -> Any:
        return np.ones((len(normal_forms), DIMENSION), np.int8)


def storing(names: list[str]) -> HotPath:
    """Hold bringing rows into a new workspace against bare ``executemany`` of the same; neither encodes."""
    numbered = [f"{name} {number}" for number, name in enumerate(names)]
    rows = [Row(number, number, str(number), name, {}, name) for number, name in enumerate(numbered, 1)]
    texts = list(map(normalise, numbered))
    codes = _SameCode().encode(texts)
    model: Any = SimpleNamespace(model_id="0" * 64, dimension=DIMENSION, encoder=_SameCode(), least_similarity=0.5)

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

    return HotPath("store / executemany", ours, bare, 15)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dedup-bench-") as folder:
        yield Path(folder)


def _refused(reject: object) -> None:
    raise SystemExit(f"A row of the examples was rejected: {reject}")


def hot_paths() -> Iterator[HotPath]:
    """Yield the hot paths, each made ready when it is asked for."""
    with NAMES.open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    texts = list(dict.fromkeys(map(normalise, names)))
    model = load_model()
    yield normalising(names)
    yield encoding(model, texts)
    yield searching(model, texts)
    yield comparing(model, texts)
    yield storing(names)


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
        print(f"{path.name:<28} {ratio:>8.1f}   at most {path.bound:g}{'   SLOW' if ratio > path.bound else ''}")
    sys.exit(is_slow)


if __name__ == "__main__":
    main()
