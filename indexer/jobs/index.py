"""The job ``dedup index``: rows to records with vectors, and a snapshot if one is due.

Each step starts from what the database holds, so a job that was killed goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from dedup.model import Model
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.stopwatch import Stopwatch
from indexer.ingest.encoding import encode
from indexer.ingest.intake import Identity
from indexer.ingest.load import ingest
from indexer.reading.open import Row
from indexer.reading.rejects import Reject
from indexer.store.corpus_words import refresh_word_counts
from indexer.store.runs import Accounts, recorded_run
from indexer.store.store import Store
from indexer.vectors import snapshot

CHUNK = 20_000
"""Texts that are encoded and written in one transaction when the model is a new one."""


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What an index job did; ``went_on`` and ``withheld`` as in ``IngestSummary``, ``seconds`` of its stages."""

    rows: Accounts
    went_on: bool
    withheld: int
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
    sync: bool = False,
    max_reject_rate: float = 0.05,
    memory: int | None = None,
    progress: Progress = no_progress,
) -> IndexResult:
    """Make ``rows`` the records of a source, as ``ingest`` does, and make them ready to be searched.

    The job is recorded as a run. Texts that another model has encoded are encoded anew once the rows are stored.
    ``progress`` hears of the stages of ``ingest``, of ``texts``, and of the stages of ``refresh_snapshot``.

    Raises:
        InputRefused, UsageError: as ``ingest``; nothing was written.
        VersionMismatch: the model has no vector for a text.
        WriterBusy: another process has begun to write.
        EnvironmentFault: the disk or the database fails; the batches before are stored.

    """
    clock = Stopwatch()
    with recorded_run(store, "index") as run:
        run.manifest |= {"source": source_name, "identity": identity, "sync": sync, "model_id": model.model_id}
        with clock.stage("rows"):
            summary = ingest(
                store,
                source_name,
                rows,
                model=model,
                run=run,
                identity=identity,
                scratch=snapshots,
                on_reject=on_reject,
                sync=sync,
                max_reject_rate=max_reject_rate,
                memory=memory,
                progress=progress,
            )
        run.manifest["rows"] = asdict(summary.accounts)
        with clock.stage("texts"):
            encoded = summary.texts_encoded + encode_texts(store, model, progress)
        with clock.stage("snapshot"):
            built = refresh_snapshot(
                store, snapshots, model.model_id, min_similarity=model.min_similarity, progress=progress
            )
        result = IndexResult(summary.accounts, summary.went_on, summary.withheld, encoded, built, clock.seconds)
        run.manifest |= {"texts_encoded": encoded, "snapshot_built": built, "seconds": clock.seconds}
    return result


def encode_texts(store: Store, model: Model, progress: Progress = no_progress) -> int:
    """Give every text a vector of this model that has none; return how many that were."""
    total = store.counts().texts - store.count_vectors(model.model_id)
    done = after = 0
    while done < total:
        ids, normals = store.texts_without_vectors(model.model_id, after, CHUNK)
        if not normals:
            break
        store.write_vectors(model.model_id, ids, encode(model, normals))
        after = int(ids[-1])
        done += len(ids)
        progress("texts", done, total)
    return done


def compact(store: Store, snapshots: Path, progress: Progress = no_progress) -> bool:
    """Publish a snapshot anew if that is due, as when too much of the current one was deleted; tell whether it was.

    ``progress`` hears of the stages of ``refresh_snapshot``.
    """
    current = store.current_snapshot()
    if current is None:
        return False
    min_similarity = current.parameters.get("recall", {}).get("least_similarity", 0.0)
    return refresh_snapshot(store, snapshots, current.model_id, min_similarity=min_similarity, progress=progress)


def refresh_snapshot(
    store: Store, snapshots: Path, model_id: str, *, min_similarity: float, progress: Progress = no_progress
) -> bool:
    """Count words if that is due; publish a snapshot if one is, and leave no file of an older; tell whether it was.

    ``progress`` hears of ``words``, ``check snapshot`` and the stages of ``snapshot.publish``.
    """
    refresh_word_counts(store, progress)
    current = store.current_snapshot()
    if current is not None and not snapshot.is_snapshot_due(
        store, snapshots, model_id, min_similarity=min_similarity, progress=progress
    ):
        snapshot.sweep(snapshots, current)
        return False
    made = snapshot.publish(store, snapshots, model_id, min_similarity=min_similarity, progress=progress)
    return made is not None
