"""Write CSV that any reader splits into the same cells and that no spreadsheet runs.

Lines follow RFC 4180, except that they end in LF and that another delimiter may be asked for. The guard against
formulas follows OWASP, "CSV Injection".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

from indexer.outputs.invisible import INVISIBLE

_LINE_ENDS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_SIGNS = r"=+\-@＝＋－＠﹦﹢﹣﹫\u2212"
# Joiners and variation selectors belong to names, but nothing is seen of them before a sign.
_BLANK = rf"\s\"{INVISIBLE}\u200c\u200d\ufe00-\ufe0f"
_FILLERS = "\u115f\u1160\u3164\uffa0"
"""Of the invisible characters, those that Unicode calls letters."""
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?")
_BREAK = re.compile(f"[;\t{_LINE_ENDS}]")
"""What begins another cell. A spreadsheet that expects semicolons splits a comma-separated line at those in a cell, and
takes no notice of the quotes around it: the rest of the cell is then the start of another cell, or of another line."""
# Each character is in one match at most, so that the work is in proportion to the length of a cell.
_START = re.compile(rf"(^;?[{_BLANK}]*|;[{_BLANK}]*|[{_BLANK}]+)(?=([{_SIGNS}])?)")

_GUARDED = re.compile(rf"(^|[;\t{_LINE_ENDS}])'(?=[{_BLANK}]*[{_SIGNS}]|[\t\r\n])")


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


def safe_cell(text: str) -> str:
    """Return ``text`` with an apostrophe wherever a spreadsheet could see the start of a formula.

    That is a ``=``, ``+``, ``-`` or ``@`` (or a form of these) at the beginning or after a semicolon, a tab or a line
    end, also behind spaces and invisible characters; and a tab, CR or LF at the beginning. Plain numbers stay as they
    are.
    """
    if text[:1].isalnum() and text[:1] not in _FILLERS and ";" not in text and text.isprintable():
        return text
    return text if _NUMBER.fullmatch(text) else _START.sub(_guarded, text)


def unguarded(cell: str) -> str:
    """Return the text of which ``safe_cell`` made this cell; other cells stay as they are."""
    text = _GUARDED.sub(r"\1", cell)
    return text if safe_cell(text) == cell else cell


def guard(*, raw: bool) -> Callable[[str], str]:
    """Return ``safe_cell``, or with ``raw`` a function that leaves cells as they are."""
    return str if raw else safe_cell


@cache
def _needs_quotes(delimiter: str) -> Callable[[str], object]:
    return re.compile(f'["{re.escape(delimiter)}{_LINE_ENDS}]').search


def _guarded(start: re.Match[str]) -> str:
    """Return the blanks before a sign, or what begins a cell, with the apostrophes that they need."""
    blanks = start[1]
    if start[2] is None:
        return f"'{blanks}" if start.start() == 0 and blanks[:1] in ("\t", "\r", "\n") else blanks
    guarded = _BREAK.sub(r"\g<0>'", blanks)
    return guarded if start.start() or blanks[:1] == ";" else f"'{guarded}"


def _quoted(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'
