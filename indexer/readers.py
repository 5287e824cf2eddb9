"""Read a table of texts: CSV, plain or gzipped, from a file or standard input.

``open_table`` is the only way in; a reader of another format would give the same ``Table``. Everything is
text, and nothing is guessed inside a cell. A fault of the whole input raises ``InputRefused``. A fault of one
record gives a ``Reject`` in its place: every record comes out exactly once, as a ``Row`` or as a ``Reject``.
What a text means, and whether ids repeat, is the business of the caller.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from dedup.errors import InputRefused, UsageError
from indexer import byte_lines
from indexer.byte_lines import DELIMITERS, Input
from indexer.rejects import Reject

MAX_CELL_CHARACTERS = 1 << 20
MAX_COLUMNS = 4096
MAX_RECORD_LINES = 200
"""Lines that one record may span; a quote that is open for longer was never meant to be."""
TEXT_NAMES = (
    *("name", "companyname", "company", "organisationname", "organizationname", "organisation"),
    *("organization", "employername", "employer", "businessname", "legalname", "entityname", "title", "text"),
)
"""Column names taken for the text, best first, compared by letters and digits only."""
ID_NAMES = ("id", "recordid", "uuid")

_NO_DELIMITER = "\ud800"  # for a table of one column: no decoded text can hold this character
_SNIFFED_RECORDS = 1000


class Row(NamedTuple):
    """One accepted record: ``raw`` is its text as read, ``fields`` the columns that are neither text nor id.

    ``line`` and ``record_no`` are as in ``Reject``; ``cells`` are all cells in the order of the file.
    """

    line: int
    record_no: int
    external_id: str | None
    raw: str
    fields: dict[str, str]
    cells: list[str]

    def reject(self, error: str, column: str | None, message: str) -> Reject:
        """Return the reject that stands for this row, its record written as CSV."""
        record = io.StringIO()
        csv.writer(record).writerow(self.cells)
        raw = record.getvalue().removesuffix("\r\n")
        return Reject(self.line, self.record_no, error, column, message, raw)


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns in use, and whether each was guessed rather than asked for."""

    text: tuple[str, ...]
    text_guessed: bool
    id: str | None
    id_guessed: bool


class _Lines:
    """Decoded lines for ``csv.reader``; those of the record in hand are held and can be put back."""

    def __init__(self, source: Input) -> None:
        self._input = source
        self._texts = self._decoded()
        self._back: deque[str] = deque()
        self.number = 0
        """Number of the line given last."""
        self.held: list[str] = []
        """Lines given since it was last cleared."""
        self.faults: dict[int, tuple[str, str]] = {}
        """Error and message of the lines that cannot be used, by line number; their text is a stand-in."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        held = self.held
        if held and (len(held) >= MAX_RECORD_LINES or sum(map(len, held)) > byte_lines.MAX_LINE_BYTES):
            raise csv.Error("record too long")
        text = self._back.popleft() if self._back else next(self._texts)
        self.number += 1
        held.append(text)
        return text

    def put_back(self) -> bool:
        """Put back all held lines but the first; False if there was only the first."""
        rest = self.held[1:]
        self._back.extendleft(reversed(rest))
        self.number -= len(rest)
        del self.held[1:]
        return bool(rest)

    def fault(self) -> tuple[str, str] | None:
        """Return the first fault among the held lines."""
        numbers = range(self.number - len(self.held) + 1, self.number + 1)
        return next((self.faults[number] for number in numbers if number in self.faults), None)

    def _decoded(self) -> Iterator[str]:
        number = 0
        decode = bytes.decode if self._input.line_encoding == "utf-8" else self._input.decode
        for lines in self._input.lines():
            self.faults = {at: fault for at, fault in self.faults.items() if at > number - MAX_RECORD_LINES}
            try:
                texts = list(map(decode, lines))
                sound = "\0" not in "".join(texts) and max(map(len, lines), default=0) <= byte_lines.MAX_LINE_BYTES
            except UnicodeError:
                sound = False
            if not sound:
                texts = [self._input.checked(at, line, self.faults) for at, line in enumerate(lines, number + 1)]
            number += len(lines)
            yield from texts


def _names(cells: Sequence[str]) -> list[str]:
    """Column names of a header: spaces collapsed, a blank one named by its place."""
    return [" ".join(cell.split()) or f"column_{place}" for place, cell in enumerate(cells, 1)]


def _distinct(names: Sequence[str]) -> list[str]:
    """Add ``_2``, ``_3`` … to names that came before."""
    distinct: list[str] = []
    for name in names:
        tries = chain([name], (f"{name}_{copy}" for copy in range(2, len(names) + 2)))
        distinct.append(next(candidate for candidate in tries if candidate not in distinct))
    return distinct


def _find(columns: Sequence[str], asked: str) -> list[int]:
    """Places of the columns called ``asked``: to the letter or, failing that, in any case."""
    asked = " ".join(asked.split())
    exact = [place for place, name in enumerate(columns) if name == asked]
    return exact or [place for place, name in enumerate(columns) if name.casefold() == asked.casefold()]


def _guess(columns: Sequence[str], known: Sequence[str]) -> str | None:
    keys = {re.sub(r"[\W_]+", "", name).casefold(): name for name in reversed(columns)}
    return next((keys[name] for name in known if name in keys), None)


def _guess_text(columns: Sequence[str]) -> str | None:
    """Return the column with a telling name, else the only column, else the only one that is no id."""
    others = [name for name in columns if _guess([name], ID_NAMES) is None] if len(columns) > 1 else columns
    return _guess(columns, TEXT_NAMES) or (others[0] if len(others) == 1 else None)


def _fit(lines: Sequence[str], delimiter: str, wanted: Sequence[str]) -> tuple[bool, int, float]:
    """How a delimiter suits: all wanted columns are there, columns, share of records with as many cells."""
    try:
        parsed = csv.reader(lines, delimiter=delimiter)
        filled = (record for record in parsed if len(record) > 1 or "".join(record).strip())
        records = list(islice(filled, _SNIFFED_RECORDS))
    except csv.Error:
        return False, 0, 0.0
    if not records:
        return False, 0, 0.0
    columns, width = _names(records[0]), len(records[0])
    agreement = sum(len(record) == width for record in records) / len(records)
    return all(_find(columns, name) for name in wanted), width, agreement


def _guess_delimiter(name: str, lines: Sequence[str], wanted: Sequence[str]) -> str:
    """Return the delimiter with which the wanted columns are there and most records fit the header."""
    fits = [(_fit(lines, delimiter, wanted), delimiter) for delimiter in DELIMITERS]
    ranked = [(there, agreement, delimiter) for (there, width, agreement), delimiter in fits if width > 1]
    ranked.sort(reverse=True)
    if not ranked or (not ranked[0][0] and _fit(lines, _NO_DELIMITER, wanted)[0]):
        return _NO_DELIMITER
    if len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]:
        message = f"{name} can be cut at {ranked[0][2]!r} and at {ranked[1][2]!r}. Choose with --delimiter."
        raise InputRefused(message, "E_DELIMITER")
    return ranked[0][2]


class Table:
    """The records of one input, to be iterated over once; a context manager, made by ``open_table``.

    ``columns`` are the names in the header, made distinct; ``choice`` says which are used; ``delimiter`` is
    None for a table of one column. ``size`` is the length of the file in bytes as it lies on disk, None if
    it has none, and ``bytes_read`` how much of it was consumed. ``rows_in`` counts the records given so far,
    whether as ``Row`` or as ``Reject``.

    Iterating raises ``InputRefused`` when the rest of the input cannot be read and ``EnvironmentFault`` when
    the disk fails. What came before is then only a part of the input, and should be taken back.
    """

    def __init__(
        self, source: Input, text_columns: Sequence[str], id_column: str | None, delimiter: str | None
    ) -> None:
        self._input = source
        self._lines = _Lines(source)
        self.name, self.size, self.encoding = source.name, source.size, source.encoding
        self.rows_in = 0
        head = [line.decode(source.line_encoding, "backslashreplace") for line in source.head]
        if head and (stated := re.fullmatch(r'"?sep=(.)"?\s*', head[0], re.IGNORECASE)):
            delimiter = delimiter or stated[1]
            next(self._lines)
            self._lines.held.clear()
            del head[0]
        wanted = [*text_columns, *([] if id_column is None else [id_column])]
        used = delimiter or _guess_delimiter(self.name, head, wanted)
        self.delimiter = None if used == _NO_DELIMITER else used
        self._reader = csv.reader(self._lines, delimiter=used, strict=True)
        self._header = self._read_header()
        self._hint = next((f" It has one with --delimiter {d!r}." for d in DELIMITERS if _fit(head, d, wanted)[0]), "")
        self.columns = tuple(_distinct(self._header))
        self._choose(text_columns, id_column)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._input.close()

    @property
    def bytes_read(self) -> int:
        """Bytes consumed of the input as it lies on disk, compressed or not."""
        return self._input.bytes_read

    def __iter__(self) -> Iterator[Row | Reject]:
        held = self._lines.held
        while True:
            try:
                for cells in self._reader:
                    item = self._item(cells)
                    held.clear()
                    if item is not None:
                        yield item
                return
            except csv.Error as error:
                item = self._broken(str(error))
                held.clear()
                yield item

    def _read_header(self) -> list[str]:
        held = self._lines.held
        try:
            for cells in self._reader:
                if fault := self._lines.fault():
                    raise InputRefused(f"The header of {self.name}: {fault[1]}", fault[0].removesuffix("_ROW"))
                blank = not "".join(held).strip()
                held.clear()
                if len(cells) > MAX_COLUMNS:
                    message = f"{self.name} has {len(cells)} columns; at most {MAX_COLUMNS} are read."
                    raise InputRefused(f"{message} Check --delimiter.", "E_HEADER")
                if not blank:
                    return _names(cells)
        except csv.Error as error:
            message = f"The header of {self.name} cannot be read: {self._broken(str(error)).message}"
            raise InputRefused(message, "E_HEADER") from error
        message = f"{self.name} is empty. Its first line must name the columns."
        raise InputRefused(message, "E_EMPTY")

    def _choose(self, text_columns: Sequence[str], id_column: str | None) -> None:
        """Settle which columns hold the text and the id; raises InputRefused."""
        text = list(text_columns) or [_guess_text(self._header) or ""]
        if not text[0]:
            message = f"{self.name} has the columns {self._listing()}. Say which holds the text with --text."
            raise InputRefused(message, "E_NO_TEXT_COLUMN")
        self._text_at = list(dict.fromkeys(self._place(name, "--text") for name in text))
        unused = [name for place, name in enumerate(self._header) if place not in self._text_at]
        found_id = _guess(unused, ID_NAMES) if id_column is None else id_column
        self._id_at = self._place(found_id, "--id") if found_id else None
        used = {*self._text_at, self._id_at}
        self._others = [(name, place) for place, name in enumerate(self.columns) if place not in used]
        self.choice = Choice(
            text=tuple(self.columns[place] for place in self._text_at),
            text_guessed=not text_columns,
            id=None if self._id_at is None else self.columns[self._id_at],
            id_guessed=id_column is None and self._id_at is not None,
        )

    def _listing(self) -> str:
        names = ", ".join(map(repr, self._header[:30]))
        return names if len(self._header) <= 30 else f"{names} and {len(self._header) - 30} more"

    def _place(self, asked: str, option: str) -> int:
        places = _find(self._header, asked)
        if not places:
            message = f"{self.name} has no column {asked!r}; it has {self._listing()}."
            raise InputRefused(f"{message} Name one with {option}.{self._hint}", "E_MISSING_COLUMN")
        if len(places) > 1:
            message = f"{self.name} has {len(places)} columns called {asked!r}. Rename all but one of them."
            raise InputRefused(message, "E_DUPLICATE_COLUMN")
        return places[0]

    def _item(self, cells: list[str]) -> Row | Reject | None:
        """Turn one record into a row or a reject; None for a blank line."""
        lines, width = self._lines, len(self.columns)
        if lines.faults and (fault := lines.fault()):
            return self._reject(fault[0], fault[1])
        if len(cells) < 2 and len(lines.held) == 1 and not lines.held[0].strip():
            return None
        if len(cells) != width:
            if len(cells) < width or any(map(str.strip, cells[width:])):
                return self._ragged(cells)
            del cells[width:]
        external_id = None
        if self._id_at is not None:
            external_id = cells[self._id_at]
            if not external_id or external_id.isspace():
                return self._reject("E_ID_EMPTY", "The id is empty.", self.choice.id)
        if len(self._text_at) == 1:
            raw = cells[self._text_at[0]]
        else:
            raw = " ".join(cells[place] for place in self._text_at if cells[place].strip())
        self.rows_in += 1
        fields = {name: cells[place] for name, place in self._others}
        return Row(lines.number - len(lines.held) + 1, self.rows_in, external_id, raw, fields, cells)

    def _ragged(self, cells: list[str]) -> Reject:
        if len(self._lines.held) > 1:  # more likely a quote that swallowed the next records
            return self._broken("")
        width, found = len(self.columns), len(cells)
        if found < width:
            message = f"The record has {found} of {width} cells; the first missing is {self.columns[found]!r}."
            return self._reject("E_MISSING_CELL", message, self.columns[found])
        return self._reject("E_EXTRA_CELL", f"The record has {found} cells, but there are {width} columns.")

    def _broken(self, error: str) -> Reject:
        """Reject the first line of a record that cannot be parsed; the others will be read as new records."""
        start = self._lines.number - len(self._lines.held) + 1
        if self._lines.put_back() or "end of data" in error:
            message = f"A quote opened on line {start} is not closed. Close it, or double it inside a cell."
            return self._reject("E_UNCLOSED_QUOTE", message)
        if "field limit" in error:
            return self._reject("E_FIELD_TOO_LONG", f"A cell is longer than {MAX_CELL_CHARACTERS} characters.")
        return self._reject("E_QUOTE", "Text follows a closing quote. Double the quotes inside a quoted cell.")

    def _reject(self, error: str, message: str, column: str | None = None) -> Reject:
        held = self._lines.held
        self.rows_in += 1
        raw = "".join(held).rstrip("\r\n")
        return Reject(self._lines.number - len(held) + 1, self.rows_in, error, column, message, raw)


def open_table(
    source: str | Path,
    *,
    text_columns: Sequence[str] = (),
    id_column: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Table:
    """Open a CSV file, or standard input for ``-``, and settle its encoding, delimiter and columns.

    Several text columns are joined with a space. What is not given is found: UTF-8 unless a byte-order mark
    says otherwise; the delimiter among ``DELIMITERS``; the text by ``TEXT_NAMES``; the id by ``ID_NAMES``,
    or none (``id_column=""``: none at all). Gzip is recognised by its first bytes.

    Raises ``InputRefused`` with a code of ``docs/bad-input.md``, ``UsageError`` for an unknown encoding or
    an impossible delimiter, ``EnvironmentFault`` if the file may not be read.
    """
    if delimiter is not None:
        delimiter = "\t" if delimiter in ("\\t", "tab") else delimiter
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise UsageError(f"--delimiter {delimiter!r} is not one character. Give one such as ';' or tab.")
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    opened = Input(source)
    try:
        opened.prepare(encoding)
        return Table(opened, text_columns, id_column, delimiter)
    except BaseException:
        opened.close()
        raise
