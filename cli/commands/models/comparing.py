"""``dedup models compare``: measure two models on the same labelled pairs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import label_options, options
from cli.commands.evaluate import pairs_of
from cli.exit_codes import end_with_rejects
from cli.options import Format, ReportFormat
from cli.show.notes import shown_progress
from cli.show.render import write_rows, write_summary
from dedup.runtime.threads import compute_with

EXAMPLES = options.examples(
    "dedup models compare shipped my_model labelled.csv",
    "dedup models compare companies@3f2a91c0 companies@d41c77aa held_out.csv --format json",
)

_DIGITS = 4


def compare(
    first_model: Annotated[str, typer.Argument(metavar="MODEL", help="Name or directory of a model, or shipped.")],
    second_model: Annotated[str, typer.Argument(metavar="OTHER_MODEL", help="The model to compare it with.")],
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help="Labelled pairs in the layouts that `dedup train` reads.", show_default=False
        ),
    ],
    layout: options.Output = ReportFormat.table,
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
    """Measure two models on the same labelled pairs, side by side.

    Pairs that one of them was trained on flatter it. As JSON, all that `dedup evaluate` says of each model is printed.
    Exit code 3: done, but some rows were rejected.
    """
    compute_with(threads)

    from dedup.evaluation.labelled import predict
    from indexer.ingest.labelled_pairs import Wanted, kind_asked
    from indexer.models.choice import named_model
    from indexer.models.description import compared
    from indexer.reading.rows import ReadOptions

    models = named_model(first_model), named_model(second_model)
    reading = ReadOptions(encoding=encoding, delimiter=delimiter, quote=quote, header=not no_header)
    wanted = Wanted(first, second, label, kind_asked(labels), same or (), max_reject_rate)
    with shown_progress() as progress:
        read, rejected = pairs_of(files, wanted, reading, rejects or Path("-"), progress)
        one, other = (predict(model, read, progress).measures() for model in models)
    if layout is ReportFormat.json:
        write_summary([{"model": first_model, **one}, {"model": second_model, **other}], sys.stdout, as_json=True)
    else:
        names = (first_model, second_model if second_model != first_model else f"{second_model} again")
        rows = (
            {
                "measure": name,
                **dict(zip(names, values, strict=True)),
                "difference": round(values[1] - values[0], _DIGITS),
            }
            for name, values in compared(one, other).items()
            if not name.startswith("baselines")
        )
        write_rows(rows, Format.table, sys.stdout)
    end_with_rejects(rejected, allowed=allow_rejects)
