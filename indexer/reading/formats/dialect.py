"""How a CSV file is cut into cells: its delimiter and its quotes."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from dedup.errors import InputRefused, UsageError
from indexer.reading import columns
from indexer.reading.records import MAX_CELL_CHARACTERS, ReadOptions

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_LINES = 2000
"""Lines by which a delimiter is judged."""

_NO_DELIMITER = "\ud800"  # for a table of one column: no decoded text can hold this character
_MOST_PREAMBLE = 50
_PREAMBLE_AGREEMENT = 0.95


@dataclass(frozen=True, slots=True)
class Dialect:
    """A delimiter, and a quote or the empty string; ``strict`` as in ``csv``."""

    delimiter: str
    quote: str

    @property
    def stated_delimiter(self) -> str | None:
        """The delimiter, None for a table of one column."""
        return None if self.delimiter == _NO_DELIMITER else self.delimiter

    def reader(self, lines: Iterable[str], *, strict: bool) -> Iterator[list[str]]:
        """Return a reader of records; it raises ``csv.Error``."""
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        if self.quote:
            return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=strict)
        return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, quotechar=None, strict=strict)

    def split_leniently(self, line: str) -> list[str] | None:
        """Cut one line into cells, with quotes inside a quoted cell kept; None if a cell is not closed.

        A quoted cell ends with a quote that stands before a delimiter or the end and is not one of a pair.
        """
        line = line.rstrip("\r\n")
        quote, delimiter = re.escape(self.quote), re.escape(self.delimiter)
        closing = re.compile(f"(?<!{quote})(?:{quote}{quote})*{quote}(?={delimiter}|$)")
        cells: list[str] = []
        at = 0
        while True:
            if line.startswith(self.quote, at):
                # an empty cell's closing quote comes right behind the opening one, which is no part of a pair
                found = closing.search(line[at + 1 :])
                if found is None:
                    return None
                cells.append(line[at + 1 : at + found.end()].replace(self.quote * 2, self.quote))
                end = at + 1 + found.end()
            else:
                end = line.find(self.delimiter, at)
                end = len(line) if end < 0 else end
                cells.append(line[at:end])
            if end >= len(line):
                return cells
            at = end + 1


def settle(owner: str, head: Sequence[str], options: ReadOptions) -> Dialect:
    """Return the dialect as stated or, by the first lines of a file, with a delimiter that fits.

    Raises ``UsageError`` for what cannot be a delimiter or quote, ``InputRefused`` if two delimiters fit.
    """
    quote = options.quote
    if len(quote) > 1 or quote in ("\r", "\n"):
        raise UsageError(f"--quote {quote!r} is not one character. Give one such as \"'\", or '' for none.")
    delimiter = "\t" if options.delimiter in ("\\t", "tab") else options.delimiter
    if delimiter is not None and (len(delimiter) != 1 or delimiter in (quote, "\r", "\n")):
        raise UsageError(f"--delimiter {delimiter!r} is not one character. Give one such as ';' or tab.")
    dialect = Dialect(delimiter or _NO_DELIMITER, quote)
    return dialect if delimiter else replace(dialect, delimiter=_guess(owner, head, options, dialect))


def hint(head: Sequence[str], options: ReadOptions, quote: str) -> str:
    """Say with which delimiter, or behind how many lines, the columns asked for would be there."""
    for delimiter in DELIMITERS:
        if _fit(head, Dialect(delimiter, quote), options)[0]:
            return f" It has one with --delimiter {delimiter!r}."
    for skipped in range(1, min(_MOST_PREAMBLE, len(head))):
        if any(_fit(head[skipped : skipped + 1], Dialect(each, quote), options)[0] for each in DELIMITERS):
            return f" Line {skipped + 1} has one: --skip-lines {options.skip_lines + skipped}."
    return ""


def _guess(owner: str, head: Sequence[str], options: ReadOptions, bare: Dialect) -> str:
    """Return the delimiter with which the wanted columns are there and most records fit the header."""
    fits = [(_fit(head, replace(bare, delimiter=each), options), each) for each in DELIMITERS]
    ranked = [(there, agreement, delimiter) for (there, width, agreement), delimiter in fits if width > 1]
    ranked.sort(reverse=True)
    if not ranked or (not ranked[0][0] and _fit(head, bare, options)[0]):
        if not ranked and not _wanted(options):
            _refuse_preamble(owner, head, options, bare)
        return _NO_DELIMITER
    if len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]:
        message = f"{owner} can be cut at {ranked[0][2]!r} and at {ranked[1][2]!r}. Choose with --delimiter."
        raise InputRefused(message, "E_DELIMITER")
    return ranked[0][2]


def _wanted(options: ReadOptions) -> list[str]:
    return [*options.text_columns, *([options.id_column] if options.id_column else [])]


def _records(lines: Sequence[str], dialect: Dialect) -> list[list[str]]:
    """Parse the first records; none if there is a fault."""
    try:
        filled = (cells for cells in dialect.reader(lines, strict=False) if len(cells) > 1 or "".join(cells).strip())
        return list(filled)
    except csv.Error:
        return []


def _fit(lines: Sequence[str], dialect: Dialect, options: ReadOptions) -> tuple[bool, int, float]:
    """How a delimiter suits: all wanted columns are there, columns, share of records with as many cells."""
    records = _records(lines, dialect)
    if not records:
        return False, 0, 0.0
    width = len(records[0])
    names = columns.clean(records[0] if options.header else [""] * width)
    agreement = sum(len(record) == width for record in records) / len(records)
    return all(columns.find(names, name) for name in _wanted(options)), width, agreement


def _refuse_preamble(owner: str, head: Sequence[str], options: ReadOptions, bare: Dialect) -> None:
    """Refuse a file whose first line is one cell while the lines behind agree on several."""
    for delimiter in DELIMITERS:
        dialect = replace(bare, delimiter=delimiter)
        start = next(
            (
                at
                for at, line in enumerate(head[:_MOST_PREAMBLE])
                if any(len(cut) > 1 for cut in _records([line], dialect))
            ),
            0,
        )
        widths = [len(record) for record in _records(head[start:], dialect)]
        if not start or len(widths) < 2:
            continue
        if sum(width == widths[0] for width in widths) >= _PREAMBLE_AGREEMENT * len(widths):
            raise InputRefused(
                f"The first line of {owner} is one cell, and the lines behind it are cut at {delimiter!r}. If the "
                f"table starts further down, skip what comes before: --skip-lines {options.skip_lines + start}. If a "
                "line is one cell, name a delimiter that is not in it, such as --delimiter '|'.",
                "E_HEADER",
            )
