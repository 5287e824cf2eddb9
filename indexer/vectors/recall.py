"""How many of the nearest neighbours an approximate search finds, measured against an exact one on a sample.

One half of the sample tells in how many cells a text must lie for the search of all neighbours of all, so that number
is not guessed: it is the least that finds enough. What it finds is measured on the other half, which had no say in it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import norms
from dedup.runtime import threads
from dedup.runtime.progress import Progress, no_progress
from indexer.store.store import Codes, Ids
from indexer.vectors.cells import CELLS_ASKED, Cells, nearest_cells
from indexer.vectors.int8_products import products
from indexer.vectors.sketch import Sketch, candidates_for
from indexer.vectors.top_k import NeighbourLists

NEIGHBOURS = 10
"""Nearest texts of each text that can become pairs with it."""
WANTED = 0.992
"""Share of the neighbours of the first half that are compared; chance leaves about 0.99 or more of all."""
PROMISED = 0.99
"""A share below it is warned of."""
MOST_CELLS = 64
SAMPLE = 4_000
"""Texts that both halves of the sample have at most."""
_COLUMNS = 1 << 10
_QUERIES = 100
_SEED = 21
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recall:
    """What is found of the ``neighbours`` of ``texts`` texts, their nearest that are near enough.

    These texts are one half of the sample; the other has chosen ``cells_per_text``. ``of_all`` is the share found
    when all texts are compared with all and each lies in so many cells; ``of_queries`` is the share among the
    candidates of a query. Both are 1 where there are none.
    """

    texts: int
    neighbours: int
    cells_per_text: int
    of_all: float
    of_queries: float


def measure_recall(codes: Codes, centres: Codes, min_similarity: float, progress: Progress = no_progress) -> Recall:
    """Measure the searches of ``codes`` (n, d) in the cells of ``centres`` (c, d).

    A neighbour is one of a text's 10 nearest others, with a cosine of at least ``min_similarity``. The
    sample is the same each time: 4,000 texts, however many there are, whose exact search takes 4,000 n products.
    A share below ``PROMISED`` is reported as a warning through ``logging``. ``progress`` hears of ``recall`` and
    ``recall of queries``.
    """
    sampled = np.sort(np.random.default_rng(_SEED).choice(len(codes), min(len(codes), SAMPLE), replace=False))
    measured = sampled[1::2]
    found = _exact(codes, sampled, min_similarity, progress)
    rows, columns = np.nonzero(found >= 0)
    neighbours = found[rows, columns]
    is_measured = rows % 2 == 1
    if not is_measured.any():
        return Recall(len(measured), 0, CELLS_ASKED, 1.0, 1.0)
    others, which = np.unique(neighbours, return_inverse=True)
    depth = min(MOST_CELLS, len(centres))
    own = nearest_cells(codes[sampled], centres, depth)[rows]
    needed = _cells_needed(own, nearest_cells(codes[others], centres, depth)[which])
    cells = _enough(needed[~is_measured], depth)
    of_all = float(np.mean(needed[is_measured] < cells))
    is_candidate = _candidates(codes, measured, progress)[rows[is_measured] // 2] == neighbours[is_measured, None]
    recall = Recall(len(measured), len(is_candidate), cells, of_all, float(is_candidate.any(axis=1).mean()))
    _warn_if_low(recall)
    return recall


def _warn_if_low(recall: Recall) -> None:
    sample = f"of {recall.neighbours:,} nearest neighbours in a sample, less than {PROMISED}"
    if recall.of_all < PROMISED:
        _log.warning(
            "A report of these texts finds %.4f %s, and so misses pairs; each text lies in %d of at most %d cells.",
            *(recall.of_all, sample, recall.cells_per_text, MOST_CELLS),
        )
    if recall.of_queries < PROMISED:
        _log.warning(
            "A query of these texts finds %.4f %s; a large --limit, such as 50, makes it look further.",
            *(recall.of_queries, sample),
        )


def _enough(needed: NDArray[np.int64], depth: int) -> int:
    """Return the fewest of up to ``depth`` cells that suffice for the share ``WANTED`` of those ``needed``."""
    enough = int(np.quantile(needed, WANTED, method="inverted_cdf")) + 1 if len(needed) else 0
    return min(max(enough, CELLS_ASKED), depth)


def _exact(codes: Codes, sampled: Ids, min_similarity: float, progress: Progress) -> Ids:
    """Return the nearest rows of ``codes`` for each of those ``sampled``, but for itself, (n, 10); -1 for none."""
    lists = NeighbourLists(len(sampled), NEIGHBOURS, min_similarity)
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


def _candidates(codes: Codes, measured: Ids, progress: Progress) -> Ids:
    """Return the rows that a query for each of ``measured`` looks at, (n, candidates); -1 for none."""
    progress("recall of queries", 0, len(measured))
    sketch, found = Sketch([codes]), []
    for start in range(0, len(measured), _QUERIES):
        queries = codes[measured[start : start + _QUERIES]]
        found.append(sketch.candidates(queries, candidates_for(NEIGHBOURS + 1)))  # a text finds itself too
        progress("recall of queries", min(start + _QUERIES, len(measured)), len(measured))
    return np.concatenate(found)


def _cells_needed(left: Cells, right: Cells) -> NDArray[np.int64]:
    """Return how many cells of both rows (n, m) it takes until one asks where the other lies, less 1; m if none do."""
    depth = left.shape[1]
    needed = np.full(len(left), depth)
    for place in range(depth):
        same = right[:, : depth if place < CELLS_ASKED else CELLS_ASKED] == left[:, place, None]
        there = np.where(same.any(axis=1), np.maximum(same.argmax(axis=1), place), depth)
        needed = np.minimum(needed, there)
    return needed
