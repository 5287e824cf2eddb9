"""``dedup judgements``: list, export and import what people judged."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.exit_codes import SOME_ROWS_REJECTED
from cli.options import Format
from cli.show.notes import say, say_contradictions, say_rejected
from cli.show.render import spaced, write_summary
from cli.show.rows_file import rows_file

if TYPE_CHECKING:
    from indexer.store.workspace import Workspace

EXAMPLES = options.examples(
    "dedup judgements",
    "dedup judgements -o judgements.csv",
    "dedup judgements --import judgements.csv",
    "dedup judgements --pairs -o labelled.csv",
    "dedup judgements --contradictions",
)

Import = Annotated[
    str | None,
    typer.Option(
        "--import",
        metavar="FILE",
        help="Store the judgements of FILE, with the columns source_1, id_1, source_2, id_2, verdict (same, different, "
        "unsure, or none to withdraw one) and, if you like, judged_by, judged_at, note. Empty verdicts are skipped.",
    ),
]
Pairs = Annotated[
    bool,
    typer.Option("--pairs", help="List the texts with a label, 1 or 0, as `dedup evaluate --pairs` reads them."),
]
Contradictions = Annotated[
    bool, typer.Option("--contradictions", help="List only judgements that contradict others, with the chain.")
]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who judged, where FILE does not say so. Default: the login name."),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output.")
]
Layout = Annotated[
    Format | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Output format: table, json, jsonl, csv, tsv, xlsx or parquet. Default: the suffix of --output, or table.",
    ),
]


def judgements(
    import_: Import = None,
    pairs: Pairs = False,
    contradictions: Contradictions = False,
    by: By = None,
    output: Output = None,
    layout: Layout = None,
    raw: options.Raw = False,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
    mode: options.Mode = None,
    rejects: options.Rejects = None,
) -> None:
    """List, export and import judgements.

    Lists what people judged, the oldest first; with --output as a file. --import stores the judgements of a file, all
    in one step: of two judgements of a pair the later one holds. Exit code 3: done, but some rows were rejected.
    """
    from dedup.errors import UsageError
    from indexer.jobs.reviewing.exchange import (
        COLUMNS,
        CONTRADICTION_TYPES,
        LABELLED_TYPES,
        contradiction_rows,
        labelled_pairs,
        rows_of,
    )
    from indexer.jobs.reviewing.judgement_table import read_judgements, settled
    from indexer.outputs.table_files import Style
    from indexer.store.workspace import Workspace

    place = Workspace(workspace, database, schema=schema)
    if sum((import_ is not None, pairs, contradictions)) > 1:
        raise UsageError("Give only one of --import, --pairs and --contradictions.")
    if import_ is not None:
        if output is not None or layout is not None:
            raise UsageError("--output and --format do not apply to --import; leave them out.")
        _import(place, import_, by, rejects, mode)
        return
    place.check_readable()
    file = rows_file(output, layout, Style(raw=raw), place, mode=mode, default=Format.table)
    with place.open(for_writing=False) as store:
        found = read_judgements(store)
        conflicts = settled(found).conflicts
        if contradictions:
            file.write(contradiction_rows(conflicts), CONTRADICTION_TYPES)
        elif pairs:
            file.write(labelled_pairs(store, found), LABELLED_TYPES)
        else:
            file.write(rows_of(found), dict.fromkeys(COLUMNS, str))
    if not found:
        say("There are no judgements yet; `dedup review` asks for them.")
    if not contradictions:
        say_contradictions(conflicts)


def _import(place: Workspace, file: str, by: str | None, rejects: Path | None, mode: str | None) -> None:
    """Store the judgements of a file, and say what became of its rows."""
    from dataclasses import asdict

    from indexer.files import access_of
    from indexer.jobs.reviewing.exchange import import_judgements
    from indexer.jobs.reviewing.judgement_table import login, person_of, read_judgements, settled
    from indexer.reading.inputs import open_rejects, place_of_rejects

    place.check_readable()
    default = place_of_rejects(place.directory, "judgements")
    listed = open_rejects(
        (file,), rejects, default, inputs=(file,), owns=place.owns, access=access_of(mode) if mode else None
    )
    who = login() if by is None else person_of(by)
    with listed as refused:
        done = import_judgements(place, file, who, refused.add)
        write_summary(spaced(asdict(done)), sys.stdout, as_json=False)
        say_rejected(refused)
    with place.open(for_writing=False) as store:
        say_contradictions(settled(read_judgements(store)).conflicts)
    if done.rejected:
        raise typer.Exit(SOME_ROWS_REJECTED)
