"""``dedup status``: the contents and state of an index."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cli import options
from cli.options import ReportFormat
from cli.show.render import recall_of, spaced, write_summary
from dedup.runtime.versions import versions_of

if TYPE_CHECKING:
    from indexer.store.runs import Run
    from indexer.store.store import Snapshot, Store

EXAMPLES = options.examples("dedup status", "dedup status -w /srv/companies --format json")

N_RUNS = 5
"""Runs that are listed, the latest first."""


def status(
    layout: options.Output = ReportFormat.table,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
) -> None:
    """Show the contents and state of the index.

    Prints the numbers of records, texts and vectors, the sources, the model, the snapshot, the latest runs and
    the versions. A query searches the snapshot and the texts added since.
    """
    from dedup.model import load_model
    from indexer.store.runs import last_runs
    from indexer.store.workspace import Workspace

    place = Workspace(workspace, database)
    with place.open(for_writing=False) as store:
        result: dict[str, Any] = {
            "workspace": str(workspace),
            "database": place.url.render_as_string(hide_password=True),
            **_holdings(store),
            "model": load_model().model_id[:12],
            "snapshot": _snapshot(store),
            "runs": [_run(run) for run in last_runs(store, N_RUNS)],
            "versions": versions_of("onnxruntime", "faiss", "sqlalchemy"),
        }
    as_json = layout is ReportFormat.json
    if not as_json:
        result["runs"] = [_run_line(**run) for run in result["runs"]]
        snapshot = spaced(result["snapshot"])
        snapshot["texts added since"] = snapshot.pop("texts not in it")
        result = spaced({**result, "snapshot": snapshot})
    write_summary(result, sys.stdout, as_json=as_json)


def _holdings(store: Store) -> dict[str, Any]:
    counts = store.counts()
    return {
        "records": counts.records,
        "distinct_texts": counts.texts,
        "vectors": counts.vectors,
        "sources": counts.sources,
    }


def _snapshot(store: Store) -> dict[str, Any]:
    snapshot = store.current_snapshot()
    newer = store.counts().texts - (store.live_texts_up_to(snapshot.max_text_id) if snapshot else 0)
    if snapshot is None:
        return {"generation": None, "texts_not_in_it": newer}
    return {
        "generation": snapshot.generation,
        "model": snapshot.model_id[:12],
        "vectors": snapshot.n_vectors,
        "bytes": snapshot.n_bytes,
        "created": snapshot.created_at,
        "texts_not_in_it": newer,
        **recall_of(snapshot),
        **_min_similarity(snapshot),
    }


def _min_similarity(snapshot: Snapshot) -> dict[str, float]:
    """Return the lowest similarity of the neighbours that the recall was measured on."""
    recall = snapshot.parameters.get("recall")
    return {"recall_min_similarity": recall["least_similarity"]} if recall else {}


def _run(run: Run) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "kind": run.kind,
        "state": run.state,
        "started": run.started_at,
        "rows": run.manifest.get("rows", {}).get("rows_in"),
    }


def _run_line(run: int, kind: str, state: str, started: str, rows: int | None) -> str:
    read = "" if rows is None else f"  {rows:,} rows"
    return f"{run}  {kind}  {state}  {started}{read}"
