"""Find every pair of near-duplicate texts of a store, and their clusters.

Records with the same normal form share a text, so exact duplicates need no search. Each text's nearest
vectors are candidates; those near enough are compared by the model, and the likely pairs are clustered.
All vectors, texts and candidate pairs are held in memory: for a million texts about 1.1 GB, and 0.2 GB for each
process that compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup.cluster import Clusters, cluster_pairs
from dedup.comparison import Comparison
from dedup.errors import UsageError
from dedup.model import Model
from dedup.stopwatch import Stopwatch
from indexer import vectors
from indexer.all_neighbours import all_neighbours
from indexer.cells import Cells, find_centres, nearest_cells
from indexer.faiss_index import FLAT_UP_TO, centres_of
from indexer.progress import Progress, no_progress
from indexer.recall import NEIGHBOURS, measure_recall
from indexer.snapshot import open_snapshot
from indexer.store import Codes, Ids, Store
from indexer.words import model_of

_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The near-duplicates among n texts.

    ``text_ids`` (n,) ascending. ``pairs`` (p, 2) of distinct texts, as places in ``text_ids``, the lower
    first, in ascending order; ``probabilities`` (p,) and ``similarities`` (p,) (cosines) of these pairs.
    ``clusters`` of the n places. ``candidates`` counts the pairs compared, ``generation`` is that of the
    snapshot used, if any; ``seconds`` are those of each stage.
    """

    text_ids: Ids
    pairs: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    similarities: NDArray[np.float32]
    clusters: Clusters
    candidates: int
    generation: int | None
    seconds: dict[str, float]


def find_duplicates(
    store: Store,
    snapshots: Path,
    model: Model,
    *,
    min_probability: float,
    progress: Progress = no_progress,
) -> Duplicates:
    """Find all pairs of distinct texts that are the same with at least ``min_probability``, and cluster them.

    A pair is found if one is among the 10 nearest of the other and their cosine is at least the model's
    ``least_similarity``; of many texts, if they share a cell besides (``indexer.all_neighbours``). ``progress``
    hears of the stages ``search``, ``names``, ``rule out``, ``compare`` and ``cluster``, and without a snapshot of
    those in which cells are made.

    Raises:
        UsageError: nothing is indexed, or not every text is encoded.
        VersionMismatch: the store was indexed with another model.

    """
    clock = Stopwatch()
    with clock.stage("load"):
        text_ids, codes, normals = _load(store, model.model_id)
    with clock.stage("search"):
        generation, pairs, similarities = _search(store, snapshots, model, text_ids, codes, progress)
    with Comparison(model_of(store, model), codes, normals) as comparison:
        with clock.stage("compare"):
            likely, probabilities = comparison.likely(pairs, similarities, min_probability, progress)
        candidates = len(pairs)
        pairs, similarities = pairs[likely], similarities[likely]
        with clock.stage("cluster"):
            progress("cluster", 0, None)
            clusters = cluster_pairs(
                pairs,
                probabilities,
                len(text_ids),
                least_probability=min_probability,
                comparison=comparison,
                on_progress=lambda done, total: progress("cluster", done, total),
            )
    return Duplicates(text_ids, pairs, probabilities, similarities, clusters, candidates, generation, clock.seconds)


def _load(store: Store, model_id: str) -> tuple[Ids, Codes, list[str]]:
    """Return ids (n,), codes (n, d) and normal forms (n) of all texts."""
    text_ids, codes = store.load_vectors(model_id)
    if not len(text_ids):
        vectors.check_model(store, model_id)
    normals: list[str] = []
    for ids, page in store.iter_texts():
        if not np.array_equal(text_ids[len(normals) : len(normals) + len(ids)], ids):
            raise UsageError("Not every text is encoded yet; run `dedup index` again to finish.")
        normals += page
    if not normals:
        raise UsageError("Nothing is indexed in this workspace; run `dedup index FILE` first.")
    return text_ids, codes, normals


def _search(
    store: Store, snapshots: Path, model: Model, text_ids: Ids, codes: Codes, progress: Progress
) -> tuple[int | None, NDArray[np.int64], NDArray[np.float32]]:
    """Return the snapshot's generation, candidate pairs (p, 2), ascending, and their cosines (p,)."""
    n = len(text_ids)
    generation, cells = _cells(store, snapshots, model, text_ids, codes, progress)
    progress("search", 0, n)
    neighbours, similarities = all_neighbours(
        codes, NEIGHBOURS, model.least_similarity, cells, progress=lambda done: progress("search", done, n)
    )
    keys, cosines = _distinct(neighbours, similarities)
    return generation, np.column_stack(np.divmod(keys, n)), cosines


def _distinct(neighbours: Ids, similarities: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each pair of a row and a neighbour once, as lower · n + higher, ascending, and its cosine."""
    n = len(neighbours)
    keys = []
    for start in range(0, n, _BLOCK):
        block = neighbours[start : start + _BLOCK]
        rows = np.arange(start, start + len(block))[:, None]
        keys.append((np.minimum(rows, block) * n + np.maximum(rows, block))[block >= 0])
    unique, at = np.unique(np.concatenate(keys), return_index=True)
    return unique, similarities[neighbours >= 0][at]


def _cells(
    store: Store, snapshots: Path, model: Model, text_ids: Ids, codes: Codes, progress: Progress
) -> tuple[int | None, Cells | None]:
    """Return the snapshot's generation and the cells of all texts; None, None for few texts.

    A snapshot gives its centres, and how many cells each text needs; texts that came or went later do not
    change that. Without one that has cells, they are made for this search.
    """
    if len(text_ids) <= FLAT_UP_TO:
        return None, None
    opened = open_snapshot(store, snapshots, model.model_id)
    if opened is not None and "cells_per_text" in opened[0].parameters:
        snapshot, index = opened
        return snapshot.generation, nearest_cells(codes, centres_of(index), snapshot.parameters["cells_per_text"])
    centres = find_centres(codes, progress)
    recall = measure_recall(codes, centres, model.least_similarity, progress)
    return None, nearest_cells(codes, centres, recall.cells_per_text)
