"""Search all texts of a workspace among all, as ``dedup report`` does, beside an exact search of the planted ones.

    python benchmarks/search.py --data ../shared/data --workspace DIR

The workspace is one that has the planted corpus indexed, as ``run.py`` leaves it; it is only read. Recall at 10 of
planted mates is measured twice: in the lists of the search, which hold what is at least as similar as any pair that is
compared, and in the ten nearest by exact search, however near they are. What the first loses is held against its bar.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bars
import numpy as np
from bars import Result
from numpy.typing import NDArray
from planted import TRUTH

from dedup.encoder.cosine import exact_neighbours
from dedup.evaluation.evaluate import mates_of, others_first
from dedup.evaluation.measures import recall_at
from dedup.model import Model, load_model
from dedup.runtime import threads
from dedup.text.normalise import normalise
from dedup.training.data.sources import read_rows
from indexer.jobs.duplicates import cells_of_texts
from indexer.store.workspace import Workspace
from indexer.vectors.knn_graph import build_knn_graph
from indexer.vectors.recall import NEIGHBOURS

Rows = NDArray[np.int64]


def measure(data: Path, workspace: Path) -> Iterator[Result]:
    """Yield the texts a second of the search of all, and the recall of both searches."""
    model = load_model()
    place = Workspace(workspace)
    with place.open(for_writing=False) as store:
        ids, codes = store.load_vectors(model.model_id)
        begin = time.perf_counter()
        found = search_all(store, place.snapshots, model, codes)
        seconds = time.perf_counter() - begin
        rows, mates = planted(data, store, ids)
    yield Result("search of all", "threads", threads.count())
    yield Result("search of all", "texts", len(codes))
    yield Result("search of all", "s", seconds)
    yield Result("search of all", "texts/s", len(codes) / seconds, bars.SEARCHED_A_SECOND)
    yield Result("planted texts", "with mates", len(rows))
    exact = exact_neighbours_of(rows, codes)
    recall, best = (recall_at(neighbours, mates, NEIGHBOURS) for neighbours in (found[rows], exact))
    yield Result("planted recall at 10", "search of all", recall)
    yield Result("planted recall at 10", "exact search", best)
    yield Result("planted recall at 10", "lost", best - recall, bars.RECALL_LOST)


def search_all(store: Any, snapshots: Path, model: Model, codes: NDArray[np.int8]) -> Rows:
    """Return the rows of the nearest others (n, 10) of ``codes`` (n, d), -1 for none, found as by ``dedup report``."""
    _, cells = cells_of_texts(store, snapshots, model, codes)
    return build_knn_graph(codes, NEIGHBOURS, model.min_similarity, cells).nearest()[0]


def planted(data: Path, store: Any, ids: Rows) -> tuple[Rows, list[set[int]]]:
    """Return the rows of the planted texts with mates among those with the ascending ``ids``, and the rows of these.

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


def main() -> None:
    """Run the benchmark; exit with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--workspace", type=Path, required=True)
    arguments = parser.parse_args()
    bars.show(measure(arguments.data, arguments.workspace))


if __name__ == "__main__":
    main()
