"""``dedup index``: bring a file into a workspace."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.errors import SOME_ROWS_REJECTED, say
from cli.progress import progress_bar, with_total
from cli.render import write_summary
from cli.tables import rejects_path, say_columns, say_rejected, source_name

if TYPE_CHECKING:
    from indexer.indexing import IndexResult

EXAMPLES = options.examples(
    "dedup index companies.csv",
    "dedup index suppliers.csv.gz --text name --text city --id supplier_no",
    "zcat export.gz | dedup index - --source crm",
)


def index(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV file, also gzipped; - reads standard input.")],
    text: options.TextColumns = None,
    id: options.IdColumn = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of this collection. Default: the name of the file."),
    ] = None,
    sync: Annotated[
        bool,
        typer.Option("--sync", help="Make the source what the file holds: delete its records that are not in it."),
    ] = False,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    rejects: options.Rejects = None,
    max_reject_rate: Annotated[
        float,
        typer.Option(min=0, max=1, help="Refuse the input if a larger share of its rows is rejected."),
    ] = 0.05,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    quiet: options.Quiet = False,
) -> None:
    """Bring a CSV file into the index.

    With an id column, rows with a known id are updated and others added; without one, a row is known by its
    content, and the source becomes what the file holds. Indexing the same file again changes nothing; a job
    that was interrupted goes on where it stopped. Exit code 3: done, but some rows were rejected.
    """
    from dedup.errors import InputRefused
    from dedup.model import load_model
    from indexer.identity import open_with_identity, recorded_identity
    from indexer.indexing import index_rows
    from indexer.rejects import RejectsFile
    from indexer.workspace import Workspace

    place = Workspace(workspace, database)
    name = source or source_name(file)
    opened, note = open_with_identity(
        file, text or (), id, encoding, delimiter, recorded=lambda: recorded_identity(place, name)
    )
    with opened as table, RejectsFile(rejects_path(file, rejects)) as refused:
        if not quiet:
            say_columns(table, note)
        model = load_model()
        with place.open(for_writing=True) as store, progress_bar(quiet=quiet) as progress:
            try:
                result = index_rows(
                    store,
                    place.snapshots,
                    model,
                    name,
                    table,
                    identity="column" if table.choice.id else "content",
                    on_reject=refused.add,
                    sync=sync,
                    max_reject_rate=max_reject_rate,
                    progress=with_total(progress, table),
                )
            except InputRefused as error:
                if error.code == "E_TOO_MANY_REJECTS":
                    say_rejected(refused.count, refused.commit())
                raise
        if not result.rows.rows_in:
            say(f"Warning: {table.name} has a header and no rows.")
        write_summary(_summary(result), sys.stdout, as_json=False)
        if result.went_on:
            say("Went on where the same job had been interrupted; the figures are of both together.")
        if result.withheld:
            say(
                f"Kept {result.withheld:,} {'record' if result.withheld == 1 else 'records'} that the input does not "
                "hold: rows without a readable id were rejected, and may be theirs. Correct them and run it again."
            )
        say_rejected(refused.count, refused.commit())
    if refused.count:
        raise typer.Exit(SOME_ROWS_REJECTED)


def _summary(result: IndexResult) -> dict[str, Any]:
    rows = result.rows
    return {
        "rows read": rows.rows_in,
        "added": rows.added,
        "changed": rows.changed,
        "unchanged": rows.unchanged,
        "removed": rows.removed,
        "rejected": rows.rejected,
        "distinct texts encoded": result.texts_encoded,
        "snapshot": "built" if result.snapshot_built else "not due",
        "seconds": f"{sum(result.seconds.values()):.1f}",
    }
