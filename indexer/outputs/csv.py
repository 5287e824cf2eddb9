"""Write CSV that any reader splits into the same cells and that no spreadsheet runs.

Lines follow RFC 4180, except that they end in LF and that another delimiter may be asked for. The guard against
formulas follows OWASP, "CSV Injection".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, partial

from indexer.outputs.invisible import INVISIBLE

_LINE_ENDS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_SIGNS = r"=+\-@＝＋－＠﹦﹢﹣﹫\u2212"
# Joiners and variation selectors belong to names, but nothing is seen of them before a sign. An apostrophe is among
# these, so that one that a text has is told from that of the guard.
_BLANK = rf"\s\"'{INVISIBLE}\u200c\u200d\ufe00-\ufe0f"
_LEADING = ("\t", "\r", "\n")
"""What spreadsheets leave out at the beginning of a cell."""
_FILLERS = "\u115f\u1160\u3164\uffa0"
"""Of the invisible characters, those that Unicode calls letters."""
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?")
_SEMICOLON, _ANY = ";", ";,"
"""What may split a cell, beside tabs and line ends, if commas delimit the cells of a file or something else does."""


def csv_line(cells: Sequence[str], delimiter: str = ",") -> str:
    """Return one line of CSV without its line end.

    Cells with the delimiter, a quote or anything that some program takes for a line end are quoted; ``csv.writer``
    before Python 3.13 leaves a bare CR unquoted.
    """
    line = delimiter.join(cells)
    # Faster than csv.writer. No line end is printable; the only cell of a line is quoted if it is empty.
    printed = line.replace(delimiter, " ") if delimiter == "\t" else line
    if line and '"' not in line and line.count(delimiter) == len(cells) - 1 and printed.isprintable():
        return line
    if len(cells) == 1 and not line:
        return '""'
    needs_quotes = _needs_quotes(delimiter)
    return delimiter.join([_quoted(cell) if needs_quotes(cell) else cell for cell in cells])


def safe_cell(text: str, splits: str = _SEMICOLON) -> str:
    """Return ``text`` with an apostrophe wherever a spreadsheet could see the start of a formula.

    That is a ``=``, ``+``, ``-`` or ``@`` (or a form of these) at the beginning or after one of ``splits``, a tab or a
    line end, also behind spaces, apostrophes and invisible characters; and a tab, CR or LF at the beginning. Plain
    numbers stay as they are. No two texts have the same cell.
    """
    is_word = text[:1].isalnum() and text[:1] not in _FILLERS and text.isprintable()
    if is_word and ";" not in text and (splits is _SEMICOLON or "," not in text):
        return text
    if _NUMBER.fullmatch(text):
        return text
    start, guarded, _ = _starts(splits)
    return start.sub(guarded, text)


def unguarded(cell: str, delimiter: str = ",") -> str:
    """Return the text of which ``guard`` made this cell of a file with this delimiter; other cells stay as they are."""
    splits = _splits_of(delimiter)
    start, _, bare = _starts(splits)
    text = start.sub(bare, cell)
    return text if safe_cell(text, splits) == cell else cell


def guard(*, raw: bool, delimiter: str = ",") -> Callable[[str], str]:
    """Return ``safe_cell`` for a file with this delimiter, or with ``raw`` a function that leaves cells as they are.

    A cell with a comma is quoted from its start where commas delimit cells. In other files it is not, and a spreadsheet
    that expects commas splits it there.
    """
    if raw:
        return str
    return safe_cell if delimiter == "," else partial(safe_cell, splits=_splits_of(delimiter))


def _splits_of(delimiter: str) -> str:
    return _SEMICOLON if delimiter == "," else _ANY


@cache
def _needs_quotes(delimiter: str) -> Callable[[str], object]:
    return re.compile(f'["{re.escape(delimiter)}{_LINE_ENDS}]').search


@cache
def _starts(splits: str) -> tuple[re.Pattern[str], Callable[[re.Match[str]], str], Callable[[re.Match[str]], str]]:
    """Return what may begin a cell, with a sign that follows; what gives it its apostrophes, and what removes them.

    A spreadsheet that expects another delimiter splits a line at those in a cell, and takes no notice of the quotes
    around it: the rest of the cell is then the start of another cell, or of another line.
    """
    breaks, guards = re.compile(f"[{splits}\t{_LINE_ENDS}]"), re.compile(f"([{splits}\t{_LINE_ENDS}])'")
    # Each character is in one match at most, so that the work is in proportion to the length of a cell.
    start = re.compile(rf"(^[{splits}]?[{_BLANK}]*|[{splits}][{_BLANK}]*|[{_BLANK}]+)(?=([{_SIGNS}])?)")

    def is_guarded_first(found: re.Match[str]) -> bool:
        if found.start():
            return False
        return found[1][:1] not in tuple(splits) if found[2] else found[1].lstrip("'")[:1] in _LEADING

    def guarded(found: re.Match[str]) -> str:
        inside = breaks.sub(r"\g<0>'", found[1]) if found[2] else found[1]
        return f"'{inside}" if is_guarded_first(found) else inside

    def bare(found: re.Match[str]) -> str:
        inside = found[1].removeprefix("'") if is_guarded_first(found) else found[1]
        return guards.sub(r"\1", inside) if found[2] else inside

    return start, guarded, bare


def _quoted(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'
