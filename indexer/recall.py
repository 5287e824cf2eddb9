"""How many of the nearest neighbours an approximate search finds, measured against an exact one on a sample.

From the same sample it is known how many cells each text must lie in for the search of all neighbours of all,
so that number is not guessed: it is the least that finds enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.nearest import norms
from dedup.neighbour_lists import NeighbourLists
from dedup.products import products
from indexer.cells import nearest_cells
from indexer.faiss_index import QUERY_PROBES, Index, Page, take_rows
from indexer.progress import Progress, no_progress
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
    cells; ``of_queries`` is the share in the cells searched for a query. Both are 1 where there are none.
    """

    texts: int
    neighbours: int
    cells_per_text: int
    of_all: float
    of_queries: float


def measure_recall(
    index: Index,
    pages: Callable[[], Iterable[Page]],
    count: int,
    least_similarity: float,
    progress: Progress = no_progress,
) -> Recall:
    """Measure an index with cells for the ``count`` vectors of ``pages``, which come in the same order each time.

    A neighbour is one of a text's 10 nearest others, with a cosine of at least ``least_similarity``. The
    sample is the same each time, and so small that its exact search takes a few seconds. ``progress`` hears of
    ``recall``.
    """
    size = min(count, _MOST_TEXTS, max(1, _MOST_PRODUCTS // count))
    sampled = np.sort(np.random.default_rng(_SEED).choice(count, size, replace=False))
    codes = take_rows(pages(), sampled)
    found = _exact(codes, sampled, _heard(pages(), count, progress), least_similarity)
    rows, columns = np.nonzero(found >= 0)
    if not len(rows):
        return Recall(size, 0, _FEWEST_CELLS, 1.0, 1.0)
    others, which = np.unique(found[rows, columns], return_inverse=True)
    other_codes = take_rows(pages(), others)
    depth = min(MOST_CELLS, index.nlist)
    needed = _cells_needed(nearest_cells(codes, index, depth)[rows], nearest_cells(other_codes, index, depth)[which])
    shares = np.cumsum(np.bincount(needed, minlength=depth)[:depth]) / len(rows)
    enough = int(np.searchsorted(shares, WANTED)) + 1
    cells = min(max(enough, _FEWEST_CELLS), depth)
    probed = index.quantizer.search(codes.astype(np.float32), min(QUERY_PROBES, index.nlist))[1][rows]
    home = index.quantizer.search(other_codes.astype(np.float32), 1)[1][which]
    of_queries = float((probed == home).any(axis=1).mean())
    return Recall(size, len(rows), cells, float(shares[cells - 1]), of_queries)


def _heard(pages: Iterable[Page], count: int, progress: Progress) -> Iterator[Page]:
    done = 0
    for page in pages:
        yield page
        done += len(page[0])
        progress("recall", done, count)


def _exact(codes: Codes, own: Ids, pages: Iterable[Page], least_similarity: float) -> Ids:
    """Return the nearest rows of all pages for each of ``codes``, but for its ``own``, (n, 10); -1 for none."""
    lists = NeighbourLists(len(codes), NEIGHBOURS, least_similarity)
    everyone, lengths = np.arange(len(codes)), norms(codes)
    row = 0
    for _, page in pages:
        for start in range(0, len(page), _COLUMNS):
            block = np.ascontiguousarray(page[start : start + _COLUMNS])
            block_lengths = norms(block)
            tile = products(codes, block)
            bounds = np.floor(lists.worst(everyone) * lengths * block_lengths.min()).astype(np.int32)
            first, second = np.divmod(np.flatnonzero(tile >= bounds[:, None]), len(block))
            cosines = tile[first, second] / (lengths[first] * block_lengths[second])
            other = own[first] != row + second
            lists.offer(first[other], row + second[other], cosines[other].astype(np.float32))
            row += len(block)
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
