"""An index of int8 codes by FAISS: building it, and reading back what it holds.

The same codes give the same index, whatever the number of threads: all is exact integer arithmetic.
The codes are stored as they are (``QT_8bit_direct_signed``), so FAISS returns exact integer products too.
FAISS is given small blocks, because Ctrl-C waits for the end of a call.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.progress import Progress, no_progress
from indexer.store import Codes, Ids

FLAT_UP_TO = 50_000
"""Most vectors that are scanned one by one; above, they are sorted into cells."""

QUERY_PROBES = 256
"""Cells searched for a query."""

_SAMPLE_PER_CELL = 64
_TRAINING_ROUNDS = 8
_SEED = 20
_CENTRE_LENGTH = 1_000  # |code| <= 127 sqrt d: a product stays below 2^24 for d <= 1,040
_BLOCK = 1 << 14

Index = Any  # an index of FAISS, which has no types
Page = tuple[Ids, Codes]


def add_to_index(index: Index, ids: Ids, codes: Codes) -> None:
    """Add ``codes`` (n, d) under their ``ids`` (n,)."""
    for of_ids, of_codes in zip(_blocks(ids), _blocks(codes), strict=True):
        index.add_with_ids(of_codes.astype(np.float32), of_ids)


def _blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]


def new_index(pages: Iterable[Page], count: int, flat_up_to: int, progress: Progress = no_progress) -> Index:
    """Return an index without vectors for the ``count`` vectors of ``pages``.

    Up to ``flat_up_to`` vectors it scans all of them; above, it has 2^round(log2(4 sqrt n)) cells, whose
    centres come from k-means on a seeded sample of at most 64 vectors for each cell.
    """
    import faiss

    kind, metric = faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
    if count <= flat_up_to:
        dimension = next(iter(pages))[1].shape[1]
        return faiss.IndexIDMap(faiss.IndexScalarQuantizer(dimension, kind, metric))
    cells = 1 << round(math.log2(4 * math.sqrt(count)))
    sample = _sample(pages, count, cells * _SAMPLE_PER_CELL)
    centres = _find_centres(sample, cells, progress)
    index = faiss.IndexIVFScalarQuantizer(centres, sample.shape[1], cells, kind, metric, False)
    index.train(sample[:cells].astype(np.float32))  # the centres are there; this only marks the index as ready
    return index


def _sample(pages: Iterable[Page], count: int, size: int) -> Codes:
    """Return the codes of ``size`` of ``count`` rows, or of all; of the same rows every time."""
    rows = np.arange(count)
    if count > size:
        rows = np.sort(np.random.default_rng(_SEED).choice(count, size, replace=False))
    return take_rows(pages, rows)


def take_rows(pages: Iterable[Page], rows: Ids) -> Codes:
    """Return the codes (r, d) of ascending ``rows`` (r,), counted over all pages."""
    parts = []
    start = 0
    for _, codes in pages:
        here = slice(*np.searchsorted(rows, (start, start + len(codes))))
        parts.append(codes[rows[here] - start])
        start += len(codes)
    return np.concatenate(parts)


def _find_centres(sample: Codes, cells: int, progress: Progress) -> Index:
    """Return an index of the centres of ``cells`` groups of codes: spherical k-means in whole numbers.

    A centre is rounded to integers whose products with codes float32 holds exactly (``dedup.nearest``), and
    sums of codes are exact as well. With centres of FAISS's own k-means, the nearest one depends on the threads.
    """
    import faiss

    centres = sample[np.random.default_rng(_SEED).choice(len(sample), cells, replace=False)].astype(np.float32)
    done, total = 0, _TRAINING_ROUNDS * len(sample)
    for _ in range(_TRAINING_ROUNDS):
        index = faiss.IndexFlatIP(sample.shape[1])
        index.add(centres)
        sums = np.zeros(centres.shape)
        for block in _blocks(sample):
            nearest = index.search(block.astype(np.float32), 1)[1][:, 0]
            order = np.argsort(nearest)
            found, starts = np.unique(nearest[order], return_index=True)
            sums[found] += np.add.reduceat(block[order], starts, axis=0, dtype=np.float64)
            done += len(block)
            progress("cells", done, total)
        lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums))
        found = np.flatnonzero(lengths)  # a centre without codes stays where it is
        centres[found] = np.rint(sums[found] * (_CENTRE_LENGTH / lengths[found, None]))
    index = faiss.IndexFlatIP(sample.shape[1])
    index.add(centres)
    return index


def centres_of(index: Index) -> NDArray[np.float32]:
    """Return the centres (c, d) of an index with cells: whole numbers."""
    import faiss

    flat: Index = faiss.downcast_index(index.quantizer)
    values: NDArray[np.float32] = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d)
    return values.reshape(flat.ntotal, flat.d).copy()


def iter_content(index: Index) -> Iterator[Page]:
    """Yield the ids (n,) and codes (n, d) of an index, one of its cells after the other."""
    import faiss

    view = faiss.rev_swig_ptr
    if not hasattr(index, "nlist"):
        n = index.ntotal
        storage: Index = faiss.downcast_index(index.index)
        yield faiss.vector_to_array(index.id_map), _signed(view(storage.codes.data(), n * index.d), n)
        return
    lists = index.invlists
    for cell in range(index.nlist):
        if n := lists.list_size(cell):
            yield view(lists.get_ids(cell), n), _signed(view(lists.get_codes(cell), n * index.d), n)


def _signed(stored: NDArray[np.uint8], n: int) -> Codes:
    """Return n codes as int8; FAISS stores -128 as 0."""
    return (stored ^ np.uint8(128)).view(np.int8).reshape(n, -1)


def row_digests(ids: Ids, codes: Codes) -> NDArray[np.uint64]:
    """Return the 128-bit BLAKE2b hash of each id with its code, (n,) and (n, d), as (n, 2): low half, high half."""
    rows = np.hstack([ids.astype("<i8").view(np.uint8).reshape(-1, 8), codes.view(np.uint8)])
    hashes = b"".join(blake2b(row, digest_size=16).digest() for row in rows)
    return np.frombuffer(hashes, "<u8").reshape(-1, 2)


def total(digests: NDArray[np.uint64]) -> int:
    """Return the sum modulo 2^128 of ``row_digests``: whatever their order, and additive over parts."""
    low, high = (int(sum(half.tolist())) for half in digests.T)
    return (low + (high << 64)) % (1 << 128)


def digest_text(digest: int) -> str:
    """Return a sum of ``total`` as the database holds it: modulo 2^128, in 32 hex digits."""
    return f"{digest % (1 << 128):032x}"
