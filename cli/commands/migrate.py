"""``dedup migrate``: upgrade the database of an older version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli import options
from cli.show.notes import say, shown_progress

if TYPE_CHECKING:
    from indexer.store.migrate import Migration

EXAMPLES = options.examples("dedup migrate", "dedup migrate -w /srv/companies")


def migrate(
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
    quiet: options.Quiet = False,
    log_format: options.Log = None,
) -> None:
    """Upgrade the index of an older version.

    A SQLite file is first backed up in the workspace; dump a PostgreSQL database yourself. If the upgrade is
    killed, the database stays as it was and the command can be run again.
    """
    from indexer.store.workspace import Workspace

    place = Workspace(workspace, database, schema=schema)
    with shown_progress(quiet=quiet) as progress:
        done = place.migrate(progress)
    if not quiet:
        _say_what_was_done(done, place.where)


def _say_what_was_done(done: Migration, where: str) -> None:
    if done.before == done.after and done.renormalised is None:
        typer.echo(f"{where} already has schema {done.after}; nothing to do.")
        return
    if done.before != done.after:
        typer.echo(f"{where} was upgraded from schema {done.before} to {done.after}.")
    if done.renormalised is not None:
        typer.echo(f"Normalised the texts of {where} by the rules of this version: {done.renormalised:,} changed.")
    if done.copy:
        typer.echo(f"A backup is in {done.copy}; remove it once everything works.")
    if done.renormalised:
        say("Index an input again to encode the changed texts: `dedup index FILE`.")
    say("Run `dedup verify --repair` to check the index, and to build the snapshot if it is missing.")
