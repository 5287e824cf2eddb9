"""The neighbours of all texts in a file beside the snapshot: a cache that the database names with its SHA-256.

Publishing goes as for a snapshot: temporary file, fsync, rename, fsync of the directory, and last the row in the
database. A file that is missing or is not what the database says is not used; a report then searches all texts again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from dedup.errors import EnvironmentFault
from indexer.files import open_plainly, sync_directory
from indexer.store import schema
from indexer.store.runs import now
from indexer.store.store import Store
from indexer.store.texts import make_model_key
from indexer.store.transactions import next_key
from indexer.vectors.knn_update import Neighbours, Space

FILE_NAME = re.compile(r"near-(\d+)-([0-9a-f]{8})[0-9a-f]{24}\.(npz|tmp)")
"""Names of our files: published; and being written, or left behind by a killed job."""

_log = logging.getLogger(__name__)
_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class NeighbourFile:
    """A file of neighbours, as the database names it; ``run_id`` is the report whose pairs come from it, if any."""

    generation: int
    file_name: str
    n_bytes: int
    sha256: str
    cells_digest: str
    n_texts: int
    run_id: int | None


class NeighbourFiles:
    """The files of neighbours of a store, in the directory of its snapshots."""

    def __init__(self, store: Store, directory: Path) -> None:
        self._store = store
        self._directory = directory

    def known(self) -> list[NeighbourFile]:
        """Return what the database says of the files, the latest one first."""
        columns = schema.neighbour_file.c[*NeighbourFile.__dataclass_fields__]
        rows = self._store.read(select(*columns).order_by(schema.neighbour_file.c.generation.desc()))
        return [NeighbourFile(*row) for row in rows]

    def read(self, file: NeighbourFile, space: Space) -> Neighbours | None:
        """Return the neighbours in a file; None if it is of another space, missing or damaged, which is logged."""
        if file.cells_digest != space.digest:
            return None
        path = self._directory / file.file_name
        try:
            content = _content(path, file)
            found = _parsed(content)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            _log.warning("The neighbours in %s cannot be used (%s), so all texts are searched again.", path, error)
            return None
        if len(found.text_ids) != file.n_texts or len(found.keys) != file.n_texts:
            _log.warning("The neighbours in %s are not of %d texts; all are searched again.", path, file.n_texts)
            return None
        return found

    def fault_of(self, file: NeighbourFile) -> str | None:
        """Return what is wrong with a file that the database names, None if nothing."""
        try:
            _content(self._directory / file.file_name, file)
        except (OSError, ValueError) as error:
            return f"{file.file_name} cannot be used ({error})"
        return None

    def write(self, neighbours: Neighbours, space: Space) -> NeighbourFile:
        """Write neighbours to a file that is complete and safe on disk, and which the database does not name yet.

        Raises:
            EnvironmentFault: the file cannot be written.
        """
        known = self.known()
        generation = known[0].generation + 1 if known else 1
        path = self._directory / f"near-{generation}-{self._prefix()}{uuid4().hex[8:]}.npz"
        temporary = path.with_suffix(".tmp")
        arrays: dict[str, Any] = {name: getattr(neighbours, name) for name in ("text_ids", "keys", "is_whole")}
        if neighbours.cells is not None:
            arrays["cells"] = neighbours.cells
        try:
            try:
                with open(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
                    np.savez(file, allow_pickle=False, **arrays)
                    file.flush()
                    os.fsync(file.fileno())
                    n_bytes = file.seek(0, os.SEEK_END)
                    file.seek(0)
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            sync_directory(path.parent)
        except OSError as error:
            raise EnvironmentFault(f"{path} cannot be written: {error.strerror}; free some space.") from error
        return NeighbourFile(generation, path.name, n_bytes, digest, space.digest, len(neighbours.text_ids), None)

    def sweep(self) -> None:
        """Remove files of this store that the database does not name; ignore errors."""
        wanted, prefix = {file.file_name for file in self.known()}, self._prefix()
        with suppress(OSError):
            for path in self._directory.iterdir():
                name = FILE_NAME.fullmatch(path.name)
                if name and name[2] == prefix and path.name not in wanted:
                    with suppress(OSError):
                        path.unlink()

    def _prefix(self) -> str:
        return (self._store.meta("store_uuid") or "")[:8]


def record_file(connection: Connection, file: NeighbourFile, model_id: str, run_id: int | None) -> None:
    """Name a file in the database, in place of those before; an unfinished report keeps that of the last one."""
    table = schema.neighbour_file
    forgotten = delete(table) if run_id is not None else delete(table).where(table.c.run_id.is_(None))
    connection.execute(forgotten)
    values = {name: getattr(file, name) for name in ("file_name", "n_bytes", "sha256", "cells_digest", "n_texts")}
    values |= {"run_id": run_id, "model_key": make_model_key(connection, model_id), "created_at": now()}
    generation = max(file.generation, next_key(connection, table.c.generation))
    connection.execute(insert(table).values(generation=generation, **values))


def _content(path: Path, file: NeighbourFile) -> bytes:
    """Return the bytes of a file; raises ``OSError`` or ``ValueError`` if they are not what the database says."""
    with open(path, "rb", opener=open_plainly) as opened:
        if os.fstat(opened.fileno()).st_size != file.n_bytes:
            raise ValueError("another size than was published")
        content = opened.read()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ValueError("its bytes are not those that were published")
    return content


def _parsed(content: bytes) -> Neighbours:
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        cells = arrays.get("cells")
        return Neighbours(arrays["text_ids"], arrays["keys"], arrays["is_whole"], cells)
