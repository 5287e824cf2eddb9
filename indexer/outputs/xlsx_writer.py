"""Write a table as an Excel workbook in constant memory, by XlsxWriter.

Texts are text cells, so ids keep their zeros, and what looks like a formula is marked as text ("quote prefix"): neither
opening nor editing the cell runs it, and its value stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError, FileSizeError

from dedup.errors import UsageError
from indexer.outputs.csv import safe_cell
from indexer.outputs.destination import MADE_BY
from indexer.outputs.reasons import DIGITS
from indexer.outputs.table_files import Column, TableWriter

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
MAX_CHARACTERS = 32_767
"""What a sheet and a cell hold."""

_NOT_IN_XML = re.compile("[\ufffe\uffff]")
_RICH = ("<r>", "</r>")
"""XlsxWriter takes a text that begins and ends so for XML of its own and would not escape it."""
_WIDTH = 18
_REMEDY = "Leave the column out with --columns, or write CSV or Parquet."


class XlsxWriter(TableWriter):
    """A workbook with the sheet ``title``; rows that do not fit go on in a sheet ``title 2`` and so on."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], title: str, max_rows: int = MAX_ROWS) -> None:
        if len(columns) > MAX_COLUMNS:
            raise UsageError(f"XLSX holds {MAX_COLUMNS:,} columns, not {len(columns):,}. {_REMEDY}")
        self._columns, self._title, self._max_rows = columns, title, max_rows
        self._folder = TemporaryDirectory(prefix="neardup-xlsx-")
        self._book = xlsxwriter.Workbook(file, {"constant_memory": True, "tmpdir": self._folder.name})
        self._book.set_properties({"author": MADE_BY})
        self._heading = self._book.add_format({"bold": True, "quote_prefix": True})
        self._quoted = self._book.add_format({"quote_prefix": True})
        self._writes = [self._write_text if column.type is str else self._write_value for column in columns]
        self._sheets = 0
        self._next_sheet()

    def write(self, rows: Iterable[Sequence[Any]]) -> None:  # noqa: D102
        for cells in rows:
            if self._row == self._max_rows:
                self._end_sheet()
                self._next_sheet()
            for at, (cell, write) in enumerate(zip(cells, self._writes, strict=True)):
                if cell is not None and cell != "":
                    write(at, cell)
            self._row += 1

    def close(self) -> None:  # noqa: D102
        self._end_sheet()
        try:
            self._book.close()
        except FileCreateError as error:
            cause = error.args[0] if error.args else None
            raise (cause if isinstance(cause, OSError) else OSError(None, str(error))) from error
        except FileSizeError as error:
            raise UsageError("The workbook would exceed 4 GiB. Write CSV or Parquet.") from error

    def discard(self) -> None:  # noqa: D102
        for sheet in self._book.worksheets():
            with suppress(OSError, AttributeError):  # closed already
                sheet.row_data_fh.close()
        self._folder.cleanup()

    def _next_sheet(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet(self._title if self._sheets == 1 else f"{self._title} {self._sheets}")
        self._sheet.freeze_panes(1, 0)
        self._sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{MAX_ROWS}"})
        self._sheet.set_column(0, len(self._columns) - 1, _WIDTH)
        self._row = 0
        for at, column in enumerate(self._columns):
            self._write_text(at, column.name, self._heading)
        self._row = 1

    def _end_sheet(self) -> None:
        self._sheet.autofilter(0, 0, self._row - 1, len(self._columns) - 1)

    def _write_text(self, at: int, text: str, style: Any = None) -> None:  # noqa: ANN401 - a format of XlsxWriter
        if len(text) > MAX_CHARACTERS:
            name, size = self._columns[at].name, f"{len(text):,} characters"
            raise UsageError(f"A cell of column {name!r} has {size}; XLSX holds {MAX_CHARACTERS:,}. {_REMEDY}")
        if _NOT_IN_XML.search(text):
            raise UsageError(
                f"XLSX cannot hold a character of {text!r} in column {self._columns[at].name!r}. {_REMEDY}"
            )
        if text.startswith(_RICH[0]) and text.endswith(_RICH[1]):
            self._sheet.write_rich_string(self._row, at, text[:1], self._quoted, text[1:])
            return
        self._sheet.write_string(self._row, at, text, style or (self._quoted if safe_cell(text) != text else None))

    def _write_value(self, at: int, value: float | bool) -> None:
        if isinstance(value, bool):
            self._sheet.write_boolean(self._row, at, value)
        else:
            self._sheet.write_number(self._row, at, round(value, DIGITS))
