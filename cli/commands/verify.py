"""``dedup verify``: check a workspace, and build its snapshot anew."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.exit_codes import say
from cli.options import Format, ReportFormat
from cli.show.progress_bar import progress_bar
from cli.show.render import write_rows
from dedup.runtime.threads import compute_with

if TYPE_CHECKING:
    from indexer.jobs.verify import Check

EXAMPLES = options.examples("dedup verify", "dedup verify --repair", "dedup verify --format json")


def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Build the snapshot anew from the database if it is bad or missing.")
    ] = False,
    threads: options.Threads = None,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    layout: options.Output = ReportFormat.table,
    quiet: options.Quiet = False,
) -> None:
    """Check that the index holds what it should.

    Checks every record, text and vector in the database, and the snapshot against them. Nothing is changed,
    and another process may write meanwhile, unless --repair is given, which never changes the database's
    records. Exit code 7: the snapshot is bad or missing, or a text is not encoded; 8: the database is damaged.
    """
    compute_with(threads)

    from dedup.model import load_model
    from indexer.jobs.verify import verify, worst_kind
    from indexer.store.workspace import Workspace
    from indexer.vectors import snapshot

    model = load_model()
    place = Workspace(workspace, database)
    with place.open(for_writing=False):  # nothing indexed yet: say so, rather than make a workspace
        pass
    with place.open(for_writing=repair) as store, progress_bar(quiet=quiet) as progress:
        what = (store, place.directory, model.model_id, model.dimension, progress)
        checks = verify(*what)
        if repair and worst_kind(checks) == "snapshot":
            snapshot.publish(
                store,
                place.snapshots,
                model.model_id,
                min_similarity=model.min_similarity,
                progress=progress,
            )
            say("The snapshot was bad or missing, and has been built anew.")
            checks = verify(*what)
    as_json = layout is ReportFormat.json
    write_rows(map(_row if not as_json else _entry, checks), Format.json if as_json else Format.table, sys.stdout)
    _judge(checks)


def _entry(check: Check) -> dict[str, Any]:
    return {"check": check.name, "checked": check.checked, "faults": check.faults, "examples": check.examples}


def _row(check: Check) -> dict[str, Any]:
    more = f" And {check.faults - len(check.examples):,} more." if check.faults > len(check.examples) else ""
    return {"check": check.name, "checked": f"{check.checked:,}", "result": " ".join(check.examples) + more or "ok"}


def _judge(checks: list[Check]) -> None:
    """Raise the error of the gravest fault, if there is any."""
    from dedup.errors import CorruptStore, VersionMismatch
    from indexer.jobs.verify import worst_kind

    kind = worst_kind(checks)
    if kind is None:
        return
    examples = " ".join(example for check in checks if check.kind == kind for example in check.examples[:1])
    if kind == "truth":
        raise CorruptStore(
            f"The database is damaged. {examples} Restore it from a backup, or index the files again into a new "
            "--workspace."
        )
    remedy = "`dedup index`, which encodes what is missing" if kind == "vectors" else "`dedup verify --repair`"
    raise VersionMismatch(f"{examples} Run {remedy}.")
