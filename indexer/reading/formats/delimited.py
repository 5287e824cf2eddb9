"""Read CSV, TSV and similar files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice

from dedup.errors import InputRefused
from indexer.reading.cell_warnings import CellWarnings
from indexer.reading.columns import Columns
from indexer.reading.formats import dialect
from indexer.reading.lines import ByteLines, Lines, RecordTooLong
from indexer.reading.rejects import Reject
from indexer.reading.rows import MAX_CELL_CHARACTERS, ColumnChoice, ReadOptions, Row, Table
from indexer.reading.streams import ByteSource


class DelimitedTable(Table):
    """The records of a CSV file; ``delimiter`` is None for a table of one column."""

    def __init__(self, source: ByteSource, text: ByteLines, options: ReadOptions) -> None:
        self._source = source
        self._options = options
        self._lines = Lines(text, options.quote)
        self.name, self.size, self.encoding = source.name, source.size, text.encoding
        for _ in islice(self._lines, options.skip_lines):
            self._lines.held.clear()
        first = text.head[options.skip_lines :][: dialect.SNIFFED_LINES]
        head = [line.decode(text.line_encoding, "backslashreplace") for line in first]
        sep_line = re.fullmatch(r'"?sep=([^"\r\n])"?\s*', head[0], re.IGNORECASE) if head else None
        if sep_line and sep_line[1] != options.quote:
            next(self._lines)
            self._lines.held.clear()
            del head[0]
            options = replace(options, delimiter=options.delimiter or sep_line[1])
        self._dialect = dialect.detect(self.name, head, options)
        self.delimiter = self._dialect.explicit_delimiter
        self._reader = self._dialect.reader(self._lines, strict=True)
        self._columns: Columns | None = None
        header = self._read_header()
        if header is None:
            self.choice = ColumnChoice((), not options.text_columns, options.id_column or None, False)
            return
        hint = partial(dialect.hint, head, options, options.quote)
        sample = dialect.records(head, self._dialect)[bool(options.header) :]
        self._columns = Columns(self.name, header, options, hint, sample)
        self.columns, self.choice = self._columns.names, self._columns.choice
        self._cell_warnings = CellWarnings(self.name, self.choice, self.columns, options.fix_mojibake)
        self._cell_warnings.general += [*text.warnings, *(self._columns.warnings if options.header else ())]

    def close(self) -> None:  # noqa: D102
        self._source.close()

    @property
    def bytes_read(self) -> int:  # noqa: D102
        return self._source.bytes_read

    @property
    def warnings(self) -> list[str]:  # noqa: D102
        return self._cell_warnings.messages(self.rows_in) if self._columns else empty_warning(self.name)

    def __iter__(self) -> Iterator[Row | Reject]:
        held = self._lines.held
        while self._columns is not None:
            try:
                for cells in self._reader:
                    item = self._item(cells)
                    held.clear()
                    if item is not None:
                        yield item
                return
            except (csv.Error, RecordTooLong) as error:
                item = self._unparsable(error)
                held.clear()
                yield item

    def _read_header(self) -> list[str] | None:
        """Return the cells of the header, blank cells if there is no header, or None for an empty file."""
        held = self._lines.held
        try:
            for cells in self._reader:
                if error := self._lines.error():
                    raise InputRefused(f"The header of {self.name} is bad. {error[1]}", error[0].removesuffix("_ROW"))
                if "".join(held).strip():
                    if not self._options.header:
                        self._lines.put_back(0)
                        return [""] * len(cells)
                    held.clear()
                    return cells
                held.clear()
        except (csv.Error, RecordTooLong) as failure:
            message = f"Cannot read the header of {self.name}. {self._reject_for(failure).message}"
            raise InputRefused(message, "E_HEADER") from failure
        refuse_empty(self.name, self._options)
        return None

    def _item(self, cells: list[str]) -> Row | Reject | None:
        """Return one record as a row or a reject; None for a blank line or a row of blank cells."""
        lines, columns = self._lines, self._columns
        assert columns is not None
        width = len(columns.names)
        if lines.errors and (error := lines.error()):
            return self._reject(error[0], error[1])
        if len(cells) < 2 and len(lines.held) == 1 and not lines.held[0].strip():
            return None
        if len(cells) < width and self._options.short_rows and len(lines.held) == 1:
            cells += [""] * (width - len(cells))
        if len(cells) > 1 and not any(map(str.strip, cells)):
            self._cell_warnings.skip_blank(lines.first)
            return None
        if len(cells) != width:
            if len(cells) < width or any(map(str.strip, cells[width:])):
                return self._wrong_width(cells)
            del cells[width:]
        external_id, raw, fields = columns.row_of(cells)
        line = lines.first
        if external_id is not None:
            external_id = self._cell_warnings.check_id(external_id, line)
            if not external_id or external_id.isspace():
                return self._reject("E_ID_EMPTY", "The id is empty.", self.choice.id)
        raw = self._cell_warnings.check_text(raw, fields, line)
        self.rows_in += 1
        record = lines.held[0] if len(lines.held) == 1 else "".join(lines.held)
        return Row(line, self.rows_in, external_id, raw, fields, record, lines.offset, self.name)

    def _wrong_width(self, cells: list[str]) -> Reject:
        if len(self._lines.held) > 1:  # probably an unclosed quote that took in the next records
            return self._unclosed()
        width, found = len(self.columns), len(cells)
        if found < width:
            message = (
                f"The record has {found} of {width} cells; the first missing one is {self.columns[found]!r}. If the "
                "writer leaves out empty cells at the end, use --short-rows, or short_rows=True in Python."
            )
            return self._reject("E_MISSING_CELL", message, self.columns[found])
        return self._reject("E_EXTRA_CELL", f"The record has {found} cells for {width} columns.")

    def _unparsable(self, error: Exception) -> Row | Reject:
        """Handle the first line of a record that cannot be parsed; its other lines are read again as new records."""
        if "expected after" in str(error) and self._options.lenient and self._columns is not None:
            self._lines.give_up()
            cells = self._dialect.split_leniently(self._lines.held[0])
            item = self._item(cells) if cells is not None else None
            return item or self._unclosed()
        return self._reject_for(error)

    def _reject_for(self, error: Exception) -> Reject:
        if isinstance(error, RecordTooLong) or len(self._lines.held) > 1 or "end of data" in str(error):
            return self._unclosed()
        if "field limit" in str(error):
            return self._reject("E_FIELD_TOO_LONG", f"A cell is longer than {MAX_CELL_CHARACTERS:,} characters.")
        message = (
            "Text follows a closing quote. Double the quotes inside a quoted cell. To accept them as they are, use "
            "--lenient, or lenient=True in Python; if quotes never enclose a cell, --quote '', or quote=''."
        )
        if '\\"' in self._lines.held[0] and not self._options.escape:
            message = (
                "Text follows a closing quote. If a backslash escapes quotes, use --escape '\\', or escape='\\\\' in "
                "Python."
            )
        return self._reject("E_QUOTE", message)

    def _unclosed(self) -> Reject:
        self._lines.give_up()
        message = f"The quote opened on line {self._lines.first} is not closed. Close it, or double it inside a cell."
        return self._reject("E_UNCLOSED_QUOTE", message)

    def _reject(self, error: str, message: str, column: str | None = None) -> Reject:
        lines = self._lines
        self.rows_in += 1
        raw = "".join(lines.held).rstrip("\r\n")
        return Reject(lines.first, self.rows_in, error, column, message, raw, lines.offset, self.name)


def refuse_empty(name: str, options: ReadOptions) -> None:
    """Raise ``InputRefused`` for an empty input unless ``options.allow_empty``."""
    if not options.allow_empty:
        raise InputRefused(
            f"{name} is empty, which usually means a failed export. To accept it, use --allow-empty, or "
            "allow_empty=True in Python.",
            "E_EMPTY",
        )


def empty_warning(name: str) -> list[str]:
    """Return the warning about an empty input."""
    return [f"W_EMPTY: {name} is empty; it has no rows."]
