"""Find all pairs of near-duplicate texts and cluster them, in a store or in memory.

Records with the same normal form share a text, so exact duplicates need no search. The nearest neighbours of each text
are its candidates; the model compares them, and the probable pairs are clustered. All vectors, texts and candidates are
held in memory: about 1.1 GB for a million texts, and 0.2 GB for each worker process.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dedup.clustering.cluster import Clusters, cluster_pairs
from dedup.errors import CorruptStore, UsageError
from dedup.matching.batch import BatchComparison, Strings
from dedup.matching.matcher import Matcher
from dedup.runtime.allocator import release_free_memory
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.stopwatch import Stopwatch
from dedup.text.corpus import describe_corpus
from indexer.store.corpus_words import model_with_corpus
from indexer.store.integrity.values import damaged, fault_of
from indexer.store.store import Codes, Ids, Record, Store
from indexer.vectors.cells import Cells, find_centres, nearest_cells
from indexer.vectors.faiss_index import FLAT_UP_TO, centres_of
from indexer.vectors.knn_graph import build_knn_graph
from indexer.vectors.recall import NEIGHBOURS, measure_recall
from indexer.vectors.search import check_model, check_width
from indexer.vectors.snapshot import Snapshots, has_current_cells
from indexer.vectors.top_k import NearPairs

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """The near-duplicates among n distinct texts.

    Attributes:
        pairs: Positions of texts (p, 2), the lower first, in ascending order.
        probabilities: Probability of each pair (p,).
        similarities: Cosine of each pair (p,).
        clusters: Clusters of the n positions.
        candidates: Number of candidate pairs.
        seconds: Duration of each stage.
        comparison: Gives the probability of any pair of these texts.
        model: The model that was used, with what the texts say about names and their share of true pairs.
        shift: What was added to all log-odds for that share.

    """

    pairs: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    similarities: NDArray[np.float32]
    clusters: Clusters
    candidates: int
    seconds: dict[str, float]
    comparison: BatchComparison
    model: Matcher
    shift: float = 0.0

    def at(self, min_probability: float, n: int) -> NearDuplicates:
        """Return the result for a higher ``min_probability`` among the same n texts, without a new search."""
        keep = self.probabilities >= min_probability
        pairs, probabilities = self.pairs[keep], self.probabilities[keep]
        clusters = cluster_pairs(pairs, probabilities, n, min_probability=min_probability, comparison=self.comparison)
        similarities = self.similarities[keep]
        return replace(self, pairs=pairs, probabilities=probabilities, similarities=similarities, clusters=clusters)


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The near-duplicates in a store.

    Attributes:
        text_ids: Ids of its texts (n,), ascending.
        near: The near-duplicates among them.
        generation: Generation of the snapshot used, if any.
        seconds: Duration of each stage.

    """

    text_ids: Ids
    near: NearDuplicates
    generation: int | None
    seconds: dict[str, float]


def find_duplicates(
    snapshots: Snapshots, model: Matcher, *, min_probability: float, progress: Progress = no_progress
) -> Duplicates:
    """Find and cluster all pairs of distinct texts of a store with at least ``min_probability`` of being the same.

    Stages reported to ``progress``: ``read vectors``, ``read texts``, ``check snapshot``, ``assign to cells`` and those
    of ``near_duplicates``; without a snapshot also ``cells``, ``recall`` and ``recall of queries``.

    Raises:
        UsageError: nothing is indexed, or not every text has a vector.
        VersionMismatch: the store was indexed with another model.
    """
    clock = Stopwatch()
    with clock.stage("load"):
        text_ids, codes, normals = load_texts(snapshots.store, model, progress)
        release_free_memory()
    with clock.stage("search"):
        generation, cells = cells_of_texts(snapshots, model, codes, progress)
    near = near_duplicates(
        codes,
        normals,
        cells,
        model_with_corpus(snapshots.store, model),
        min_probability=min_probability,
        clock=clock,
        progress=progress,
    )
    return Duplicates(text_ids, near, generation, clock.seconds)


def duplicates_of_texts(
    normals: Sequence[str], model: Matcher, *, min_probability: float, progress: Progress = no_progress
) -> NearDuplicates:
    """Find and cluster all near-duplicates among distinct normal forms (n), in memory.

    The result equals that of ``find_duplicates`` for a store to which these texts were added in this order. Stages
    reported to ``progress``: ``encode`` and those of ``find_duplicates`` after reading.
    """
    clock = Stopwatch()
    with clock.stage("load"):
        codes = encode_in_blocks(model, normals, progress)
    with clock.stage("search"):
        cells = _new_cells(codes, model, progress)
    return near_duplicates(
        codes,
        normals,
        cells,
        with_words_of(model, normals),
        min_probability=min_probability,
        clock=clock,
        progress=progress,
    )


def near_duplicates(
    codes: Codes,
    normals: Sequence[str] | Strings,
    cells: Cells | None,
    model: Matcher,
    *,
    min_probability: float,
    clock: Stopwatch,
    progress: Progress = no_progress,
) -> NearDuplicates:
    """Find and cluster the near-duplicates among n texts, given their ``codes`` (n, d), normal forms (n) and ``cells``.

    A pair is a candidate if one text is among the 10 nearest neighbours of the other and their cosine is at least the
    model's ``min_similarity``. With ``cells``, neighbours are approximate (``vectors.knn_graph``). Stages reported to
    ``progress``: ``search``, ``pairs``, ``names``, ``words``, ``rule out``, ``compare`` and ``cluster``.
    """
    n = len(codes)
    with clock.stage("search"):
        progress("search", 0, n)
        lists = build_knn_graph(
            codes, NEIGHBOURS, model.min_similarity, cells, progress=lambda done: progress("search", done, n)
        )
        near: NearPairs = lists.pairs(lambda done: progress("pairs", done, n))
        del lists
        release_free_memory()
    return compare_candidates(
        codes, normals, near, model, min_probability=min_probability, clock=clock, progress=progress
    )


def compare_candidates(
    codes: Codes,
    normals: Sequence[str] | Strings,
    near: NearPairs,
    model: Matcher,
    *,
    min_probability: float,
    shift: float | None = None,
    clock: Stopwatch,
    progress: Progress = no_progress,
) -> NearDuplicates:
    """Compare all candidates, the pairs ``near`` of n texts, and cluster them.

    ``shift`` is what is added to the log-odds for the share of true pairs among the candidates; None: it is estimated.
    Stages reported to ``progress``: as of ``near_duplicates``, from ``names`` on.
    """
    candidates = len(near.cosines)
    with BatchComparison(model, codes, normals, shift=shift or 0.0) as comparison:
        with clock.stage("compare"):
            if shift is None:
                shift = comparison.adapt(near.pairs, near.cosines, progress)
            likely, probabilities = comparison.likely(near.pairs, near.cosines, min_probability, progress)
        order = np.lexsort(near.pairs[likely].T[::-1])
        likely, probabilities = likely[order], probabilities[order]
        pairs, similarities = near.pairs[likely].astype(np.int64), near.cosines[likely]
        del near  # a tenth of the peak memory
        with clock.stage("cluster"):
            progress("cluster", 0, None)
            clusters = cluster_pairs(
                pairs,
                probabilities,
                len(codes),
                min_probability=min_probability,
                comparison=comparison,
                progress=lambda done, total: progress("cluster", done, total),
            )
    adapted = model.with_prior_shift(shift) if shift else model
    return NearDuplicates(
        pairs, probabilities, similarities, clusters, candidates, clock.seconds, comparison, adapted, shift
    )


def encode_in_blocks(model: Matcher, normals: Sequence[str], progress: Progress = no_progress) -> Codes:
    """Return the vectors (n, d) of normal forms (n). Stages reported to ``progress``: ``encode``."""
    codes = [np.empty((0, model.dimension), np.int8)]
    for start in range(0, len(normals), _ENCODED_AT_ONCE):
        codes.append(model.encoder.encode(normals[start : start + _ENCODED_AT_ONCE]))
        progress("encode", min(start + _ENCODED_AT_ONCE, len(normals)), len(normals))
    return np.concatenate(codes)


def with_words_of(model: Matcher, normals: Sequence[str]) -> Matcher:
    """Return ``model`` with what these texts say about names, as for a store that holds them."""
    return model.with_corpus(describe_corpus(normals))


def cells_of_texts(
    snapshots: Snapshots, model: Matcher, codes: Codes, progress: Progress = no_progress
) -> tuple[int | None, Cells | None]:
    """Return the snapshot's generation and the cells (n, m) of ``codes`` (n, d); both None where a scan is used."""
    generation, centres, count = centres_for(snapshots, model, codes, progress)
    return generation, None if centres is None else nearest_cells(codes, centres, count, progress)


def centres_for(
    snapshots: Snapshots, model: Matcher, codes: Codes, progress: Progress = no_progress
) -> tuple[int | None, Codes | None, int]:
    """Return the snapshot's generation, the centres of cells and the cells per text; no centres where a scan is used.

    The snapshot gives the centres and the number of cells per text, which texts added or deleted later do not change.
    Without a snapshot that has cells, they are computed for this search.
    """
    if len(codes) <= snapshots.flat_up_to:
        return None, None, 0
    generation, centres, count = _snapshot_centres(snapshots, model.model_id, progress)
    if centres is None:
        return generation, *_new_centres(codes, model, progress)
    return generation, centres, count


def places_of(records: Sequence[Record], text_ids: Ids) -> list[int]:
    """Return the position of the text of each record among ascending ``text_ids``.

    Raises:
        CorruptStore: the text of a record is not among them.

    """
    places: list[int] = np.searchsorted(text_ids, [record.text_id for record in records]).tolist()
    known = text_ids.tolist()
    for record, place in zip(records, places, strict=True):
        check_text_of(record, known[place : place + 1])
    return places


def check_text_of(record: Record, text_ids: Sequence[int]) -> None:
    """Raise ``CorruptStore`` unless the text of a record is the first of ``text_ids``, which may be none."""
    if list(text_ids[:1]) != [record.text_id]:
        raise lost_record(record.record_id, record.text_id)


def lost_record(record_id: int, text_id: int) -> CorruptStore:
    """Return the error for a record whose text is not there."""
    return damaged(fault_of("record", f"record_id={record_id}", "text_id", text_id, "the id of a text with a vector"))


_ENCODED_AT_ONCE = 5_000


def _new_cells(codes: Codes, model: Matcher, progress: Progress) -> Cells | None:
    if len(codes) <= FLAT_UP_TO:
        return None
    centres, count = _new_centres(codes, model, progress)
    return nearest_cells(codes, centres, count, progress)


def _new_centres(codes: Codes, model: Matcher, progress: Progress) -> tuple[Codes, int]:
    centres = find_centres(codes, progress)
    return centres, measure_recall(codes, centres, model.min_similarity, progress).cells_per_text


def load_texts(store: Store, model: Matcher, progress: Progress) -> tuple[Ids, Codes, Strings]:
    """Return the ids (n,), ascending, codes (n, d) and normal forms (n) of all texts.

    Raises:
        UsageError: nothing is indexed, or not every text has a vector.
        VersionMismatch: the store was indexed with another model.
    """
    text_ids, codes = store.load_vectors(model.model_id, progress=progress)
    if not len(text_ids):
        check_model(store, model.model_id)
    else:
        check_width(codes.shape[1], model.dimension)
    normals = np.empty(len(text_ids), np.dtypes.StringDType())
    done, is_whole = 0, True
    for ids, page in store.iter_texts():
        place = slice(done, done + len(ids))
        if not np.array_equal(text_ids[place], ids):
            is_whole = False
            break
        normals[place] = page
        done += len(ids)
        progress("read texts", done, len(text_ids))
    if not is_whole or done != len(text_ids):
        store.check_vectors()
        raise UsageError(
            "Not every text is encoded yet; index an input again to finish (`dedup index`, or `Index.add` in Python)."
        )
    if not done:
        raise UsageError(
            "Nothing is indexed in this workspace; index an input first: `dedup index FILE`, or `Index.add` in Python."
        )
    return text_ids, codes, normals


def _snapshot_centres(snapshots: Snapshots, model_id: str, progress: Progress) -> tuple[int | None, Codes | None, int]:
    """Return the generation, centres and cells per text of a snapshot that has cells, and close it.

    A snapshot of an older version, in which texts search another number of cells, is ignored with a warning.
    """
    opened = snapshots.open(model_id, progress)
    if opened is None or not opened[0].parameters["cells"]:
        return None, None, 0
    snapshot, index = opened
    if not has_current_cells(snapshot):
        _log.warning(
            "The snapshot %s is of an older version, so the cells are computed again, which takes a while. Indexing an "
            "input (`dedup index`, or `Index.add` in Python) builds a new snapshot.",
            snapshot.file_name,
        )
        return None, None, 0
    return snapshot.generation, centres_of(index), snapshot.parameters["cells_per_text"]
