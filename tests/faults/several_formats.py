"""Which formats one report may be asked for, spelt how, and with which style; and what should become of it."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import workbook
from pyarrow import parquet

from dedup.errors import UsageError
from indexer.outputs.report_formats import (
    FORMATS,
    ReportFormats,
    report_formats,
    require_all,
    shared_preparing,
    table_writers,
)
from indexer.outputs.table_files import Column, style_of

STYLES: tuple[dict[str, Any], ...] = (
    *({}, {"raw": True}, {"bom": True}, {"locale": "de"}, {"delimiter": ";"}, {"delimiter": "tab"}),
    *({"delimiter": "|", "bom": True, "locale": "fr"}, {"locale": "en_GB"}),
)
COLUMNS = (Column("id"), Column("probability", float), Column("exact", bool))
ROWS = [["=1+1", 0.25, True], ["00123", 1.0, False], ["x", None, None], ['Müller;\t|,"x"', 0.5, None]]
BAD = ("json", "table", "pdf", "csv html", "xls", "", "csv,", ",", "parquet;csv", "CSV.GZ", "*")


class Case(NamedTuple):
    """Names as they are given, the style, and the formats that are due; None if they are refused."""

    names: tuple[str, ...]
    style: dict[str, Any]
    due: tuple[str, ...] | None


def cases() -> Iterator[Case]:
    """Yield all cases; each set of formats in some order and spelling."""
    draw = random.Random(7)
    for count in range(1, len(FORMATS) + 1):
        for formats in itertools.combinations(FORMATS, count):
            for style in STYLES:
                order = draw.sample(formats, count)
                yield Case(_spelt(draw, order), style, tuple(order) if _is_possible(formats, style) else None)
    for bad, beside in itertools.product(BAD, ("", "csv", "html")):
        yield Case((bad, beside) if beside else (bad,), {}, None)


def _spelt(draw: random.Random, order: list[str]) -> tuple[str, ...]:
    names = [draw.choice((name, name.upper(), f" {name} ")) for name in order]
    return tuple(names) if draw.random() < 0.5 else (",".join([*names, draw.choice(names)]),)


def _is_possible(formats: tuple[str, ...], style: dict[str, Any]) -> bool:
    is_of_csv = bool({"bom", "delimiter"} & style.keys()) or style.get("locale") in ("de", "fr")
    if is_of_csv and not {"csv", "tsv"} & {*formats}:
        return False
    return "csv" in formats or "tsv" not in formats or style.get("delimiter") in (None, "tab")


def play(case: Case, folder: Path) -> str | None:
    """Run a case; return what is wrong, or None."""
    try:
        style = style_of(**case.style)
        formats = report_formats(case.names, "--format")
        require_all(formats, style)
    except UsageError as error:
        return None if case.due is None else f"refused: {error}"
    if case.due is None:
        return "not refused"
    if {*formats.names} != {*case.due} or [*formats.tables] != [name for name in case.due if name != "html"]:
        return f"other formats: {formats}"
    _write(formats, style, folder)
    prepare = shared_preparing(formats, style)
    for name in formats.tables:
        guarded = name in ("csv", "tsv") and not style.raw
        found, expected = _read(folder / name, name, style), _expected(name, guarded)
        if found != expected:
            return f"{name} holds {found}, not {expected}"
    return None if prepare is str or formats.is_one_table else "cells are prepared for one of several formats"


def _write(formats: ReportFormats, style: Any, folder: Path) -> None:
    prepare = shared_preparing(formats, style)
    with ExitStack() as stack:
        files = [
            stack.enter_context((folder / name).open("w", encoding="utf-8", newline="")) for name in formats.tables
        ]
        writer = stack.enter_context(table_writers(files, formats, COLUMNS, style, "t"))
        writer.write([prepare(cell) if isinstance(cell, str) else cell for cell in row] for row in ROWS)


def _expected(name: str, guarded: bool) -> list[list[Any]]:
    ids = ["'=1+1" if guarded else "=1+1", "00123", "x", 'Müller;\t|,"x"']
    empty = None if name in ("jsonl", "parquet") else ""
    rest = [[0.25, True], [1.0, False], [empty, empty], [0.5, empty]]
    return [[id, *others] for id, others in zip(ids, rest, strict=True)]


def _read(path: Path, name: str, style: Any) -> list[list[Any]]:
    if name == "jsonl":
        return [list(json.loads(line).values()) for line in path.read_text("utf-8").splitlines()]
    if name == "parquet":
        return [list(row.values()) for row in parquet.read_table(path).to_pylist()]
    if name == "xlsx":
        truths = {"1": True, "0": False, "": ""}
        return [[id, float(value) if value else "", truths[exact]] for id, value, exact in workbook.rows(path)[1:]]
    text = path.read_bytes().decode("utf-8-sig" if style.bom else "utf-8")
    delimiter = "\t" if name == "tsv" else style.delimiter or (";" if style.decimal == "," else ",")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))[1:]
    truth = {"true": True, "false": False, "": ""}
    return [[id, float(value.replace(style.decimal, ".")) if value else "", truth[exact]] for id, value, exact in rows]
