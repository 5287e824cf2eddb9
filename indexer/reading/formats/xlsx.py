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
from statistics import median
from typing import IO, TYPE_CHECKING, Any, NamedTuple
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
_MAX_ROWS = 1_048_576
_MAX_PREAMBLE_ROWS = 20
_ZEROS = re.compile(r"0{2,}")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
"""How a workbook writes a character that XML cannot hold, and the line end CR."""
_UNSAVED = re.compile(
    rb"""<(?:\w+:)?c\b(?![^>]*\bt="str")[^>]*>\s*(?:<(?:\w+:)?f\b[^>]*/>|<(?:\w+:)?f\b[^>]*>[^<]*</(?:\w+:)?f>)"""
    rb"""\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</|</(?:\w+:)?c>)"""
)
"""A cell with a formula and no result; an empty result is one of a text."""
_MAX_FORMULA_BYTES = 1 << 16

Cell = str | Unusable | None


class SheetRow(NamedTuple):
    """A row that is not blank: its number in the sheet, and its cells without the blank ones at the end."""

    number: int
    cells: list[Cell]


class XlsxTable(CellTable):
    """The records of one sheet: the first one, or that of ``ReadOptions.sheet``."""

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
                self._rows = _rows(sheet, options.skip_lines)
                header = self._header(options)
                unsaved = _has_unsaved_formulas(sheet)
        except BaseException:
            self._file.close()
            raise
        if header is None:
            refuse_empty(self.name, options)
            self.choice = ColumnChoice((), not options.text_columns, options.id_column or None, False)
            return
        with self._translated():
            first = list(islice(self._rows, SAMPLE_ROWS))
        if options.header:
            self._refuse_preamble(header, first)
        self._rows = chain(first, self._rows)
        notes = []
        if others:
            listed = ", ".join(map(repr, others))
            notes.append(f"W_SHEETS: The sheet {sheet.title!r} of {self.name} is read; others, for --sheet: {listed}")
        if unsaved:
            notes.append(
                f"W_FORMULA: {self.name} has formulas without a result, which are read as blank. Open it in a "
                "spreadsheet program, save it, and read it again."
            )
        self.choose_columns(header, options, (_padded(row.cells, len(header)) for row in first), notes)

    def close(self) -> None:  # noqa: D102
        self._file.close()
        self._source.close()

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
                row = next(self._rows, None)
            if row is None:
                break
            self.line, cells = row
            if len(cells) > width:
                yield self._too_wide(cells)
            elif item := self.item(_padded(cells, width)):
                yield item
        self._source.refuse_if_changed()

    def _too_wide(self, cells: Sequence[Cell]) -> Reject:
        self.records += 1
        self.rows_in += 1
        texts = [cell if isinstance(cell, str) else "" for cell in cells]
        message = f"The record has {len(cells)} cells for {len(self.columns)} columns."
        return self._reject(texts, "E_EXTRA_CELL", message, None)

    def _sheet(self, options: ReadOptions) -> tuple[ReadOnlyWorksheet, list[str]]:
        """Return the sheet to read and, if none was asked for, the titles of the other visible ones."""
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
        chosen.reset_dimensions()  # what a file states about them may be wrong
        return chosen, [] if options.sheet is not None else [title for title in visible if title != chosen.title]

    def _header(self, options: ReadOptions) -> list[str] | None:
        """Return the cells of the header, blank ones if there is no header, or None for an empty sheet."""
        first = next(self._rows, None)
        if first is None:
            return None
        if not options.header:
            self._rows = chain([first], self._rows)
            return [""] * len(first.cells)
        self._header_row = first.number
        return [cell if isinstance(cell, str) else "" for cell in first.cells]

    def _refuse_preamble(self, header: Sequence[str], rows: Sequence[SheetRow]) -> None:
        """Refuse a sheet of which most rows are wider than the first, which is then a title, or lacks names."""
        width = int(median(len(row.cells) for row in rows)) if rows else 0
        if width <= len(header):
            return
        start = next((row for row in rows[:_MAX_PREAMBLE_ROWS] if len(row.cells) >= width), rows[0])
        shown = ", ".join(repr(cell) for cell in start.cells[:3] if isinstance(cell, str))
        raise InputRefused(
            f"The first row of {self.name} (row {self._header_row}) ends after column {len(header)}, but most "
            f"have {width} columns. If the names of the columns are in row {start.number} ({shown} …), use "
            f"--skip-lines {start.number - 1}, or skip_lines={start.number - 1} in Python; otherwise give every column "
            "a name.",
            "E_HEADER",
        )

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


def _rows(sheet: ReadOnlyWorksheet, skipped: int) -> Iterator[SheetRow]:
    """Yield the rows after the first ``skipped``; raises ``ValueError`` for more than a sheet holds."""
    for number, row in enumerate(sheet.iter_rows(), 1):
        if number > _MAX_ROWS:
            raise ValueError(f"a row beyond {_MAX_ROWS:,}")
        if number <= skipped:
            continue
        cells = [_text(cell) for cell in row]
        while cells and (cells[-1] is None or (isinstance(cells[-1], str) and not cells[-1].strip())):
            cells.pop()
        if cells:
            yield SheetRow(number, cells)


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
