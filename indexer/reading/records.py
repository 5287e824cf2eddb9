"""What every reader gives: a table of records, each a row or a reject."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

from indexer.outputs.csv import csv_line
from indexer.reading.rejects import Reject

MAX_CELL_CHARACTERS = 1 << 20
MAX_COLUMNS = 4096


class Row(NamedTuple):
    """One accepted record: ``raw`` is its text as read, ``fields`` the columns that are neither text nor id.

    ``line``, ``record_no``, ``byte_offset`` and ``file`` are as in ``Reject``. ``record`` is the record as it
    stands in the file or, where it has no text there (Parquet, a database), its cells.
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
        """Return the reject that stands for this row."""
        raw = self.record if isinstance(self.record, str) else csv_line(self.record)
        return Reject(
            self.line, self.record_no, error, column, message, raw.rstrip("\r\n"), self.byte_offset, self.file
        )


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """The columns in use, and whether each was guessed rather than asked for."""

    text: tuple[str, ...]
    text_guessed: bool
    id: str | None
    id_guessed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How to read an input; what is None or empty is found.

    ``id_column=""`` means that there is no id column. ``encoding="auto"`` takes a guess where UTF-8 does not
    fit; ``quote=""`` means that nothing is quoted. ``delimiter``, ``quote``, ``header``, ``skip_lines`` and
    ``lenient`` are for CSV only.
    """

    text_columns: Sequence[str] = ()
    id_column: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str = '"'
    header: bool = True
    skip_lines: int = 0
    lenient: bool = False
    fix_mojibake: bool = False
    allow_empty: bool = False


class Table(ABC):
    """The records of one input, to be iterated over once; a context manager.

    ``columns`` are the names of its columns, made distinct, and empty if the input is empty and may be;
    ``choice`` says which are used. ``size`` is the length of the input in bytes as it lies on disk, None if
    it has none. ``rows_in`` counts the records given so far, whether as ``Row`` or as ``Reject``; of several
    inputs that are read as one, ``rows_of`` counts them by the name of the input.

    Iterating raises ``InputRefused`` when the rest of the input cannot be read and ``EnvironmentFault`` when
    the disk fails. What came before is then only a part of the input, and should be taken back.
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
        """Bytes consumed of the input as it lies on disk, compressed or not."""

    @property
    @abstractmethod
    def warnings(self) -> list[str]:
        """What deserves to be looked at so far, a sentence each; complete after the last record."""

    @abstractmethod
    def __iter__(self) -> Iterator[Row | Reject]: ...

    @abstractmethod
    def close(self) -> None:
        """Let go of the input, if that was not done before; standard input stays open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
