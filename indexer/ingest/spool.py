"""The checked rows of an input, kept in a file without a name until they are written to the store."""

from __future__ import annotations

import marshal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from dedup.errors import EnvironmentFault

_FORMAT = 2  # of ``marshal``: equal values give equal bytes; several times as fast as JSON, and nobody else reads it
_SIZE_BYTES = 8


class Item(NamedTuple):
    """A sound row: its id, text, other columns (a JSON object), digest of text and columns, normal form."""

    external_id: str
    raw: str
    fields: str
    content_digest: bytes
    normal: str


@dataclass(frozen=True, slots=True)
class Batch:
    """The sound rows among the next ``rows_in`` rows of an input, of which ``rejected`` were not."""

    rows_in: int
    rejected: int
    items: Sequence[Item]


class Spool:
    """A temporary file of batches in ``directory``, which vanishes with the process; a context manager.

    An input is checked whole before anything of it is stored, so that it can still be refused, and it may be
    a pipe that is read only once. Raises ``EnvironmentFault`` if the disk is full or broken.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: BinaryIO
        self._hash = sha256()
        self.batches = 0
        """Batches added so far."""

    def __enter__(self) -> Self:
        try:
            self._file = tempfile.TemporaryFile(dir=self._directory)
        except OSError as error:
            raise self._fault(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failed:  # what was buffered is lost, and nobody will read it
            if error is None:
                raise self._fault(failed) from failed

    @property
    def digest(self) -> str:
        """SHA-256, 64 hex digits, of all batches added so far."""
        return self._hash.hexdigest()

    def add(self, batch: Batch) -> None:
        """Append a batch."""
        data = marshal.dumps((batch.rows_in, batch.rejected, list(map(tuple, batch.items))), _FORMAT)
        self._hash.update(data)
        try:
            self._file.write(len(data).to_bytes(_SIZE_BYTES) + data)
        except OSError as error:
            raise self._fault(error) from error
        self.batches += 1

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in the order in which they were added."""
        try:
            self._file.seek(0)
            while size := self._file.read(_SIZE_BYTES):
                rows_in, rejected, items = marshal.loads(self._file.read(int.from_bytes(size)))
                yield Batch(rows_in, rejected, list(map(Item._make, items)))
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> EnvironmentFault:
        return EnvironmentFault(
            f"A temporary file in {self._directory} cannot be written or read: {error.strerror}; "
            "it takes about as much space as the input itself."
        )
