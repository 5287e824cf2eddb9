"""Measure the recall of approximate searches against exact search on a sample.

One half of the sample decides how many cells a text is assigned to in the k-nearest-neighbour graph: the fewest with
enough recall. The recall is measured on the other half, which has no influence on that choice.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import norms
from dedup.runtime import threads
from dedup.runtime.progress import Progress, no_progress
from indexer.store.store import Codes, Ids
from indexer.vectors.cells import CELLS_SEARCHED, Cells, nearest_cells
from indexer.vectors.int8_products import products
from indexer.vectors.sketch import Sketch, candidates_for
from indexer.vectors.top_k import NeighbourLists, reaching

NEIGHBOURS = 10
"""A text can become a pair with this many nearest neighbours."""
TARGET_RECALL = 0.992
"""Share of the first half's neighbours to find. Sampling error leaves about 0.99 or more over all texts."""
MIN_RECALL = 0.99
"""A lower recall is logged as a warning."""
MAX_CELLS = 64
"""A text is assigned to no more cells than this."""
SAMPLE = 4_000
"""Size of the sample, both halves together."""

_COLUMNS = 1 << 10
_OFFERED_AT_ONCE = 1 << 17
_QUERIES = 100
_SEED = 21
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recall:
    """The measured recall of searches.

    Attributes:
        texts: Size of the half of the sample that recall was measured on.
        neighbours: Its true neighbours.
        cells_per_text: Cells that a text is assigned to, chosen on the other half.
        of_all: Share of the neighbours that the k-nearest-neighbour graph finds; 1 if there are none.
        of_queries: Share of the neighbours among the candidates of a query; 1 if there are none.

    """

    texts: int
    neighbours: int
    cells_per_text: int
    of_all: float
    of_queries: float


def measure_recall(
    codes: Codes,
    centres: Codes,
    min_similarity: float,
    progress: Progress = no_progress,
    *,
    max_cells: int = MAX_CELLS,
    candidates: int | None = None,
) -> Recall:
    """Measure the recall of searches among ``codes`` (n, d) in the cells with ``centres`` (c, d).

    The true neighbours of a text are its 10 nearest others with a cosine of at least ``min_similarity``. A text is
    assigned to at most ``max_cells`` cells, and a query has ``candidates`` candidates (default ``candidates_for``). The
    sample is always the same: up to 4,000 texts, whose exact search takes 4,000·n products. A recall below
    ``MIN_RECALL`` is logged as a warning. Stages reported to ``progress``: ``recall`` and ``recall of queries``.
    """
    sampled = np.sort(np.random.default_rng(_SEED).choice(len(codes), min(len(codes), SAMPLE), replace=False))
    measured = sampled[1::2]
    found = _exact_neighbours(codes, sampled, min_similarity, progress)
    rows, columns = np.nonzero(found >= 0)
    neighbours = found[rows, columns]
    is_measured = rows % 2 == 1
    if not is_measured.any():
        return Recall(len(measured), 0, CELLS_SEARCHED, 1.0, 1.0)
    others, which = np.unique(neighbours, return_inverse=True)
    depth = min(max_cells, len(centres))
    own = nearest_cells(codes[sampled], centres, depth)[rows]
    needed = _cells_needed(own, nearest_cells(codes[others], centres, depth)[which])
    cells = _cells_for_target(needed[~is_measured], depth)
    of_all = float(np.mean(needed[is_measured] < cells))
    of_texts = _candidates(codes, measured, candidates or candidates_for(NEIGHBOURS + 1), progress)
    is_candidate = of_texts[rows[is_measured] // 2] == neighbours[is_measured, None]
    recall = Recall(len(measured), len(is_candidate), cells, of_all, float(is_candidate.any(axis=1).mean()))
    _warn_if_low(recall)
    return recall


def _warn_if_low(recall: Recall) -> None:
    if recall.of_all < MIN_RECALL:
        _log.warning("A report may miss about %s of close pairs (measured on a sample).", _percent(1 - recall.of_all))
    if recall.of_queries < MIN_RECALL:
        _log.warning(
            "A query may miss about %s of close matches (measured on a sample). A larger limit, such as 50, examines "
            "more candidates.",
            _percent(1 - recall.of_queries),
        )


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"


def _cells_for_target(needed: NDArray[np.int64], depth: int) -> int:
    """Return the fewest cells per text, up to ``depth``, that reach ``TARGET_RECALL``, given ``_cells_needed``."""
    cells = int(np.quantile(needed, TARGET_RECALL, method="inverted_cdf")) + 1 if len(needed) else 0
    return min(max(cells, CELLS_SEARCHED), depth)


def _exact_neighbours(codes: Codes, sampled: Ids, min_similarity: float, progress: Progress) -> Ids:
    """Return the nearest other rows of ``codes`` for each of ``sampled``, (n, 10); -1 for none."""
    lists = NeighbourLists(len(sampled), NEIGHBOURS, min_similarity)
    all_rows, left = np.arange(len(sampled)), codes[sampled]
    lengths = norms(left)

    lock = Lock()

    def near(start: int) -> None:
        """Offer the rows of a block of ``codes`` to the sample."""
        block = codes[start : start + _COLUMNS]
        block_lengths = norms(block)
        bounds = np.floor(lists.thresholds(all_rows) * lengths * block_lengths.min()).astype(np.int32)
        for first, second, dots in reaching(products(left, block), bounds[:, None], _OFFERED_AT_ONCE):
            cosines = (dots / (lengths[first] * block_lengths[second])).astype(np.float32)
            other = sampled[first] != start + second
            with lock:
                lists.offer(first[other], start + second[other], cosines[other])

    for done, _ in enumerate(threads.in_order(near, range(0, len(codes), _COLUMNS)), 1):
        progress("recall", min(done * _COLUMNS, len(codes)), len(codes))
    return lists.nearest()[0]


def _candidates(codes: Codes, measured: Ids, count: int, progress: Progress) -> Ids:
    """Return the rows (m, count) that a query for each of ``measured`` re-ranks, itself included; -1 for none."""
    progress("recall of queries", 0, len(measured))
    sketch, found = Sketch([codes]), []
    for start in range(0, len(measured), _QUERIES):
        queries = codes[measured[start : start + _QUERIES]]
        found.append(sketch.candidates(queries, count))
        progress("recall of queries", min(start + _QUERIES, len(measured)), len(measured))
    return np.concatenate(found)


def _cells_needed(left: Cells, right: Cells) -> NDArray[np.int64]:
    """Return the rank (n,) down to which both rows must be assigned to cells until one searches a cell of the other.

    ``left`` and ``right`` (n, m) are the nearest cells of both rows of n pairs. Ranks start at 0; m if m cells are not
    enough.
    """
    depth = left.shape[1]
    needed = np.full(len(left), depth)
    for place in range(depth):
        same = right[:, : depth if place < CELLS_SEARCHED else CELLS_SEARCHED] == left[:, place, None]
        ranks = np.where(same.any(axis=1), np.maximum(same.argmax(axis=1), place), depth)
        needed = np.minimum(needed, ranks)
    return needed
