"""Find near vectors: a FAISS snapshot of the database's vectors, and what was added or deleted since.

The database is the truth; a snapshot is a cache in one file, ``idx-<generation>-<uuid>.faiss``. It is
published in this order: temporary file, fsync, checked by reading again, rename, fsync of the directory,
and last the row in the database that points to it. It is opened in the reverse order, and FAISS sees only
bytes whose SHA-256 is the one in the database. A file that fails is set aside as ``.bad``; answers then
come from an exact scan of the database until the next ``dedup index`` builds another.

The int8 codes are stored as they are (``QT_8bit_direct_signed``), so FAISS returns exact integer products,
and a cosine is such a product divided by both norms. FAISS ranks by product; as norms differ a little, more
is fetched than asked for, and ranked again by cosine.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from dedup.errors import EnvironmentFault, VersionMismatch
from dedup.nearest import cosine, exact_neighbours, norms
from indexer.store import Codes, Ids, Snapshot, Store

FLAT_UP_TO = 50_000
"""Most vectors that are scanned one by one; above, they are sorted into cells."""
QUERY_PROBES = 128
"""Cells searched for a query."""
BATCH_PROBES = 64
"""Cells searched for each text when all are compared with all."""
LEAST_CHANGES = 10_000
LARGEST_CHANGED_SHARE = 0.1
"""A snapshot is due when more than this share of it, and more than ``LEAST_CHANGES`` vectors, changed."""

_SAMPLE_PER_CELL = 64
_TRAINING_ROUNDS = 8
_SEED = 20
_BLOCK = 1 << 16
_QUERY_BLOCK = 1 << 14
_FILE_NAME = re.compile(r"idx-\d+-[0-9a-f]{32}\.faiss")
_log = logging.getLogger(__name__)

Similarities = NDArray[np.float32]
Index = Any  # an index of FAISS, which has no types


class _BadSnapshot(Exception):
    """A snapshot file that is missing, or not what the database says it is."""


# Build and publish


def load_vectors(store: Store, model_id: str, above_text_id: int = 0) -> tuple[Ids, Codes]:
    """Return a model's vectors of all texts above ``above_text_id``: ids (n,) ascending, codes (n, d)."""
    pages = list(store.iter_vectors(model_id, above_text_id))
    if not pages:
        return np.empty(0, np.int64), np.empty((0, 0), np.int8)
    return np.concatenate([ids for ids, _ in pages]), np.concatenate([codes for _, codes in pages])


def build_index(ids: Ids, codes: Codes, *, flat_up_to: int = FLAT_UP_TO) -> Index:
    """Return a FAISS index of ``codes`` (n, d) under their ``ids`` (n,), by inner product.

    Up to ``flat_up_to`` vectors it scans all of them; above, it holds 2^round(log2(4 sqrt n)) cells, whose
    centres come from spherical k-means on a seeded sample of at most 64 unit vectors for each cell.
    """
    import faiss

    dimension = codes.shape[1]
    kind, metric = faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
    if len(codes) <= flat_up_to:
        index: Index = faiss.IndexIDMap(faiss.IndexScalarQuantizer(dimension, kind, metric))
    else:
        cells = 1 << round(math.log2(4 * math.sqrt(len(codes))))
        centres = faiss.IndexFlatIP(dimension)
        sample = _unit_sample(codes, cells * _SAMPLE_PER_CELL)
        centres.add(_find_centres(sample, cells))
        index = faiss.IndexIVFScalarQuantizer(centres, dimension, cells, kind, metric, False)
        index.train(sample[:cells])  # the centres are there already; this only marks the index as ready
    add_to_index(index, ids, codes)
    return index


def add_to_index(index: Index, ids: Ids, codes: Codes) -> None:
    """Add ``codes`` (n, d) under their ``ids`` (n,), in blocks."""
    for start in range(0, len(ids), _BLOCK):
        block = slice(start, start + _BLOCK)
        index.add_with_ids(codes[block].astype(np.float32), ids[block])


def _unit_sample(codes: Codes, size: int) -> NDArray[np.float32]:
    rows = np.arange(len(codes))
    if len(rows) > size:
        rows = np.sort(np.random.default_rng(_SEED).choice(len(codes), size, replace=False))
    sample = codes[rows]
    return (sample / norms(sample)[:, None]).astype(np.float32)


def _find_centres(sample: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    import faiss

    means = faiss.Kmeans(
        sample.shape[1],
        cells,
        niter=_TRAINING_ROUNDS,
        spherical=True,
        seed=_SEED,
        min_points_per_centroid=1,
        max_points_per_centroid=_SAMPLE_PER_CELL,
    )
    means.train(sample)
    return np.asarray(means.centroids, np.float32)


def publish(store: Store, snapshots: Path, model_id: str, *, flat_up_to: int = FLAT_UP_TO) -> Snapshot | None:
    """Build a snapshot of all vectors of a model and make it the current one; None if there are none.

    The files of older generations and temporary files that a killed job left are removed.

    Raises:
        EnvironmentFault: the snapshot cannot be written.

    """
    import faiss

    ids, codes = load_vectors(store, model_id)
    if not len(ids):
        return None
    index = build_index(ids, codes, flat_up_to=flat_up_to)
    current = store.current_snapshot()
    path = snapshots / f"idx-{current.generation + 1 if current else 1}-{uuid4().hex}.faiss"
    content: Any = faiss.serialize_index(index)
    cells = getattr(index, "nlist", 0)
    try:
        sha256 = _write(path, memoryview(content))
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror}.") from error
    published = store.publish_snapshot(
        file_name=path.name,
        n_bytes=content.nbytes,
        sha256=sha256,
        model_id=model_id,
        max_text_id=int(ids[-1]),
        n_vectors=len(ids),
        digest=f"{digest_of(ids, codes):032x}",
        parameters={"kind": "cells" if cells else "flat", "cells": cells, "dimension": codes.shape[1]},
    )
    _sweep(snapshots, path.name)
    return published


def digest_of(ids: Ids, codes: Codes) -> int:
    """Return the sum modulo 2^128 of the BLAKE2b hashes of every id with its code, (n,) and (n, d).

    The order does not matter, and digests of parts add up to that of the whole.
    """
    rows = np.hstack([ids.astype("<i8").view(np.uint8).reshape(-1, 8), codes.view(np.uint8)])
    total = sum(int.from_bytes(blake2b(row, digest_size=16).digest(), "little") for row in rows)
    return total % (1 << 128)


def _write(path: Path, content: memoryview) -> str:
    """Write a file that is either whole and safe on disk or absent; return its SHA-256 in hex."""
    temporary = path.with_suffix(".tmp")
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with temporary.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise EnvironmentFault(f"{temporary} reads back as other bytes than written; check the disk.")
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return sha256


def _sweep(snapshots: Path, current: str) -> None:
    for path in snapshots.iterdir():
        ours = path.suffix == ".tmp" or _FILE_NAME.fullmatch(path.name)
        if ours and path.name != current:
            with suppress(OSError):
                path.unlink()


def is_snapshot_due(store: Store, snapshots: Path, model_id: str) -> bool:
    """Tell whether a snapshot is missing, damaged, of another model, or too far behind the database."""
    snapshot = store.current_snapshot()
    if snapshot is None or snapshot.model_id != model_id:
        return True
    try:
        _read_verified(snapshots, snapshot)
    except _BadSnapshot:
        return True
    added = store.count_vectors(model_id, snapshot.max_text_id)
    deleted = snapshot.n_vectors - store.live_texts_up_to(snapshot.max_text_id)
    return added + deleted > max(LEAST_CHANGES, LARGEST_CHANGED_SHARE * snapshot.n_vectors)


# Open


def open_snapshot(store: Store, snapshots: Path, model_id: str) -> tuple[Snapshot, Index] | None:
    """Return the current snapshot and its index, or None if there is none of this model that is sound.

    A file that fails a check is renamed to ``.bad`` and reported as a warning through ``logging``.
    """
    snapshot = store.current_snapshot()
    while snapshot is not None and snapshot.model_id == model_id:
        try:
            return snapshot, _read_index(snapshots, snapshot)
        except _BadSnapshot as error:
            latest = store.current_snapshot()
            if latest is None or latest.generation == snapshot.generation:
                _set_aside(snapshots, snapshot, error)
                return None
            snapshot = latest  # a writer published another, and removed the file that we looked for
    return None


def _set_aside(snapshots: Path, snapshot: Snapshot, error: _BadSnapshot) -> None:
    _log.warning(
        "%s Every vector is scanned instead, which is slower; the next `dedup index` makes a new snapshot.",
        error,
    )
    path = snapshots / snapshot.file_name
    if _FILE_NAME.fullmatch(snapshot.file_name):
        with suppress(OSError):
            path.rename(path.with_suffix(".bad"))


def _read_verified(snapshots: Path, snapshot: Snapshot) -> bytes:
    """Return the bytes of a snapshot's file once they are known to be those that were published."""
    path = snapshots / snapshot.file_name
    if not _FILE_NAME.fullmatch(snapshot.file_name):
        raise _BadSnapshot(f"{snapshot.file_name!r} is no name of a snapshot.")
    try:
        with path.open("rb") as file:
            content = file.read(snapshot.n_bytes + 1)
    except OSError as error:
        raise _BadSnapshot(f"The snapshot {path} cannot be read: {error.strerror}.") from error
    if len(content) != snapshot.n_bytes or hashlib.sha256(content).hexdigest() != snapshot.sha256:
        raise _BadSnapshot(f"The snapshot {path} is damaged: its bytes are not those that were published.")
    return content


def _read_index(snapshots: Path, snapshot: Snapshot) -> Index:
    content = _read_verified(snapshots, snapshot)
    import faiss

    try:
        index = faiss.deserialize_index(np.frombuffer(content, np.uint8))
    except RuntimeError as error:
        raise _BadSnapshot(f"FAISS cannot read the snapshot {snapshot.file_name}.") from error
    expected = (faiss.IndexIVFScalarQuantizer, faiss.IndexIDMap)
    if not isinstance(index, expected) or index.ntotal != snapshot.n_vectors:
        raise _BadSnapshot(f"The snapshot {snapshot.file_name} holds something else than it should.")
    return index


# Search


class Vectors:
    """The vectors of a model in a store: those of its snapshot by FAISS, later ones by exact scan.

    Raises:
        VersionMismatch: the store holds vectors of another model only.

    """

    def __init__(self, store: Store, snapshots: Path, model_id: str) -> None:
        self._store = store
        self._model_id = model_id
        opened = open_snapshot(store, snapshots, model_id)
        self._index = opened[1] if opened else None
        self._ids, self._codes = load_vectors(store, model_id, opened[0].max_text_id if opened else 0)
        if opened is None and not len(self._ids):
            check_model(store, model_id)

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
        lengths = norms(codes)
        depth = k + k // 4 + 10
        while True:
            products, ids = _search(index, codes, min(depth, index.ntotal), QUERY_PROBES)
            live, found_lengths = self._live(ids)
            found = np.where(live, ids, -1)
            similarities = np.where(live, products / (lengths[:, None] * found_lengths), -1.0)
            is_exhausted = (ids[:, -1] < 0) | (depth >= index.ntotal)
            if np.all(is_exhausted | (live.sum(axis=1) >= k)):
                return found, similarities.astype(np.float32)
            depth *= 2

    def _live(self, ids: Ids) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Tell which ``ids`` still have a vector, and its norm; both in the shape of ``ids``."""
        known, codes = self._store.vectors_of(self._model_id, np.unique(ids[ids >= 0]))
        if not len(known):
            return np.zeros(ids.shape, np.bool_), np.ones(ids.shape, np.float32)
        positions = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return known[positions] == ids, norms(codes)[positions]


def check_model(store: Store, model_id: str) -> None:
    """Raise ``VersionMismatch`` if the current snapshot is of another model than ``model_id``."""
    snapshot = store.current_snapshot()
    if snapshot is not None and snapshot.model_id != model_id:
        raise VersionMismatch(
            f"The texts were indexed with model {snapshot.model_id[:12]}, and this program has "
            f"{model_id[:12]}; run `dedup index` again, which encodes them anew."
        )


def iter_all_neighbours(index: Index | None, ids: Ids, codes: Codes, k: int) -> Iterator[tuple[Ids, Ids, Similarities]]:
    """Find the ``k`` nearest of every row among all rows of ``codes`` (n, d); itself is one of them.

    Yields, in blocks that hold every row once: rows (b,), their neighbours (b, k) as rows with -1 for none,
    and cosines (b, k). ``index`` holds the codes under ``ids`` (n,), which ascend, and perhaps others; None
    compares all with all exactly, in time n²·d.
    """
    if index is None or not hasattr(index, "nlist"):
        for start in range(0, len(ids), _QUERY_BLOCK):
            rows = np.arange(start, min(start + _QUERY_BLOCK, len(ids)))
            yield rows, *_scan(codes[rows], codes, k)
        return
    lengths = norms(codes)
    order = _rows_by_cell(index, ids)
    for start in range(0, len(order), _QUERY_BLOCK):
        rows = order[start : start + _QUERY_BLOCK]
        products, found = _search(index, codes[rows], k, BATCH_PROBES)
        neighbours = np.minimum(np.searchsorted(ids, found), len(ids) - 1)
        cosines = products / (lengths[rows][:, None] * lengths[neighbours])
        yield rows, np.where(ids[neighbours] == found, neighbours, -1), cosines.astype(np.float32)


def _rows_by_cell(index: Index, ids: Ids) -> Ids:
    """Return all rows, those of one cell in turn: neighbouring queries then read the same memory."""
    import faiss

    lists = index.invlists
    in_cells = np.concatenate(
        [
            faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)).copy()
            for cell in range(index.nlist)
            if lists.list_size(cell)
        ]
    )
    rows = np.minimum(np.searchsorted(ids, in_cells), len(ids) - 1)
    return np.asarray(rows[ids[rows] == in_cells], np.int64)


def _search(index: Index, codes: Codes, k: int, probes: int) -> tuple[Similarities, Ids]:
    """Return products and ids, both (m, k), largest product first; id -1 for none."""
    if not hasattr(index, "nlist"):
        products, ids = index.search(codes.astype(np.float32), k)
    else:
        import faiss

        parameters: Any = faiss.SearchParametersIVF
        products, ids = index.search(codes.astype(np.float32), k, params=parameters(nprobe=probes))
    return products, ids


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
