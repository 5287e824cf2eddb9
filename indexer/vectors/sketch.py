"""A sketch of many vectors: two bits of each dimension, so small that a query is compared with all of them.

A pair of dimensions is one of 16 points, so a sketch is a product quantisation that FAISS scans with table look-ups in
registers (André, Kermarrec and Le Scouarnec, "Cache locality is not enough", VLDB 2015). The points are fixed,
as coordinates of unit vectors in many dimensions are near enough to normal; nothing is learnt, and sketching
takes a fraction of a second for a million vectors. What a sketch finds is ranked again by exact cosines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import CODE_SCALE
from indexer.store.store import Codes, Ids

_BORDER = 0.9816
_POINTS = np.array([-1.510, -0.4528, 0.4528, 1.510], np.float32)
"""The best four values for a normal variable, and the border of the inner ones (Lloyd; Max 1960)."""

_LEAST_CANDIDATES = 256
_CANDIDATES_PER_NEIGHBOUR = 6
_ROWS = 1 << 13
_DIMENSIONS_A_BYTE = 4


class Sketch:
    """Sketches of the rows of all ``pages`` of codes (n, d); the last d mod 4 dimensions are left out."""

    def __init__(self, pages: Iterable[Codes]) -> None:
        import faiss

        packed = [_pack(codes[start : start + _ROWS]) for codes in pages for start in range(0, len(codes), _ROWS)]
        self._dimension = packed[0].shape[1] * _DIMENSIONS_A_BYTE
        self._count = sum(map(len, packed))
        points = np.stack([_POINTS[np.arange(16) & 3], _POINTS[np.arange(16) >> 2]], axis=1)
        plain = faiss.IndexPQ(self._dimension, self._dimension // 2, 4, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(np.tile(points.ravel(), self._dimension // 2), plain.pq.centroids)
        plain.is_trained = True
        for block in packed:
            plain.add_sa_codes(block)
        self._index = faiss.IndexPQFastScan(plain)  # type: ignore[arg-type]

    def candidates(self, codes: Codes, count: int) -> Ids:
        """Return up to ``count`` rows with the sketches nearest to each of ``codes`` (m, d), (m, count); -1 for none.

        Left out are those as near as the last one, unless these are all: which of them FAISS takes is chance.
        """
        queries = np.ascontiguousarray(codes[:, : self._dimension], np.float32)
        distances, rows = self._index.search(queries, min(count, self._count))
        if count < self._count:
            rows[distances <= distances[:, -1:]] = -1
        found: Ids = rows
        return found


def candidates_for(k: int) -> int:
    """Return among how many of the nearest sketches the ``k`` nearest vectors very likely are."""
    return max(_LEAST_CANDIDATES, _CANDIDATES_PER_NEIGHBOUR * k)


def _pack(codes: Codes) -> NDArray[np.uint8]:
    """Return codes (n, d) as sketches of d // 4 bytes."""
    whole = codes.shape[1] - codes.shape[1] % _DIMENSIONS_A_BYTE
    nibbles = _nibbles(codes.shape[1])[np.ascontiguousarray(codes[:, :whole]).view(np.uint16)]
    packed = nibbles[:, 0::2] | nibbles[:, 1::2] << 4
    return packed.astype(np.uint8, copy=False)


def _nibbles(dimension: int) -> NDArray[np.uint8]:
    """Return for the two bytes of a pair of dimensions, as one number, the number of its point."""
    border = _BORDER * CODE_SCALE / math.sqrt(dimension)
    levels = np.digitize(np.arange(256, dtype=np.uint8).view(np.int8), [-border, 0, border]).astype(np.uint8)
    pairs = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    points = levels[pairs[:, 0]] | levels[pairs[:, 1]] << 2
    return points.astype(np.uint8, copy=False)
