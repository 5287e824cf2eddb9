"""Search the nearest vectors: those of a snapshot and those added later, without those deleted since.

The first few queries scan every vector. For more, every vector gets a sketch (``indexer.vectors.sketch``), and only
those with the nearest sketches are re-ranked. A cosine is an exact integer product divided by both norms, so every path
returns the same numbers.
"""

from __future__ import annotations

from itertools import chain
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import cosine, exact_neighbours, norms
from dedup.errors import VersionMismatch
from dedup.runtime import threads
from dedup.runtime.progress import Progress, no_progress
from indexer.store.integrity.values import damaged
from indexer.store.store import Codes, Ids, Store
from indexer.vectors.faiss_index import Index, iter_content
from indexer.vectors.sketch import Sketch, candidates_for
from indexer.vectors.snapshot import Snapshots

SCANNED_QUERIES = 16
"""Queries that scan every vector before sketches are worth their cost."""

_BLOCK = 1 << 16
_QUERIES_AT_ONCE = 512
_RANKED_AT_ONCE = 64
_OVERFETCH = 4
_CANDIDATES_AT_ONCE = 1 << 22
_COORDINATES_AT_ONCE = 1 << 24
"""Candidates, and coordinates of candidates, in memory at once."""

Similarities = NDArray[np.float32]


class VectorIndex(Protocol):
    """Vectors that a query can search."""

    def __len__(self) -> int:
        """Return the number of vectors."""

    def search(self, codes: Codes, k: int) -> tuple[Ids, Similarities, dict[int, str]]:
        """Return the ``k`` nearest texts of each of ``codes`` (m, d), as ``StoredVectors.search`` does."""


class StoredVectors:
    """The vectors of a model in a store, as they were when this object was created.

    The first ``scanned_queries`` queries scan every vector. With ``among``, only these texts are
    searched. Stages reported to ``progress``: ``check snapshot`` and
    ``read vectors``.

    Raises:
        VersionMismatch: The model has not encoded every text, for example because another one has.

    """

    def __init__(
        self,
        snapshots: Snapshots,
        model_id: str,
        progress: Progress = no_progress,
        *,
        scanned_queries: int = SCANNED_QUERIES,
        among: Ids | None = None,
    ) -> None:
        self._store = store = snapshots.store
        opened = snapshots.open(model_id, progress)
        self._index = opened[1] if opened else None
        in_snapshot = opened[0].max_text_id if opened else 0
        self._later = store.load_vectors(model_id, in_snapshot, progress)
        self._count = len(self._later[0]) + (self._index.ntotal if self._index else 0)
        self._width = self._index.d if self._index is not None else self._later[1].shape[1]
        if self._index is not None and len(self._later[0]):
            check_width(self._later[1].shape[1], self._width)
        self._scans_left = scanned_queries
        self._sketched: SketchedVectors | None = None
        self._choice = Lock()
        if len(store.texts_without_vectors(model_id, in_snapshot, 1)[0]):
            check_model(store, model_id)
            raise VersionMismatch(
                f"Model {model_id[:12]} has not encoded every text yet; index an input again to finish "
                "(`dedup index`, or `Index.add` in Python)."
            )

        if among is not None:
            ids, codes = self._take_all(self._width)
            kept = np.isin(ids, among)
            self._later = ids[kept], codes[kept]
            self._count = len(self._later[0])

    def __len__(self) -> int:
        return self._count

    def search(self, codes: Codes, k: int) -> tuple[Ids, Similarities, dict[int, str]]:
        """Return the ``k`` nearest texts of each of ``codes`` (m, d): ids and cosines, both (m, k), and normal forms.

        Nearest first, ties by the lower id; id -1 and cosine -1 where there are fewer than ``k``. Normal forms are by
        id. Texts deleted since are left out. ``k`` is at most the number of texts.
        """
        if self._width:
            check_width(self._width, codes.shape[1])
        depth = k = min(k, max(1, self._count))
        while True:  # search deeper while deleted texts leave a query with fewer than k
            ids, similarities = self._nearest(codes, depth)
            normals = self._store.normals(np.unique(ids[ids >= 0]).tolist())
            is_live = np.isin(ids, np.fromiter(normals, np.int64, len(normals)))
            is_exhausted = (ids[:, -1] < 0) | (depth >= self._count)
            if np.all(is_exhausted | (is_live.sum(axis=1) >= k)):
                live = np.where(is_live, ids, -1), np.where(is_live, similarities, np.float32(-1))
                return *_top_k(*live, k), normals
            depth *= 2

    def _nearest(self, codes: Codes, k: int) -> tuple[Ids, Similarities]:
        """Return ids and cosines, both (m, k), of the nearest texts, including deleted ones."""
        with self._choice:  # sketching releases what another thread would scan
            self._scans_left -= len(codes)
            if self._sketched is None and self._scans_left < 0 and self._count:
                self._sketched = SketchedVectors(*self._take_all(codes.shape[1]))
            sketched, index, (later_ids, later_codes) = self._sketched, self._index, self._later
        if sketched is not None:
            return sketched.nearest(codes, k)
        ids, similarities = np.full((len(codes), k), -1, np.int64), np.full((len(codes), k), -1.0, np.float32)
        if index is not None:
            ids, similarities = _scan_index(index, codes, k)
        for start in range(0, len(later_ids), _BLOCK):
            block_ids, block_codes = later_ids[start : start + _BLOCK], later_codes[start : start + _BLOCK]
            positions, cosines = _scan(codes, block_codes, k)
            found = np.where(positions < 0, -1, block_ids[positions])
            ids, similarities = _top_k(np.hstack([ids, found]), np.hstack([similarities, cosines]), k)
        return ids, similarities

    def _take_all(self, dimension: int) -> tuple[Ids, Codes]:
        """Return all ids (n,) and codes (n, d), and release the index that held them."""
        ids, codes = np.empty(self._count, np.int64), np.empty((self._count, dimension), np.int8)
        done = 0
        for page_ids, page_codes in chain(iter_content(self._index) if self._index else (), [self._later]):
            if len(page_ids):
                page = slice(done, done + len(page_ids))
                ids[page], codes[page] = page_ids, page_codes
                done = page.stop
        self._index, self._later = None, (ids[:0], codes[:0])
        return ids, codes


class SketchedVectors:
    """Vectors with their sketches: ids (n,) and codes (n, d)."""

    def __init__(self, ids: Ids, codes: Codes) -> None:
        self._ids, self._codes = ids, codes
        self._sketch = Sketch([codes])

    def nearest(self, codes: Codes, k: int) -> tuple[Ids, Similarities]:
        """Return ids and cosines, both (m, k), of the texts nearest to each of ``codes`` (m, d)."""
        ids, similarities = np.full((len(codes), k), -1, np.int64), np.full((len(codes), k), -1.0, np.float32)
        count = candidates_for(k)
        for block in _slices(len(codes), min(_QUERIES_AT_ONCE, _CANDIDATES_AT_ONCE // count)):
            found, cosines = self._nearest(codes[block], k, count)
            ids[block, : found.shape[1]], similarities[block, : found.shape[1]] = found, cosines
        return ids, similarities

    def _nearest(self, queries: Codes, k: int, count: int) -> tuple[Ids, Similarities]:
        """Return ids and cosines, both (m, <= k), of the nearest of ``count`` candidates, or more where many tie."""
        rows = self._sketch.candidates(queries, count)
        parts = _slices(len(queries), min(_RANKED_AT_ONCE, _COORDINATES_AT_ONCE // (rows.shape[1] * queries.shape[1])))
        ranked = (threads.in_order if len(parts) > 1 else map)(
            lambda part: self._rank(queries[part], rows[part], k), parts
        )
        ids, similarities = (np.concatenate(values) for values in zip(*ranked, strict=True))
        if count < len(self._ids):
            for at in np.flatnonzero(np.count_nonzero(rows >= 0, axis=1) < k):
                more = self._nearest(queries[at : at + 1], k, 4 * count)
                ids[at], similarities[at] = (values[0, : ids.shape[1]] for values in more)
        return ids, similarities

    def _rank(self, queries: Codes, rows: Ids, k: int) -> tuple[Ids, Similarities]:
        ids = np.where(rows < 0, -1, self._ids[rows])
        similarities = _cosines(queries, self._codes[rows].astype(np.float32))
        similarities[rows < 0] = -1
        return _top_k(ids, similarities, k)


def _slices(n: int, at_once: int) -> list[slice]:
    step = max(1, at_once)
    return [slice(start, start + step) for start in range(0, n, step)]


def check_model(store: Store, model_id: str) -> None:
    """Raise ``VersionMismatch`` if the current snapshot is of a model other than ``model_id``."""
    snapshot = store.current_snapshot()
    if snapshot is not None and snapshot.model_id != model_id:
        raise VersionMismatch(
            f"The texts were indexed with model {snapshot.model_id[:12]}, but this program has model "
            f"{model_id[:12]}; index an input again to encode them with it (`dedup index`, or `Index.add` in Python)."
        )


def check_width(found: int, expected: int) -> None:
    """Raise ``CorruptStore`` if stored vectors do not have as many values as those of the model."""
    if found != expected:
        raise damaged(f"The vectors in table text_vector have {found} values, but those of the model {expected}.")


def _scan_index(index: Index, codes: Codes, k: int) -> tuple[Ids, Similarities]:
    """Return ids and cosines, both (m, k), of the nearest vectors by an exact scan; id -1 for none.

    FAISS ranks by product, and norms differ a little, so ``_OVERFETCH`` times as many vectors are fetched and re-ranked
    by cosine. FAISS also breaks ties arbitrarily, so more are fetched until the last product is below the ``k``-th.
    """
    ids, similarities = np.full((len(codes), k), -1, np.int64), np.full((len(codes), k), -1.0, np.float32)
    for at in range(len(codes)):
        query, depth = codes[at : at + 1], _OVERFETCH * k
        while True:
            products, found, vectors = _largest_products(index, query.astype(np.float32), min(depth, index.ntotal))
            if depth >= index.ntotal or products[0, -1] < products[0, k - 1]:
                break
            depth *= 4
        vectors[found < 0] = 0
        best, cosines = _top_k(found, np.where(found < 0, np.float32(-1), _cosines(query, vectors)), k)
        ids[at, : best.shape[1]], similarities[at, : best.shape[1]] = best[0], cosines[0]
    return ids, similarities


def _largest_products(
    index: Index, queries: NDArray[np.float32], k: int
) -> tuple[Similarities, Ids, NDArray[np.float32]]:
    """Return products and ids, both (m, k), largest product first, and the vectors (m, k, d); id -1 for none."""
    import faiss

    if hasattr(index, "nlist"):
        parameters: Any = faiss.SearchParametersIVF
        found: tuple[Any, Any, Any] = index.search_and_reconstruct(queries, k, params=parameters(nprobe=index.nlist))
        return found
    products, positions, vectors = index.index.search_and_reconstruct(queries, k)
    return products, np.where(positions < 0, -1, faiss.vector_to_array(index.id_map)[positions]), vectors


def _cosines(queries: Codes, vectors: NDArray[np.float32]) -> Similarities:
    """Return the cosines (m, c) of each of ``queries`` (m, d) with its own ``vectors`` (m, c, d)."""
    products = np.matmul(vectors, queries.astype(np.float32)[:, :, None])[:, :, 0]
    lengths = norms(vectors.reshape(-1, vectors.shape[2])).reshape(products.shape)
    similarities: Similarities = products / (norms(queries)[:, None] * lengths)
    return similarities


def _scan(codes: Codes, corpus: Codes, k: int) -> tuple[Ids, Similarities]:
    """Return positions and cosines of the nearest by an exact scan; cosines are computed as for an index."""
    positions, similarities = exact_neighbours(codes, corpus, k)
    rows, columns = np.nonzero(positions >= 0)
    similarities[rows, columns] = cosine(codes[rows], corpus[positions[rows, columns]])
    return positions, similarities


def _top_k(ids: Ids, similarities: Similarities, k: int) -> tuple[Ids, Similarities]:
    """Return the ``k`` most similar ids of each row, ties by the lower id."""
    order = np.lexsort((ids, -similarities), axis=1)[:, :k]
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(similarities, order, axis=1)
