"""Snapshots: a FAISS index of a model's vectors, built from the database, published, and opened again.

The database is the truth; a snapshot is a cache in one file, ``idx-<generation>-<uuid>.faiss``. Publishing goes in
this order: temporary file, fsync, read back and compare, rename, fsync of the directory, and last the row in the
database that points to the file. Opening goes the other way: FAISS sees only bytes whose SHA-256 is the one in the
database. A file that fails is set aside as ``.bad``; answers then come from an exact scan of the database until
another snapshot is built.

Publishing takes the memory of the index and of the vectors; opening takes that of the file, which FAISS uses in
place. The same vectors give the same bytes, so a lost file can be rebuilt exactly.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Table

from dedup.errors import EnvironmentFault
from dedup.runtime.progress import Progress, no_progress
from indexer.store import schema
from indexer.store.store import Codes, Ids, Snapshot, Store
from indexer.vectors.cells import CELLS_SEARCHED, find_centres
from indexer.vectors.faiss_index import FLAT_UP_TO, Index, blocks, build_index, digest_text, row_digests, total
from indexer.vectors.recall import measure_recall
from indexer.vectors.snapshot_file import FILE_NAME, BadSnapshot, check_file, read_index, write_index

MIN_CHANGES = 10_000
MAX_CHANGED_SHARE = 0.1
"""A snapshot is due when more than this share of its vectors, and more than ``MIN_CHANGES``, have changed."""

_PREFIX_DIGITS = 8
"""Digits after the generation in a file name that are the same in all snapshots of a database."""

_log = logging.getLogger(__name__)


class Snapshots:
    """The snapshots of a store, in a directory of files.

    A search scans up to ``flat_up_to`` vectors; more are divided into cells. ``min_changes`` and ``max_changed_share``
    decide when a new snapshot is due (see the constants).
    """

    def __init__(
        self,
        store: Store,
        directory: Path,
        *,
        flat_up_to: int = FLAT_UP_TO,
        min_changes: int = MIN_CHANGES,
        max_changed_share: float = MAX_CHANGED_SHARE,
    ) -> None:
        self.store = store
        self.directory = directory
        self.flat_up_to = flat_up_to
        self._min_changes = min_changes
        self._max_changed_share = max_changed_share

    def publish(
        self,
        model_id: str,
        *,
        min_similarity: float = 0.0,
        progress: Progress = no_progress,
        table: Table = schema.text_vector,
        also: Callable[[Connection], None] = lambda connection: None,
    ) -> Snapshot | None:
        """Build a snapshot of all vectors of a model and make it the current one; return None if there are no vectors.

        The vectors are those in ``table``. What ``also`` writes is committed with the snapshot.

        Where the snapshot has cells, the share of neighbours of at least ``min_similarity`` that searches find is
        measured and recorded; a low share is logged as a warning. Files that are no longer needed are removed
        (``sweep``). Stages reported to ``progress``: ``read vectors``, ``cells``, ``assign to cells``, ``snapshot``,
        ``write snapshot``, ``checksum``, ``recall`` and ``recall of queries``.

        Raises:
            EnvironmentFault: the file cannot be written.
        """
        ids, codes = self.store.load_vectors(model_id, progress=progress, table=table)
        if not len(ids):
            return None
        centres = find_centres(codes, progress) if len(ids) > self.flat_up_to else None
        index = build_index(ids, codes, centres, progress)
        current = self.store.current_snapshot()
        path = self.directory / _next_file_name(current)
        try:
            n_bytes, sha256 = write_index(path, index, progress)
        except OSError as error:
            mebibytes = len(ids) * (codes.shape[1] + 8) >> 20
            raise EnvironmentFault(
                f"{path} cannot be written: {error.strerror}; it takes about {mebibytes + 1} MiB."
            ) from error
        del index  # the rest needs only the vectors
        published = self.store.publish_snapshot(
            file_name=path.name,
            n_bytes=n_bytes,
            sha256=sha256,
            model_id=model_id,
            max_text_id=int(ids[-1]),
            n_vectors=len(ids),
            digest=_digest(ids, codes, progress),
            parameters=_parameters(codes, centres, min_similarity, progress),
            also=also,
        )
        self.sweep(published)
        return published

    def sweep(self, current: Snapshot) -> None:
        """Remove files that are no longer needed: all but the current one, the latest ``.bad`` and those of others.

        Several databases may share the directory. The valid files of each have a prefix of their own.
        """
        files = {path: name for path in self.directory.iterdir() if (name := FILE_NAME.fullmatch(path.name))}
        own = _prefix(current)
        ours = {
            path: name for path, name in files.items() if name[2] != "faiss" or path.name.split("-")[-1].startswith(own)
        }
        bad = [path for path, name in ours.items() if name[2] == "bad"]
        last_bad = max(bad, key=lambda path: int(ours[path][1]), default=None)
        for path in ours:
            if path != last_bad and path.name != current.file_name:
                with suppress(OSError):
                    path.unlink()

    def is_due(self, model_id: str, *, min_similarity: float, progress: Progress = no_progress) -> bool:
        """Return whether the snapshot is missing, damaged, outdated, of another model, or too far behind the database.

        It is outdated if its recall was measured for another ``min_similarity``, or for another number of cells that
        each text searches. Stages reported to ``progress``: ``check snapshot``.
        """
        snapshot = self.store.current_snapshot()
        if snapshot is None or snapshot.model_id != model_id:
            return True
        parameters = snapshot.parameters
        if parameters["cells"] and (
            not has_current_cells(snapshot) or parameters["recall"]["least_similarity"] != min_similarity
        ):
            return True
        try:
            check_file(self.directory, snapshot, progress, keep=False)
        except BadSnapshot:
            return True
        added = self.store.count_vectors(model_id, snapshot.max_text_id)
        deleted = snapshot.n_vectors - self.store.live_texts_up_to(snapshot.max_text_id)
        return added + deleted > max(self._min_changes, self._max_changed_share * snapshot.n_vectors)

    def open(self, model_id: str, progress: Progress = no_progress) -> tuple[Snapshot, Index] | None:
        """Return the current snapshot and its index, or None if this model has no valid one.

        A file that fails a check is renamed to ``.bad`` and logged as a warning. Stages reported to ``progress``:
        ``check snapshot``.
        """
        try:
            return self.read_current(model_id, progress)
        except BadSnapshot as error:
            _log.warning(
                "%s Every vector is scanned instead, which is slower. To build a new snapshot, run `dedup verify "
                "--repair`, or `Index.verify(repair=True)` in Python; indexing an input does so too.",
                error,
            )
            path = self.directory / error.snapshot.file_name
            if FILE_NAME.fullmatch(path.name):
                with suppress(OSError):
                    path.rename(path.with_suffix(".bad"))
            return None

    def read_current(self, model_id: str, progress: Progress = no_progress) -> tuple[Snapshot, Index] | None:
        """Return the current snapshot and its index, or None if this model has none.

        Stages reported to ``progress``: ``check snapshot``.

        Raises:
            BadSnapshot: the file is missing or damaged.
        """
        snapshot = self.store.current_snapshot()
        while snapshot is not None and snapshot.model_id == model_id:
            try:
                return snapshot, self.read(snapshot, progress)
            except BadSnapshot:
                latest = self.store.current_snapshot()
                if latest == snapshot:
                    raise
                snapshot = latest  # meanwhile a writer published another one and removed this file
        return None

    def read(self, snapshot: Snapshot, progress: Progress = no_progress) -> Index:
        """Return the index of a snapshot; raises ``BadSnapshot`` as ``snapshot_file.read_index``."""
        return read_index(self.directory, snapshot, progress)


def has_current_cells(snapshot: Snapshot) -> bool:
    """Return whether texts search as many cells in this snapshot as in one built by this version."""
    return snapshot.parameters.get("cells_asked") == CELLS_SEARCHED


def _next_file_name(current: Snapshot | None) -> str:
    """Return a new file name that keeps the prefix of the current one, which tells the files of databases apart."""
    unique = uuid4().hex
    if current is None:
        return f"idx-1-{unique}.faiss"
    return f"idx-{current.generation + 1}-{_prefix(current)}{unique[_PREFIX_DIGITS:]}.faiss"


def _prefix(snapshot: Snapshot) -> str:
    return snapshot.file_name.split("-")[-1][:_PREFIX_DIGITS]


def _digest(ids: Ids, codes: Codes, progress: Progress) -> str:
    digest = 0
    for part in blocks(len(ids)):
        digest += total(row_digests(ids[part], codes[part]))
        progress("checksum", min(part.stop, len(ids)), len(ids))
    return digest_text(digest)


def _parameters(codes: Codes, centres: Codes | None, min_similarity: float, progress: Progress) -> dict[str, Any]:
    """Return what the database records of an index; with cells, also the measured recall of searches in it."""
    dimension = codes.shape[1]
    if centres is None:
        return {"kind": "flat", "cells": 0, "dimension": dimension}
    recall = measure_recall(codes, centres, min_similarity, progress)
    return {
        "kind": "cells",
        "cells": len(centres),
        "dimension": dimension,
        "cells_per_text": recall.cells_per_text,
        "cells_asked": CELLS_SEARCHED,
        "recall": {
            "least_similarity": min_similarity,
            "texts": recall.texts,
            "neighbours": recall.neighbours,
            "of_all": recall.of_all,
            "of_queries": recall.of_queries,
        },
    }
