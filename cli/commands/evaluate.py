"""``dedup evaluate``: measure accuracy on labelled data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.options import ReportFormat
from cli.show.notes import shown_progress
from cli.show.render import write_summary
from dedup.runtime.progress import Progress, no_progress, with_total
from dedup.runtime.threads import compute_with

if TYPE_CHECKING:
    from indexer.reading.open import Row, Table
    from indexer.reading.rejects import Reject

_PROGRESS_ROWS = 5_000
"""Progress is reported every so many rows."""

EXAMPLES = options.examples(
    "dedup evaluate --pairs labelled_pairs.csv",
    "dedup evaluate --clusters truth.csv --distractors others.csv.gz --format json",
)


def evaluate(
    pairs: Annotated[
        str | None,
        typer.Option(
            "--pairs",
            metavar="FILE",
            help="CSV file with the columns name_1, name_2 and label (1: same, 0: different).",
        ),
    ] = None,
    clusters: Annotated[
        str | None,
        typer.Option("--clusters", metavar="FILE", help="CSV file with the columns id, text and cluster_id."),
    ] = None,
    distractors: Annotated[
        str | None,
        typer.Option(
            "--distractors",
            metavar="FILE",
            help="CSV file with the columns id and name: further texts to search, used with --clusters.",
        ),
    ] = None,
    kind: options.Kind = None,
    layout: options.Output = ReportFormat.table,
    threads: options.Threads = None,
) -> None:
    """Measure accuracy on labelled data.

    Measures how well the model recognises labelled pairs, or finds labelled clusters. Needs no index.
    """
    compute_with(threads)

    from dedup.errors import UsageError
    from dedup.evaluation.evaluate import evaluate_clusters, evaluate_pairs
    from dedup.model import load_model

    if (pairs is None) == (clusters is None):
        raise UsageError("Give either --pairs FILE or --clusters FILE.")
    if distractors is not None and clusters is None:
        raise UsageError("--distractors FILE can be used with --clusters FILE only.")
    model = load_model() if kind is None else load_model().with_kind(kind)
    result: dict[str, Any]
    with shown_progress() as progress:
        if pairs is not None:
            left, right, labels = _columns(pairs, "name_1", "name_2", "label", progress=progress)
            result = evaluate_pairs(model, left, right, [int(label) for label in labels], progress=progress)
        else:
            assert clusters is not None
            texts, cluster_ids = _columns(clusters, "text", "cluster_id")
            others = _columns(distractors, "name", progress=progress)[0] if distractors is not None else []
            result = evaluate_clusters(model, texts, cluster_ids, others, progress=progress)
    write_summary(result, sys.stdout, as_json=layout is ReportFormat.json)


def _columns(file: str, text: str, *others: str, progress: Progress = no_progress) -> list[list[str]]:
    """Return the named columns of a file.

    Raises ``InputRefused`` for a missing column, a bad row, a label other than 0 or 1, or an empty cluster id.
    """
    from dedup.errors import InputRefused
    from indexer.reading.open import ReadOptions, Row, open_table

    try:
        opened = open_table(file, ReadOptions(text_columns=[text], id_column=""))
    except InputRefused as error:
        if error.code != "E_MISSING_COLUMN":
            raise
        needed = ", ".join((text, *others))
        found = str(error).partition(" Name one with")[0]
        raise InputRefused(f"{found} The columns {needed} are needed.", error.code) from None
    with opened as table:
        missing = [name for name in others if name not in table.columns]
        if missing:
            raise InputRefused(
                f"{table.name} has no column {missing[0]!r}; it has {', '.join(map(repr, table.columns))}.",
                "E_MISSING_COLUMN",
            )
        columns: list[list[str]] = [[] for _ in (text, *others)]
        for row in _with_progress(table, progress):
            if not isinstance(row, Row):
                raise InputRefused(f"Line {row.line} of {table.name}: {row.message}", row.error)
            cells = [row.raw, *(row.fields.get(name, "") for name in others)]
            for name, cell, values in zip((text, *others), cells, columns, strict=True):
                if name == "label" and cell.strip() not in ("0", "1"):
                    message = f"Line {row.line} of {table.name}: the label is {cell!r}, not 0 or 1."
                    raise InputRefused(message, "E_LABEL")
                if name == "cluster_id" and not cell.strip():
                    message = f"Line {row.line} of {table.name} has no cluster_id; give each record one."
                    raise InputRefused(message, "E_CLUSTER_ID")
                values.append(cell)
    return columns


def _with_progress(table: Table, progress: Progress) -> Iterator[Row | Reject]:
    """Yield the rows of a table and report how many were read."""
    estimated = with_total(progress, table, "read")
    for row in table:
        yield row
        if table.rows_in % _PROGRESS_ROWS == 0:
            estimated("read", table.rows_in, None)
    progress("read", table.rows_in, table.rows_in)
