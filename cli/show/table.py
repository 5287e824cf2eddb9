"""A table with aligned columns, fitted to the width of the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from cli.show.notes import say
from cli.show.text import visible

NOTE = ""
"""The key of a line that follows a row and belongs to no column; no column of a file has a blank name."""

_LAST_REQUIRED = "text"
"""Columns after this one are the user's own; they are left out of a terminal that is too narrow."""
_NARROWEST = 16
_GAP = "  "
_NOTE_INDENT = 4


def write_table(rows: Iterable[Mapping[str, Any]], out: TextIO) -> None:
    """Write rows as a table; on a terminal long cells are folded and columns that do not fit are left out."""
    from rich.cells import cell_len

    rows = list(rows)
    records = [row for row in rows if NOTE not in row]
    columns = list(dict.fromkeys(name for row in records for name in row))
    natural = {name: max(map(cell_len, [visible(name), *(cell(row.get(name)) for row in records)])) for name in columns}
    limit = shutil.get_terminal_size().columns if out.isatty() else None
    widths = natural if limit is None else _fitted(natural, limit)
    is_number = {name: all(isinstance(row[name], float | None) for row in records if name in row) for name in widths}
    indent = _note_indent(widths, [row[NOTE] for row in rows if NOTE in row], limit)
    out.writelines(_lines({name: visible(name) for name in widths}, widths, is_number))
    for row in rows:
        if NOTE in row:
            note = _folded(visible(row[NOTE]), None if limit is None else max(_NARROWEST, limit - indent))
            out.writelines(f"{' ' * indent}{line}\n" for line in note)
        else:
            out.writelines(_lines({name: cell(row.get(name)) for name in widths}, widths, is_number))
    if omitted := [name for name in columns if name not in widths]:
        say(f"Columns that do not fit this terminal: {', '.join(omitted)}. Use --format json to see them.")


def cell(value: object) -> str:
    """Return a value as it is shown to people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else visible(str(value))


def _fitted(natural: Mapping[str, int], limit: int) -> dict[str, int]:
    """Return the widths of the columns that fit into ``limit``: the last are left out, then the widest narrowed."""
    widths = dict(natural)
    while _LAST_REQUIRED in widths and _total([min(width, _NARROWEST) for width in widths.values()]) > limit:
        last = list(widths)[-1]
        if last == _LAST_REQUIRED:
            break
        del widths[last]
    while _total(widths.values()) > limit:
        widest = max(widths, key=lambda name: widths[name])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _total(widths: Iterable[int]) -> int:
    return sum(width + len(_GAP) for width in widths) - len(_GAP)


def _note_indent(widths: Mapping[str, int], notes: Sequence[str], limit: int | None) -> int:
    """Return the indent of notes: below the text, or further left if they would not fit there."""
    if _LAST_REQUIRED not in widths:
        return _NOTE_INDENT
    before = list(widths)[: list(widths).index(_LAST_REQUIRED)]
    indent = sum(widths[name] + len(_GAP) for name in before) + len(_GAP)
    return indent if limit is None or indent + max(map(len, notes), default=0) <= limit else _NOTE_INDENT


def _lines(cells: Mapping[str, str], widths: Mapping[str, int], is_number: Mapping[str, bool]) -> Iterator[str]:
    from rich.cells import cell_len

    folded = {name: _folded(cells[name], width) for name, width in widths.items()}
    for number in range(max(map(len, folded.values()), default=0)):
        parts = []
        for name, width in widths.items():
            part = folded[name][number] if number < len(folded[name]) else ""
            blank = " " * (width - cell_len(part))
            parts.append(blank + part if is_number[name] else part + blank)
        yield _GAP.join(parts).rstrip() + "\n"


def _folded(text: str, width: int | None) -> list[str]:
    """Break a text into lines of at most ``width`` cells, at spaces where possible."""
    from rich.cells import cell_len, chop_cells

    if width is None or cell_len(text) <= width:
        return [text]
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines += chop_cells(word, width)
    return lines
