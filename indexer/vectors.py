"""Find near vectors: those of a FAISS snapshot, less what was deleted since, and by exact scan what was added.

FAISS gives exact integer products of the int8 codes, and a cosine is such a product divided by both norms. It
ranks by product; as norms differ a little, more is fetched than asked for, and ranked again by cosine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.errors import VersionMismatch
from dedup.nearest import cosine, exact_neighbours, norms
from indexer.faiss_index import QUERY_PROBES, Index
from indexer.snapshot import open_snapshot
from indexer.store import Codes, Ids, Store

_BLOCK = 1 << 16
_FOUND_VALUES = 1 << 24
Similarities = NDArray[np.float32]


class Vectors:
    """The vectors of a model in a store: those of its snapshot by FAISS, later ones by exact scan.

    Raises:
        VersionMismatch: the model has not encoded every text, as when another one has.

    """

    def __init__(self, store: Store, snapshots: Path, model_id: str) -> None:
        self._store = store
        self._model_id = model_id
        opened = open_snapshot(store, snapshots, model_id)
        self._index = opened[1] if opened else None
        in_snapshot = opened[0].max_text_id if opened else 0
        self._ids, self._codes = store.load_vectors(model_id, in_snapshot)
        if len(store.texts_without_vectors(model_id, in_snapshot, 1)[0]):
            check_model(store, model_id)
            raise VersionMismatch(
                f"Not every text is encoded by model {model_id[:12]} yet; run `dedup index` again, which does it."
            )

    def search(self, codes: Codes, k: int) -> tuple[Ids, Similarities]:
        """Return the ``k`` nearest texts of each of ``codes`` (m, d): ids and cosines, both (m, k).

        Nearest first, ties by the lower id; id -1 and cosine -1 where there are fewer than ``k``. Texts that
        were deleted after the snapshot are left out.
        """
        ids, similarities = np.full((len(codes), k), -1, np.int64), np.full((len(codes), k), -1.0, np.float32)
        if self._index is not None:
            ids, similarities = _best(*self._search_index(self._index, codes, k), k)
        for start in range(0, len(self._ids), _BLOCK):
            block = slice(start, start + _BLOCK)
            positions, cosines = _scan(codes, self._codes[block], k)
            found = np.where(positions < 0, -1, self._ids[block][positions])
            ids, similarities = _best(np.hstack([ids, found]), np.hstack([similarities, cosines]), k)
        return ids, similarities

    def _search_index(self, index: Index, codes: Codes, k: int) -> tuple[Ids, Similarities]:
        """Search the snapshot, deeper while deleted texts leave a query with fewer than ``k``."""
        depth = k + k // 4 + 10
        while True:
            ids, similarities = _nearest(index, codes, min(depth, index.ntotal))
            live = np.isin(ids, self._store.existing_texts(np.unique(ids[ids >= 0])))
            is_exhausted = (ids[:, -1] < 0) | (depth >= index.ntotal)
            if np.all(is_exhausted | (live.sum(axis=1) >= k)):
                return np.where(live, ids, -1), np.where(live, similarities, np.float32(-1))
            depth *= 2


def check_model(store: Store, model_id: str) -> None:
    """Raise ``VersionMismatch`` if the current snapshot is of another model than ``model_id``."""
    snapshot = store.current_snapshot()
    if snapshot is not None and snapshot.model_id != model_id:
        raise VersionMismatch(
            f"The texts were indexed with model {snapshot.model_id[:12]}, and this program has "
            f"{model_id[:12]}; run `dedup index` again, which encodes them anew."
        )


def _nearest(index: Index, codes: Codes, k: int) -> tuple[Ids, Similarities]:
    """Return ids and cosines, both (m, k), of those with the largest products; id -1 for none.

    The norms are those of the codes that the index holds, so nothing else has to be read.
    """
    ids, similarities = np.empty((len(codes), k), np.int64), np.empty((len(codes), k), np.float32)
    step = max(1, _FOUND_VALUES // (k * codes.shape[1]))
    for block in (slice(start, start + step) for start in range(0, len(codes), step)):
        products, ids[block], found = _search_with_codes(index, codes[block], k)
        found[ids[block] < 0] = 0
        lengths = norms(found.reshape(-1, found.shape[2])).reshape(products.shape)
        similarities[block] = products / (norms(codes[block])[:, None] * lengths)
    return ids, similarities


def _search_with_codes(index: Index, codes: Codes, k: int) -> tuple[Similarities, Ids, NDArray[np.float32]]:
    """Return products and ids, both (m, k), largest product first, id -1 for none, and the codes (m, k, d)."""
    import faiss

    queries = codes.astype(np.float32)
    if hasattr(index, "nlist"):
        parameters: Any = faiss.SearchParametersIVF
        found: tuple[Any, Any, Any] = index.search_and_reconstruct(queries, k, params=parameters(nprobe=QUERY_PROBES))
        return found
    products, positions, vectors = index.index.search_and_reconstruct(queries, k)
    return products, np.where(positions < 0, -1, faiss.vector_to_array(index.id_map)[positions]), vectors


def _scan(codes: Codes, corpus: Codes, k: int) -> tuple[Ids, Similarities]:
    """Scan exactly; every cosine is computed as for an index, so both ways give the same numbers."""
    positions, similarities = exact_neighbours(codes, corpus, k)
    rows, columns = np.nonzero(positions >= 0)
    similarities[rows, columns] = cosine(codes[rows], corpus[positions[rows, columns]])
    return positions, similarities


def _best(ids: Ids, similarities: Similarities, k: int) -> tuple[Ids, Similarities]:
    """Return the ``k`` most similar of each row, ties by the lower id."""
    order = np.lexsort((ids, -similarities), axis=1)[:, :k]
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(similarities, order, axis=1)
