"""The job ``dedup status``: the contents of a workspace."""

from __future__ import annotations

from typing import Any

import dedup.model
from indexer.jobs.fielding.slots import fields_of_store
from indexer.jobs.index import recall_of
from indexer.models.stored import coming_model, remembered_model
from indexer.store.corpus_words import kind_of_store
from indexer.store.database_url import shown
from indexer.store.runs import Run, last_runs
from indexer.store.store import Snapshot, Store
from indexer.store.workspace import Workspace

N_RUNS = 5


def status(workspace: Workspace) -> dict[str, Any]:
    """Return the counts, kind, fields, snapshot and last ``N_RUNS`` runs of a workspace, as plain JSON data.

    Raises:
        UsageError: nothing is indexed here yet.
    """
    with workspace.open(for_writing=False) as store:
        counts = store.counts()
        return {
            "workspace": str(workspace.directory),
            "database": shown(workspace.url),
            "records": counts.records,
            "distinct_texts": counts.texts,
            "vectors": counts.vectors,
            "sources": counts.sources,
            "kind": kind_of_store(store),
            "fields": {name: dict(fields) for name, fields in fields_of_store(store).items()},
            **_model(store),
            "snapshot": _snapshot(store, counts.texts),
            "runs": [_run(run) for run in last_runs(store, N_RUNS)],
        }


def _model(store: Store) -> dict[str, Any]:
    """Return what the index was made with, and how far a change to another model has come."""
    found = remembered_model(store)
    said: dict[str, Any] = {"model": (dedup.model.load_model().model_id if found is None else found.model_id)[:12]}
    if found is not None:
        said |= {"model_name": found.name, "model_fingerprint": found.fingerprint[:12]}
    coming = coming_model(store)
    return said if coming is None else said | {"next_model": coming[0][:12], "texts_encoded_for_it": coming[1]}


def _snapshot(store: Store, texts: int) -> dict[str, Any]:
    snapshot = store.current_snapshot()
    newer = texts - (store.live_texts_up_to(snapshot.max_text_id) if snapshot else 0)
    if snapshot is None:
        return {"generation": None, "texts_not_in_it": newer}
    return {
        "generation": snapshot.generation,
        "model": snapshot.model_id[:12],
        "vectors": snapshot.n_vectors,
        "bytes": snapshot.n_bytes,
        "created": snapshot.created_at,
        "texts_not_in_it": newer,
        **recall_of(store),
        **_min_similarity(snapshot),
    }


def _min_similarity(snapshot: Snapshot) -> dict[str, float]:
    """Return the ``min_similarity`` that recall was measured for."""
    recall = snapshot.parameters.get("recall")
    return {"recall_min_similarity": recall["least_similarity"]} if recall else {}


def _run(run: Run) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "kind": run.kind,
        "state": run.state,
        "started": run.started_at,
        "finished": run.finished_at,
        "rows": run.manifest.get("rows", {}).get("rows_in"),
        "error": run.manifest.get("error") if run.state in ("failed", "interrupted") else None,
    }
