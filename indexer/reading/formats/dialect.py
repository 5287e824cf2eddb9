"""Detect the delimiter of a CSV file and split lines into cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from dedup.errors import InputRefused, UsageError
from indexer.reading import columns
from indexer.reading.rows import MAX_CELL_CHARACTERS, ReadOptions

DELIMITERS = (",", ";", "\t", "|")
RARE_DELIMITERS = ("^", "~", "§", "¦", "\x01", "\x1f")
"""Tried where none of the usual delimiters gives columns."""
COMMENT = "#"
SNIFFED_LINES = 2000
"""Lines used to detect the delimiter."""

_NO_DELIMITER = "\ud800"  # for a table of one column: decoded text never contains this character
_MAX_PREAMBLE_LINES = 50
_MIN_PREAMBLE_AGREEMENT = 0.95


@dataclass(frozen=True, slots=True)
class Dialect:
    """A delimiter, a quote and an escape character; an empty one means that there is none."""

    delimiter: str
    quote: str
    escape: str = ""

    @property
    def explicit_delimiter(self) -> str | None:
        """The delimiter, or None for a table of one column."""
        return None if self.delimiter == _NO_DELIMITER else self.delimiter

    def reader(self, lines: Iterable[str], *, strict: bool) -> Iterator[list[str]]:
        """Return an iterator over records; ``strict`` as in ``csv``. It raises ``csv.Error``."""
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        if self.escape:
            lines = map(self._with_null_kept, lines)
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            escapechar=self.escape or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            strict=strict,
        )

    def _with_null_kept(self, line: str) -> str:
        r"""Double the escape character of a cell that is ``\N`` (null), or it would become the name ``N``."""
        if self.escape + "N" not in line:
            return line
        escape, delimiter = re.escape(self.escape), re.escape(self.delimiter)
        return re.sub(rf"(^|(?<={delimiter})){escape}N(?=$|[\r\n]|{delimiter})", lambda _: self.escape * 2 + "N", line)

    def split_leniently(self, line: str) -> list[str] | None:
        """Split one line into cells and keep quotes inside a quoted cell; return None if a cell is not closed.

        A quoted cell ends with a quote that precedes a delimiter or the end of the line and is not part of a pair.
        """
        line = line.rstrip("\r\n")
        quotes = re.compile(f"{re.escape(self.quote)}+")
        cells: list[str] = []
        at = 0
        while True:
            if line.startswith(self.quote, at):
                ends = (run.end() for run in quotes.finditer(line, at + 1) if (run.end() - run.start()) % 2)
                end = next((end for end in ends if end == len(line) or line[end] == self.delimiter), -1)
                if end < 0:
                    return None
                cells.append(line[at + 1 : end - 1].replace(self.quote * 2, self.quote))
            else:
                end = line.find(self.delimiter, at)
                end = len(line) if end < 0 else end
                cells.append(line[at:end])
            if end >= len(line):
                return cells
            at = end + 1


def detect(owner: str, head: Sequence[str], options: ReadOptions) -> Dialect:
    """Return the dialect of ``options``, with a delimiter that fits the first lines of the file if it has none.

    Raises ``UsageError`` for an impossible delimiter or quote, ``InputRefused`` if two delimiters fit.
    """
    quote = options.quote
    if len(quote) > 1 or quote in ("\r", "\n"):
        raise UsageError(f"The quote {quote!r} is not a single character. Use one such as \"'\", or '' for none.")
    delimiter = "\t" if options.delimiter in ("\\t", "tab") else options.delimiter
    if delimiter is not None and (len(delimiter) != 1 or delimiter in (quote, "\r", "\n")):
        raise UsageError(f"The delimiter {delimiter!r} is not a single character. Use one such as ';' or tab.")
    escape = options.escape
    if len(escape) > 1 or (escape and escape in (quote, *([delimiter] if delimiter else DELIMITERS), "\r", "\n")):
        raise UsageError(
            f"The escape character {escape!r} is not a single character of its own. Use one such as '\\\\'."
        )
    dialect = Dialect(delimiter or _NO_DELIMITER, quote, escape)
    return dialect if delimiter else replace(dialect, delimiter=_guess(owner, head, options, dialect))


def hint(head: Sequence[str], options: ReadOptions, quote: str) -> str:
    """Return a sentence with the delimiter or the number of skipped lines that gives the requested columns."""
    if not options.requested():
        return ""
    for delimiter in DELIMITERS:
        if _fit(head, Dialect(delimiter, quote), options)[0]:
            return f" With --delimiter {delimiter!r}, or delimiter={delimiter!r} in Python, the file has the column."
    for skipped in range(1, min(_MAX_PREAMBLE_LINES, len(head))):
        if any(_fit(head[skipped : skipped + 1], Dialect(each, quote), options)[0] for each in DELIMITERS):
            lines = options.skip_lines + skipped
            return f" Line {skipped + 1} has the column: use --skip-lines {lines}, or skip_lines={lines} in Python."
    return ""


def _guess(owner: str, head: Sequence[str], options: ReadOptions, bare: Dialect) -> str:
    """Return the delimiter that gives the requested columns and records as wide as the header."""
    if options.header and not options.requested():
        _refuse_comments(owner, head, options, bare)
    fits = [(_fit(head, replace(bare, delimiter=each), options), each) for each in DELIMITERS]
    ranked = [(has_columns, agreement, delimiter) for (has_columns, width, agreement), delimiter in fits if width > 1]
    ranked.sort(reverse=True)
    if not ranked or (not ranked[0][0] and _fit(head, bare, options)[0]):
        if not ranked and not options.requested():
            _refuse_preamble(owner, head, options, bare)
        return _NO_DELIMITER if ranked else _rare(head, options, bare)
    if len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]:
        raise InputRefused(
            f"The delimiter of {owner} may be {ranked[0][2]!r} or {ranked[1][2]!r}. Choose one with --delimiter, or "
            "delimiter= in Python.",
            "E_DELIMITER",
        )
    return ranked[0][2]


def _rare(head: Sequence[str], options: ReadOptions, bare: Dialect) -> str:
    """Return a rare delimiter that splits all but a few of at least two records alike, or none."""
    for each in RARE_DELIMITERS:
        has_columns, width, agreement = _fit(head, replace(bare, delimiter=each), options)
        if has_columns and width > 1 and agreement >= _MIN_PREAMBLE_AGREEMENT and len(head) > 1:
            return each
    return _NO_DELIMITER


def _refuse_comments(owner: str, head: Sequence[str], options: ReadOptions, bare: Dialect) -> None:
    """Refuse a file that begins with comment lines, unless the first one is a header as wide as the records."""
    start = next((at for at, line in enumerate(head) if not line.startswith(COMMENT)), 0)
    rest = [line for line in head[start:] if not line.startswith(COMMENT)]
    if not start:
        return
    for delimiter in (*DELIMITERS, *RARE_DELIMITERS):
        dialect = replace(bare, delimiter=delimiter)
        _, width, agreement = _fit(rest, dialect, replace(options, text_columns=(), id_column=None))
        if width < 2 or agreement < _MIN_PREAMBLE_AGREEMENT or len(rest) < 2:
            continue
        if any(len(cells) == width for cells in records(head[:1], dialect)):
            return
        lines = options.skip_lines + start
        raise InputRefused(
            f"{owner} begins with {start} comment lines. Use --skip-lines {lines}, or skip_lines={lines} in Python.",
            "E_HEADER",
        )


def records(lines: Sequence[str], dialect: Dialect) -> list[list[str]]:
    """Parse the first lines; return no records if they cannot be parsed."""
    try:
        parsed = dialect.reader(lines, strict=False)
        return [cells for cells in parsed if len(cells) > 1 or "".join(cells).strip()]
    except csv.Error:
        return []


def _first_line_of_cells(lines: Sequence[str], dialect: Dialect) -> int:
    """Return at which line the first record of several cells begins, or 0; delimiters inside quotes are no cells."""
    begin = end = 0

    def counted() -> Iterator[str]:
        nonlocal end
        for line in lines:
            end += 1
            yield line

    try:
        for cells in dialect.reader(counted(), strict=False):
            if len(cells) > 1:
                return begin
            begin = end
    except csv.Error:
        return 0
    return 0


def _fit(lines: Sequence[str], dialect: Dialect, options: ReadOptions) -> tuple[bool, int, float]:
    """Return whether all requested columns exist, the number of columns, and the share of records of that width."""
    found = records(lines, dialect)
    if not found:
        return False, 0, 0.0
    width = len(found[0])
    names = columns.clean(found[0] if options.header else [""] * width)
    agreement = sum(len(record) == width for record in found) / len(found)
    return all(columns.find(names, name) for name in options.requested()), width, agreement


def _refuse_preamble(owner: str, head: Sequence[str], options: ReadOptions, bare: Dialect) -> None:
    """Refuse a file whose first line is one cell while the lines after it agree on several.

    Of delimiters that fit, such as the decimal comma of the amounts, that of the first line of several cells is named.
    """
    found: list[tuple[int, str]] = []
    for delimiter in DELIMITERS:
        dialect = replace(bare, delimiter=delimiter)
        start = _first_line_of_cells(head[:_MAX_PREAMBLE_LINES], dialect)
        widths = [len(record) for record in records(head[start:], dialect)]
        if not start or len(widths) < 2:
            continue
        if sum(width == widths[0] for width in widths) >= _MIN_PREAMBLE_AGREEMENT * len(widths):
            found.append((start, delimiter))
    if not found:
        return
    start, delimiter = min(found, key=lambda one: one[0])
    lines = options.skip_lines + start
    unused = next(each for each in ("|", *DELIMITERS) if each != delimiter)
    raise InputRefused(
        f"The first line of {owner} is a single cell, but later lines are delimited by {delimiter!r}. If the "
        f"table starts further down, use --skip-lines {lines}, or skip_lines={lines} in Python. If every line "
        f"is a single cell, set a delimiter that does not occur, such as {unused!r}.",
        "E_HEADER",
    )
