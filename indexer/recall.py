"""How many of the nearest neighbours an approximate search finds, measured against an exact one on a sample.

From the same sample it is known how many cells each text must lie in for the search of all neighbours of all,
so that number is not guessed: it is the least that finds enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup import threads
from dedup.nearest import norms
from dedup.neighbour_lists import NeighbourLists
from dedup.products import products
from indexer.cells import nearest_cells
from indexer.progress import Progress, no_progress
from indexer.sketch import Sketch, candidates_for
from indexer.store import Codes, Ids

NEIGHBOURS = 10
"""Nearest texts of each text that can become pairs with it."""
WANTED = 0.992
"""Share of the neighbours in the sample that share a cell; chance leaves more than 0.99 of all."""
MOST_CELLS = 32
_FEWEST_CELLS = 4
_MOST_TEXTS = 2_000
_MOST_PRODUCTS = 1 << 32
_COLUMNS = 1 << 10
_SEED = 21


@dataclass(frozen=True, slots=True)
class Recall:
    """What is found of the ``neighbours`` of ``texts`` sampled texts, their nearest that are near enough.

    ``of_all`` is the share found when all texts are compared with all and each lies in ``cells_per_text``
    cells; ``of_queries`` is the share among the candidates of a query. Both are 1 where there are none.
    """

    texts: int
    neighbours: int
    cells_per_text: int
    of_all: float
    of_queries: float


def measure_recall(codes: Codes, centres: Codes, least_similarity: float, progress: Progress = no_progress) -> Recall:
    """Measure the searches of ``codes`` (n, d) in the cells of ``centres`` (c, d).

    A neighbour is one of a text's 10 nearest others, with a cosine of at least ``least_similarity``. The
    sample is the same each time, and so small that its exact search takes a few seconds. ``progress`` hears of
    ``recall``.
    """
    count = len(codes)
    size = min(count, _MOST_TEXTS, max(1, _MOST_PRODUCTS // count))
    sampled = np.sort(np.random.default_rng(_SEED).choice(count, size, replace=False))
    found = _exact(codes, sampled, least_similarity, progress)
    rows, columns = np.nonzero(found >= 0)
    if not len(rows):
        return Recall(size, 0, _FEWEST_CELLS, 1.0, 1.0)
    others, which = np.unique(found[rows, columns], return_inverse=True)
    depth = min(MOST_CELLS, len(centres))
    own = nearest_cells(codes[sampled], centres, depth)[rows]
    needed = _cells_needed(own, nearest_cells(codes[others], centres, depth)[which])
    shares = np.cumsum(np.bincount(needed, minlength=depth)[:depth]) / len(rows)
    enough = int(np.searchsorted(shares, WANTED)) + 1
    cells = min(max(enough, _FEWEST_CELLS), depth)
    candidates = Sketch([codes]).candidates(codes[sampled], candidates_for(NEIGHBOURS + 1))  # a text finds itself too
    of_queries = float((candidates[rows] == found[rows, columns, None]).any(axis=1).mean())
    return Recall(size, len(rows), cells, float(shares[cells - 1]), of_queries)


def _exact(codes: Codes, sampled: Ids, least_similarity: float, progress: Progress) -> Ids:
    """Return the nearest rows of ``codes`` for each of those ``sampled``, but for itself, (n, 10); -1 for none."""
    lists = NeighbourLists(len(sampled), NEIGHBOURS, least_similarity)
    everyone, left = np.arange(len(sampled)), codes[sampled]
    lengths = norms(left)

    def near(start: int) -> tuple[Ids, Ids, NDArray[np.float32]]:
        """Return who may be near a row of a block: the numbers of both, and their cosines."""
        block = codes[start : start + _COLUMNS]
        block_lengths = norms(block)
        tile = products(left, block)
        bounds = np.floor(lists.worst(everyone) * lengths * block_lengths.min()).astype(np.int32)
        first, second = np.divmod(np.flatnonzero(tile >= bounds[:, None]), len(block))
        cosines = tile[first, second] / (lengths[first] * block_lengths[second])
        return first, start + second, cosines.astype(np.float32)

    for done, (first, second, cosines) in enumerate(threads.in_order(near, range(0, len(codes), _COLUMNS)), 1):
        other = sampled[first] != second
        lists.offer(first[other], second[other], cosines[other])
        progress("recall", min(done * _COLUMNS, len(codes)), len(codes))
    return lists.nearest()[0]


def _cells_needed(left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how far one must go in both rows of cells (n, m) until they share one, from 0; m if they do not."""
    depth = left.shape[1]
    needed = np.full(len(left), depth)
    for place in range(depth):
        same = right == left[:, place, None]
        there = np.where(same.any(axis=1), np.maximum(same.argmax(axis=1), place), depth)
        needed = np.minimum(needed, there)
    return needed
