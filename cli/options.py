"""Options that mean the same in every command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


class ReportFormat(StrEnum):
    """How a summary is written."""

    table = "table"
    json = "json"


Workspace = Annotated[
    Path,
    typer.Option(
        "--workspace",
        envvar="DEDUP_WORKSPACE",
        metavar="DIR",
        help="Directory that holds the index.",
    ),
]
DEFAULT_WORKSPACE = Path(".dedup")
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="DEDUP_DATABASE_URL",
        metavar="URL",
        help="Database to use instead of the SQLite file in the workspace, e.g. postgresql://user@host/name.",
    ),
]
Output = Annotated[ReportFormat, typer.Option("--format", help="How to print the result.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar and no notes on stderr.")]
TextColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        metavar="COLUMN",
        help="Column of the text; several are joined with a space. Default: a column called name, company, "
        "text or the like.",
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN", help="Column of the ids. Default: a column called id, if any."),
]
Encoding = Annotated[
    str | None,
    typer.Option("--encoding", metavar="NAME", help="Encoding of FILE, e.g. cp1252. Default: UTF-8."),
]
Delimiter = Annotated[
    str | None,
    typer.Option("--delimiter", metavar="CHARACTER", help="What separates the cells. Default: found."),
]
Rejects = Annotated[
    Path | None,
    typer.Option("--rejects", metavar="PATH", help="Where to list rejected rows. Default: FILE.rejects.jsonl."),
]


def examples(*commands: str) -> str:
    """Return the end of a command's help: its examples, one a line."""
    return "\n".join(("\b", "Example:", *(f"  {command}" for command in commands)))
