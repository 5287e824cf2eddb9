"""Build a FAISS index of int8 codes, and read its content back.

The same codes give the same index with any number of threads, because all arithmetic is exact. Codes are stored
unchanged (``QT_8bit_direct_signed``), so FAISS returns exact integer products too. FAISS gets small blocks, because
Ctrl-C waits for the end of a call.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.runtime.progress import Progress, no_progress
from indexer.store.store import Codes, Ids
from indexer.vectors.cells import nearest_cells

FLAT_UP_TO = 50_000
"""Up to this many vectors, a search scans all of them; more are divided into cells."""

_BLOCK = 1 << 14

Index = Any  # a FAISS index; FAISS has no type hints
Page = tuple[Ids, Codes]


def build_index(ids: Ids, codes: Codes, centres: Codes | None, progress: Progress = no_progress) -> Index:
    """Return an index of ``codes`` (n, d) under their ``ids`` (n,).

    With ``centres`` (c, d) it is an inverted index with each code in the nearest cell, otherwise a flat one. Stages
    reported to ``progress``: ``assign to cells`` and ``snapshot``.
    """
    import faiss

    kind, metric = faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
    dimension = codes.shape[1]
    if centres is None:
        flat = faiss.IndexIDMap(faiss.IndexScalarQuantizer(dimension, kind, metric))
        for block in blocks(len(codes)):
            flat.add_with_ids(codes[block].astype(np.float32), ids[block])
            progress("snapshot", flat.ntotal, len(codes))
        return flat
    quantiser = faiss.IndexFlatIP(dimension)
    quantiser.add(centres.astype(np.float32))
    index: Index = faiss.IndexIVFScalarQuantizer(quantiser, dimension, len(centres), kind, metric, False)
    index.train(centres.astype(np.float32))  # the quantiser has its centres; this only marks the index as trained
    cells = nearest_cells(codes, centres, 1, progress)[:, 0]
    order = np.argsort(cells, kind="stable")
    ends = np.cumsum(np.bincount(cells, minlength=len(centres))).tolist()
    for cell, (start, end) in enumerate(pairwise([0, *ends])):
        rows = order[start:end]
        if len(rows):
            cell_ids, stored = ids[rows], _to_stored(codes[rows])  # variables, as a pointer keeps no array alive
            index.invlists.add_entries(cell, len(rows), faiss.swig_ptr(cell_ids), faiss.swig_ptr(stored))
        progress("snapshot", end, len(codes))
    index.ntotal = len(codes)
    return index


def blocks(count: int) -> Iterator[slice]:
    """Divide ``count`` rows into blocks."""
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))


def centres_of(index: Index) -> Codes:
    """Return the centres (c, d) of an inverted index, scaled so that the largest value is 127."""
    import faiss

    flat: Index = faiss.downcast_index(index.quantizer)
    values: NDArray[np.float32] = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d)
    centres: Codes = np.rint(values.reshape(flat.ntotal, flat.d) * (127 / np.abs(values).max())).astype(np.int8)
    return centres


def iter_content(index: Index) -> Iterator[Page]:
    """Yield the ids (n,) and codes (n, d) of an index, cell by cell."""
    import faiss

    view = faiss.rev_swig_ptr
    if not hasattr(index, "nlist"):
        n = index.ntotal
        storage: Index = faiss.downcast_index(index.index)
        yield faiss.vector_to_array(index.id_map), _from_stored(view(storage.codes.data(), n * index.d), n)
        return
    lists = index.invlists
    for cell in range(index.nlist):
        if n := lists.list_size(cell):
            yield view(lists.get_ids(cell), n), _from_stored(view(lists.get_codes(cell), n * index.d), n)


def _to_stored(codes: Codes) -> NDArray[np.uint8]:
    """Return codes as FAISS stores them: plus 128."""
    return codes.view(np.uint8) ^ np.uint8(128)


def _from_stored(stored: NDArray[np.uint8], n: int) -> Codes:
    """Return the codes (n, d) that FAISS stores."""
    return (stored ^ np.uint8(128)).view(np.int8).reshape(n, -1)


def row_digests(ids: Ids, codes: Codes) -> NDArray[np.uint64]:
    """Return the 128-bit BLAKE2b digests (n, 2) of ``ids`` (n,) with their ``codes`` (n, d): low and high half."""
    rows = np.hstack([ids.astype("<i8").view(np.uint8).reshape(-1, 8), codes.view(np.uint8)])
    hashes = b"".join(blake2b(row, digest_size=16).digest() for row in rows)
    return np.frombuffer(hashes, "<u8").reshape(-1, 2)


def total(digests: NDArray[np.uint64]) -> int:
    """Return the sum of ``row_digests`` modulo 2^128, which does not depend on their order."""
    low, high = (int(sum(half.tolist())) for half in digests.T)
    return (low + (high << 64)) % (1 << 128)


def digest_text(digest: int) -> str:
    """Return a total, or a sum of totals, as the database stores it: modulo 2^128, in 32 hex digits."""
    return f"{digest % (1 << 128):032x}"
