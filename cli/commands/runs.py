"""``dedup runs``: the jobs that an index has seen, and how to forget old reports."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.options import Format, ReportFormat
from cli.show.render import write_rows

if TYPE_CHECKING:
    from indexer.store.runs import Run

EXAMPLES = options.examples("dedup runs", "dedup runs --limit 5 --format json", "dedup runs prune --keep 30")

_COUNTED = {
    "rows": {"rows_in": "read"} | {kind: kind for kind in ("rejected", "added", "changed", "unchanged", "removed")},
    "changes": {
        kind: kind.replace("_", " ")
        for kind in ("new", "grown", "shrunk", "changed", "merged", "split", "rearranged", "dissolved")
    }
    | {"new_pairs": "new pairs", "gone_pairs": "gone pairs"},
}
"""Counts in a manifest, in the order in which they are told, and in which words."""


class Action(StrEnum):
    """What is done to the runs."""

    prune = "prune"


def runs(
    action: Annotated[
        Action | None,
        typer.Argument(metavar="[prune]", help="Forget all but the last reports, and what they said has changed."),
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", min=1, help="With prune: the number of reports to keep.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, help="Number of runs to list, latest first.")
    ] = 20,
    layout: options.Output = ReportFormat.table,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
) -> None:
    """List the runs of index, delete and report, or forget old reports.

    Each run has its number, how it ended, when, how long it took and what it found. As JSON the whole manifest is
    printed: versions, model, thresholds, counts, and seconds by stage. `prune` deletes the manifests of older reports
    and their logs of changes, to which --since then cannot go back; the ids of clusters stay.
    """
    from dedup.errors import UsageError
    from indexer.findings.history import prune, runs_of
    from indexer.store.workspace import Workspace

    place = Workspace(workspace, database, schema=schema)
    if (action is None) != (keep is None):
        raise UsageError("`dedup runs prune --keep N` forgets old reports; give both, or neither to list the runs.")
    if keep is not None:
        number = prune(place, keep)
        typer.echo(f"Forgot {number:,} {'report' if number == 1 else 'reports'}.")
        return
    as_json = layout is ReportFormat.json
    found = runs_of(place, limit)
    rows = ({"run": run.run_id, **_named(run)} if as_json else _line(run) for run in found)
    write_rows(rows, Format.json if as_json else Format.table, sys.stdout)


def _named(run: Run) -> dict[str, Any]:
    names = ("kind", "state", "started_at", "finished_at", "manifest")
    return {name: getattr(run, name) for name in names}


def _line(run: Run) -> dict[str, Any]:
    start, end = (datetime.fromisoformat(time) if time else None for time in (run.started_at, run.finished_at))
    seconds = round((end - start).total_seconds()) if start and end else None
    line = {"run": run.run_id, "kind": run.kind, "state": run.state, "started": run.started_at, "seconds": seconds}
    return line | {"what": "; ".join(_what(run.manifest))}


def _what(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Say in words what a run did."""
    if isinstance(error := manifest.get("error"), str):
        yield error
    for name, words in (("source", "source {}"), ("near_pairs", "{:,} near pairs"), ("clusters", "{:,} clusters")):
        if isinstance(value := manifest.get(name), str | int):
            yield words.format(value)
    for name, kinds in _COUNTED.items():
        if isinstance(counts := manifest.get(name), Mapping):
            told = ((words, counts.get(kind)) for kind, words in kinds.items())
            yield ", ".join(f"{count:,} {words}" for words, count in told if count) or "no change"
