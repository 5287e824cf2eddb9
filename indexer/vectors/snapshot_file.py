"""The file of a snapshot: written completely or not at all, and read only if its checksum matches."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.errors import EnvironmentFault
from dedup.runtime.progress import Progress, no_progress
from indexer.files import sync_directory
from indexer.store.store import Snapshot
from indexer.vectors.faiss_index import Index

FILE_NAME = re.compile(r"idx-(\d+)-[0-9a-f]{32}\.(faiss|tmp|bad)")
"""Names of our files: published; being written, or left behind by a killed job; and set aside as damaged."""

_BLOCK_BYTES = 1 << 20
_READ_BYTES = 1 << 24
"""Bytes read and hashed at once. Between two blocks a thread may wait 5 ms for the interpreter lock."""


class BadSnapshot(Exception):
    """The file of ``snapshot`` is missing or differs from its row in the database."""

    def __init__(self, snapshot: Snapshot, message: str) -> None:
        super().__init__(message)
        self.snapshot = snapshot


def write_index(path: Path, index: Index, progress: Progress) -> tuple[int, str]:
    """Write an index to a file that is either complete and safe on disk or absent; return its size and SHA-256 in hex.

    FAISS writes through a Python callback, so memory holds one block of the file and every disk error is seen. Stages
    reported to ``progress``: ``write snapshot``, the bytes written and read back as a share of all vectors.
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
                raise EnvironmentFault(f"{temporary} does not read back as it was written; check the disk.")
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return n_bytes, sha256.hexdigest()


def read_index(directory: Path, snapshot: Snapshot, progress: Progress = no_progress) -> Index:
    """Return the index of a snapshot, after its checksum was verified.

    Stages reported to ``progress``: ``check snapshot``.

    Raises:
        BadSnapshot: the file is missing or damaged, in which case FAISS does not see its bytes, or it does not match
            the row of the snapshot.
    """
    cells, dimension = snapshot.parameters["cells"], snapshot.parameters["dimension"]
    content = check_file(directory, snapshot, progress, keep=True)

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
        raise BadSnapshot(snapshot, f"The content of the snapshot {snapshot.file_name} does not match the database.")
    return index


def check_file(directory: Path, snapshot: Snapshot, progress: Progress, *, keep: bool) -> NDArray[np.uint8]:
    """Return the bytes of a snapshot's file; without ``keep`` only some of them, to save memory.

    Stages reported to ``progress``: ``check snapshot``, the bytes read as a share of all vectors.

    Raises:
        BadSnapshot: the file is missing, or its bytes are not those that were published.
    """
    content = np.empty(0, np.uint8)
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        progress("check snapshot", done * snapshot.n_vectors // snapshot.n_bytes, snapshot.n_vectors)

    path = directory / snapshot.file_name
    if not FILE_NAME.fullmatch(snapshot.file_name):
        raise BadSnapshot(snapshot, f"{snapshot.file_name!r} is not a valid name of a snapshot file.")
    try:
        with open(path, "rb", 0, opener=_open_plainly) as file:
            status = os.fstat(file.fileno())
            is_intact = stat.S_ISREG(status.st_mode) and status.st_size == snapshot.n_bytes
            if is_intact:
                content = np.empty(snapshot.n_bytes if keep else 2 * _READ_BYTES, np.uint8)
                is_intact = _sha256(file, content, count) == snapshot.sha256
    except OSError as error:
        raise BadSnapshot(snapshot, f"The snapshot {path} cannot be read: {error.strerror}.") from error
    if not is_intact:
        raise BadSnapshot(snapshot, f"The snapshot {path} is damaged: its bytes are not those that were published.")
    return content


def _sha256(file: FileIO, content: NDArray[np.uint8], on_read: Callable[[int], None]) -> str:
    """Return the SHA-256 in hex of a file, reading it into ``content``, which is reused from its start when full.

    One block is read while the previous one is hashed, so ``content`` must hold the whole file or two blocks.
    ``on_read`` is called with the size of each block.
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
    """Open a file without following a symbolic link and without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
