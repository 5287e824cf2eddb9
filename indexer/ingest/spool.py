"""Keep the checked rows of an input in a temporary file until they are stored."""

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

_FORMAT = 2
"""Version of marshal, in which equal values give equal bytes; several times faster than JSON."""
_SIZE_BYTES = 8


class Item(NamedTuple):
    """A valid row: id, text as read, other columns (a JSON object), digest of text and columns, normal form."""

    external_id: str
    raw: str
    fields: str
    content_digest: bytes
    normal: str


@dataclass(frozen=True, slots=True)
class Batch:
    """The valid rows among ``rows_in`` successive rows of an input, of which ``rejected`` were rejected."""

    rows_in: int
    rejected: int
    items: Sequence[Item]


class Spool:
    """A temporary file of batches in ``directory`` that disappears with the process; a context manager.

    It is needed because an input is checked completely before any of it is stored, and a pipe can be read only once.
    Raises ``EnvironmentFault`` if the disk is full or broken.
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
        except OSError as failed:  # the buffer is lost, but after another error nobody needs it
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
        """Yield the batches in the order they were added."""
        try:
            self._file.seek(0)
            while size := self._file.read(_SIZE_BYTES):
                rows_in, rejected, items = marshal.loads(self._file.read(int.from_bytes(size)))
                yield Batch(rows_in, rejected, list(map(Item._make, items)))
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> EnvironmentFault:
        return EnvironmentFault(
            f"Cannot write or read a temporary file in {self._directory}: {error.strerror}. "
            "It needs about as much space as the input."
        )
