"""``dedup compare``: score two texts and say why."""

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
    first: Annotated[str, typer.Argument(metavar="A", help="A text.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another text.")],
    layout: options.Output = ReportFormat.table,
) -> None:
    """Compare two texts and say why.

    Gives the probability that they mean the same; needs no index. Each piece of evidence has a weight in
    log-odds: positive for the same, negative for different. The starting point is where texts of this length
    are without any evidence; all together are the log-odds of the probability. A query of a large corpus may
    say a little otherwise: it also knows which words are common there.
    """
    from dedup.encoder.cosine import cosine
    from dedup.errors import InputRefused
    from dedup.model import load_model
    from dedup.text.normalise import normalise

    normals = [normalise(text) for text in (first, second)]
    for text, normal in zip((first, second), normals, strict=True):
        if not normal:
            raise InputRefused(f"{text!r} holds no letter, digit or symbol; give a name.", "E_NAME_EMPTY")
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
