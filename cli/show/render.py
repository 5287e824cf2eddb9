"""Write rows as a table, as JSON or JSON Lines, or as a file of a spreadsheet; and summaries."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cli.options import Format
from cli.show.table import cell, write_table
from cli.show.text import visible, visible_json
from dedup.errors import EnvironmentFault
from indexer.outputs.reasons import in_a_cell
from indexer.outputs.table_files import Column, Style, TableFormat, preparing, table_writer

if TYPE_CHECKING:
    from indexer.files import Access

Row = Mapping[str, Any]


def write_rows(
    rows: Iterable[Row],
    layout: Format,
    out: TextIO,
    style: Style | None = None,
    types: Mapping[str, type] | None = None,
) -> None:
    """Write rows to ``out``; a table has the columns of all rows, in order of appearance.

    JSON and JSON Lines are streamed. The formats of spreadsheets wait in a temporary file until all columns are known;
    ``style`` is for these, and so are ``types``: those of columns without a value, and the columns if there are no
    rows. Raises what ``table_writer`` raises.
    """
    if layout is Format.table:
        write_table(rows, out)
    elif layout is Format.json:
        _write_json(rows, out)
    elif layout is Format.jsonl:
        _write_jsonl(rows, out)
    else:
        _write_cells(rows, TableFormat(layout), out, style or Style(), types or {})


def write_summary(summary: Row | Sequence[Row], out: TextIO, *, as_json: bool, quiet: bool = False) -> None:
    """Write JSON, or unless ``quiet`` one name and value per line, nested values indented below their name."""
    if as_json:
        out.write(visible_json(json.dumps(summary, ensure_ascii=False, indent=2)) + "\n")
    elif not quiet and isinstance(summary, Mapping):
        out.writelines(f"{line}\n" for line in _summary_lines(summary))


@contextmanager
def output_to(path: Path | None, access: Access) -> Iterator[TextIO]:
    """Yield stdout if ``path`` is None, a stream as it is, else a file that replaces ``path`` if the block succeeds.

    ``access`` is who may read a new file. Raises ``EnvironmentFault`` if the file cannot be written.
    """
    if path is None:
        yield sys.stdout
        return
    from indexer.outputs.destination import is_stream, open_stream, replacing

    if is_stream(path):
        with open_stream(path, "--output") as stream:
            yield stream
        return
    try:
        with replacing([path], access, errors="backslashreplace") as (file,):
            yield file
    except OSError as error:
        raise EnvironmentFault(f"Cannot write {path}: {error.strerror or error}.") from error


def _write_json(rows: Iterable[Row], out: TextIO) -> None:
    before = "[\n"
    for row in rows:
        out.write(before + visible_json(json.dumps(row, ensure_ascii=False)))
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")


def _write_jsonl(rows: Iterable[Row], out: TextIO) -> None:
    for row in rows:
        out.write(visible_json(json.dumps(row, ensure_ascii=False)) + "\n")


def _write_cells(
    rows: Iterable[Row], layout: TableFormat, out: TextIO, style: Style, known: Mapping[str, type]
) -> None:
    types: dict[str, type] = {}
    shown, prepare = visible if out.isatty() else str, preparing(layout, style)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as waiting:
        for row in rows:
            cells = {name: in_a_cell(value) if isinstance(value, list) else value for name, value in row.items()}
            for name, value in cells.items():
                if value is not None or name not in types:
                    types[name] = known.get(name, str) if value is None else type(value)
            waiting.write(json.dumps(cells) + "\n")
        waiting.seek(0)
        columns = [Column(shown(name), kind) for name, kind in (types or known).items()]
        with table_writer(out, layout, columns, style, "matches") as table:
            found = map(json.loads, waiting)
            table.write([_cell(row.get(name), shown, prepare) for name in types] for row in found)


def _cell(value: object, shown: Callable[[str], str], prepare: Callable[[str], str]) -> object:
    return prepare(shown(value)) if isinstance(value, str) else value


def spaced(summary: Row) -> dict[str, Any]:
    """Return a summary with spaces instead of underscores in its names."""
    return {name.replace("_", " "): value for name, value in summary.items()}


def _summary_lines(summary: Row, indent: str = "") -> Iterator[str]:
    width = max((len(name) for name, value in summary.items() if not isinstance(value, dict | list)), default=0)
    for name, value in summary.items():
        if isinstance(value, dict):
            yield f"{indent}{visible(name)}"
            yield from _summary_lines(value, indent + "  ")
        elif isinstance(value, list):
            yield f"{indent}{visible(name)}"
            yield from (f"{indent}  {line}" for line in value)
        else:
            number = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else cell(value)
            yield f"{indent}{visible(name):<{width}}  {number}".rstrip()
