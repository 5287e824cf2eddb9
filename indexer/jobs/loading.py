"""Texts, vectors and cells of a store, as a search for duplicates needs them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from dedup.errors import CorruptStore, UsageError
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.string_arrays import Strings
from indexer.store.integrity.values import damaged, fault_of
from indexer.store.store import Codes, Ids, Record, Store
from indexer.vectors.cells import Cells, find_centres, nearest_cells
from indexer.vectors.faiss_index import FLAT_UP_TO, centres_of, iter_content
from indexer.vectors.recall import measure_recall
from indexer.vectors.search import check_model, check_width
from indexer.vectors.snapshot import Snapshots, has_current_cells

_log = logging.getLogger(__name__)


def load_texts(store: Store, model: Matcher, progress: Progress) -> tuple[Ids, Codes, Strings]:
    """Return the ids (n,), ascending, codes (n, d) and normal forms (n) of all texts.

    Raises:
        UsageError: nothing is indexed, or not every text has a vector.
        VersionMismatch: the store was indexed with another model.
    """
    text_ids, codes = store.load_vectors(model.model_id, progress=progress)
    if not len(text_ids):
        check_model(store, model.model_id)
    else:
        check_width(codes.shape[1], model.dimension)
    normals = np.empty(len(text_ids), np.dtypes.StringDType())
    done, is_whole = 0, True
    for ids, page in store.iter_texts():
        place = slice(done, done + len(ids))
        if not np.array_equal(text_ids[place], ids):
            is_whole = False
            break
        normals[place] = page
        done += len(ids)
        progress("read texts", done, len(text_ids))
    if not is_whole or done != len(text_ids):
        store.check_vectors()
        raise UsageError(
            "Not every text is encoded yet; index an input again to finish (`dedup index`, or `Index.add` in Python)."
        )
    if not done:
        raise UsageError(
            "Nothing is indexed in this workspace; index an input first: `dedup index FILE`, or `Index.add` in Python."
        )
    return text_ids, codes, normals


class Corpus:
    """The texts of a store: ids (n,), ascending, vectors (n, d), and normal forms as far as they are needed.

    The vectors come from the snapshot, whose checksum is verified, and from the database for texts added since.
    """

    def __init__(self, snapshots: Snapshots, model: Matcher, progress: Progress) -> None:
        self._snapshots, self._model, self._progress = snapshots, model, progress
        self._normals: Strings | None = None
        self.text_ids: Ids = snapshots.store.all_text_ids()
        self.codes: Codes = np.empty((0, 0), np.int8)

    def load(self, *, only_vectors: bool) -> None:
        """Read the vectors, and the normal forms unless they are not asked for; raises as ``load_texts``."""
        codes = self._snapshot_codes() if only_vectors else None
        if codes is None:
            self.text_ids, self.codes, self._normals = load_texts(self._snapshots.store, self._model, self._progress)
        else:
            self.codes = codes

    def _snapshot_codes(self) -> Codes | None:
        """Return the vectors of all texts, if the snapshot and those added since have them."""
        model_id = self._model.model_id
        opened = self._snapshots.open(model_id, self._progress)
        if opened is None:
            return None
        snapshot, index = opened
        ids, codes = self._snapshots.store.load_vectors(model_id, snapshot.max_text_id, self._progress)
        result = np.zeros((len(self.text_ids), self._model.dimension), np.int8)
        for page_ids, page_codes in chain(iter_content(index), [(ids, codes)] if len(ids) else []):
            if page_codes.shape[1] != result.shape[1]:
                return None
            places = np.minimum(np.searchsorted(self.text_ids, page_ids), len(self.text_ids) - 1)
            there = self.text_ids[places] == page_ids
            result[places[there]] = page_codes[there]
        return result if result.any(axis=1).all() else None

    def normals(self, rows: NDArray[np.int64]) -> Strings:
        """Return the normal forms of some texts (m,), given by their places."""
        if self._normals is not None:
            chosen: Strings = self._normals[rows]
            return chosen
        ids = self.text_ids[rows].tolist()
        found = self._snapshots.store.normals(ids)
        if missing := [text_id for text_id in ids if text_id not in found]:
            raise damaged(f"Text {missing[0]} is gone.")
        return np.array([found[text_id] for text_id in ids], np.dtypes.StringDType())

    def counting(self, stage: str) -> Callable[[int], None]:
        """Return what reports the number of texts that are done."""
        return lambda done: self._progress(stage, done, len(self.text_ids))

    def all_normals(self) -> Strings:
        """Return all normal forms (n,)."""
        if self._normals is None:
            self._normals = self.normals(np.arange(len(self.text_ids)))
        return self._normals

    def sparse_normals(self, rows: NDArray[np.int64]) -> Strings:
        """Return normal forms (n,), of which those of other texts may be empty."""
        if self._normals is not None:
            return self._normals
        result = np.empty(len(self.text_ids), np.dtypes.StringDType())
        result[rows] = self.normals(rows)
        return result


def cells_of_texts(
    snapshots: Snapshots, model: Matcher, codes: Codes, progress: Progress = no_progress
) -> tuple[int | None, Cells | None]:
    """Return the snapshot's generation and the cells (n, m) of ``codes`` (n, d); both None where a scan is used."""
    generation, centres, count = centres_for(snapshots, model, codes, progress)
    return generation, None if centres is None else nearest_cells(codes, centres, count, progress)


def centres_for(
    snapshots: Snapshots, model: Matcher, codes: Codes, progress: Progress = no_progress
) -> tuple[int | None, Codes | None, int]:
    """Return the snapshot's generation, the centres of cells and the cells per text; no centres where a scan is used.

    The snapshot gives the centres and the number of cells per text, which texts added or deleted later do not change.
    Without a snapshot that has cells, they are computed for this search.
    """
    if len(codes) <= snapshots.flat_up_to:
        return None, None, 0
    generation, centres, count = _snapshot_centres(snapshots, model.model_id, progress)
    if centres is None:
        return generation, *_new_centres(codes, model, progress)
    return generation, centres, count


def new_cells(codes: Codes, model: Matcher, progress: Progress) -> Cells | None:
    """Return the cells (n, m) of ``codes`` (n, d) that no snapshot has; None where a scan is used."""
    if len(codes) <= FLAT_UP_TO:
        return None
    centres, count = _new_centres(codes, model, progress)
    return nearest_cells(codes, centres, count, progress)


def _new_centres(codes: Codes, model: Matcher, progress: Progress) -> tuple[Codes, int]:
    centres = find_centres(codes, progress)
    return centres, measure_recall(codes, centres, model.min_similarity, progress).cells_per_text


def _snapshot_centres(snapshots: Snapshots, model_id: str, progress: Progress) -> tuple[int | None, Codes | None, int]:
    """Return the generation, centres and cells per text of a snapshot that has cells, and close it.

    A snapshot of an older version, in which texts search another number of cells, is ignored with a warning.
    """
    opened = snapshots.open(model_id, progress)
    if opened is None or not opened[0].parameters["cells"]:
        return None, None, 0
    snapshot, index = opened
    if not has_current_cells(snapshot):
        _log.warning(
            "The snapshot %s is of an older version, so the cells are computed again, which takes a while. Indexing an "
            "input (`dedup index`, or `Index.add` in Python) builds a new snapshot.",
            snapshot.file_name,
        )
        return None, None, 0
    return snapshot.generation, centres_of(index), snapshot.parameters["cells_per_text"]


def check_text_of(record: Record, text_ids: Sequence[int]) -> None:
    """Raise ``CorruptStore`` unless the text of a record is the first of ``text_ids``, which may be none."""
    if list(text_ids[:1]) != [record.text_id]:
        raise lost_record(record.record_id, record.text_id)


def lost_record(record_id: int, text_id: int) -> CorruptStore:
    """Return the error for a record whose text is not there."""
    return damaged(fault_of("record", f"record_id={record_id}", "text_id", text_id, "the id of a text with a vector"))
