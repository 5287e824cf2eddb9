"""Options of the commands that read labelled pairs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.options import READING


class LabelKind(StrEnum):
    """What the labels of pairs are."""

    binary = "binary"
    classes = "classes"
    graded = "graded"


First = Annotated[
    str | None,
    typer.Option(
        "--first",
        metavar="COLUMN",
        help="Column of the first text. Default: found by names and values.",
        rich_help_panel=READING,
    ),
]
Second = Annotated[
    str | None,
    typer.Option("--second", metavar="COLUMN", help="Column of the second text.", rich_help_panel=READING),
]
Label = Annotated[
    str | None, typer.Option("--label", metavar="COLUMN", help="Column of the label.", rich_help_panel=READING)
]
Labels = Annotated[
    LabelKind | None,
    typer.Option(
        "--labels",
        metavar="KIND",
        help="What the labels are: binary (0 and 1), classes, or graded (0 to 5). Default: judged by their values.",
        rich_help_panel=READING,
    ),
]
Same = Annotated[
    list[str] | None,
    typer.Option(
        "--same",
        metavar="CLASS",
        help="Class that counts as the same; may be repeated. Default: those whose names say so, such as entailment.",
        rich_help_panel=READING,
    ),
]
