"""Exact cosine similarities of int8 vectors.

Dot products of int8 vectors, summed in float32, are exact integers as long as d·127² < 2²⁴, that is for
d ≤ 1,040. So they are equal on every machine, and for every thread count and batch size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

MAX_DIMENSION = 1_040
_BLOCK_CELLS = 1 << 24
_GROUP = 64


def norms(codes: NDArray[np.int8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the Euclidean norms of (n, d) int8 codes, (n,) float32; 1 for a zero vector."""
    wide = codes.astype(np.float32, copy=False)
    squares = np.maximum(np.einsum("ij,ij->i", wide, wide), np.float32(1))
    return np.asarray(np.sqrt(squares), dtype=np.float32)


def cosine(left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return the cosine similarity of each row of ``left`` with the same row of ``right``, (n,) float32."""
    dots = np.einsum("ij,ij->i", left.astype(np.float32), right.astype(np.float32))
    return np.asarray(dots / (norms(left) * norms(right)), dtype=np.float32)


def exact_neighbours(
    queries: NDArray[np.int8],
    corpus: NDArray[np.int8],
    k: int,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the ``k`` nearest rows of ``corpus`` for each query by cosine, by comparing all of them.

    Returns indices and similarities, (m, k) each, nearest first, ties in order of the index; both are -1 where
    the corpus has fewer than ``k`` rows. Takes m·n·d time, and memory for one block of about 16 million
    similarities. ``progress`` is called with the number of queries done.

    Raises:
        ValueError: the dimensions differ or exceed 1,040.
    """
    if queries.shape[1] != corpus.shape[1] or corpus.shape[1] > MAX_DIMENSION:
        raise ValueError(f"cannot compare vectors of {queries.shape[1]} and {corpus.shape[1]} dimensions")
    count = len(queries)
    indices = np.full((count, k), -1, dtype=np.int64)
    similarities = np.full((count, k), -1.0, dtype=np.float32)
    wanted = min(k, len(corpus))
    if wanted == 0 or count == 0:
        return indices, similarities
    groups = -(-len(corpus) // _GROUP)
    transposed = np.zeros((corpus.shape[1], groups * _GROUP), dtype=np.float32)
    transposed[:, : len(corpus)] = corpus.T
    inverse = np.zeros(groups * _GROUP, dtype=np.float32)
    inverse[: len(corpus)] = 1 / norms(corpus)
    step = max(1, _BLOCK_CELLS // transposed.shape[1])
    for start in range(0, count, step):
        block = queries[start : start + step]
        cosines = block.astype(np.float32) @ transposed  # exact integers at this point
        cosines *= 1 / norms(block)[:, None]
        cosines *= inverse
        cosines[:, len(corpus) :] = -2.0
        found = _candidates(cosines, wanted)
        values = np.take_along_axis(cosines, found, axis=1)
        order = np.lexsort((found, -values), axis=1)[:, :wanted]
        indices[start : start + step, :wanted] = np.take_along_axis(found, order, axis=1)
        similarities[start : start + step, :wanted] = np.take_along_axis(values, order, axis=1)
        progress(min(start + step, count))
    return indices, similarities


def _candidates(cosines: NDArray[np.float32], wanted: int) -> NDArray[np.int64]:
    """Return columns that include the ``wanted`` highest of each row: those of the best groups of 64.

    At most ``wanted`` groups can contain them, and the maximum of a group is much cheaper to find than a selection
    over all columns.
    """
    rows = len(cosines)
    best = cosines.reshape(rows, -1, _GROUP).max(axis=2)
    if best.shape[1] > wanted:
        chosen = np.argpartition(-best, wanted - 1, axis=1)[:, :wanted]
    else:
        chosen = np.broadcast_to(np.arange(best.shape[1]), best.shape)
    return (chosen[:, :, None] * _GROUP + np.arange(_GROUP)).reshape(rows, -1)
