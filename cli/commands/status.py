"""``dedup status``: the contents and state of an index."""

from __future__ import annotations

import sys
from typing import Any

from cli import options
from cli.options import ReportFormat
from cli.show.render import spaced, write_summary
from cli.show.text import visible
from dedup.runtime.versions import versions_of

EXAMPLES = options.examples("dedup status", "dedup status -w /srv/companies --format json")


def status(
    layout: options.Output = ReportFormat.table,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
) -> None:
    """Show the contents and state of the index.

    Prints the numbers of records, texts and vectors, the sources, the model, the snapshot, the latest runs and
    the versions. A query searches the snapshot and the texts added since.
    """
    from indexer.jobs.status import status
    from indexer.store.workspace import Workspace

    result = status(Workspace(workspace, database, schema=schema))
    result["versions"] = versions_of("onnxruntime", "faiss", "sqlalchemy")
    as_json = layout is ReportFormat.json
    if not as_json:
        result["runs"] = [_run_line(run) for run in result["runs"]]
        snapshot = spaced(result["snapshot"])
        snapshot["texts added since"] = snapshot.pop("texts not in it")
        result = spaced({**result, "snapshot": snapshot})
    write_summary(result, sys.stdout, as_json=as_json)


def _run_line(run: dict[str, Any]) -> str:
    read = "" if run["rows"] is None else f"  {run['rows']:,} rows"
    reason = f"  {visible(run['error'])}" if run["error"] else ""
    return f"{run['run']}  {run['kind']}  {run['state']}  {run['started']}{read}{reason}"
