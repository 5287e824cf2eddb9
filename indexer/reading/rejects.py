"""Rows that were not accepted, and the file that lists them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from dedup.errors import EnvironmentFault
from indexer.files import open_beside, remove_left, sync_directory

MAX_RAW_BYTES = 4096
"""Most bytes of a rejected record that are kept, in UTF-8."""
CUT_MARK = " [cut]"


def _cut(raw: str) -> str:
    """Shorten ``raw`` to ``MAX_RAW_BYTES`` and mark it; a lone surrogate is written as its escape."""
    start = raw[: MAX_RAW_BYTES + 1].encode("utf-8", "backslashreplace")
    if len(start) <= MAX_RAW_BYTES:
        return start.decode("utf-8")
    return start[:MAX_RAW_BYTES].decode("utf-8", "ignore") + CUT_MARK


@dataclass(frozen=True, slots=True)
class Reject:
    """One record that was not accepted.

    ``line`` is the line of the file on which the record starts and ``record_no`` its place among the
    records, both from 1 (the header is line 1 and no record). ``error`` is a code of
    ``docs/bad-input.md``, ``column`` the column at fault if there is one. ``raw`` is the record as read,
    cut to 4 KiB and marked if it was. ``byte_offset`` is where that line starts in the unpacked file, from 0,
    and None where records are no lines: there ``line`` is the number of the record. ``file`` is the input.
    """

    line: int
    record_no: int
    error: str
    column: str | None
    message: str
    raw: str
    byte_offset: int | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "raw", _cut(self.raw))

    def entry(self) -> dict[str, str | int | None]:
        """Return what a list of rejects says, in its order: where, what is wrong, and the record."""
        place = {"file": self.file, "line": self.line, "byte_offset": self.byte_offset, "record_no": self.record_no}
        return place | {"error": self.error, "column": self.column, "message": self.message, "raw": self.raw}


class RejectsFile:
    """Write rejects as JSON lines; the file appears under its name only when ``commit`` is called.

    Leaving the context without ``commit`` leaves everything as it was before. What a killed run left is removed by the
    next.

    Raises ``EnvironmentFault`` from ``add`` and ``commit`` if the disk or a permission is in the way.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        """Rejects added so far."""
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with suppress(OSError):  # closing writes what is buffered, and that may be what failed before
                self._file.close()
            Path(self._file.name).unlink(missing_ok=True)
            self._file = None

    def add(self, reject: Reject) -> None:
        """Append one reject."""
        with self._faults():
            if self._file is None:
                # A lone surrogate becomes what JSON escapes it to as well.
                self._file = open_beside(self.path, errors="backslashreplace")
            self._file.write(json.dumps(reject.entry(), ensure_ascii=False) + "\n")
        self.count += 1

    def commit(self) -> Path | None:
        """Put the file in its place and return its path.

        Without any reject, return None and remove the file that an earlier run left at this path: it
        would speak of rows that are no longer refused.
        """
        with self._faults():
            if self._file is None:
                remove_left(self.path)
                if _is_rejects_file(self.path):
                    self.path.unlink()
                return None
            self._file.flush()
            os.fsync(self._file.fileno())
            Path(self._file.name).replace(self.path)
            self._file.close()
            self._file = None
            sync_directory(self.path.parent)
        return self.path

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EnvironmentFault(
                f"Cannot write the rejects file {self.path}: {error.strerror}. "
                "Check the folder's free space and permissions."
            ) from error


class RejectsStream:
    """Write rejects as JSON lines in ASCII, at once; what ``RejectsFile`` is for a file."""

    def __init__(self, stream: TextIO) -> None:
        self.count = 0
        """Rejects added so far."""
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()

    def add(self, reject: Reject) -> None:
        """Write one reject."""
        self._stream.write(json.dumps(reject.entry()) + "\n")
        self.count += 1

    def commit(self) -> None:
        """Do nothing: everything is written already."""


def _is_rejects_file(path: Path) -> bool:
    """Whether a file was written by an earlier run: nothing else may be removed."""
    try:
        with path.open("rb") as file:
            first = json.loads(file.readline(16 * MAX_RAW_BYTES))
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(first, dict) and {"line", "record_no", "error", "raw"} <= first.keys()
