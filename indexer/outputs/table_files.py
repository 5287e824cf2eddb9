"""The one writer of tables as files: CSV, TSV, JSON Lines, XLSX and Parquet, row by row.

Text cells stay text, and numbers are numbers where a format knows them. Nothing is cut or changed to fit: what a format
cannot hold is refused.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO, cast

from dedup.errors import UsageError
from indexer.outputs.csv import csv_line, guard
from indexer.outputs.decimal_marks import decimal_mark
from indexer.outputs.reasons import DIGITS


class TableFormat(StrEnum):
    """Formats of a table in a file; the name is the suffix."""

    csv = "csv"
    tsv = "tsv"
    jsonl = "jsonl"
    xlsx = "xlsx"
    parquet = "parquet"

    @property
    def is_delimited(self) -> bool:
        """Whether the file is CSV or TSV, which take a delimiter, a BOM and a decimal mark."""
        return self in (TableFormat.csv, TableFormat.tsv)

    @property
    def is_text(self) -> bool:
        """Whether the file is text, which may go to a terminal."""
        return self.is_delimited or self is TableFormat.jsonl


_NEEDED = {TableFormat.xlsx: ("xlsxwriter", "xlsx"), TableFormat.parquet: ("pyarrow", "parquet")}
"""The module and the extra of neardup that a format needs."""
_BOM = "\ufeff"


class Column(NamedTuple):
    """A column of a table: the type of its cells is str, float, int or bool; a cell may also be None."""

    name: str
    type: type = str


@dataclass(frozen=True, slots=True)
class Style:
    """How cells are written.

    Attributes:
        raw: Whether CSV cells have no guard against formulas (``outputs.csv``).
        delimiter: Delimiter of CSV; None is the usual one: a comma, or a semicolon beside a decimal comma.
        bom: Whether the file begins with a byte-order mark, by which Excel knows UTF-8.
        decimal: The decimal mark.

    """

    raw: bool = False
    delimiter: str | None = None
    bom: bool = False
    decimal: str = "."

    @property
    def is_of_csv(self) -> bool:
        """Whether the style asks for what only CSV and TSV have."""
        return bool(self.delimiter or self.bom or self.decimal != ".")

    def delimiter_of(self, layout: TableFormat) -> str:
        """Return the delimiter of a text format."""
        usual = "\t" if layout is TableFormat.tsv else ";" if self.decimal == "," else ","
        return self.delimiter or usual


def style_of(*, raw: bool = False, delimiter: str | None = None, bom: bool = False, locale: str | None = None) -> Style:
    """Return the style that options ask for; ``locale`` gives the decimal mark.

    Raises ``UsageError``: the delimiter cannot be one, or the locale is not known.
    """
    character = "\t" if delimiter in ("\\t", "tab") else delimiter
    if character is not None and not _may_delimit(character):
        raise UsageError(f"Cells cannot be delimited by {delimiter!r}; give one character such as ';', '|' or tab.")
    return Style(raw, character, bom, "." if locale is None else decimal_mark(locale))


def _may_delimit(character: str) -> bool:
    is_line_end = len(f"{character}.".splitlines()) > 1
    return len(character) == 1 and not (is_line_end or character.isalnum() or character in "\"' +-.=@_\0\ufeff")


def require(layout: str, style: Style) -> None:
    """Raise ``UsageError`` unless a format can be written so, and the library that it needs is installed.

    A delimiter, a byte-order mark and a decimal mark are for CSV and TSV, which has tabs.
    """
    if layout == TableFormat.tsv and style.delimiter not in (None, "\t"):
        raise UsageError(f"TSV is delimited by tabs, not by {style.delimiter!r}; write CSV instead.")
    if layout not in (TableFormat.csv, TableFormat.tsv) and style.is_of_csv:
        raise UsageError(f"A delimiter, a byte-order mark and a locale are for CSV and TSV, not for {layout}.")
    module, extra = _NEEDED.get(cast(TableFormat, layout), ("sys", ""))
    if find_spec(module) is None:
        raise UsageError(f"Writing {layout} needs {module}; run: pip install 'neardup[{extra}]'")


def suffix_of(path: Path, option: str, formats: Sequence[str]) -> str | None:
    """Return the format that the suffix of a file names, one of ``formats``; None if it has no suffix.

    Raises ``UsageError``: nobody knows the suffix.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if not suffix or suffix in formats:
        return suffix or None
    known = ", ".join(f".{name}" for name in formats)
    raise UsageError(
        f"{option} {path}: files that end in .{suffix} are not written. End the name in one of {known}, or name the "
        "format with --format."
    )


def preparing(layout: TableFormat, style: Style) -> Callable[[str], str]:
    """Return what makes of any text a cell that ``TableWriter.write`` takes; a cell in many rows is prepared once."""
    return guard(raw=style.raw or not layout.is_delimited, delimiter=style.delimiter_of(layout))


class TableWriter(ABC):
    """Writes rows of cells, prepared by ``preparing``, in the order of the columns."""

    @abstractmethod
    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write rows."""

    @abstractmethod
    def close(self) -> None:
        """Write what is left; the file stays open."""

    @abstractmethod
    def discard(self) -> None:
        """Release what is open; the file is not complete."""


@contextmanager
def table_writer(
    file: TextIO, layout: TableFormat, columns: Sequence[Column], style: Style, title: str
) -> Iterator[TableWriter]:
    """Yield the writer of a table to ``file``, whose bytes are written if the format is binary.

    The names of the columns are prepared here. ``title`` names the sheet of a workbook.

    Raises:
        UsageError: the library of the format is not installed, the file is a terminal and the format is binary, or the
            format cannot hold a cell or so many columns.
        OSError: the file cannot be written.
    """
    require(layout, style)
    if layout.is_text:
        yield _DelimitedWriter(file, layout, columns, style) if layout.is_delimited else _JsonLinesWriter(file, columns)
        return
    if file.isatty():
        raise UsageError(f"{layout} is not for a terminal; name a file with --output, or redirect the output.")
    file.flush()
    with _seekable(file) as binary:
        writer: TableWriter
        if layout is TableFormat.xlsx:
            from indexer.outputs.xlsx_writer import XlsxWriter

            writer = XlsxWriter(binary, columns, title)
        else:
            from indexer.outputs.parquet_writer import ParquetWriter

            writer = ParquetWriter(binary, columns)
        try:
            yield writer
            writer.close()
        finally:
            writer.discard()


class _DelimitedWriter(TableWriter):
    """CSV and TSV."""

    def __init__(self, file: TextIO, layout: TableFormat, columns: Sequence[Column], style: Style) -> None:
        self._file = file
        self._delimiter = style.delimiter_of(layout)
        shown: dict[type, Callable[[Any], str]] = {
            float: _decimal_comma if style.decimal == "," else _decimal_point,
            int: str,
            bool: _truth,
        }
        self._shown = [(at, shown[column.type]) for at, column in enumerate(columns) if column.type is not str]
        prepare = preparing(layout, style)
        head = csv_line([prepare(column.name) for column in columns], self._delimiter)
        file.write(f"{_BOM if style.bom else ''}{head}\n")

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        self._file.writelines(map(self._line, rows))

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass

    def _line(self, row: Sequence[Any]) -> str:
        cells = list(row)
        for at, shown in self._shown:
            if (value := cells[at]) is not None:
                cells[at] = shown(value)
        if None in cells:
            cells = ["" if cell is None else cell for cell in cells]
        return f"{csv_line(cells, self._delimiter)}\n"


class _JsonLinesWriter(TableWriter):
    """An object a line, with every column; an empty cell of a number or a truth value is null."""

    def __init__(self, file: TextIO, columns: Sequence[Column]) -> None:
        self._file, self._names = file, [column.name for column in columns]

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        self._file.writelines(map(self._line, rows))

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass

    def _line(self, row: Sequence[Any]) -> str:
        cells = (round(cell, DIGITS) if isinstance(cell, float) else cell for cell in row)
        return json.dumps(dict(zip(self._names, cells, strict=True)), ensure_ascii=False) + "\n"


@contextmanager
def _seekable(file: TextIO) -> Iterator[BinaryIO]:
    """Yield the bytes of a file; those of a pipe are collected first, because a format's end refers to its start."""
    binary = file.buffer
    if binary.seekable():
        yield binary
        return
    with tempfile.TemporaryFile() as waiting:
        yield cast(BinaryIO, waiting)
        waiting.seek(0)
        shutil.copyfileobj(waiting, binary)


def _decimal_point(value: float) -> str:
    return f"{value:.6f}"


def _decimal_comma(value: float) -> str:
    return f"{value:.6f}".replace(".", ",")


def _truth(value: bool) -> str:
    return "true" if value else "false"
