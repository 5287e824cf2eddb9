"""The job ``dedup index``: rows to records, new texts to vectors, and a snapshot if one is due.

Each step starts from what the database holds, so a job that was killed goes on where it stopped: the rows
are one transaction, the vectors are written chunk by chunk, and the snapshot is published last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dedup.errors import VersionMismatch
from dedup.model import Model
from dedup.stopwatch import Stopwatch
from indexer import vectors
from indexer.ingest import Identity, IngestSummary, ingest
from indexer.progress import Progress, no_progress, recorded_run
from indexer.readers import Row
from indexer.rejects import Reject
from indexer.store import Store

CHUNK = 20_000
"""Texts that are encoded and written in one transaction."""


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What an index job did; ``seconds`` of its stages ``rows``, ``texts`` and ``snapshot``."""

    rows: IngestSummary
    texts_encoded: int
    snapshot_built: bool
    seconds: dict[str, float]


def index_rows(
    store: Store,
    snapshots: Path,
    model: Model,
    source_name: str,
    rows: Iterable[Row | Reject],
    *,
    identity: Identity,
    on_reject: Callable[[Reject], None],
    max_reject_rate: float = 0.05,
    progress: Progress = no_progress,
) -> IndexResult:
    """Make ``rows`` the records of a source, as ``ingest`` does, and make them ready to be searched.

    The job is recorded as a run, ``failed`` if anything is raised. Vectors of other models are deleted once
    every text has one of this model. ``progress`` hears of the stages ``rows``, ``texts`` and ``snapshot``.

    Raises:
        InputRefused, UsageError: as ``ingest``; nothing was written.
        VersionMismatch: the model has no vector for a text.
        EnvironmentFault: the snapshot cannot be written.

    """
    clock = Stopwatch()
    with recorded_run(store, "index") as (run_id, manifest):
        manifest |= {"source": source_name, "identity": identity, "model_id": model.model_id}
        with clock.stage("rows"):
            summary = ingest(
                store,
                source_name,
                rows,
                identity=identity,
                run_id=run_id,
                on_reject=on_reject,
                on_progress=lambda done: progress("rows", done, None),
                max_reject_rate=max_reject_rate,
            )
        manifest["rows"] = asdict(summary)
        with clock.stage("texts"):
            encoded = encode_texts(store, model, progress)
        with clock.stage("snapshot"):
            built = _refresh_snapshot(store, snapshots, model.model_id, progress)
            store.delete_vectors_of_other_models(model.model_id)
        result = IndexResult(summary, encoded, built, clock.seconds)
        manifest |= {"texts_encoded": encoded, "snapshot_built": built, "seconds": clock.seconds}
    return result


def encode_texts(store: Store, model: Model, progress: Progress = no_progress) -> int:
    """Give every text a vector of this model that has none; return how many that were."""
    total = store.counts().texts - store.count_vectors(model.model_id)
    done = after = 0
    while done < total:
        ids, normals = store.texts_without_vectors(model.model_id, after, CHUNK)
        if not normals:
            break
        codes = model.encoder.encode(normals)
        empty = np.flatnonzero(~codes.any(axis=1))
        if len(empty):
            raise VersionMismatch(
                f"The model has no vector for the text {normals[int(empty[0])]!r}; "
                "use the model that ships with neardup, or train anew with `dedup train`."
            )
        store.write_vectors(model.model_id, ids, codes)
        after = int(ids[-1])
        done += len(ids)
        progress("texts", done, total)
    return done


def _refresh_snapshot(store: Store, snapshots: Path, model_id: str, progress: Progress) -> bool:
    if not vectors.is_snapshot_due(store, snapshots, model_id):
        return False
    progress("snapshot", 0, None)
    return vectors.publish(store, snapshots, model_id) is not None
