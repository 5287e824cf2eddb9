"""``dedup delete``: remove records from the index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.show.progress_bar import progress_bar
from dedup.runtime.threads import compute_with

if TYPE_CHECKING:
    from indexer.store.store import Store

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
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> None:
    """Delete records from the index.

    Deletes a whole source, or the records with the given ids: all of them or, if one is missing, none. --source
    can be left out if only one source has records with these ids. Queries stop finding the records at once.
    The input files are not touched; indexing them again restores the records.
    """
    compute_with(threads)

    from dedup.errors import UsageError
    from indexer.jobs.delete import delete_records, delete_source
    from indexer.jobs.index import compact
    from indexer.store.workspace import Workspace

    if not id and not source:
        raise UsageError("Say what to delete: --id ID, or --source NAME for all records of a source.")
    place = Workspace(workspace, database)
    with place.open(for_writing=False):  # fails if nothing is indexed yet, and creates no workspace
        pass
    with place.open(for_writing=True) as store, progress_bar(quiet=quiet) as progress:
        if id:
            name = source or _only_source(store, id)
            deleted = delete_records(store, id, name)
        else:
            name = source or ""
            deleted = delete_source(store, name, progress)
        compact(store, place.snapshots, progress)
    typer.echo(f"Deleted {deleted:,} {'record' if deleted == 1 else 'records'} of source {name!r}.")


def _only_source(store: Store, ids: list[str]) -> str:
    from dedup.errors import UsageError
    from indexer.jobs.delete import sources_of

    names = sources_of(store, ids)
    if not names:
        raise UsageError(f"No source has a record with the id {ids[0]!r}; nothing was deleted.")
    if len(names) > 1:
        raise UsageError(f"Several sources have records with these ids: {', '.join(names)}. Choose one with --source.")
    return names[0]
