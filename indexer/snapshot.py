"""The FAISS snapshot of a model's vectors: built from the database, published, and opened again.

The database is the truth; a snapshot is a cache in one file, ``idx-<generation>-<uuid>.faiss``. It is
published in this order: temporary file, fsync, checked by reading again, rename, fsync of the directory,
and last the row in the database that points to it. It is opened in the reverse order: FAISS sees only bytes
whose SHA-256 is the one in the database. A file that fails is set aside as ``.bad``; answers then come from
an exact scan of the database until another snapshot is built.

The vectors are read in pages, once for a sample and once for the index, and the file is written and read
block by block: publishing or opening takes the memory of the index and of one page. The same vectors give
the same bytes, whatever the threads and the processor: all is exact integer arithmetic. The int8 codes are
stored as they are (``QT_8bit_direct_signed``), so FAISS returns exact integer products too.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from dedup.errors import EnvironmentFault
from indexer.store import Codes, Ids, Snapshot, Store

FLAT_UP_TO = 50_000
"""Most vectors that are scanned one by one; above, they are sorted into cells."""
LEAST_CHANGES = 10_000
LARGEST_CHANGED_SHARE = 0.1
"""A snapshot is due when more than this share of it, and more than ``LEAST_CHANGES`` vectors, changed."""
FILE_NAME = re.compile(r"idx-(\d+)-[0-9a-f]{32}\.(faiss|tmp|bad)")
"""What files of ours are called: published, being written or left by a killed job, set aside."""

_SAMPLE_PER_CELL = 64
_TRAINING_ROUNDS = 8
_SEED = 20
_CENTRE_LENGTH = 1_000  # |code| <= 127 sqrt d: a product stays below 2^24 for d <= 1,040
_BLOCK = 1 << 14
_BLOCK_BYTES = 1 << 20
_log = logging.getLogger(__name__)

Index = Any  # an index of FAISS, which has no types
Page = tuple[Ids, Codes]


class BadSnapshot(Exception):
    """A snapshot file that is missing, or not what the database says it is."""


# Build


def build_index(ids: Ids, codes: Codes, *, flat_up_to: int = FLAT_UP_TO) -> Index:
    """Return a FAISS index of ``codes`` (n, d) under their ``ids`` (n,), by inner product."""
    index = _new_index([(ids, codes)], len(ids), flat_up_to)
    add_to_index(index, ids, codes)
    return index


def add_to_index(index: Index, ids: Ids, codes: Codes) -> None:
    """Add ``codes`` (n, d) under their ``ids`` (n,), in blocks: Ctrl-C waits for the end of a call of FAISS."""
    for of_ids, of_codes in zip(_blocks(ids), _blocks(codes), strict=True):
        index.add_with_ids(of_codes.astype(np.float32), of_ids)


def _blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]


def _new_index(pages: Iterable[Page], count: int, flat_up_to: int) -> Index:
    """Return an index without vectors for the ``count`` vectors of ``pages``.

    Up to ``flat_up_to`` vectors it scans all of them; above, it has 2^round(log2(4 sqrt n)) cells, whose
    centres come from k-means on a seeded sample of at most 64 vectors for each cell.
    """
    import faiss

    kind, metric = faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
    if count <= flat_up_to:
        dimension = next(iter(pages))[1].shape[1]
        return faiss.IndexIDMap(faiss.IndexScalarQuantizer(dimension, kind, metric))
    cells = 1 << round(math.log2(4 * math.sqrt(count)))
    sample = _sample(pages, count, cells * _SAMPLE_PER_CELL)
    centres = _find_centres(sample, cells)
    index = faiss.IndexIVFScalarQuantizer(centres, sample.shape[1], cells, kind, metric, False)
    index.train(sample[:cells].astype(np.float32))  # the centres are there; this only marks the index as ready
    return index


def _sample(pages: Iterable[Page], count: int, size: int) -> Codes:
    """Return the codes of ``size`` of ``count`` rows, or of all; of the same rows every time."""
    rows = np.arange(count)
    if count > size:
        rows = np.sort(np.random.default_rng(_SEED).choice(count, size, replace=False))
    parts = []
    start = 0
    for _, codes in pages:
        here = slice(*np.searchsorted(rows, (start, start + len(codes))))
        parts.append(codes[rows[here] - start])
        start += len(codes)
    return np.concatenate(parts)


def _find_centres(sample: Codes, cells: int) -> Index:
    """Return an index of the centres of ``cells`` groups of codes: spherical k-means in whole numbers.

    A centre is rounded to integers whose products with codes float32 holds exactly (``dedup.nearest``), and
    sums of codes are exact as well. FAISS's own k-means rounds, in a way that depends on the threads.
    """
    import faiss

    centres = sample[np.random.default_rng(_SEED).choice(len(sample), cells, replace=False)].astype(np.float32)
    for _ in range(_TRAINING_ROUNDS):
        index = faiss.IndexFlatIP(sample.shape[1])
        index.add(centres)
        sums = np.zeros(centres.shape)
        for block in _blocks(sample):
            nearest = index.search(block.astype(np.float32), 1)[1][:, 0]
            order = np.argsort(nearest)
            found, starts = np.unique(nearest[order], return_index=True)
            sums[found] += np.add.reduceat(block[order], starts, axis=0, dtype=np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums))
        found = np.flatnonzero(lengths)  # a centre without codes stays where it is
        centres[found] = np.rint(sums[found] * (_CENTRE_LENGTH / lengths[found, None]))
    index = faiss.IndexFlatIP(sample.shape[1])
    index.add(centres)
    return index


def digest_of(ids: Ids, codes: Codes) -> int:
    """Return the sum modulo 2^128 of the BLAKE2b hashes of every id with its code, (n,) and (n, d).

    The order does not matter, and digests of parts add up to that of the whole, again modulo 2^128.
    """
    rows = np.hstack([ids.astype("<i8").view(np.uint8).reshape(-1, 8), codes.view(np.uint8)])
    return sum(int.from_bytes(blake2b(row, digest_size=16).digest(), "little") for row in rows) % (1 << 128)


# Publish


def publish(store: Store, snapshots: Path, model_id: str, *, flat_up_to: int = FLAT_UP_TO) -> Snapshot | None:
    """Build a snapshot of all vectors of a model and make it the current one; None if there are none.

    Files of ours that are no longer needed are removed: older generations, temporary files that a killed
    job left, and all but the latest of those set aside as ``.bad``.

    Raises:
        EnvironmentFault: the snapshot cannot be written.

    """
    count = store.count_vectors(model_id)
    if not count:
        return None
    index = _new_index(store.iter_vectors(model_id), count, flat_up_to)
    digest = max_text_id = 0
    for ids, codes in store.iter_vectors(model_id):
        add_to_index(index, ids, codes)
        digest += digest_of(ids, codes)
        max_text_id = int(ids[-1])
    current = store.current_snapshot()
    path = snapshots / f"idx-{current.generation + 1 if current else 1}-{uuid4().hex}.faiss"
    try:
        n_bytes, sha256 = _write(path, index)
    except OSError as error:
        mebibytes = index.ntotal * (index.d + 8) >> 20
        raise EnvironmentFault(
            f"{path} cannot be written: {error.strerror}; it takes about {mebibytes + 1} MiB."
        ) from error
    cells = getattr(index, "nlist", 0)
    published = store.publish_snapshot(
        file_name=path.name,
        n_bytes=n_bytes,
        sha256=sha256,
        model_id=model_id,
        max_text_id=max_text_id,
        n_vectors=index.ntotal,
        digest=f"{digest % (1 << 128):032x}",
        parameters={"kind": "cells" if cells else "flat", "cells": cells, "dimension": index.d},
    )
    _sweep(snapshots, path.name)
    return published


def _write(path: Path, index: Index) -> tuple[int, str]:
    """Write a file that is either whole and safe on disk or absent; return its size and SHA-256 in hex.

    FAISS writes through Python, so that memory holds one block of the file, and no fault of the disk is lost.
    """
    import faiss

    temporary = path.with_suffix(".tmp")
    sha256 = hashlib.sha256()
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", _BLOCK_BYTES) as file:

            def write(piece: bytes) -> int:
                sha256.update(piece)
                return file.write(piece)

            faiss.write_index(index, faiss.PyCallbackIOWriter(write, _BLOCK_BYTES))  # type: ignore[attr-defined]
            file.flush()
            os.fsync(file.fileno())
            n_bytes = file.tell()
        with temporary.open("rb") as written:
            if hashlib.file_digest(written, "sha256").digest() != sha256.digest():
                raise EnvironmentFault(f"{temporary} reads back as other bytes than written; check the disk.")
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return n_bytes, sha256.hexdigest()


def sync_directory(directory: Path) -> None:
    """Make the names in a directory, after a rename for example, safe on disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(snapshots: Path, current: str) -> None:
    ours = {path: name for path in snapshots.iterdir() if (name := FILE_NAME.fullmatch(path.name))}
    bad = [path for path, name in ours.items() if name[2] == "bad"]
    last_bad = max(bad, key=lambda path: int(ours[path][1]), default=None)
    for path in ours:
        if path.name != current and path != last_bad:
            with suppress(OSError):
                path.unlink()


def is_snapshot_due(store: Store, snapshots: Path, model_id: str) -> bool:
    """Tell whether a snapshot is missing, damaged, of another model, or too far behind the database."""
    snapshot = store.current_snapshot()
    if snapshot is None or snapshot.model_id != model_id:
        return True
    try:
        with _sound_file(snapshots, snapshot):
            pass
    except BadSnapshot:
        return True
    added = store.count_vectors(model_id, snapshot.max_text_id)
    deleted = snapshot.n_vectors - store.live_texts_up_to(snapshot.max_text_id)
    return added + deleted > max(LEAST_CHANGES, LARGEST_CHANGED_SHARE * snapshot.n_vectors)


# Open


def open_snapshot(store: Store, snapshots: Path, model_id: str) -> tuple[Snapshot, Index] | None:
    """Return the current snapshot and its index, or None if there is none of this model that is sound.

    A file that fails a check is renamed to ``.bad`` and reported as a warning through ``logging``.
    """
    snapshot = store.current_snapshot()
    while snapshot is not None and snapshot.model_id == model_id:
        try:
            return snapshot, read_index(snapshots, snapshot)
        except BadSnapshot as error:
            latest = store.current_snapshot()
            if latest is None or latest.generation == snapshot.generation:
                _set_aside(snapshots, snapshot, error)
                return None
            snapshot = latest  # a writer published another, and removed the file that we looked for
    return None


def _set_aside(snapshots: Path, snapshot: Snapshot, error: BadSnapshot) -> None:
    _log.warning(
        "%s Every vector is scanned instead, which is slower; the next `dedup index`, or `dedup verify --repair`, "
        "makes a new snapshot.",
        error,
    )
    path = snapshots / snapshot.file_name
    if FILE_NAME.fullmatch(snapshot.file_name):
        with suppress(OSError):
            path.rename(path.with_suffix(".bad"))


def read_index(snapshots: Path, snapshot: Snapshot) -> Index:
    """Return the index of a snapshot, made of bytes that are those that were published.

    Raises:
        BadSnapshot: the file is missing, damaged, or holds something else; FAISS has not seen it then.

    """
    import faiss

    cells, dimension = snapshot.parameters["cells"], snapshot.parameters["dimension"]
    with _sound_file(snapshots, snapshot) as file:
        faiss.set_deserialization_vector_byte_limit(snapshot.n_bytes)
        faiss.set_deserialization_loop_limit(snapshot.n_vectors)
        try:
            reader: Any = faiss.PyCallbackIOReader(file.read, _BLOCK_BYTES)  # type: ignore[attr-defined]
            index: Index = faiss.read_index(reader)
        except RuntimeError as error:
            raise BadSnapshot(f"FAISS cannot read the snapshot {snapshot.file_name}.") from error
    expected = faiss.IndexIVFScalarQuantizer if cells else faiss.IndexIDMap
    found = (type(index), index.d, index.ntotal, getattr(index, "nlist", 0))
    if found != (expected, dimension, snapshot.n_vectors, cells):
        raise BadSnapshot(f"The snapshot {snapshot.file_name} holds something else than it should.")
    return index


def iter_content(index: Index) -> Iterator[Page]:
    """Yield the ids (n,) and codes (n, d) of an index, one of its cells after the other."""
    import faiss

    view = faiss.rev_swig_ptr
    if not hasattr(index, "nlist"):
        n = index.ntotal
        storage: Index = faiss.downcast_index(index.index)
        yield faiss.vector_to_array(index.id_map), _signed(view(storage.codes.data(), n * index.d), n)
        return
    lists = index.invlists
    for cell in range(index.nlist):
        if n := lists.list_size(cell):
            yield view(lists.get_ids(cell), n), _signed(view(lists.get_codes(cell), n * index.d), n)


def _signed(stored: NDArray[np.uint8], n: int) -> Codes:
    """Return n codes as int8; FAISS stores -128 as 0."""
    return (stored ^ np.uint8(128)).view(np.int8).reshape(n, -1)


class _SoundFile:
    """A file of which every byte was checked, to be read from its start; a change in between is noticed.

    ``marks`` holds the SHA-256 of all that was there up to the end of each block. Neither the file nor a copy
    of it is held in memory, and whatever is given out has led to the same SHA-256 a second time.
    """

    def __init__(self, file: BinaryIO, snapshot: Snapshot, where: Path) -> None:
        self._damage = BadSnapshot(f"The snapshot {where} is damaged: its bytes are not those that were published.")
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size != snapshot.n_bytes:
            raise self._damage
        self._marks = [mark for _, mark in _marked_blocks(file)]
        if not self._marks or self._marks[-1].hex() != snapshot.sha256:
            raise self._damage
        file.seek(0)
        self._blocks = self._checked(file)
        self._rest = memoryview(b"")

    def _checked(self, file: BinaryIO) -> Iterator[bytes]:
        for (block, found), mark in zip(_marked_blocks(file), self._marks, strict=False):
            if found != mark:
                raise self._damage
            yield block

    def read(self, size: int) -> bytes:
        """Return at least one and at most ``size`` of the next bytes, none at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)


def _marked_blocks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield each block of a file, and the SHA-256 of all up to its end."""
    sha256 = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        sha256.update(block)
        yield block, sha256.copy().digest()


@contextmanager
def _sound_file(snapshots: Path, snapshot: Snapshot) -> Iterator[_SoundFile]:
    """Open the file of a snapshot once it is known to be what was published, or raise ``BadSnapshot``."""
    path = snapshots / snapshot.file_name
    if not FILE_NAME.fullmatch(snapshot.file_name):
        raise BadSnapshot(f"{snapshot.file_name!r} is no name of a snapshot.")
    try:
        with open(path, "rb", opener=_open_plainly) as file:
            yield _SoundFile(file, snapshot, path)
    except OSError as error:
        raise BadSnapshot(f"The snapshot {path} cannot be read: {error.strerror}.") from error


def _open_plainly(path: str, flags: int) -> int:
    """Open a file, but follow no link, and wait for nobody at the other end of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
