"""``dedup compare``: the probability that two texts mean the same, and why."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from cli import options
from cli.options import ReportFormat
from cli.show.matches import lines, reasons_of
from cli.show.render import DIGITS, write_summary

EXAMPLES = options.examples(
    'dedup compare "APOGEE MEDICAL GROUP IOWA PC" "APOGEE MEDICAL GROUP ILLINOIS PC"',
)


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="First text.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Second text.")],
    layout: options.Output = ReportFormat.table,
) -> None:
    """Compare two texts and explain the result.

    Prints the probability that the texts mean the same, and the evidence. Needs no index.

    Each piece of evidence has a weight in log-odds, positive if it suggests that the texts mean the same,
    negative if not. The starting point holds for texts of this length without any evidence; the total is the
    log-odds of the probability. A query may give a slightly different result, because it also takes into account
    which words are common in the index.
    """
    from dedup.encoder.cosine import cosine
    from dedup.errors import InputRefused
    from dedup.model import load_model
    from dedup.text.normalise import normalise

    normals = [normalise(text) for text in (first, second)]
    for text, normal in zip((first, second), normals, strict=True):
        if not normal:
            raise InputRefused(f"{text!r} has no letter, digit or symbol to compare.", "E_NAME_EMPTY")
    result: dict[str, Any]
    if normals[0] == normals[1]:
        result = {"probability": 1.0, "similarity": 1.0, "exact": True, **reasons_of(None)}
    else:
        model = load_model()
        codes = model.encoder.encode(normals)
        found = model.explain(normals[0], normals[1], float(cosine(codes[:1], codes[1:])[0]))
        result = {
            "probability": round(found.probability, DIGITS),
            "similarity": round(found.similarity, DIGITS),
            "exact": False,
            **reasons_of(found),
        }
    as_json = layout is ReportFormat.json
    if not as_json:
        result["explanation"] = lines(result)
        del result["log_odds"]
    write_summary(result, sys.stdout, as_json=as_json)
