"""Write rows and summaries as a table, JSON, JSON Lines or CSV."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cli.options import Format
from cli.show.table import cell, write_table
from cli.show.text import visible, visible_json
from dedup.errors import EnvironmentFault
from indexer.outputs.csv import csv_line, guard

if TYPE_CHECKING:
    from indexer.files import Access

Row = Mapping[str, Any]

DIGITS = 6
"""Decimal places of probabilities and weights in JSON and CSV."""


def write_rows(rows: Iterable[Row], layout: Format, out: TextIO, *, raw: bool = False) -> None:
    """Write rows to ``out``; a table or CSV has the columns of all rows, in order of appearance.

    JSON and JSON Lines are streamed. CSV is buffered in a temporary file until all column names are known; with ``raw``
    its cells have no guard against formulas.
    """
    writers: dict[Format, Callable[[Iterable[Row], TextIO], None]] = {
        Format.table: write_table,
        Format.json: _write_json,
        Format.jsonl: _write_jsonl,
        Format.csv: partial(_write_csv, raw=raw),
    }
    writers[layout](rows, out)


def write_summary(summary: Row, out: TextIO, *, as_json: bool) -> None:
    """Write one name and value per line, nested values indented below their name; or JSON."""
    if as_json:
        out.write(visible_json(json.dumps(summary, ensure_ascii=False, indent=2)) + "\n")
    else:
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


def _write_csv(rows: Iterable[Row], out: TextIO, *, raw: bool) -> None:
    columns: dict[str, None] = {}
    shown, guarded = visible if out.isatty() else str, guard(raw=raw)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as waiting:
        for row in rows:
            columns.update(dict.fromkeys(row))
            waiting.write(json.dumps(row) + "\n")
        waiting.seek(0)
        out.write(csv_line([shown(guarded(column)) for column in columns]) + "\n")
        for line in waiting:
            row = json.loads(line)
            out.write(csv_line([shown(guarded(_plain(row.get(column)))) for column in columns]) + "\n")


def _plain(value: object) -> str:
    if isinstance(value, list):
        return " | ".join(contributions(value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def rounded(values: Iterable[float], digits: int) -> list[float]:
    """Round values up or down so that their sum is the rounded sum of ``values``; no value changes its sign."""
    sums = [round(total, digits) for total in accumulate(values, initial=0.0)]
    return [round(after - before, digits) for before, after in pairwise(sums)]


def contributions(reasons: Sequence[Row]) -> list[str]:
    """Return evidence as lines such as ``+2.31 words in common``, without weights that round to 0."""
    if any(reason["log_odds"] is None for reason in reasons):
        return [reason["label"] for reason in reasons]
    weights = rounded([reason["log_odds"] for reason in reasons], 2)
    return [f"{weight:+.2f} {reason['label']}" for reason, weight in zip(reasons, weights, strict=True) if weight]


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
