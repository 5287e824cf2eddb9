"""``dedup delete``: remove records from the index."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options
from cli.show.notes import shown_progress
from dedup.runtime.threads import compute_with

EXAMPLES = options.examples(
    "dedup delete --id 4711 --id 4712 --source customers",
    "dedup delete --source old_export",
)


def delete(
    id: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="Delete the record with this id; may be repeated."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", "-s", metavar="NAME", help="Source of the records; without --id, delete all of it."),
    ] = None,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    log_format: options.Log = None,
) -> None:
    """Delete records from the index.

    Deletes a whole source, or the records with the given ids: all of them or, if one is missing, none. --source
    can be left out if only one source has records with these ids. Queries stop finding the records at once.
    The input files are not touched; indexing them again restores the records.
    """
    compute_with(threads)

    from indexer.jobs.delete import delete
    from indexer.store.workspace import Workspace

    with shown_progress(quiet=quiet) as progress:
        deleted = delete(Workspace(workspace, database, schema=schema), id or None, source, progress)
    count = f"{deleted.records:,} {'record' if deleted.records == 1 else 'records'}"
    if not quiet:
        typer.echo(f"Deleted {count} of source {deleted.source!r}.")
