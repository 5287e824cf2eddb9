"""Write CSV that any reader splits into the same cells and that no spreadsheet runs.

Lines follow RFC 4180, except that they end in LF. The guard against formulas follows OWASP, "CSV Injection".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?")
_NEEDS_QUOTES = re.compile('[",\n\r\v\f\x1c-\x1e\x85\u2028\u2029]')


def csv_line(cells: Sequence[str]) -> str:
    """Return one line of CSV without its line end.

    Cells with a comma, a quote or anything that some program takes for a line end are quoted; ``csv.writer`` before
    Python 3.13 leaves a bare CR unquoted.
    """
    line = ",".join(cells)
    # Faster than csv.writer. No line end is printable; the only cell of a line is quoted if it is empty.
    if line and line.isprintable() and '"' not in line and line.count(",") == len(cells) - 1:
        return line
    return '""' if len(cells) == 1 and not line else ",".join(map(_quoted, cells))


def safe_cell(text: str) -> str:
    """Return ``text``, with an apostrophe in front if a spreadsheet could run it as a formula.

    That is text that begins with ``=``, ``+``, ``-``, ``@`` (or a full-width form of these), a tab, CR or LF and is not
    a plain number. Removing the apostrophe restores the text.
    """
    return f"'{text}" if text[:1] in _FORMULA_STARTS and not _NUMBER.fullmatch(text) else text


def _quoted(cell: str) -> str:
    if not _NEEDS_QUOTES.search(cell):
        return cell
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'
