"""``dedup compare``: the probability that two texts are the same, and why."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from cli import options
from cli.options import ReportFormat
from cli.show.match_rows import lines
from cli.show.render import write_summary
from indexer.outputs.reasons import DIGITS, reasons_of

EXAMPLES = options.examples(
    'dedup compare "APOGEE MEDICAL GROUP IOWA PC" "APOGEE MEDICAL GROUP ILLINOIS PC"',
    'dedup compare "Kessler Bau" "Kessler Bau GmbH" --left city=Ulm --right city=Bonn',
)


LeftFields = Annotated[
    list[str] | None,
    typer.Option("--left", metavar="FIELD=VALUE", help="Field of A, such as city=Ulm or vat:id=DE…; repeat it."),
]
RightFields = Annotated[list[str] | None, typer.Option("--right", metavar="FIELD=VALUE", help="Field of B; repeat it.")]


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="First text.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Second text.")],
    left: LeftFields = None,
    right: RightFields = None,
    layout: options.Output = ReportFormat.table,
) -> None:
    """Compare two texts and explain the result.

    Prints the probability that the texts are the same, and the evidence. Needs no index.

    Each piece of evidence has a weight in log-odds, positive if it suggests that the texts are the same,
    negative if not. The starting point holds for texts of this length without any evidence; the total is the
    log-odds of the probability. A query may give a slightly different result, because it also takes into account
    which words are common in the index.
    """
    from dedup.model import load_model
    from indexer.jobs.compare import compare

    fields = options.values_of(left or ()), options.values_of(right or ())
    found, is_equal = compare(load_model(), first, second, *fields)
    result: dict[str, Any] = {
        "probability": round(found.probability, DIGITS) if found else 1.0,
        "similarity": round(found.similarity, DIGITS) if found else 1.0,
        "exact": is_equal,
        **reasons_of(found),
    }
    as_json = layout is ReportFormat.json
    if not as_json:
        result["explanation"] = lines(result)
        del result["log_odds"]
    write_summary(result, sys.stdout, as_json=as_json)
