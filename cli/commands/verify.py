"""``dedup verify``: check the index, and rebuild a bad snapshot."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.options import Format, ReportFormat
from cli.show.notes import say, shown_progress
from cli.show.render import write_rows
from dedup.runtime.threads import compute_with

if TYPE_CHECKING:
    from indexer.jobs.verify import Check

EXAMPLES = options.examples("dedup verify", "dedup verify --repair", "dedup verify --format json")


def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild the snapshot from the database if it is bad or missing.")
    ] = False,
    layout: options.Output = ReportFormat.table,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
    model: options.Model = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    log_format: options.Log = None,
) -> None:
    """Check the integrity of the index.

    Checks every record, text and vector in the database, and compares the snapshot with them. Without --repair
    nothing is changed, and other processes may write at the same time. --repair never changes records.

    Exit code 7: the snapshot is bad or missing, or a text has no vector. Exit code 8: the database is damaged.
    """
    compute_with(threads)

    from indexer.jobs.verify import verify_workspace, worst_kind
    from indexer.models.choice import model_for
    from indexer.store.workspace import Workspace

    place = Workspace(workspace, database, schema=schema)
    with shown_progress(quiet=quiet) as progress:
        checks, repaired = verify_workspace(place, model_for(place, model), repair=repair, progress=progress)
    if repaired:
        say("The snapshot was bad or missing and has been rebuilt.", "warning")
    as_json = layout is ReportFormat.json
    if as_json or not quiet or worst_kind(checks) is not None:
        write_rows(map(_row if not as_json else _entry, checks), Format.json if as_json else Format.table, sys.stdout)
    _judge(checks)


def _entry(check: Check) -> dict[str, Any]:
    return {"check": check.name, "checked": check.checked, "faults": check.faults, "examples": check.examples}


def _row(check: Check) -> dict[str, Any]:
    more = f" And {check.faults - len(check.examples):,} more." if check.faults > len(check.examples) else ""
    return {"check": check.name, "checked": f"{check.checked:,}", "result": " ".join(check.examples) + more or "ok"}


def _judge(checks: list[Check]) -> None:
    """Raise the error of the worst fault, if there is any."""
    from dedup.errors import CorruptStore, VersionMismatch
    from indexer.jobs.verify import worst_kind

    kind = worst_kind(checks)
    if kind is None:
        return
    examples = " ".join(example for check in checks if check.kind == kind for example in check.examples[:1])
    if kind == "truth":
        raise CorruptStore(
            f"The database is damaged. {examples} Restore a backup, or index the files again into a new --workspace."
        )
    remedy = "`dedup index` to encode the missing texts" if kind == "vectors" else "`dedup verify --repair`"
    raise VersionMismatch(f"{examples} Run {remedy}.")
