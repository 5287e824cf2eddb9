"""The job ``dedup report``: find all duplicates, remember them, and write what is there and what has changed.

``docs/output-files.md`` describes each file; ``jobs.report_tables`` writes tables, ``jobs.reporting`` opens the files
and fills the page. The files are replaced together, once all of them are written; the summary last. Files of these
names that no report wrote are kept, and the report is refused.

A report reads without the writer lock. At its end it takes the lock, checks that nothing was written meanwhile, and
commits everything in one transaction; only then are the files replaced, so no file has an id that the database does not
know. If something was written meanwhile, the report starts again under the lock, which it then keeps.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from dedup.errors import CorruptStore, DedupError, UsageError, WriterBusy
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.stopwatch import Stopwatch
from indexer.files import PRIVATE, Access
from indexer.findings.baseline import write_baseline
from indexer.findings.changes import Changes, changes_since, check_run, write_changes
from indexer.findings.ledger import (
    Ledger,
    insert_run,
    read_columns,
    read_ledger,
    write_clusters,
    write_members,
    write_pairs,
)
from indexer.findings.outcome import Outcome, outcome_of
from indexer.jobs import increment
from indexer.jobs.duplicates import Duplicates
from indexer.jobs.fielding.slots import slots_of_store
from indexer.jobs.report_tables import (
    Labels,
    Tables,
    cluster_columns,
    pair_columns,
    record_columns,
    write_clusters_table,
    write_pairs_table,
    write_records_table,
)
from indexer.jobs.reporting.change_rows import CHANGE_COLUMNS, change_rows
from indexer.jobs.reporting.page_contents import page_of
from indexer.jobs.reporting.report_files import ReportFiles, files_of, open_files
from indexer.jobs.reporting.summary import summary_of
from indexer.jobs.reporting.text_records import TextRecords, read_records
from indexer.memory import REPORT
from indexer.memory import check as check_memory
from indexer.outputs.destination import check_destination, check_foreign
from indexer.outputs.html_report.write import write_page
from indexer.outputs.report_formats import require_all, shared_preparing
from indexer.store.integrity import settings
from indexer.store.runs import ending_of, now, tell, versions
from indexer.store.schema import HEAD, run
from indexer.store.store import Store, check_columns, to_json
from indexer.store.transactions import next_key
from indexer.store.workspace import Workspace
from indexer.vectors.neighbour_file import NeighbourFile, NeighbourFiles, record_file
from indexer.vectors.snapshot import Snapshots

PLAIN = Tables()
"""CSV with all columns."""

_log = logging.getLogger(__name__)

Writing = Callable[[], AbstractContextManager[Store]]
"""Opens the store for writing; raises ``_IndexChanged`` if another process has written since."""


class _IndexChanged(Exception):
    """Another process has written to the index while a report read it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked for.

    Attributes:
        min_probability: Lowest probability of a pair.
        full: Whether everything is searched and compared again, not only what has changed.
        since: The number of the report that changes are told from; None: the last one.
        memory: Most bytes of the estimated peak memory (``indexer.memory``); None: no limit.
        access: Who may read the files.
        tables: How tables are written.
        merges_branches: Whether records of one name in several places are the same, where records have fields.

    """

    min_probability: float
    full: bool = False
    since: int | None = None
    memory: int | None = None
    access: Access = PRIVATE
    tables: Tables = PLAIN
    merges_branches: bool = False


def report(
    workspace: Workspace,
    model: Matcher,
    output: Path,
    *,
    min_probability: float | None = None,
    access: Access | None = None,
    progress: Progress = no_progress,
    **asked: Any,  # noqa: ANN401 - the other fields of Asked
) -> dict[str, Any]:
    """Report the duplicates of a workspace as ``report_workspace`` does; ``min_probability`` defaults to the model's.

    Unless ``access`` is given, the files can be read by those who can read the database.

    Raises:
        UsageError: nothing is indexed, in which case no workspace is created; or the output directory holds a file of
            one of the names that is not of a report; or the tables cannot be written as asked.
        InputRefused: there is no such column.
        WriterBusy: another process is writing when the report ends; nothing was stored.

    Also raises what ``report_workspace`` raises.
    """
    least = model.default_probability if min_probability is None else min_probability
    what = Asked(least, access=access or workspace.access_with(), **asked)
    workspace.check_readable()
    require_all(what.tables.formats, what.tables.style)
    if what.tables.records and not what.tables.formats.tables:
        raise UsageError("A table of all records needs a format beside html, such as csv.")
    for name, beginning in files_of(what.tables).items():
        check_destination(output / name, "--output", owns=workspace.owns)
        check_foreign(output / name, "a report", beginning)
    with workspace.open(for_writing=False) as store:
        end = _End(workspace, store)
        try:
            return report_workspace(Snapshots(store, workspace.snapshots), model, output, what, end.writing, progress)
        except _IndexChanged:
            pass
        except (CorruptStore, LookupError, ValueError):  # perhaps rows refer to some that were deleted meanwhile
            if not end.is_changed():
                raise
        _log.warning("The index was changed while it was read; the report starts again, and keeps others waiting.")
    with workspace.open(for_writing=True) as store:
        return report_workspace(Snapshots(store, workspace.snapshots), model, output, what, progress=progress)


class _End:
    """Opens a workspace for writing at the end of a report that reads it through ``store``."""

    def __init__(self, workspace: Workspace, store: Store) -> None:
        self._workspace, self._store = workspace, store
        self._state = store.meta(settings.WRITER)

    def is_changed(self) -> bool:
        """Return whether another process has written since."""
        return self._store.meta(settings.WRITER) != self._state

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """Open the store for writing; raises ``_IndexChanged`` unless the last to write was this report."""
        with self._workspace.open(for_writing=True) as store:
            if store.found != self._state:
                raise _IndexChanged
            self._state = store.meta(settings.WRITER)  # also if an error ends the block
            yield store
            self._state = store.meta(settings.WRITER)


def report_workspace(
    snapshots: Snapshots,
    model: Matcher,
    output: Path,
    asked: Asked,
    writing: Writing | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Find all duplicates of a store, remember them, write the files into ``output``, and return the summary.

    The directory is created if needed, for its owner or those whom ``access`` names, and existing files of these names
    are replaced. The job is recorded as a run when it ends. ``writing`` opens the store for writing; None: it is open.
    Stages reported to ``progress``: those of ``duplicates.find_duplicates``, ``read records``, ``write pairs``,
    ``write exact pairs``, ``write clusters``, ``write records`` and, for the page, ``explain``.

    Raises:
        UsageError: nothing is indexed, not every text is encoded, the job would need more than its memory, or there is
            no report to tell changes from.
        VersionMismatch: the store was indexed with another model.
        EnvironmentFault: the files cannot be written.

    """
    started_at = now()
    store = snapshots.store
    writing = writing or (lambda: nullcontext(store))
    try:
        return _Report(snapshots, model, asked, writing, started_at, progress).write(output)
    except _IndexChanged:
        raise
    except BaseException as error:
        _record_failure(writing, started_at, error)
        raise


def _record_failure(writing: Writing, started_at: str, error: BaseException) -> None:
    """Record a run that did not come to its end, if that is possible."""
    state, reason = ending_of(error)
    values = {"kind": "report", "state": state, "started_at": started_at, "finished_at": now()}
    values["manifest"] = to_json({"versions": versions(), "error": reason})

    def work(connection: Connection) -> int:
        run_id = next_key(connection, run.c.run_id)
        insert_run(connection, values | {"run_id": run_id})
        return run_id

    try:
        with writing() as store:
            tell(store.write(work), f"{'has' if state == 'failed' else 'was'} {state}")
    except (DedupError, _IndexChanged) as second:
        _log.info("The report could not be recorded as %s: %s", state, second)


class _Report:
    """One report: what the last one found, what there is now, and where it is written."""

    def __init__(
        self,
        snapshots: Snapshots,
        model: Matcher,
        asked: Asked,
        writing: Writing,
        started_at: str,
        progress: Progress,
    ) -> None:
        self._snapshots, self._model, self._asked = snapshots, model, asked
        self._store, self._writing, self._progress = snapshots.store, writing, progress
        self._started_at = started_at
        self._clock = Stopwatch()
        self._columns: list[str] = []

    def write(self, output: Path) -> dict[str, Any]:
        """Find everything, write the files and commit."""
        store, asked = self._store, self._asked
        check_columns(store, asked.tables.columns)
        asked.tables.keep.check(store)
        if asked.memory is not None:
            counts = store.counts()
            values = counts.records * len(slots_of_store(store))
            check_memory(REPORT, counts.texts, store.count_characters(), asked.memory, values=values)
        if asked.since is not None:
            check_run(store, asked.since)
        with self._clock.stage("read findings"):
            ledger = read_ledger(store)
        found = increment.find(
            *(self._snapshots, self._model, ledger),
            min_probability=asked.min_probability,
            full=asked.full,
            merges_branches=asked.merges_branches,
            keep=self._keep,
            progress=self._progress,
        )
        with open_files(output, asked.tables, asked.access) as files:
            with self._clock.stage("write"):
                outcome, summary = self._write_files(files, ledger, found)
            files.sync()
            summary |= {"seconds": found.duplicates.seconds | self._clock.seconds}
            summary["finished_at"] = datetime.now(UTC).isoformat(timespec="seconds")
            json.dump(summary, files.summary, ensure_ascii=False, indent=2)
            files.summary.write("\n")
            where = str(output).encode(errors="backslashreplace").decode()
            self._commit(ledger, found, outcome, summary | {"output": where})
        return summary

    def _keep(self, file: NeighbourFile) -> None:
        """Name a file of neighbours in the database, unless another process is writing: it only saves time."""
        try:
            with self._writing() as store:
                store.write(lambda connection: record_file(connection, file, self._model.model_id, None))
        except WriterBusy as error:
            _log.info("The neighbours are not kept: %s", error)

    def _write_files(
        self, files: ReportFiles, ledger: Ledger, found: increment.Found
    ) -> tuple[Outcome, dict[str, Any]]:
        """Write all files but the summary, and return what is to be stored and told."""
        tables, duplicates, store = self._asked.tables, found.duplicates, self._store
        self._columns = read_columns(store, ledger.last)
        wanted = self._columns if tables.columns is None else tables.columns
        prepare = shared_preparing(tables.formats, tables.style)
        records = read_records(store, duplicates, wanted, prepare, tables.keep, self._progress)
        outcome = outcome_of(
            *(store, ledger, duplicates.item_ids, duplicates.near.clusters, found.pairs()),
            *(records.ids, records.counts),
            is_listed=duplicates.near.are_listed(),
            otherwise=found.reason_since(ledger.last),
            has_fields=duplicates.near.evidence is not None,
        )
        told = outcome.changes
        if self._asked.since is not None:
            told = changes_since(store, self._asked.since, ledger, told, outcome.carried.now)
        labels = Labels(duplicates.near.clusters.labels, outcome.ids)
        sizes, listed = self._write_tables(files, duplicates, records, labels)
        with files.table("changes", CHANGE_COLUMNS) as table:
            table.write(change_rows(store, told, ledger, outcome.sources, prepare))
        summary = summary_of(store, duplicates, records, sizes, listed)
        if tables.formats.page:
            least, formats = self._asked.min_probability, tables.formats
            page = page_of(store, duplicates, records, labels, told, summary, least, formats, self._progress)
            write_page(files.page, page)
        return outcome, summary | self._told(found, outcome, told)

    def _write_tables(
        self, files: ReportFiles, duplicates: Duplicates, records: TextRecords, labels: Labels
    ) -> tuple[list[int], int]:
        """Write pairs, clusters and records; return the number of records of each cluster, and that of the pairs."""
        tables, columns, progress = self._asked.tables, records.columns, self._progress
        with files.table("pairs", pair_columns(columns, explain=tables.explain)) as table:
            listed = write_pairs_table(table, duplicates, records, labels, tables, progress)
        with files.table("clusters", cluster_columns(columns)) as table:
            sizes = write_clusters_table(table, duplicates, records, labels, progress)
        if tables.records:
            with files.table("records", record_columns(columns)) as table:
                write_records_table(table, self._store, duplicates, records, labels, progress)
        return sizes, listed

    def _told(self, found: increment.Found, outcome: Outcome, told: Changes) -> dict[str, Any]:
        """Return what the summary says beside counts."""
        return {
            "run": outcome.run_id,
            "since_run": told.since,
            "changes": told.counts(),
            "has_new": told.has_new(),
            "is_full": found.is_full,
            "why_full": found.reason,
            "texts_searched": found.searched,
            "baseline": found.baseline.digest,
            "thresholds": {
                "min_probability": self._asked.min_probability,
                "min_similarity": self._model.min_similarity,
            },
            "model_id": self._model.model_id,
            "database_revision": HEAD,
            "versions": versions(),
        }

    def _commit(self, ledger: Ledger, found: increment.Found, outcome: Outcome, manifest: dict[str, Any]) -> None:
        """Store all that was found, with the run, in one transaction."""
        findings = {
            "settings": found.settings,
            "judgements": found.judgements,
            "merges_branches": self._asked.merges_branches,
            "records_up_to": outcome.records_up_to,
            "columns": self._columns,
        }
        if not self._model.is_shipped:
            findings["model"] = self._model.fingerprint
        values = {
            "run_id": outcome.run_id,
            "kind": "report",
            "state": "done",
            "started_at": self._started_at,
            "finished_at": now(),
            "manifest": to_json(manifest | {"findings": findings}),
        }

        def work(connection: Connection) -> None:
            insert_run(connection, values)
            if found.is_renewed:
                write_baseline(connection, found.baseline)
            write_pairs(connection, ledger.pairs, found.pairs())
            successors = outcome.carried.successors
            write_clusters(connection, outcome.run_id, ledger.weakest, outcome.weakest, successors)
            write_members(connection, ledger.members, outcome.members)
            write_changes(connection, outcome.run_id, outcome.changes)
            record_file(connection, found.file, self._model.model_id, outcome.run_id)

        with self._writing() as store:
            store.write(work)
            tell(outcome.run_id, "is done")
            NeighbourFiles(store, self._snapshots.directory).sweep()
