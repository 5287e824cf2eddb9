"""Sketches of vectors: two bits per dimension, small enough that a query is compared with all of them.

Each pair of dimensions is quantised to one of 16 points, so a sketch is a product quantisation that FAISS scans by
table look-ups in registers (André, Kermarrec and Le Scouarnec, "Cache locality is not enough", VLDB 2015). The points
are fixed, because the coordinates of unit vectors in many dimensions are nearly normally distributed. Nothing is
trained, and sketching a million vectors takes a fraction of a second. Candidates are re-ranked by exact cosines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import CODE_SCALE
from indexer.store.store import Codes, Ids

_BOUNDARY = 0.9816
_POINTS = np.array([-1.510, -0.4528, 0.4528, 1.510], np.float32)
"""The optimal four-level quantiser of a standard normal variable: its levels, and the boundary between inner and outer
ones (Max, "Quantizing for minimum distortion", 1960; Lloyd 1982)."""

_MIN_CANDIDATES = 256
_CANDIDATES_PER_NEIGHBOUR = 6
_ROWS = 1 << 13
_DIMENSIONS_PER_BYTE = 4


class Sketch:
    """Sketches of the rows of all ``pages`` of codes (n, d); the last d mod 4 dimensions are ignored."""

    def __init__(self, pages: Iterable[Codes]) -> None:
        import faiss

        packed = [_pack(codes[start : start + _ROWS]) for codes in pages for start in range(0, len(codes), _ROWS)]
        self._dimension = packed[0].shape[1] * _DIMENSIONS_PER_BYTE
        self._count = sum(map(len, packed))
        points = np.stack([_POINTS[np.arange(16) & 3], _POINTS[np.arange(16) >> 2]], axis=1)
        plain = faiss.IndexPQ(self._dimension, self._dimension // 2, 4, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(np.tile(points.ravel(), self._dimension // 2), plain.pq.centroids)
        plain.is_trained = True
        for block in packed:
            plain.add_sa_codes(block)
        self._index = faiss.IndexPQFastScan(plain)  # type: ignore[arg-type]

    def candidates(self, codes: Codes, count: int) -> Ids:
        """Return the ``count`` rows (m, count) with the sketches nearest to each of ``codes`` (m, d); -1 for none.

        Rows as near as the last one are dropped, unless every row is returned, because FAISS breaks ties arbitrarily.
        """
        queries = np.ascontiguousarray(codes[:, : self._dimension], np.float32)
        distances, rows = self._index.search(queries, min(count, self._count))
        if count < self._count:
            rows[distances <= distances[:, -1:]] = -1
        found: Ids = rows
        return found


def candidates_for(k: int) -> int:
    """Return how many of the nearest sketches very likely include the ``k`` nearest vectors."""
    return max(_MIN_CANDIDATES, _CANDIDATES_PER_NEIGHBOUR * k)


def _pack(codes: Codes) -> NDArray[np.uint8]:
    """Return the sketches (n, d // 4) of codes (n, d)."""
    whole = codes.shape[1] - codes.shape[1] % _DIMENSIONS_PER_BYTE
    nibbles = _nibbles(codes.shape[1])[np.ascontiguousarray(codes[:, :whole]).view(np.uint16)]
    packed = nibbles[:, 0::2] | nibbles[:, 1::2] << 4
    return packed.astype(np.uint8, copy=False)


def _nibbles(dimension: int) -> NDArray[np.uint8]:
    """Return a table (65,536,) from the two bytes of a pair of dimensions, as one number, to its point (0 to 15)."""
    boundary = _BOUNDARY * CODE_SCALE / math.sqrt(dimension)
    levels = np.digitize(np.arange(256, dtype=np.uint8).view(np.int8), [-boundary, 0, boundary]).astype(np.uint8)
    pairs = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    points = levels[pairs[:, 0]] | levels[pairs[:, 1]] << 2
    return points.astype(np.uint8, copy=False)
