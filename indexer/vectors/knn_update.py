"""Keep the nearest neighbours of all texts from one report to the next.

Each text keeps ``KEPT`` neighbours, more than the ``NEIGHBOURS`` that are candidates. Where some of them are deleted,
the others are still its nearest ones: nothing is known only of those beyond the last that is kept. So a text is
searched again only once fewer than ``NEIGHBOURS`` are left. New texts are searched against all, and enter the lists of
those that see them. The result is the same as that of a full search.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from dedup.runtime.progress import Progress, no_progress
from indexer.store.store import Codes, Ids
from indexer.vectors.cells import CELLS_SEARCHED, Cells, nearest_cells
from indexer.vectors.knn_graph import build_knn_graph, search_again
from indexer.vectors.recall import NEIGHBOURS
from indexer.vectors.top_k import Keys, NeighbourLists, ids_of, renumbered

KEPT = NEIGHBOURS + 4


@dataclass(frozen=True, slots=True)
class Space:
    """What decides which texts are compared, besides their vectors.

    Attributes:
        model_id: The model of the vectors.
        min_similarity: Lowest cosine of two neighbours.
        centres: Centres of the cells (c, d); None: every pair is compared.
        cells_per_text: Cells that each text is assigned to, 0 without cells.

    """

    model_id: str
    min_similarity: float
    centres: Codes | None
    cells_per_text: int

    @property
    def digest(self) -> str:
        """SHA-256 in hex of all of this, and of the constants of the search."""
        values = (self.model_id, float(self.min_similarity), self.cells_per_text, CELLS_SEARCHED, NEIGHBOURS, KEPT)
        shape = None if self.centres is None else self.centres.shape
        content = b"" if self.centres is None else self.centres.tobytes()
        return sha256(repr((*values, shape)).encode() + content).hexdigest()

    def cells_of(self, codes: Codes, progress: Progress) -> Cells | None:
        """Return the cells (n, m) of ``codes`` (n, d); None if every pair is compared."""
        return None if self.centres is None else nearest_cells(codes, self.centres, self.cells_per_text, progress)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest neighbours of n texts.

    Attributes:
        text_ids: Ids of the texts (n,), ascending.
        keys: Neighbours (n, ``KEPT``) as keys of positions, ascending (``top_k``).
        is_whole: Whether the list of a text has every neighbour that it sees, (n,); of others only the nearest.
        cells: Cells of the texts (n, m); None if every pair is compared.

    """

    text_ids: Ids
    keys: Keys
    is_whole: NDArray[np.bool_]
    cells: Cells | None

    @property
    def candidates(self) -> Keys:
        """The nearest ``NEIGHBOURS`` of each text."""
        return self.keys[:, -NEIGHBOURS:]

    def carried(self, text_ids: Ids, min_similarity: float) -> Neighbours:
        """Return what is known of other texts (n,): those that are new have no neighbours and are not whole."""
        places = np.searchsorted(text_ids, self.text_ids)
        stays = np.zeros(len(places), np.bool_)
        inside = places < len(text_ids)
        stays[inside] = text_ids[places[inside]] == self.text_ids[inside]
        numbers = np.where(stays, places, -1)
        there = numbers[stays]
        keys = NeighbourLists(len(text_ids), self.keys.shape[1], min_similarity).keys
        keys[there] = renumbered(self.keys[stays], numbers, min_similarity)
        is_whole = np.zeros(len(text_ids), np.bool_)
        is_whole[there] = self.is_whole[stays]
        cells = None
        if self.cells is not None:
            cells = np.zeros((len(text_ids), self.cells.shape[1]), self.cells.dtype)
            cells[there] = self.cells[stays]
        return Neighbours(text_ids, keys, is_whole, cells)

    def with_candidates(self) -> Neighbours:
        """Return these lists with candidates only."""
        return replace(self, keys=self.candidates)


def search_all(text_ids: Ids, codes: Codes, space: Space, progress: Progress = no_progress) -> Neighbours:
    """Find the neighbours of all texts ``text_ids`` (n,), given their ``codes`` (n, d).

    Stages reported to ``progress``: ``assign to cells`` and ``search``.
    """
    cells, n = space.cells_of(codes, progress), len(codes)
    progress("search", 0, n)
    lists = build_knn_graph(codes, KEPT, space.min_similarity, cells, progress=lambda done: progress("search", done, n))
    return Neighbours(text_ids, lists.keys, _are_whole(lists.keys), cells)


def search_changed(
    known: Neighbours,
    text_ids: Ids,
    codes: Codes,
    space: Space,
    progress: Progress = no_progress,
) -> tuple[Neighbours, int]:
    """Find the neighbours of all texts ``text_ids`` (n,), given those of earlier texts in the same ``space``.

    Also returns how many texts were searched again or for the first time. Stages reported to ``progress``: as of
    ``search_all``.
    """
    carried = known.carried(text_ids, space.min_similarity)
    keys = carried.keys
    is_new = ~np.isin(text_ids, known.text_ids, assume_unique=True)
    if carried.cells is not None:
        new_cells = space.cells_of(codes[is_new], progress)
        assert new_cells is not None
        carried.cells[is_new] = new_cells
    held = (ids_of(keys) >= 0).sum(axis=1)
    wanted = is_new | (~carried.is_whole & (held < NEIGHBOURS))
    keys[wanted] = NeighbourLists(1, keys.shape[1], space.min_similarity).keys
    lowest = keys[np.arange(len(keys)), np.minimum(keys.shape[1] - held, keys.shape[1] - 1)]
    floors = np.where(carried.is_whole | wanted, np.uint64(0), lowest)
    lists = NeighbourLists.resumed(keys, floors, space.min_similarity)
    n = len(codes)
    progress("search", 0, n)
    search_again(lists, codes, carried.cells, wanted, progress=lambda done: progress("search", done, n))
    progress("search", n, n)
    is_whole = _are_whole(lists.keys) & (carried.is_whole | wanted)
    return Neighbours(text_ids, lists.keys, is_whole, carried.cells), int(wanted.sum())


def _are_whole(keys: Keys) -> NDArray[np.bool_]:
    """Return which lists have room left, (n,)."""
    result: NDArray[np.bool_] = ids_of(keys[:, 0]) < 0
    return result
