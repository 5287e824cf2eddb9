"""The job ``dedup index``: load an input, encode its texts, and publish a snapshot if one is due.

Each step starts from the state of the database, so a killed job continues where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol, TypedDict, Unpack

from dedup.errors import UsageError
from dedup.evidence.kinds import COMPANY, kind_of
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress, with_total
from dedup.runtime.stopwatch import Stopwatch
from indexer.ingest.encoding import TEXTS_AT_ONCE, encode_texts
from indexer.ingest.identity import recorded_identity, with_identity
from indexer.ingest.intake import Identity
from indexer.ingest.load import ingest
from indexer.ingest.safeguards import Safeguards, known_columns
from indexer.models.change import NOTHING_CHANGED, Changed, change_model
from indexer.reading.inputs import Input, reading
from indexer.reading.open import Row
from indexer.reading.rejects import Reject
from indexer.reading.rows import FieldKinds, ReadOptions
from indexer.store.corpus_words import refresh_word_counts
from indexer.store.runs import Accounts, recorded_run
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots


class Rejects(Protocol):
    """Collects rejected rows."""

    def add(self, reject: Reject) -> None:
        """Add a rejected row."""


class IngestOptions(TypedDict, total=False):
    """Options that ``index_rows`` passes to ``ingest``, which describes them."""

    id_type: str | None
    kind: str | None
    safeguards: Safeguards
    max_reject_rate: float
    memory: int | None
    batch_rows: int | None
    removal_rows: int | None


@dataclass(frozen=True, slots=True)
class IndexResult:
    """The result of an index job: as in ``IngestSummary``, its run, whether a snapshot was built, seconds per stage."""

    run_id: int
    rows: Accounts
    went_on: bool
    withheld: int
    texts_encoded: int
    snapshot_built: bool
    seconds: dict[str, float]
    kind: str = COMPANY.name
    kind_note: str | None = None

    @property
    def notes(self) -> list[str]:
        """What the user should know besides the figures."""
        notes = [self.kind_note] if self.kind_note else []
        if self.went_on:
            notes.append("Continued an interrupted run; the figures cover both parts.")
        if self.withheld:
            notes.append(
                f"Warning: Kept {self.withheld:,} {'record' if self.withheld == 1 else 'records'} missing from the "
                "input: they may belong to rejected rows without a readable id. Correct these rows and index the input "
                "again."
            )
        return notes


@dataclass(frozen=True, slots=True)
class InputIndexed:
    """The result for one input.

    Attributes:
        source: Name of its source.
        result: Result of the job; None if the input was empty, and an empty input was allowed.
        rows_of: Rows by file, where several files are one input.
        rejected_of: Rejected rows by file.
        recall: Measured recall of searches, if a snapshot with cells was built.
        text_columns: Columns that the texts are from.
        id_column: Column that the ids are from, if there is one.
        fields: Columns that serve as evidence, each with its kind.

    """

    source: str
    result: IndexResult | None
    rows_of: Mapping[str, int] = field(default_factory=dict)
    rejected_of: Mapping[str | None, int] = field(default_factory=dict)
    recall: Mapping[str, float] = field(default_factory=dict)
    text_columns: tuple[str, ...] = ()
    id_column: str | None = None
    fields: FieldKinds = ()


def index_input(
    workspace: Workspace,
    model: Matcher,
    given: Input,
    rejects: Rejects,
    *,
    options: ReadOptions,
    sync: bool = False,
    mirror: bool | None = None,
    id_type: str | None = None,
    kind: str | None = None,
    max_removed: float | None = None,
    max_reject_rate: float = 0.05,
    memory: int | None = None,
    notify: Callable[[str], None] = lambda sentence: None,
    progress: Progress = no_progress,
) -> InputIndexed:
    """Read one input and store its rows as records of its source.

    ``notify`` is called with messages for the user: the columns used, and warnings. The writer lock is taken before the
    input is read, so a job that cannot run fails early. ``sync`` removes the records of the source that are missing
    from the input, at most ``max_removed`` of them (``Safeguards``); without ids that is the default, which ``mirror``
    overrides. ``kind`` is the kind of the texts (``ingest``). Columns that are not requested are those that
    the source had before, if it had any. Stages reported to ``progress``: those of ``index_rows``.

    Raises what ``indexer.reading.open`` and ``index_rows`` raise.
    """
    if kind is not None:
        kind_of(kind)  # before anything is read
    options = _with_known_columns(workspace, given.source, options)
    with given.opener(options) as opened:
        if not opened.columns:  # an empty file, which is allowed: only warn
            with reading(opened, notify):
                return InputIndexed(given.source, None)
        counted = _CountedRejects(rejects)
        with workspace.open(for_writing=True) as store:
            table, note = with_identity(opened, given.opener, options, recorded_identity(store, given.source))
            snapshots = Snapshots(store, workspace.snapshots)
            with reading(table, notify, note):
                identity: Identity = "column" if table.choice.id else "content"
                result = index_rows(
                    snapshots,
                    model,
                    given.source,
                    table,
                    identity=identity,
                    on_reject=counted.add,
                    mirror=sync or identity == "content" if mirror is None else mirror,
                    id_type=id_type,
                    kind=kind,
                    safeguards=Safeguards(max_removed, table.choice, given.is_named),
                    max_reject_rate=max_reject_rate,
                    memory=memory,
                    notify=notify,
                    progress=with_total(progress, table, "read"),
                )
            recall = recall_of(store) if result.snapshot_built else {}
    chosen = tuple(table.choice.text), table.choice.id, table.choice.fields
    return InputIndexed(given.source, result, table.rows_of, counted.by_file, recall, *chosen)


def _with_known_columns(workspace: Workspace, source: str, options: ReadOptions) -> ReadOptions:
    """Return the options with the columns that the source has, if there is an index with such a source."""
    if options.text_columns and options.id_column is not None and options.field_columns:
        return options
    try:
        with workspace.open(for_writing=False) as store:
            text, id_column, fields = known_columns(store, source)
    except UsageError:  # nothing is indexed yet; whatever else it is, opening for writing raises it again
        return options
    return replace(options, known_text=text, known_id=id_column, known_fields=fields)


class _CountedRejects:
    """Counts rejected rows by file and passes them on."""

    def __init__(self, rejects: Rejects) -> None:
        self.by_file: Counter[str | None] = Counter()
        self._rejects = rejects

    def add(self, reject: Reject) -> None:
        self.by_file[reject.file] += 1
        self._rejects.add(reject)


def recall_of(store: Store) -> dict[str, float]:
    """Return the measured recall of searches in the current snapshot; empty if they are exact."""
    snapshot = store.current_snapshot()
    recall = snapshot.parameters.get("recall") if snapshot else None
    if recall is None:
        return {}
    return {"recall_of_all": round(recall["of_all"], 4), "recall_of_queries": round(recall["of_queries"], 4)}


def index_rows(
    snapshots: Snapshots,
    model: Matcher,
    source_name: str,
    rows: Iterable[Row | Reject],
    *,
    identity: Identity,
    on_reject: Callable[[Reject], None],
    mirror: bool,
    texts_at_once: int = TEXTS_AT_ONCE,
    notify: Callable[[str], None] = lambda sentence: None,
    progress: Progress = no_progress,
    **options: Unpack[IngestOptions],
) -> IndexResult:
    """Store ``rows`` as records of a source, as ``ingest`` does, and make them searchable.

    The job is recorded as a run. Once the input is accepted, a store of another model is changed to this one
    (``change_model``, which calls ``notify``). After the rows are stored, texts without a vector are encoded,
    ``texts_at_once`` in one transaction. Stages reported to ``progress``: those of ``ingest``, ``texts``, and those of
    ``refresh_snapshot``.

    Raises:
        InputRefused, UsageError: as ``ingest``; nothing was written.
        VersionMismatch, WriterBusy: as ``ingest``; earlier batches are stored.
        EnvironmentFault: the disk or the database fails; earlier batches are stored.
    """
    clock = Stopwatch()
    store = snapshots.store
    changed = NOTHING_CHANGED

    def prepare() -> None:
        nonlocal changed
        changed = change_model(snapshots, model, notify=notify, progress=progress, texts_at_once=texts_at_once)

    with recorded_run(store, "index") as run:
        run.manifest |= {"source": source_name, "identity": identity, "sync": mirror, "model_id": model.model_id}
        with clock.stage("rows"):
            summary = ingest(
                store,
                source_name,
                rows,
                model=model,
                run=run,
                identity=identity,
                scratch=snapshots.directory,
                on_reject=on_reject,
                mirror=mirror,
                prepare=prepare,
                progress=progress,
                **options,
            )
        run.manifest["rows"] = asdict(summary.accounts)
        with clock.stage("texts"):
            rest = encode_texts(store, model, progress, texts_at_once=texts_at_once)
            encoded = changed.texts_encoded + summary.texts_encoded + rest
        with clock.stage("snapshot"):
            is_new = refresh_snapshot(snapshots, model.model_id, min_similarity=model.min_similarity, progress=progress)
        built = changed.snapshot_built or is_new
        result = IndexResult(
            *(run.run_id, summary.accounts, summary.went_on, summary.withheld, encoded, built, clock.seconds),
            *(summary.kind, summary.kind_note),
        )
        run.manifest |= {"texts_encoded": encoded, "snapshot_built": built, "seconds": clock.seconds}
    return result


def use_model(
    workspace: Workspace,
    model: Matcher,
    *,
    notify: Callable[[str], None] = lambda sentence: None,
    progress: Progress = no_progress,
) -> Changed:
    """Make this the model of an index, as ``change_model`` does, and change nothing else; recorded as a run.

    Raises:
        UsageError: nothing is indexed.
        VersionMismatch, EnvironmentFault: as ``change_model``.
    """
    workspace.check_readable()
    with workspace.open(for_writing=True) as store, recorded_run(store, "index") as run:
        run.manifest |= {"model_id": model.model_id}
        done = change_model(Snapshots(store, workspace.snapshots), model, notify=notify, progress=progress)
        run.manifest |= {"texts_encoded": done.texts_encoded, "snapshot_built": done.snapshot_built}
    return done


def compact(snapshots: Snapshots, progress: Progress = no_progress) -> bool:
    """Publish a new snapshot if one is due, for example after many deletions; return whether one was built.

    Stages reported to ``progress``: those of ``refresh_snapshot``.
    """
    current = snapshots.store.current_snapshot()
    if current is None:
        return False
    min_similarity = current.parameters.get("recall", {}).get("least_similarity", 0.0)
    return refresh_snapshot(snapshots, current.model_id, min_similarity=min_similarity, progress=progress)


def refresh_snapshot(
    snapshots: Snapshots, model_id: str, *, min_similarity: float, progress: Progress = no_progress
) -> bool:
    """Count words and publish a snapshot, if due, and remove old snapshot files; return whether one was built.

    Stages reported to ``progress``: ``words``, ``check snapshot`` and those of ``Snapshots.publish``.
    """
    refresh_word_counts(snapshots.store, progress)
    current = snapshots.store.current_snapshot()
    if current is not None and not snapshots.is_due(model_id, min_similarity=min_similarity, progress=progress):
        snapshots.sweep(current)
        return False
    return snapshots.publish(model_id, min_similarity=min_similarity, progress=progress) is not None
