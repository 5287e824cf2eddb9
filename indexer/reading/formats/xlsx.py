"""Read one sheet of an Excel workbook (XLSX), row by row."""

from __future__ import annotations

import datetime
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import chain, islice
from statistics import median_low
from typing import IO, TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from dedup.errors import InputRefused, UsageError
from indexer.reading import streams
from indexer.reading.cell_table import CellTable, Unusable
from indexer.reading.detection.roles import SAMPLE_ROWS
from indexer.reading.formats.delimited import empty_warning, refuse_empty
from indexer.reading.rejects import Reject
from indexer.reading.rows import MAX_CELL_CHARACTERS, ColumnChoice, ReadOptions, Row
from indexer.reading.streams import ByteSource

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

MAX_SHARED_BYTES = 256 << 20
"""Most decompressed bytes of the parts of a workbook that are held in memory: texts, styles, list of sheets."""

_DAMAGE = (  # what openpyxl raises for parts that are broken or contradict each other
    *(zipfile.BadZipFile, zlib.error, ParseError, EOFError, KeyError, ValueError, TypeError, IndexError),
    *(AttributeError, NotImplementedError, RuntimeError),
)
_ZEROS = re.compile(r"0{2,}")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
"""How a workbook writes a character that XML cannot hold, and the line end CR."""
_UNSAVED = re.compile(
    rb"""<(?:\w+:)?c\b(?![^>]*\bt="str")[^>]*>\s*(?:<(?:\w+:)?f\b[^>]*/>|<(?:\w+:)?f\b[^>]*>[^<]*</(?:\w+:)?f>)"""
    rb"""\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</|</(?:\w+:)?c>)"""
)
"""A cell with a formula and no result; an empty result is one of a text."""
_MAX_FORMULA_BYTES = 1 << 16
_MAX_ROWS = 1 << 20
"""Rows of a sheet in Excel."""
_COVER_ROWS = 10
"""A first sheet of one column and fewer rows is taken for a cover sheet if another one holds a table."""

Cell = str | Unusable | None
Record = tuple[int, list[Cell]]
"""The number of a row, and its cells."""


class XlsxTable(CellTable):
    """The records of one sheet: the first one, or that of ``ReadOptions.sheet``. Their lines are its rows."""

    def __init__(self, source: ByteSource, options: ReadOptions) -> None:
        self._source = source
        self.name, self.size = source.name, source.size
        descriptor = source.file_descriptor()
        self._file: IO[bytes] = source.spooled() if descriptor is None else os.fdopen(os.dup(descriptor), "rb")
        try:
            _check(self.name, self._file)
            if find_spec("openpyxl") is None:
                raise UsageError(f"{self.name} is an Excel workbook; run: pip install 'neardup[xlsx]'")
            with self._translated():
                sheet, others = self._sheet(options)
                self._rows = _rows_from(sheet, options.skip_lines)
                first = list(islice(self._rows, SAMPLE_ROWS + 1))
                self._refuse_cover(sheet, others, first)
                header = self._header(options, first)
                unsaved = _has_unsaved_formulas(sheet)
        except BaseException:
            self._file.close()
            raise
        if header is None:
            refuse_empty(self.name, options)
            self.choice = ColumnChoice((), not options.text_columns, options.id_column or None, False)
            return
        note = f"W_SHEETS: The sheet {sheet.title!r} of {self.name} is read; others, for --sheet: "
        self._line = first[0][0] - (not options.header)
        records = first[options.header :]
        self._rows = chain(records, self._rows)
        sample = (_padded(cells, len(header)) for _, cells in records)
        notes = [note + ", ".join(repr(other.title) for other in others)] if others else []
        if unsaved:
            notes.append(
                f"W_FORMULA: {self.name} has formulas without a result, which are read as blank. Open it in a "
                "spreadsheet program, save it, and read it again."
            )
        self.choose_columns(header, options, sample, notes)

    def close(self) -> None:  # noqa: D102
        self._file.close()
        self._source.close()

    @property
    def line(self) -> int:  # noqa: D102
        return self._line

    @property
    def bytes_read(self) -> int:  # noqa: D102
        return self.size or 0

    @property
    def warnings(self) -> list[str]:  # noqa: D102
        return super().warnings if self.columns else empty_warning(self.name)

    def __iter__(self) -> Iterator[Row | Reject]:
        width = len(self.columns)
        while width:
            with self._translated():
                line, cells = next(self._rows, (0, []))
            if not line:
                break
            self._skip_blank_before(line)
            self._line = line
            if len(cells) > width:
                yield self._too_wide(cells)
            elif item := self.item(_padded(cells, width)):
                yield item
        self._source.refuse_if_changed()

    def _skip_blank_before(self, line: int) -> None:
        for blank in range(self._line + 1, line):
            self._cell_warnings.skip_blank(blank)

    def _too_wide(self, cells: Sequence[Cell]) -> Reject:
        self.records += 1
        self.rows_in += 1
        texts = [cell if isinstance(cell, str) else "" for cell in cells]
        message = f"The record has {len(cells)} cells for {len(self.columns)} columns."
        return self._reject(texts, "E_EXTRA_CELL", message, None)

    def _sheet(self, options: ReadOptions) -> tuple[ReadOnlyWorksheet, list[ReadOnlyWorksheet]]:
        """Return the sheet to read and, if none was asked for, the other visible ones."""
        from openpyxl import load_workbook

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions, which are not read
            book = load_workbook(self._file, read_only=True, data_only=True, keep_links=False)
        sheets = {sheet.title: sheet for sheet in book.worksheets}
        visible = [title for title, sheet in sheets.items() if sheet.sheet_state == "visible"] or list(sheets)
        if not visible:
            message = f"{self.name} has no sheet with cells. Save it again as an Excel workbook (.xlsx), or as CSV."
            raise InputRefused(message, "E_SHEET")
        if options.sheet is not None and options.sheet not in sheets:
            listed = ", ".join(map(repr, sheets))
            raise InputRefused(
                f"{self.name} has no sheet {options.sheet!r}; it has {listed}. Choose one with --sheet, or sheet= in "
                "Python.",
                "E_SHEET",
            )
        chosen = sheets[visible[0] if options.sheet is None else options.sheet]
        return chosen, [] if options.sheet is not None else [
            sheets[title] for title in visible if title != chosen.title
        ]

    def _refuse_cover(
        self, sheet: ReadOnlyWorksheet, others: Sequence[ReadOnlyWorksheet], first: Sequence[Record]
    ) -> None:
        """Refuse to take a cover sheet for the table if another sheet has several columns."""
        if len(first) >= _COVER_ROWS or any(len(cells) > 1 for _, cells in first):
            return
        tables = [other.title for other in others if any(len(cells) > 1 for _, cells in islice(_rows_from(other), 3))]
        if tables:
            raise InputRefused(
                f"The first sheet of {self.name}, {sheet.title!r}, holds no table, but others do. Choose one with "
                f"--sheet, or sheet= in Python: {', '.join(map(repr, tables))}.",
                "E_SHEET",
            )

    def _header(self, options: ReadOptions, first: Sequence[Record]) -> list[str] | None:
        """Return the cells of the header, blank ones if there is no header, or None for an empty sheet."""
        if not first:
            return None
        _, cells = first[0]
        if not options.header:
            return [""] * len(cells)
        usual = median_low(len(row) for _, row in first)
        if len(cells) < usual:
            line, names = next((line, row) for line, row in first if len(row) >= usual)
            shown = ", ".join(repr(cell) for cell in names[:3] if isinstance(cell, str))
            raise InputRefused(
                f"The first row of {self.name} has fewer cells ({len(cells)}) than most rows ({usual}). If the table "
                f"begins with row {line} ({shown} …), use --skip-lines {line - 1}, or skip_lines={line - 1} in Python.",
                "E_HEADER",
            )
        return [cell if isinstance(cell, str) else "" for cell in cells]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with self._source.translate_errors():
            try:
                yield
            except (*_DAMAGE, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # of the disk; openpyxl raises others
                why = " ".join(str(error).split())[:200] or type(error).__name__
                message = f"{self.name} is not a valid Excel workbook ({why.rstrip('.')}). Save it again."
                raise InputRefused(message, "E_XLSX") from error


def _has_unsaved_formulas(sheet: ReadOnlyWorksheet) -> bool:
    """Whether a formula of a sheet has no result: a program wrote it, and no spreadsheet program computed it."""
    held = b""
    with sheet._get_source() as part:
        while data := part.read(1 << 20):
            held += data
            if _UNSAVED.search(held):
                return True
            held = held[-_MAX_FORMULA_BYTES:]
    return False


def _rows_from(sheet: ReadOnlyWorksheet, skip_lines: int = 0) -> Iterator[Record]:
    """Yield the rows after the first ``skip_lines`` that are not blank, without the blank cells at their end."""
    sheet.reset_dimensions()  # what a file states about them may be wrong
    for line, row in enumerate(sheet.iter_rows(), 1):
        if line > _MAX_ROWS:
            raise ValueError(f"a row after the last possible one, {_MAX_ROWS:,}")
        cells = [_text(cell) for cell in row]
        while cells and (cells[-1] is None or (isinstance(cells[-1], str) and not cells[-1].strip())):
            cells.pop()
        if cells and line > skip_lines:
            yield line, cells


def _padded(cells: Sequence[Cell], width: int) -> list[Cell]:
    return [*cells, *[None] * (width - len(cells))]


def _check(name: str, file: IO[bytes]) -> None:
    """Refuse what is no workbook, or would take too much memory; the sizes stated are the most that is decompressed."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
        if any(part.header_offset < 0 for part in parts):
            raise zipfile.BadZipFile("a part before its start")
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        message = f"{name} is a damaged zip archive or Excel workbook ({error}). Get a new copy."
        raise InputRefused(message, "E_BINARY") from error
    if not any(part.filename.lower() == "xl/workbook.xml" for part in parts):
        message = f"{name} is a zip archive. Extract or export the table, for example as CSV."
        raise InputRefused(message, "E_BINARY")
    size, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
    shared = sum(part.file_size for part in parts if not part.filename.lower().startswith("xl/worksheets/"))
    if shared > MAX_SHARED_BYTES or (size > streams.RATIO_FLOOR_BYTES and size > streams.MAX_RATIO * packed):
        raise InputRefused(
            f"{name} decompresses to {size:,} bytes, more than {streams.MAX_RATIO} times its size or than memory "
            "should hold. If that is expected, export it as CSV.",
            "E_COMPRESSION_RATIO",
        )


def _text(cell: Any) -> Cell:  # noqa: ANN401 - a cell of openpyxl
    """Return a cell as text: numbers in their shortest form or with the zeros of their format, dates in ISO 8601."""
    value = cell.value
    if value is None:
        return None
    if isinstance(value, str):
        value = _unescaped(value) if "_x" in value else value
        return value if len(value) <= MAX_CELL_CHARACTERS else Unusable("E_FIELD_TOO_LONG", value[:100])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return (value.date() if value.time() == datetime.time() else value).isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    zeros = isinstance(value, int) and _ZEROS.fullmatch(cell.number_format or "")
    return str(value).zfill(len(zeros[0])) if zeros else str(value)


def _unescaped(text: str) -> str:
    r"""Return a text with its escaped characters: ``_x000D_`` is CR, and ``_x005F_`` an underscore."""
    units = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
