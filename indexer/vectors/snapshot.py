"""The FAISS snapshot of a model's vectors: built from the database, published, and opened again.

The database is the truth; a snapshot is a cache in one file, ``idx-<generation>-<uuid>.faiss``. It is
published in this order: temporary file, fsync, checked by reading again, rename, fsync of the directory,
and last the row in the database that points to it. It is opened in the reverse order: FAISS sees only bytes
whose SHA-256 is the one in the database. A file that fails is set aside as ``.bad``; answers then come from
an exact scan of the database until another snapshot is built.

The file is written and read block by block: publishing takes the memory of the index and of the vectors.
Opening takes that of the file, which FAISS uses where it was read to. The same vectors give the same bytes, so a
file that was lost comes back as it was.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from dedup.errors import EnvironmentFault
from dedup.runtime.progress import Progress, no_progress
from indexer.files import sync_directory
from indexer.store.store import Codes, Ids, Snapshot, Store
from indexer.vectors.cells import CELLS_ASKED, find_centres
from indexer.vectors.faiss_index import (
    FLAT_UP_TO,
    Index,
    blocks,
    build_index,
    digest_text,
    row_digests,
    total,
)
from indexer.vectors.recall import measure_recall

LEAST_CHANGES = 10_000
LARGEST_CHANGED_SHARE = 0.1
"""A snapshot is due when more than this share of it, and more than ``LEAST_CHANGES`` vectors, changed."""
FILE_NAME = re.compile(r"idx-(\d+)-[0-9a-f]{32}\.(faiss|tmp|bad)")
"""What files of ours are called: published, being written or left by a killed job, set aside."""

_BLOCK_BYTES = 1 << 20
_READ_BYTES = 1 << 24
"""Bytes of a file that are read, and hashed, at once; between two parts a thread may wait 5 ms for the interpreter."""

_log = logging.getLogger(__name__)


class BadSnapshot(Exception):
    """The file of ``snapshot`` is missing, or not what the database says it is."""

    def __init__(self, snapshot: Snapshot, message: str) -> None:
        super().__init__(message)
        self.snapshot = snapshot


# Publish


def publish(
    store: Store,
    snapshots: Path,
    model_id: str,
    *,
    min_similarity: float = 0.0,
    flat_up_to: int = FLAT_UP_TO,
    progress: Progress = no_progress,
) -> Snapshot | None:
    """Build a snapshot of all vectors of a model and make it the current one; None if there are none.

    What a search of it finds of neighbours of at least ``min_similarity`` is measured and recorded with it, and
    warned of if it is little.
    Files of ours that are no longer needed are removed: older generations, temporary files that a killed
    job left, and all but the latest of those set aside as ``.bad``. ``progress`` hears of ``read vectors``, ``cells``,
    ``cells of texts``, ``snapshot``, ``write snapshot``, ``checksum``, ``recall`` and ``recall of queries``.

    Raises:
        EnvironmentFault: the snapshot cannot be written.

    """
    ids, codes = store.load_vectors(model_id, progress=progress)
    if not len(ids):
        return None
    centres = find_centres(codes, progress) if len(ids) > flat_up_to else None
    index = build_index(ids, codes, centres, progress)
    current = store.current_snapshot()
    path = snapshots / f"idx-{current.generation + 1 if current else 1}-{uuid4().hex}.faiss"
    try:
        n_bytes, sha256 = _write(path, index, progress)
    except OSError as error:
        mebibytes = len(ids) * (codes.shape[1] + 8) >> 20
        raise EnvironmentFault(
            f"{path} cannot be written: {error.strerror}; it takes about {mebibytes + 1} MiB."
        ) from error
    del index  # what follows needs the vectors alone
    published = store.publish_snapshot(
        file_name=path.name,
        n_bytes=n_bytes,
        sha256=sha256,
        model_id=model_id,
        max_text_id=int(ids[-1]),
        n_vectors=len(ids),
        digest=_digest(ids, codes, progress),
        parameters=_parameters(codes, centres, min_similarity, progress),
    )
    sweep(snapshots, published)
    return published


def _digest(ids: Ids, codes: Codes, progress: Progress) -> str:
    digest = 0
    for part in blocks(len(ids)):
        digest += total(row_digests(ids[part], codes[part]))
        progress("checksum", min(part.stop, len(ids)), len(ids))
    return digest_text(digest)


def _parameters(codes: Codes, centres: Codes | None, min_similarity: float, progress: Progress) -> dict[str, Any]:
    """Return what is recorded of an index; where it has cells, also the ``Recall`` of its searches."""
    dimension = codes.shape[1]
    if centres is None:
        return {"kind": "flat", "cells": 0, "dimension": dimension}
    recall = measure_recall(codes, centres, min_similarity, progress)
    return {
        "kind": "cells",
        "cells": len(centres),
        "dimension": dimension,
        "cells_per_text": recall.cells_per_text,
        "cells_asked": CELLS_ASKED,
        "recall": {
            "least_similarity": min_similarity,
            "texts": recall.texts,
            "neighbours": recall.neighbours,
            "of_all": recall.of_all,
            "of_queries": recall.of_queries,
        },
    }


def _write(path: Path, index: Index, progress: Progress) -> tuple[int, str]:
    """Write a file that is either whole and safe on disk or absent; return its size and SHA-256 in hex.

    FAISS writes through Python, so that memory holds one block of the file, or two larger ones when it is read again,
    and no fault of the disk is lost.
    ``progress`` hears of ``write snapshot``: the bytes written and read again, as a share of all vectors.
    """
    import faiss

    temporary = path.with_suffix(".tmp")
    sha256 = hashlib.sha256()
    n, done = index.ntotal, 0
    expected = 2 * n * (index.d + 8)

    def count(size: int) -> None:
        nonlocal done
        done += size
        progress("write snapshot", min(n, done * n // expected), n)

    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", _BLOCK_BYTES) as file:

            def write(piece: bytes) -> int:
                sha256.update(piece)
                count(len(piece))
                return file.write(piece)

            faiss.write_index(index, faiss.PyCallbackIOWriter(write, _BLOCK_BYTES))  # type: ignore[attr-defined]
            file.flush()
            os.fsync(file.fileno())
            n_bytes = file.tell()
        with temporary.open("rb", 0) as written:
            if _sha256(written, np.empty(2 * _READ_BYTES, np.uint8), count) != sha256.hexdigest():
                raise EnvironmentFault(f"{temporary} reads back as other bytes than written; check the disk.")
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return n_bytes, sha256.hexdigest()


def sweep(snapshots: Path, current: Snapshot) -> None:
    """Remove files of ours that are no longer needed: all but the current one and the latest ``.bad``."""
    ours = {path: name for path in snapshots.iterdir() if (name := FILE_NAME.fullmatch(path.name))}
    bad = [path for path, name in ours.items() if name[2] == "bad"]
    last_bad = max(bad, key=lambda path: int(ours[path][1]), default=None)
    for path in ours:
        if path != last_bad and path.name != current.file_name:
            with suppress(OSError):
                path.unlink()


def is_snapshot_due(
    store: Store, snapshots: Path, model_id: str, *, min_similarity: float, progress: Progress = no_progress
) -> bool:
    """Tell whether a snapshot is missing, damaged, of another model, or too far behind the database.

    Of another model is also one whose recall was measured for another ``min_similarity``, or for texts that ask in
    another number of cells. ``progress`` hears of ``check snapshot``.
    """
    snapshot = store.current_snapshot()
    if snapshot is None or snapshot.model_id != model_id:
        return True
    parameters = snapshot.parameters
    if parameters["cells"] and (
        not asks_as_now(snapshot) or parameters["recall"]["least_similarity"] != min_similarity
    ):
        return True
    try:
        _check(snapshots, snapshot, progress, keep=False)
    except BadSnapshot:
        return True
    added = store.count_vectors(model_id, snapshot.max_text_id)
    deleted = snapshot.n_vectors - store.live_texts_up_to(snapshot.max_text_id)
    return added + deleted > max(LEAST_CHANGES, LARGEST_CHANGED_SHARE * snapshot.n_vectors)


def asks_as_now(snapshot: Snapshot) -> bool:
    """Tell whether the cells of a snapshot are for texts that ask in as many of them as those of this version."""
    return snapshot.parameters.get("cells_asked") == CELLS_ASKED


# Open


def open_snapshot(
    store: Store, snapshots: Path, model_id: str, progress: Progress = no_progress
) -> tuple[Snapshot, Index] | None:
    """Return the current snapshot and its index, or None if there is none of this model that is sound.

    A file that fails a check is renamed to ``.bad`` and reported as a warning through ``logging``. ``progress``
    hears of ``check snapshot``.
    """
    try:
        return read_current(store, snapshots, model_id, progress)
    except BadSnapshot as error:
        _log.warning(
            "%s Every vector is scanned instead, which is slower; the next `dedup index`, or `dedup verify "
            "--repair`, makes a new snapshot.",
            error,
        )
        path = snapshots / error.snapshot.file_name
        if FILE_NAME.fullmatch(path.name):
            with suppress(OSError):
                path.rename(path.with_suffix(".bad"))
        return None


def read_current(
    store: Store, snapshots: Path, model_id: str, progress: Progress = no_progress
) -> tuple[Snapshot, Index] | None:
    """Return the current snapshot and its index, or None if there is none of this model.

    ``progress`` hears of ``check snapshot``.

    Raises:
        BadSnapshot: as ``read_index``.

    """
    snapshot = store.current_snapshot()
    while snapshot is not None and snapshot.model_id == model_id:
        try:
            return snapshot, read_index(snapshots, snapshot, progress)
        except BadSnapshot:
            latest = store.current_snapshot()
            if latest == snapshot:
                raise
            snapshot = latest  # a writer published another, and removed the file that we looked for
    return None


def read_index(snapshots: Path, snapshot: Snapshot, progress: Progress = no_progress) -> Index:
    """Return the index of a snapshot, made of bytes that are those that were published.

    ``progress`` hears of ``check snapshot``.

    Raises:
        BadSnapshot: the file is missing, damaged, or holds something else; FAISS has not seen it then.

    """
    cells, dimension = snapshot.parameters["cells"], snapshot.parameters["dimension"]
    content = _check(snapshots, snapshot, progress, keep=True)

    import faiss

    faiss.set_deserialization_vector_byte_limit(snapshot.n_bytes)
    faiss.set_deserialization_loop_limit(snapshot.n_vectors)
    try:
        reader: Any = faiss.ZeroCopyIOReader(faiss.swig_ptr(content), content.size)  # type: ignore[attr-defined]
        index: Index = faiss.read_index(reader)
    except RuntimeError as error:
        raise BadSnapshot(snapshot, f"FAISS cannot read the snapshot {snapshot.file_name}.") from error
    index.referenced_objects = [content]  # the index is a view of it
    expected = faiss.IndexIVFScalarQuantizer if cells else faiss.IndexIDMap
    found = (type(index), index.d, index.ntotal, getattr(index, "nlist", 0))
    if found != (expected, dimension, snapshot.n_vectors, cells):
        raise BadSnapshot(snapshot, f"The snapshot {snapshot.file_name} holds something else than it should.")
    return index


def _check(snapshots: Path, snapshot: Snapshot, progress: Progress, *, keep: bool) -> NDArray[np.uint8]:
    """Return the bytes of the file, or with ``keep`` false the last of them.

    ``progress`` hears of ``check snapshot``: the bytes read, as a share of all vectors.

    Raises:
        BadSnapshot: they are not what was published.

    """
    content = np.empty(0, np.uint8)
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        progress("check snapshot", done * snapshot.n_vectors // snapshot.n_bytes, snapshot.n_vectors)

    path = snapshots / snapshot.file_name
    if not FILE_NAME.fullmatch(snapshot.file_name):
        raise BadSnapshot(snapshot, f"{snapshot.file_name!r} is no name of a snapshot.")
    try:
        with open(path, "rb", 0, opener=_open_plainly) as file:
            status = os.fstat(file.fileno())
            is_sound = stat.S_ISREG(status.st_mode) and status.st_size == snapshot.n_bytes
            if is_sound:
                content = np.empty(snapshot.n_bytes if keep else 2 * _READ_BYTES, np.uint8)
                is_sound = _sha256(file, content, count) == snapshot.sha256
    except OSError as error:
        raise BadSnapshot(snapshot, f"The snapshot {path} cannot be read: {error.strerror}.") from error
    if not is_sound:
        raise BadSnapshot(snapshot, f"The snapshot {path} is damaged: its bytes are not those that were published.")
    return content


def _sha256(file: FileIO, content: NDArray[np.uint8], on_read: Callable[[int], None]) -> str:
    """Return the SHA-256 in hex of a file that is read into ``content``, from its start again when that is full.

    A block is read while the one before is hashed, so ``content`` has to hold the file or two blocks.
    ``on_read`` hears of the size of each.
    """
    sha256 = hashlib.sha256()
    at = 0
    size = file.readinto(content.data[:_READ_BYTES])
    with ThreadPoolExecutor(1) as ahead:
        while size:
            after = (at + size) % len(content)
            reading = ahead.submit(file.readinto, content.data[after : after + _READ_BYTES])
            sha256.update(content.data[at : at + size])
            on_read(size)
            at, size = after, reading.result()
    return sha256.hexdigest()


def _open_plainly(path: str, flags: int) -> int:
    """Open a file, but follow no link, and wait for nobody at the other end of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
