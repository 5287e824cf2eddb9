"""``dedup compare``: the probability that two texts are the same, and why."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from cli import options
from cli.options import ReportFormat
from cli.show.match_rows import lines
from cli.show.page_file import Html, check_page, page_file
from cli.show.render import write_summary
from indexer.outputs.reasons import DIGITS, reasons_of

EXAMPLES = options.examples(
    'dedup compare "APOGEE MEDICAL GROUP IOWA PC" "APOGEE MEDICAL GROUP ILLINOIS PC"',
    'dedup compare "Acme Ltd" "Acme Limited" --model my-model --html acme.html',
    'dedup compare "Mohammed Ali" "Muhammad Ali" --kind person',
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
    kind: options.Kind = None,
    html: Html = None,
    mode: options.Mode = None,
    layout: options.Output = ReportFormat.table,
    model: options.Model = None,
) -> None:
    """Compare two texts and explain the result.

    Prints the probability that the texts are the same, and the evidence. Needs no index. --html writes a page that
    also shows what each character or word does to the similarity, and the attention of a model that has some.

    Each piece of evidence has a weight in log-odds, positive if it suggests that the texts are the same,
    negative if not. The starting point holds for texts of this length without any evidence; the total is the
    log-odds of the probability. A query may give a slightly different result, because it also takes into account
    which words are common in the index.
    """
    from indexer.jobs.compare import compare, look
    from indexer.models.choice import asked_or_shipped

    check_page(html)
    loaded = asked_or_shipped(model, kind)
    fields = options.values_of(left or ()), options.values_of(right or ())
    found, is_equal = compare(loaded, first, second, *fields)
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
    if html is not None:
        from indexer.outputs.model_pages.comparison_page import write_comparison

        with page_file(html, mode) as page:
            write_comparison(page, look(loaded, first, second, *fields))
