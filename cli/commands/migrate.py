"""``dedup migrate``: bring the database of an older neardup up to date."""

from __future__ import annotations

import typer

from cli import options
from cli.exit_codes import say
from cli.show.progress_bar import progress_bar

EXAMPLES = options.examples("dedup migrate", "dedup migrate --workspace /srv/companies")


def migrate(
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
) -> None:
    """Upgrade the database of an older version.

    A SQLite file is copied first, into the same folder; of a PostgreSQL database, make a dump before. Killed
    at any moment, it leaves the database as it was, and can be run again.
    """
    from indexer.store.workspace import Workspace

    place = Workspace(workspace, database)
    with progress_bar() as progress:
        done = place.migrate(progress)
    if done.before == done.after:
        typer.echo(f"{place.where} has schema {done.after} already; nothing to do.")
        return
    typer.echo(f"{place.where} was upgraded from schema {done.before} to {done.after}.")
    if done.copy:
        typer.echo(f"The database as it was is kept in {done.copy}; remove it when all is well.")
    say("Run `dedup verify --repair` to check everything, and to build a snapshot if there is none.")
