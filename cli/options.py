"""Options shared by several commands, and the groups in which a help page shows them.

Six have a short form, the same in every command: ``-t``, ``-s``, ``-n``, ``-o``, ``-w`` and ``-q``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dedup.evidence.fields.field_kinds import FieldKind

if TYPE_CHECKING:
    from indexer.reading.rows import ReadOptions

COMMON = "Common options"
PATHS = ("FILE", "DIR", "DATA_DIR")
"""Metavars of options and arguments that name files: alone they may hold bytes that are not UTF-8."""
READING = "Reading options"
"""How an input is parsed and what happens to bad rows; the last group of a help page."""


class Format(StrEnum):
    """Output formats of rows."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    tsv = "tsv"
    xlsx = "xlsx"
    parquet = "parquet"


class BranchRule(StrEnum):
    """What records of one name in different towns are."""

    separate = "separate"
    merge = "merge"


class LogFormat(StrEnum):
    """Formats of the messages on standard error as lines of a log."""

    text = "text"
    json = "json"


class ReportFormat(StrEnum):
    """Output formats of a summary."""

    table = "table"
    json = "json"


Workspace = Annotated[
    Path,
    typer.Option(
        "--workspace",
        "-w",
        envvar="DEDUP_WORKSPACE",
        metavar="DIR",
        help="Directory of the index.",
        rich_help_panel=COMMON,
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
        rich_help_panel=COMMON,
    ),
]
Schema = Annotated[
    str | None,
    typer.Option(
        "--schema",
        envvar="DEDUP_DATABASE_SCHEMA",
        metavar="NAME",
        help="Schema of the PostgreSQL database. Default: public.",
        rich_help_panel=COMMON,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        envvar="DEDUP_MODEL",
        metavar="MODEL",
        help="Model: its directory, its name in `dedup models`, or shipped for the one that ships with neardup. "
        "Default: that of the index, or else the shipped one.",
        rich_help_panel=COMMON,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        help="Number of threads, at most 8 for each core. Default: the cores available to the process.",
        rich_help_panel=COMMON,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Refuse to start if the estimated peak memory exceeds SIZE, e.g. 4G.",
        rich_help_panel=COMMON,
    ),
]
Kind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help="Kind of the texts: company or person for names, text for products, titles, addresses and the like.",
    ),
]
Output = Annotated[ReportFormat, typer.Option("--format", metavar="FORMAT", help="Output format: table or json.")]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print nothing unless something is wrong, except rows and JSON.",
        rich_help_panel=COMMON,
    ),
]
LOG_FORMAT, LOG_FORMAT_VARIABLE = "--log-format", "DEDUP_LOG_FORMAT"
Log = Annotated[
    LogFormat | None,
    typer.Option(
        LOG_FORMAT,
        envvar=LOG_FORMAT_VARIABLE,
        metavar="FORMAT",
        help="Write the messages on standard error as lines of a log, text or json, with time, level, command and run. "
        "Default: plain sentences.",
        rich_help_panel=COMMON,
    ),
]
TextColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        "-t",
        metavar="COLUMN",
        help="Column that holds the text; repeat it to join several columns with a space. Default: that of the source, "
        "or found by names and values.",
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="COLUMN",
        help="Column that holds the record ids; '' for none. Default: that of the source, or found, if there is one.",
    ),
]
FieldColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="COLUMN[:KIND]",
        help="Further column that serves as evidence, such as city, postcode, vat:id or name2:company; repeat it. "
        f"Kinds: {', '.join(FieldKind)}. Default: those of the source; '' for none. A kind left out is found by the "
        "name and the values.",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Text encoding, e.g. cp1252, or auto to detect it. Default: UTF-8.",
        rich_help_panel=READING,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter", metavar="CHAR", help="Delimiter of a CSV file. Default: detected.", rich_help_panel=READING
    ),
]
Quote = Annotated[
    str,
    typer.Option(
        "--quote", metavar="CHAR", help="Quote character of a CSV file; '' for none.", rich_help_panel=READING
    ),
]
NoHeader = Annotated[
    bool,
    typer.Option(
        "--no-header",
        help="The CSV file has no header; name its columns column_1, column_2 and so on.",
        rich_help_panel=READING,
    ),
]
SkipLines = Annotated[
    int,
    typer.Option(
        "--skip-lines",
        metavar="N",
        min=0,
        max=1000,
        help="Skip N lines (at most 1000) before the header of a CSV file.",
        rich_help_panel=READING,
    ),
]
Lenient = Annotated[
    bool,
    typer.Option(
        "--lenient",
        help='Accept unescaped quotes in a quoted cell, as in "ACME "Best" Ltd".',
        rich_help_panel=READING,
    ),
]
Escape = Annotated[
    str,
    typer.Option(
        "--escape",
        metavar="CHAR",
        help="Escape character of a CSV file before quotes and delimiters, e.g. a backslash. Default: none.",
        rich_help_panel=READING,
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        "--sheet", metavar="NAME", help="Sheet of an Excel workbook. Default: the first one.", rich_help_panel=READING
    ),
]
ShortRows = Annotated[
    bool,
    typer.Option(
        "--short-rows",
        help="Read cells that are missing at the end of a row of a CSV file as empty.",
        rich_help_panel=READING,
    ),
]
AllowEmpty = Annotated[
    bool,
    typer.Option(
        "--allow-empty",
        help="Accept an empty file, which has no rows: change nothing and exit with code 0.",
        rich_help_panel=READING,
    ),
]
FixMojibake = Annotated[
    bool,
    typer.Option(
        "--fix-mojibake",
        help="Repair texts such as MÃ¼ller; the column ..._as_read keeps the original.",
        rich_help_panel=READING,
    ),
]
AllowRejects = Annotated[
    bool,
    typer.Option(
        "--allow-rejects",
        help="End with exit code 0 instead of 3 if some rows were rejected; they are still counted and listed.",
        rich_help_panel=READING,
    ),
]
Rejects = Annotated[
    Path | None,
    typer.Option(
        "--rejects",
        metavar="FILE",
        help="Write rejected rows to FILE (JSON Lines, or CSV if it ends in .csv), or to stderr if it is -. Default: "
        "rejects/SOURCE.jsonl in the workspace.",
        rich_help_panel=READING,
    ),
]

MaxRejectRate = Annotated[
    float,
    typer.Option(
        "--max-reject-rate",
        metavar="SHARE",
        min=0,
        max=1,
        help="Refuse the input if more than this share of its rows (0 to 1) is rejected.",
        rich_help_panel=READING,
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="MODE",
        help="Permissions of the files that are written, in octal, e.g. 644. Default: those of the input, or 600.",
        rich_help_panel=COMMON,
    ),
]
Raw = Annotated[
    bool,
    typer.Option(
        "--raw", help="Write CSV cells as they are, without the apostrophe that keeps spreadsheets from running them."
    ),
]
Layout = Annotated[
    Format | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Output format: table, json, jsonl, csv, tsv, xlsx or parquet. Default: the suffix of --output, or else "
        "csv for the rows of a file and table for one text.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="NAMES",
        help="Other columns of the records to write, in this order, separated by commas; '' for none. Default: all.",
    ),
]
Bom = Annotated[bool, typer.Option("--bom", help="Begin CSV with a byte-order mark, by which Excel recognises UTF-8.")]
Locale = Annotated[
    str | None,
    typer.Option(
        "--locale",
        metavar="NAME",
        help="Write the numbers of a CSV file as people of this locale do, e.g. de: with a decimal comma, and with "
        "semicolons between cells.",
    ),
]


def output_delimiter(*names: str) -> Any:  # noqa: ANN401 - an option of typer
    """Return the option for the delimiter of written CSV; ``--delimiter`` is that of the input where there is one."""
    return typer.Option(
        *names, metavar="CHAR", help="Delimiter of written CSV. Default: a comma, or a semicolon with a decimal comma."
    )


def reading_of(arguments: Mapping[str, Any], text_columns: list[str] | None) -> ReadOptions:
    """Return how to read an input, from the ``locals()`` of a command that has the reading options."""
    from indexer.reading.rows import ReadOptions

    as_they_are = ("encoding", "delimiter", "quote", "skip_lines", "lenient", "escape", "short_rows", "sheet")
    return ReadOptions(
        text_columns=text_columns or (),
        id_column=arguments["id"],
        field_columns=field_columns(arguments.get("field") or ()),
        header=not arguments["no_header"],
        fix_mojibake=arguments["fix_mojibake"],
        allow_empty=arguments["allow_empty"],
        **{name: arguments[name] for name in as_they_are},
    )


def field_columns(names: Iterable[str]) -> tuple[tuple[str, None], ...]:
    """Return columns that serve as evidence; the kind may follow a name after a colon."""
    return tuple((name, None) for name in names)


def values_of(given: Iterable[str]) -> dict[str, str]:
    """Return values of fields by name from ``NAME=VALUE``. Raises ``UsageError`` for anything else, or a name twice."""
    from dedup.errors import UsageError

    found: dict[str, str] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or not name.strip():
            raise UsageError(f"{one!r} is no value of a field; give its name, = and the value, as in city=Ulm.")
        if name.strip() in found:
            raise UsageError(f"The field {name.strip()!r} has two values; give one.")
        found[name.strip()] = value
    return found


def columns_of(values: list[str] | None) -> list[str] | None:
    """Return the names that ``--columns`` lists; a name with a comma is quoted as in CSV. None: not given."""
    return None if values is None else [name.strip() for row in csv.reader(values) for name in row if name.strip()]


def examples(*commands: str) -> str:
    """Return the end of a command's help: its examples, one a line."""
    return "\n".join(("\b", "Examples:", *(f"  {command}" for command in commands)))
