"""``dedup evaluate``: measure accuracy on labelled data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import label_options, options
from cli.exit_codes import end_with_rejects
from cli.options import ReportFormat
from cli.show.notes import say, say_rejected, shown_progress
from cli.show.page_file import Html, check_page, page_file
from cli.show.render import write_summary
from dedup.runtime.progress import Progress, no_progress, with_total
from dedup.runtime.threads import compute_with

if TYPE_CHECKING:
    from dedup.evaluation.pair_set import PairSet
    from indexer.ingest.labelled_pairs import Wanted
    from indexer.reading.open import ReadOptions, Row, Table
    from indexer.reading.rejects import Reject

_PROGRESS_ROWS = 5_000
"""Progress is reported every so many rows."""

EXAMPLES = options.examples(
    "dedup evaluate labelled.csv --model my-model --html my-model.html",
    "dedup evaluate --pairs labelled_pairs.csv",
    "dedup evaluate --clusters truth.csv --distractors others.csv.gz --format json",
)


def evaluate(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="Labelled pairs in the layouts that `dedup train` reads: 0 and 1, classes, or grades from 0 to 5.",
        ),
    ] = None,
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
    html: Html = None,
    mode: options.Mode = None,
    layout: options.Output = ReportFormat.table,
    model: options.Model = None,
    threads: options.Threads = None,
    first: label_options.First = None,
    second: label_options.Second = None,
    label: label_options.Label = None,
    labels: label_options.Labels = None,
    same: label_options.Same = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    quote: options.Quote = '"',
    no_header: options.NoHeader = False,
    rejects: options.Rejects = None,
    allow_rejects: options.AllowRejects = False,
    max_reject_rate: options.MaxRejectRate = 0.05,
) -> None:
    """Measure accuracy on labelled data.

    Measures how well the model recognises labelled pairs, or finds labelled clusters. Needs no index. Of FILE, rejected
    rows are listed on standard error unless --rejects names a file, and the exit code is then 3. --html writes a page
    with curves, thresholds, the confusion matrix and the worst errors of pairs.
    """
    compute_with(threads)

    from dedup.errors import UsageError
    from dedup.evaluation.evaluate import evaluate_clusters, evaluate_pairs
    from dedup.evaluation.labelled import predict
    from indexer.models.choice import asked_or_shipped

    if [bool(files), pairs is not None, clusters is not None].count(True) != 1:
        raise UsageError("Give either files of pairs, or --pairs FILE, or --clusters FILE.")
    if distractors is not None and clusters is None:
        raise UsageError("--distractors FILE can be used with --clusters FILE only.")
    if html is not None and not files:
        raise UsageError("--html is a page about the pairs of FILE; leave it out, or give them as FILE.")
    check_page(html, inputs=files or ())
    result: dict[str, Any]
    rejected = 0
    measured = asked_or_shipped(model, kind)
    with shown_progress() as progress:
        if files:
            from indexer.ingest.labelled_pairs import Wanted, kind_asked
            from indexer.reading.rows import ReadOptions

            reading = ReadOptions(encoding=encoding, delimiter=delimiter, quote=quote, header=not no_header)
            wanted = Wanted(first, second, label, kind_asked(labels), same or (), max_reject_rate)
            read, rejected = pairs_of(files, wanted, reading, rejects or Path("-"), progress)
            predicted = predict(measured, read, progress)
            result = predicted.measures()
            if html is not None:
                from indexer.outputs.model_pages.evaluation_page import write_evaluation

                with page_file(html, mode, inputs=files) as page:
                    write_evaluation(page, f"Model {measured.name}", [Path(file).name for file in files], predicted)
        elif pairs is not None:
            left, right, truth = _columns(pairs, "name_1", "name_2", "label", progress=progress)
            result = evaluate_pairs(measured, left, right, [int(one) for one in truth], progress=progress)
        else:
            assert clusters is not None
            texts, cluster_ids = _columns(clusters, "text", "cluster_id")
            others = _columns(distractors, "name", progress=progress)[0] if distractors is not None else []
            result = evaluate_clusters(measured, texts, cluster_ids, others, progress=progress)
    write_summary(result, sys.stdout, as_json=layout is ReportFormat.json)
    end_with_rejects(rejected, allowed=allow_rejects)


def pairs_of(
    files: list[str], wanted: Wanted, reading: ReadOptions, rejects: Path, progress: Progress
) -> tuple[PairSet, int]:
    """Return the labelled pairs of files and the number of rejected rows; raises what the readers raise."""
    from indexer.ingest.labelled_pairs import read_pairs
    from indexer.reading.inputs import open_rejects

    with open_rejects(files, rejects, rejects) as refused:
        found = read_pairs(files, wanted, reading, refused.add, progress, say)
        say_rejected(refused)
        return found, refused.count


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
