"""List the runs of a store, and forget old reports."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from dedup.errors import UsageError
from indexer.store.runs import Run, last_runs
from indexer.store.schema import cluster_event, pair_event, run
from indexer.store.workspace import Workspace

_ALL = 2**31 - 1


def runs_of(workspace: Workspace, limit: int | None = None) -> list[Run]:
    """Return the last ``limit`` runs, or all, latest first.

    Raises:
        UsageError: nothing is indexed.
    """
    with workspace.open(for_writing=False) as store:
        return last_runs(store, _ALL if limit is None else min(limit, _ALL))


def prune(workspace: Workspace, keep: int) -> int:
    """Forget all but the last ``keep`` completed reports, with their logs of changes; return how many were forgotten.

    Reports that failed before the first of those go too. Runs that changed records stay, since records name them, and
    so do clusters that were closed, so that each id that was ever given out still leads to its successor.

    Raises:
        UsageError: nothing is indexed, or ``keep`` is less than 1.
        WriterBusy: another process is writing.
    """
    if keep < 1:
        raise UsageError(f"--keep {keep}: at least the last report is kept; give a number from 1 on.")
    workspace.check_readable()

    def work(connection: Connection) -> int:
        is_report = run.c.kind == "report"
        done = (
            select(run.c.run_id)
            .where(is_report, run.c.state == "done")
            .order_by(run.c.run_id.desc())
            .limit(min(keep, _ALL))
        )
        kept = [row[0] for row in connection.execute(done)]
        if len(kept) < keep:
            return 0
        old = [row[0] for row in connection.execute(select(run.c.run_id).where(is_report, run.c.run_id < kept[-1]))]
        for table in (cluster_event, pair_event):
            connection.execute(delete(table).where(table.c.run_id < kept[-1]))
        connection.execute(delete(run).where(is_report, run.c.run_id < kept[-1]))
        return len(old)

    with workspace.open(for_writing=True) as store:
        return store.write(work)
