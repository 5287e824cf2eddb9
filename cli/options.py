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
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", min=1, help="Threads to compute with. Default: as many as this process has cores."
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory", metavar="SIZE", help="Change nothing if it would take more memory, as estimated, e.g. 4G."
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
    typer.Option(
        "--encoding", metavar="NAME", help="Encoding of FILE, e.g. cp1252; auto takes a good guess. Default: UTF-8."
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option("--delimiter", metavar="CHARACTER", help="What separates the cells of a CSV file. Default: found."),
]
Quote = Annotated[
    str,
    typer.Option("--quote", metavar="CHARACTER", help="What quotes the cells of a CSV file; '' if nothing does."),
]
NoHeader = Annotated[
    bool,
    typer.Option("--no-header", help="The first line of a CSV file is a row; its columns are column_1, column_2 …"),
]
SkipLines = Annotated[
    int,
    typer.Option("--skip-lines", metavar="N", min=0, max=1000, help="Lines of a CSV file before its header."),
]
Lenient = Annotated[
    bool,
    typer.Option("--lenient", help='Keep quotes inside a quoted cell, as in "ACME "Best" Ltd", as they are.'),
]
FixMojibake = Annotated[
    bool,
    typer.Option("--fix-mojibake", help="Repair texts such as MÃ¼ller; a column …_as_read keeps them as they were."),
]
Rejects = Annotated[
    Path | None,
    typer.Option(
        "--rejects", metavar="PATH", help="Where to list rejected rows; - is stderr. Default: FILE.rejects.jsonl."
    ),
]


def examples(*commands: str) -> str:
    """Return the end of a command's help: its examples, one a line."""
    return "\n".join(("\b", "Example:", *(f"  {command}" for command in commands)))
