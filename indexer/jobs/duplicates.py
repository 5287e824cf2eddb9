"""Find every pair of near-duplicate texts of a store, and their clusters.

Records with the same normal form share a text, so exact duplicates need no search. Each text's nearest
vectors are candidates; those near enough are compared by the model, and the likely pairs are clustered.
All vectors, texts and candidate pairs are held in memory: for a million texts about 1.1 GB, and 0.2 GB for each
process that compares.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup.clustering.cluster import Clusters, cluster_pairs
from dedup.errors import UsageError
from dedup.matching.batch import BatchComparison, Strings
from dedup.model import Model
from dedup.runtime.memory import give_back
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.stopwatch import Stopwatch
from indexer.store.corpus_words import model_of
from indexer.store.store import Codes, Ids, Store
from indexer.vectors import search
from indexer.vectors.cells import Cells, find_centres, nearest_cells
from indexer.vectors.faiss_index import FLAT_UP_TO, centres_of
from indexer.vectors.knn_graph import all_neighbours
from indexer.vectors.recall import NEIGHBOURS, measure_recall
from indexer.vectors.snapshot import asks_as_now, open_snapshot
from indexer.vectors.top_k import NearPairs

_log = logging.getLogger(__name__)


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
    ``min_similarity``; of many texts, if one besides asks in a cell in which the other lies
    (``vectors.knn_graph``). ``progress`` hears of the stages ``read vectors``, ``read texts``, ``check snapshot``,
    ``cells of texts``, ``search``, ``pairs``, ``names``, ``words``, ``rule out``, ``compare`` and ``cluster``, and
    without a snapshot of those in which cells are made.

    Raises:
        UsageError: nothing is indexed, or not every text is encoded.
        VersionMismatch: the store was indexed with another model.

    """
    clock = Stopwatch()
    with clock.stage("load"):
        text_ids, codes, normals = _load(store, model.model_id, progress)
        give_back()
    with clock.stage("search"):
        generation, near = _search(store, snapshots, model, codes, progress)
        give_back()
    candidates = len(near.cosines)
    with BatchComparison(model_of(store, model), codes, normals) as comparison:
        with clock.stage("compare"):
            likely, probabilities = comparison.likely(near.pairs, near.cosines, min_probability, progress)
        order = np.lexsort(near.pairs[likely].T[::-1])
        likely, probabilities = likely[order], probabilities[order]
        pairs, similarities = near.pairs[likely].astype(np.int64), near.cosines[likely]
        del near  # a tenth of all memory
        with clock.stage("cluster"):
            progress("cluster", 0, None)
            clusters = cluster_pairs(
                pairs,
                probabilities,
                len(text_ids),
                min_probability=min_probability,
                comparison=comparison,
                progress=lambda done, total: progress("cluster", done, total),
            )
    return Duplicates(text_ids, pairs, probabilities, similarities, clusters, candidates, generation, clock.seconds)


def _load(store: Store, model_id: str, progress: Progress) -> tuple[Ids, Codes, Strings]:
    """Return ids (n,), codes (n, d) and normal forms (n) of all texts."""
    text_ids, codes = store.load_vectors(model_id, progress=progress)
    if not len(text_ids):
        search.check_model(store, model_id)
    normals = np.empty(len(text_ids), np.dtypes.StringDType())
    done = 0
    for ids, page in store.iter_texts():
        place = slice(done, done + len(ids))
        if not np.array_equal(text_ids[place], ids):
            raise UsageError("Not every text is encoded yet; run `dedup index` again to finish.")
        normals[place] = page
        done += len(ids)
        progress("read texts", done, len(text_ids))
    if not done:
        raise UsageError("Nothing is indexed in this workspace; run `dedup index FILE` first.")
    return text_ids, codes, normals


def _search(
    store: Store, snapshots: Path, model: Model, codes: Codes, progress: Progress
) -> tuple[int | None, NearPairs]:
    """Return the snapshot's generation and the candidates."""
    n = len(codes)
    generation, cells = cells_of_texts(store, snapshots, model, codes, progress)
    progress("search", 0, n)
    lists = all_neighbours(
        codes, NEIGHBOURS, model.min_similarity, cells, progress=lambda done: progress("search", done, n)
    )
    return generation, lists.pairs(lambda done: progress("pairs", done, n))


def cells_of_texts(
    store: Store, snapshots: Path, model: Model, codes: Codes, progress: Progress = no_progress
) -> tuple[int | None, Cells | None]:
    """Return the snapshot's generation and the cells (n, m) of all ``codes`` (n, d); None, None for few texts.

    A snapshot gives its centres, and how many cells each text needs; texts that came or went later do not
    change that. Without one that has cells, they are made for this search.
    """
    if len(codes) <= FLAT_UP_TO:
        return None, None
    generation, centres, count = _centres(store, snapshots, model.model_id, progress)
    if centres is None:
        centres = find_centres(codes, progress)
        count = measure_recall(codes, centres, model.min_similarity, progress).cells_per_text
    return generation, nearest_cells(codes, centres, count, progress)


def _centres(store: Store, snapshots: Path, model_id: str, progress: Progress) -> tuple[int | None, Codes | None, int]:
    """Return the generation, the centres and the cells of each text of a snapshot that has cells, and let go of it.

    One of an older version, whose texts asked in another number of cells, counts as none, which is warned of.
    """
    opened = open_snapshot(store, snapshots, model_id, progress)
    if opened is None or not opened[0].parameters["cells"]:
        return None, None, 0
    snapshot, index = opened
    if not asks_as_now(snapshot):
        _log.warning(
            "The snapshot %s is of an older version, so all texts are sorted into cells anew, which takes a while; the "
            "next `dedup index` makes a new snapshot.",
            snapshot.file_name,
        )
        return None, None, 0
    return snapshot.generation, centres_of(index), snapshot.parameters["cells_per_text"]
