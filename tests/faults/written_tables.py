"""What a query may be asked to write (a format, the name of a file, how cells look), and what should become of it."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import workbook
from invocation import dedup_

FORMATS = (None, "csv", "tsv", "json", "jsonl", "xlsx", "parquet")
SUFFIXES = ("", ".csv", ".TSV", ".json", ".jsonl", ".xlsx", ".parquet", ".txt", ".xls", ".csv.gz")
STYLES: dict[tuple[str, ...], str] = {
    (): ",",
    ("--raw",): ",",
    ("--bom",): ",",
    ("--locale", "de"): ";",
    ("--locale", "en_GB"): ",",
    ("--output-delimiter", ";"): ";",
    ("--output-delimiter", "tab"): "\t",
    ("--output-delimiter", "|", "--locale", "fr", "--bom"): "|",
}
"""The options for cells, and the delimiter of CSV that they give."""


@dataclass(frozen=True)
class Case:
    """A query with these options; ``written`` is the format that is due, None if it is refused."""

    layout: str | None
    suffix: str
    style: tuple[str, ...]
    written: str | None


def cases() -> Iterator[Case]:
    """Yield all cases."""
    known = {f".{name}" for name in FORMATS if name}
    for layout, suffix, style in itertools.product(FORMATS, SUFFIXES, STYLES):
        named = suffix.lower() if suffix.lower() in known else None
        due = layout or (named.removeprefix(".") if named else None)
        is_refused = (
            due is None  # a suffix that nobody knows; without one it is a table
            or (named is not None and named != f".{due}")
            or (due not in ("csv", "tsv") and not {*style} <= {"--raw", "--locale", "en_GB"})
            or (due == "tsv" and "--output-delimiter" in style and "tab" not in style)
        )
        if not suffix and layout is None:
            continue
        yield Case(layout, suffix, style, None if is_refused else due)


def play(case: Case) -> str | None:
    """Run a case in the current folder, where something is indexed; return what is wrong, or None."""
    path = Path(f"out{case.suffix}")
    layout = ("--format", case.layout) if case.layout else ()
    result = dedup_("query", "northwind trading", "--output", path, *layout, *case.style)
    try:
        if case.written is None:
            is_kept = result.exit_code == 2 and "Error: " in result.stderr and not path.exists()
            return None if is_kept else f"exit code {result.exit_code}, {path.exists()=}: {result.output}"
        if result.exit_code:
            return f"exit code {result.exit_code}: {result.output}"
        probability, note = _first(path, case)
        guarded = case.written in ("csv", "tsv") and "--raw" not in case.style
        if note != ("'=1+1" if guarded else "=1+1") or not 0.99 < probability <= 1:
            return f"read back {probability} and {note!r}"
    finally:
        path.unlink(missing_ok=True)
    return None


def _first(path: Path, case: Case) -> tuple[float, str]:
    """Return the probability and the note of the first match, read as the format that is due."""
    if case.written == "json":
        row = json.loads(path.read_text())[0]
    elif case.written == "jsonl":
        row = json.loads(path.read_text().splitlines()[0])
    elif case.written == "xlsx":
        header, first, *_ = workbook.rows(path)
        row = dict(zip(header, first, strict=True))
    elif case.written == "parquet":
        from pyarrow import parquet

        row = parquet.read_table(path).to_pylist()[0]
    else:
        content = path.read_bytes()
        assert content.startswith(b"\xef\xbb\xbf") == ("--bom" in case.style)
        delimiter = "\t" if case.written == "tsv" else STYLES[case.style]
        row = next(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter))
        mark = "," if {"de", "fr"} & {*case.style} else "."
        assert mark in row["probability"]
        row["probability"] = row["probability"].replace(",", ".")
    return float(row["probability"]), row["note"]
