"""The table of rows and rejects that every reader returns, and the options for reading it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self, TypedDict

from indexer.outputs.csv import csv_line
from indexer.reading.rejects import Reject

CHUNK_BYTES = 1 << 20
"""Bytes read at a time."""
MAX_CELL_CHARACTERS = 1 << 20
MAX_COLUMNS = 4096


class Row(NamedTuple):
    """One accepted record.

    ``raw`` is its text as read, ``fields`` the columns that are neither text nor id, and ``record`` the whole record as
    it is in the file, or its cells if it comes from Parquet or a database. ``line``, ``record_no``, ``byte_offset`` and
    ``file`` are as in ``Reject``.
    """

    line: int
    record_no: int
    external_id: str | None
    raw: str
    fields: dict[str, str]
    record: str | Sequence[str]
    byte_offset: int | None = None
    file: str | None = None

    def reject(self, error: str, column: str | None, message: str) -> Reject:
        """Return this row as a reject."""
        raw = self.record if isinstance(self.record, str) else csv_line(self.record)
        return Reject(
            self.line, self.record_no, error, column, message, raw.rstrip("\r\n"), self.byte_offset, self.file
        )


FieldKinds = tuple[tuple[str, str], ...]
"""Columns that serve as evidence, each with its kind (``dedup.evidence.fields.FieldKind``)."""


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """The text and id columns, and whether each was guessed rather than requested.

    ``fields`` are the further columns that serve as evidence, each with its kind; ``kinds_found`` those of them whose
    kind was found and not requested; ``fields_missing`` those that the source had before and the input lacks.
    """

    text: tuple[str, ...]
    text_guessed: bool
    id: str | None
    id_guessed: bool
    fields: FieldKinds = ()
    kinds_found: tuple[str, ...] = ()
    fields_missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How to read an input; whatever is None or empty is detected.

    ``id_column=""`` means that there is no id column, and ``quote=""`` that no cell is quoted. ``known_text`` and
    ``known_id`` (likewise) are the columns that the source had before: they are taken where none are requested and the
    input has them. ``field_columns`` are further columns that serve as evidence, each with its kind, or None to find
    it; ``NAME:KIND`` is a name with its kind unless a column is called so, and an empty name means that there are none.
    ``known_fields`` are those of before. ``encoding="auto"`` guesses the encoding of a file that is not UTF-8.
    ``delimiter``, ``quote``, ``escape``, ``lenient`` and ``short_rows`` (missing cells at the end of a row are empty)
    apply to CSV only, ``sheet`` to Excel workbooks (default: the first one), ``header`` and ``skip_lines`` to both.
    ``find_text`` returns the places of the text columns where none are requested, given the header and the first rows.
    ``chunk_bytes`` are read at a time; encoding and delimiter are detected in the first chunk.
    """

    text_columns: Sequence[str] = ()
    id_column: str | None = None
    known_text: Sequence[str] = ()
    known_id: str | None = None
    field_columns: Sequence[tuple[str, str | None]] = ()
    known_fields: FieldKinds = ()
    encoding: str | None = None
    delimiter: str | None = None
    quote: str = '"'
    header: bool = True
    skip_lines: int = 0
    lenient: bool = False
    escape: str = ""
    sheet: str | None = None
    short_rows: bool = False
    fix_mojibake: bool = False
    allow_empty: bool = False
    chunk_bytes: int = CHUNK_BYTES
    find_text: Callable[[Sequence[str], Sequence[Sequence[str]]], Sequence[int]] | None = None

    def requested(self) -> list[str]:
        """Return the columns that must exist."""
        return [*self.text_columns, *([self.id_column] if self.id_column else [])]


class ReadingOptions(TypedDict, total=False):
    """How to read a file; what is not given is detected. See docs/cli.md."""

    encoding: str
    delimiter: str
    quote: str
    header: bool
    skip_lines: int
    lenient: bool
    escape: str
    short_rows: bool
    sheet: str | None
    fix_mojibake: bool
    allow_empty: bool


class Table(ABC):
    """The records of one input; iterate over it once. A context manager.

    Attributes:
        name: The name of the input for messages.
        columns: The column names, made distinct; empty for an empty input (``ReadOptions.allow_empty``).
        choice: The text and id columns.
        size: The size of the input on disk in bytes, or None if it has none.
        rows_in: The number of records yielded so far, rows and rejects.
        rows_of: The same by input name, if several inputs are read as one.

    Iterating raises ``InputRefused`` if the rest of the input cannot be read and ``EnvironmentFault`` if the disk
    fails. The caller should then discard the records yielded before.
    """

    name: str
    size: int | None = None
    columns: tuple[str, ...] = ()
    choice: ColumnChoice
    rows_in: int = 0
    rows_of: Mapping[str, int] = MappingProxyType({})

    @property
    @abstractmethod
    def bytes_read(self) -> int:
        """Bytes read so far of the input on disk, which may be compressed."""

    @property
    @abstractmethod
    def warnings(self) -> list[str]:
        """The warnings so far, one message each; complete after the last record."""

    @abstractmethod
    def __iter__(self) -> Iterator[Row | Reject]: ...

    @abstractmethod
    def close(self) -> None:
        """Close the input, if it is still open; standard input stays open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
