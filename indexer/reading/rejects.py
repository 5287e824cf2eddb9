"""Rejected rows and the file that lists them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from dedup.errors import EnvironmentFault
from indexer.files import PRIVATE, Access, make_directory, open_beside, open_plainly, remove_left, sync_directory
from indexer.outputs.csv import csv_line, safe_cell
from indexer.outputs.destination import check_foreign

MAX_RAW_BYTES = 4096
"""A longer record is cut to this many bytes of UTF-8."""
CUT_MARK = " [cut]"
MOST_FREQUENT = 3
"""Reasons that are told apart in a summary."""
CSV_COLUMNS = ("file", "line", "byte_offset", "record_no", "error", "column", "message", "raw")
_BEGINNING = re.compile(
    rb'\{"file": (null|"(\\.|[^"\\])*"), "line": \d+, "byte_offset": |' + re.escape(csv_line(CSV_COLUMNS).encode())
)
"""How a rejects file begins."""


def _cut(raw: str) -> str:
    """Cut ``raw`` to ``MAX_RAW_BYTES`` and mark the cut; escape lone surrogates."""
    start = raw[: MAX_RAW_BYTES + 1].encode("utf-8", "backslashreplace")
    if len(start) <= MAX_RAW_BYTES:
        return start.decode("utf-8")
    return start[:MAX_RAW_BYTES].decode("utf-8", "ignore") + CUT_MARK


@dataclass(frozen=True, slots=True)
class Reject:
    """One rejected record.

    Attributes:
        line: The line on which the record starts, from 1; the record number if the input has no lines.
        record_no: The record number, from 1; the header does not count.
        error: A code of ``docs/bad-input.md``.
        column: The bad column, if there is one.
        message: What is wrong and how to correct it.
        raw: The record as read, cut to 4 KiB.
        byte_offset: Where the line starts in the decompressed file, from 0; None if the input has no lines.
        file: The input.

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
        """Return the reject as an entry of the rejects file."""
        place = {"file": self.file, "line": self.line, "byte_offset": self.byte_offset, "record_no": self.record_no}
        return place | {"error": self.error, "column": self.column, "message": self.message, "raw": self.raw}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why rows were rejected: a code of ``docs/bad-input.md``, the bad column if there is one, how many and the first.

    ``line`` and ``message`` are those of the first row.
    """

    error: str
    column: str | None
    rows: int
    line: int
    message: str


@dataclass(slots=True)
class Reasons:
    """Counts rejects by what is wrong with them, and keeps the first of each kind."""

    times: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    first: dict[tuple[str, str | None], Reject] = field(default_factory=dict)

    def add(self, reject: Reject) -> None:
        """Count a reject."""
        kind = reject.error, reject.column
        self.times[kind] += 1
        self.first.setdefault(kind, reject)

    def all(self) -> list[Reason]:
        """Return the reasons, the most frequent first."""
        counted = ((self.first[kind], times) for kind, times in self.times.most_common())
        return [Reason(first.error, first.column, times, first.line, first.message) for first, times in counted]

    def sentences(self) -> list[str]:
        """Return a line on each of the three most frequent reasons, and one on the others."""
        lines, reasons = [], self.all()
        for reason in reasons[:MOST_FREQUENT]:
            rows = "1 row" if reason.rows == 1 else f"{reason.rows:,} rows, first"
            lines.append(f"{reason.error}: {rows} on line {reason.line}: {reason.message}")
        if others := reasons[MOST_FREQUENT:]:
            lines.append(f"Other reasons: {sum(reason.rows for reason in others):,} rows.")
        return lines


class RejectsFile:
    """Write rejects as JSON lines, or as CSV if the name ends so, to a file that appears only on ``commit``.

    Leaving the context without ``commit`` changes nothing. A temporary file left by a killed run is removed by the next
    one. ``access`` is who may read the file; its folder is made if ``makes_folder``. ``add`` and ``commit`` raise
    ``EnvironmentFault`` if it cannot be written, and ``add`` raises ``UsageError`` if ``path`` is a file, but not a
    rejects file.
    """

    def __init__(self, path: Path, access: Access = PRIVATE, *, makes_folder: bool = False) -> None:
        self.path = path
        self._makes_folder = makes_folder
        self._access = access
        self._as_csv = path.suffix.lower() == ".csv"
        self.count = 0
        """Rejects added so far."""
        self.reasons = Reasons()
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with suppress(OSError):  # closing flushes the buffer, which may be what failed before
                self._file.close()
            Path(self._file.name).unlink(missing_ok=True)
            self._file = None

    def add(self, reject: Reject) -> None:
        """Append one reject."""
        with self._translate_errors():
            if self._file is None:
                if self._makes_folder:
                    make_directory(self.path.parent)
                check_foreign(self.path, "a rejects file", _BEGINNING)
                # backslashreplace writes a lone surrogate as JSON would escape it
                self._file = open_beside(self.path, "backslashreplace", self._access)
                if self._as_csv:
                    self._file.write(csv_line(CSV_COLUMNS) + "\n")
            self._file.write((_csv_of if self._as_csv else _json_of)(reject) + "\n")
        self.count += 1
        self.reasons.add(reject)

    def commit(self) -> Path | None:
        """Move the file into place and return its path.

        Without rejects, return None and remove the rejects file of an earlier run at this path, which is out of date.
        """
        with self._translate_errors():
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
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EnvironmentFault(
                f"Cannot write the rejects file {self.path}: {error.strerror}. "
                "Check the folder's free space and permissions."
            ) from error


class RejectsList:
    """Keep rejects in memory."""

    def __init__(self) -> None:
        self.rows: list[Reject] = []
        self.reasons = Reasons()

    def add(self, reject: Reject) -> None:
        """Append one reject."""
        self.rows.append(reject)
        self.reasons.add(reject)


class RejectsStream:
    """Write rejects as JSON lines in ASCII to a stream immediately; the counterpart of ``RejectsFile``.

    ``add`` raises ``EnvironmentFault`` if the stream cannot be written to.
    """

    path = None

    def __init__(self, stream: TextIO) -> None:
        self.count = 0
        """Rejects added so far."""
        self.reasons = Reasons()
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # everything was flushed before
            self._stream.flush()

    def add(self, reject: Reject) -> None:
        """Write one reject."""
        try:
            self._stream.write(json.dumps(reject.entry()) + "\n")
            self._stream.flush()
        except OSError as error:
            raise EnvironmentFault(f"The rejected rows cannot be written: {error.strerror}.") from error
        self.count += 1
        self.reasons.add(reject)

    def commit(self) -> None:
        """Do nothing; rejects are already written."""


def _json_of(reject: Reject) -> str:
    return json.dumps(reject.entry(), ensure_ascii=False)


def _csv_of(reject: Reject) -> str:
    return csv_line(["" if value is None else safe_cell(str(value)) for value in reject.entry().values()])


def _is_rejects_file(path: Path) -> bool:
    """Whether ``path`` is a rejects file; no other file may be removed."""
    try:
        with open(path, "rb", opener=open_plainly) as file:
            return _BEGINNING.match(file.read(MAX_RAW_BYTES)) is not None
    except FileNotFoundError:
        return False
