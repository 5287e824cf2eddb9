"""``dedup delete``: take records out of a workspace."""

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
        typer.Option("--id", metavar="ID", help="Id of a record to delete; several may be given."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Delete from this source; all of its records if no id is given."),
    ] = None,
    threads: options.Threads = None,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    quiet: options.Quiet = False,
) -> None:
    """Delete records from the index.

    Deletes the records with the given ids, all or none of them, or a whole source. The source may be left out
    where only one has records with these ids. Queries no longer find them at once; the files that were
    indexed stay as they are, and indexing them again brings the records back.
    """
    compute_with(threads)

    from dedup.errors import UsageError
    from indexer.jobs.delete import delete_records, delete_source
    from indexer.jobs.index import compact
    from indexer.store.workspace import Workspace

    if not id and not source:
        raise UsageError("Say what to delete: --id ID, or --source NAME for all records of a source.")
    place = Workspace(workspace, database)
    with place.open(for_writing=False):  # nothing indexed yet: say so, rather than make a workspace
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
        raise UsageError(f"There is no record with the id {ids[0]!r}; nothing was deleted.")
    if len(names) > 1:
        raise UsageError(f"Several sources have records with these ids: {', '.join(names)}. Choose one with --source.")
    return names[0]
