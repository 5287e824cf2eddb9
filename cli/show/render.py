"""Write rows and summaries as a table, JSON, JSON lines or CSV."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cli.options import Format
from cli.show.text import visible, visible_json
from dedup.errors import EnvironmentFault
from indexer.outputs.csv import csv_line, safe_cell

if TYPE_CHECKING:
    from indexer.store.store import Snapshot

Row = Mapping[str, Any]

DIGITS = 6
"""Digits after the point of what programs read."""

_UNLIMITED = 100_000


def write_rows(rows: Iterable[Row], layout: Format, out: TextIO) -> None:
    """Write rows to ``out``; a table or CSV has the columns of all rows, in the order of appearance.

    JSON lines are written as the rows come. CSV waits in a temporary file for the last column's name.
    """
    writers: dict[Format, Callable[[Iterable[Row], TextIO], None]] = {
        Format.table: _write_table,
        Format.json: _write_json,
        Format.jsonl: _write_jsonl,
        Format.csv: _write_csv,
    }
    writers[layout](rows, out)


def write_summary(summary: Row, out: TextIO, *, as_json: bool) -> None:
    """Write names with their values, one a line; what a value holds comes below it, indented."""
    if as_json:
        out.write(visible_json(json.dumps(summary, ensure_ascii=False, indent=2)) + "\n")
    else:
        out.writelines(f"{line}\n" for line in _summary_lines(summary))


@contextmanager
def output_to(path: Path | None) -> Iterator[TextIO]:
    """Open stdout for None, else a file that appears under its name only when the block ends well.

    Raises ``EnvironmentFault`` if the file cannot be written.
    """
    if path is None:
        yield sys.stdout
        return
    from indexer.files import open_beside

    file = None
    try:
        file = open_beside(path, errors="backslashreplace")
        with file:
            yield file
            file.flush()
            Path(file.name).replace(path)
    except OSError as error:
        if file is not None and error.filename != file.name:
            raise
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        if file is not None:
            with suppress(OSError):
                Path(file.name).unlink(missing_ok=True)


def _write_json(rows: Iterable[Row], out: TextIO) -> None:
    before = "[\n"
    for row in rows:
        out.write(before + visible_json(json.dumps(row, ensure_ascii=False)))
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")


def _write_jsonl(rows: Iterable[Row], out: TextIO) -> None:
    for row in rows:
        out.write(visible_json(json.dumps(row, ensure_ascii=False)) + "\n")


def _write_csv(rows: Iterable[Row], out: TextIO) -> None:
    columns: dict[str, None] = {}
    shown = visible if out.isatty() else str
    with tempfile.TemporaryFile("w+", encoding="utf-8") as waiting:
        for row in rows:
            columns.update(dict.fromkeys(row))
            waiting.write(json.dumps(row) + "\n")
        waiting.seek(0)
        out.write(csv_line([shown(safe_cell(column)) for column in columns]) + "\n")
        for line in waiting:
            row = json.loads(line)
            out.write(csv_line([shown(safe_cell(_plain(row.get(column)))) for column in columns]) + "\n")


def _plain(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(contributions(value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def rounded(values: Iterable[float], digits: int) -> list[float]:
    """Round values so that they still add up: each to a neighbour, their sum as the sum of ``values`` rounds.

    None changes its sign.
    """
    sums = [round(total, digits) for total in accumulate(values, initial=0.0)]
    return [round(after - before, digits) for before, after in pairwise(sums)]


def contributions(reasons: Sequence[Row]) -> list[str]:
    """Return pieces of evidence as lines with signed weights, ``+2.31 words in common``; those that round to 0 not."""
    if any(reason["log_odds"] is None for reason in reasons):
        return [reason["label"] for reason in reasons]
    weights = rounded([reason["log_odds"] for reason in reasons], 2)
    return [f"{weight:+.2f} {reason['label']}" for reason, weight in zip(reasons, weights, strict=True) if weight]


def spaced(summary: Row) -> dict[str, Any]:
    """Return a summary with names for people: spaces instead of underscores."""
    return {name.replace("_", " "): value for name, value in summary.items()}


def recall_of(snapshot: Snapshot | None) -> dict[str, float]:
    """Return what searches of a snapshot were measured to find; nothing where they are exact."""
    recall = snapshot.parameters.get("recall") if snapshot else None
    if recall is None:
        return {}
    return {"recall_of_all": round(recall["of_all"], 4), "recall_of_queries": round(recall["of_queries"], 4)}


def _write_table(rows: Iterable[Row], out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(box=None, pad_edge=False, header_style="")
    for name in columns:
        numeric = all(isinstance(row[name], float | None) for row in rows if name in row)
        table.add_column(Text(visible(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    drawn = io.StringIO()
    Console(file=drawn, width=None if out.isatty() else _UNLIMITED, color_system=None).print(table)
    out.writelines(f"{line.rstrip()}\n" for line in drawn.getvalue().splitlines())


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else visible(str(value))


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
            number = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else _cell(value)
            yield f"{indent}{visible(name):<{width}}  {number}".rstrip()
