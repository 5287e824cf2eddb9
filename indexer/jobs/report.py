"""The job ``dedup report``: find all duplicates and write tables, a page and ``summary.json``.

``docs/output-files.md`` describes each column; ``jobs.report_tables`` writes them, ``jobs.reporting`` fills the page.
The files are replaced together, once all of them are written; the summary last. Files of these names that no report
wrote are kept, and the report is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from dedup.errors import EnvironmentFault, UsageError
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.stopwatch import Stopwatch
from indexer.files import PRIVATE, Access, make_directory
from indexer.jobs.duplicates import Duplicates, find_duplicates
from indexer.jobs.report_tables import (
    CLUSTER_COLUMNS,
    PAIR_COLUMNS,
    RECORD_COLUMNS,
    Labels,
    Tables,
    TextRecords,
    beginning_of,
    cluster_columns,
    pair_columns,
    read_records,
    record_columns,
    write_clusters,
    write_pairs,
    write_records,
)
from indexer.jobs.reporting.page_contents import page_of
from indexer.memory import REPORT
from indexer.memory import check as check_memory
from indexer.outputs.destination import check_destination, check_foreign, replacing
from indexer.outputs.html_report.write import BEGINNING, write_page
from indexer.outputs.report_formats import PAGE, require_all, shared_preparing, table_writers
from indexer.outputs.table_files import Column, TableFormat, TableWriter
from indexer.store.runs import recorded_run, versions
from indexer.store.store import check_columns
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

PLAIN = Tables()
"""CSV with all columns."""

_BEGINNINGS = {"pairs": PAIR_COLUMNS[:9], "clusters": CLUSTER_COLUMNS, "records": RECORD_COLUMNS}
"""The tables and their first columns."""
_PAGE = f"report.{PAGE}"
_SUMMARY = "summary.json"


def files_of(tables: Tables) -> dict[str, re.Pattern[bytes] | None]:
    """Return the files of a report, in the order in which they are replaced, and how each begins if it is text."""
    wanted = [table for table in _BEGINNINGS if table != "records" or tables.records]
    files = {name: beginning_of(_BEGINNINGS[table], one) for table in wanted for name, one in _named(table, tables)}
    page = {_PAGE: re.compile(re.escape(BEGINNING.encode()))} if tables.formats.page else {}
    return {**files, **page, _SUMMARY: re.compile(rb'\{\s*"records": \d+,\s*"distinct_texts": \d+,')}


def _named(table: str, tables: Tables) -> Iterator[tuple[str, TableFormat]]:
    """Yield the names of the files of a table, and their formats."""
    for layout in tables.formats.tables:
        yield f"{table}.{layout}", layout


def report(
    workspace: Workspace,
    model: Matcher,
    output: Path,
    *,
    min_probability: float | None = None,
    memory: int | None = None,
    access: Access | None = None,
    tables: Tables = PLAIN,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Report the duplicates of a workspace as ``report_workspace`` does; ``min_probability`` defaults to the model's.

    Unless ``access`` is given, the files can be read by those who can read the database.

    Raises:
        UsageError: nothing is indexed, in which case no workspace is created; or the output directory holds a file of
            one of these names that is not of a report; or the tables cannot be written as asked.
        InputRefused: there is no such column.

    Also raises what ``report_workspace`` raises.
    """
    workspace.check_readable()
    require_all(tables.formats, tables.style)
    if tables.records and not tables.formats.tables:
        raise UsageError("A table of all records needs a format beside html, such as csv.")
    for name, beginning in files_of(tables).items():
        check_destination(output / name, "--output", owns=workspace.owns)
        check_foreign(output / name, "a report", beginning)
    if min_probability is None:
        min_probability = model.default_probability
    with workspace.open(for_writing=True) as store:
        snapshots = Snapshots(store, workspace.snapshots)
        return report_workspace(
            snapshots,
            model,
            output,
            min_probability=min_probability,
            memory=memory,
            access=access or workspace.access_with(),
            tables=tables,
            progress=progress,
        )


def report_workspace(
    snapshots: Snapshots,
    model: Matcher,
    output: Path,
    *,
    min_probability: float,
    memory: int | None = None,
    access: Access = PRIVATE,
    tables: Tables = PLAIN,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Find all duplicates of a store, write the files into ``output``, and return the summary.

    The directory is created if needed, for its owner or those whom ``access`` names, and existing files of these names
    are replaced. The job is recorded as a run.
    ``memory`` limits the estimated peak memory in bytes (``indexer.memory``). Stages reported to ``progress``: those of
    ``find_duplicates``, ``read records``, ``write pairs``, ``write exact pairs``, ``write clusters``, ``write records``
    and, for the page, ``explain``.

    Raises:
        UsageError: nothing is indexed, not every text is encoded, or the job would need more than ``memory``.
        VersionMismatch: the store was indexed with another model.
        EnvironmentFault: the files cannot be written.

    """
    store = snapshots.store
    check_columns(store, tables.columns)
    if memory is not None:
        check_memory(REPORT, store.counts().texts, store.count_characters(), memory)
    with recorded_run(store, "report") as run:
        duplicates = find_duplicates(snapshots, model, min_probability=min_probability, progress=progress)
        clock = Stopwatch()
        with _files(output, tables, access) as files:
            with clock.stage("write"):
                summary = _write_tables(files, snapshots, duplicates, tables, min_probability, progress)
            summary |= {
                "thresholds": {
                    "min_probability": min_probability,
                    "min_similarity": model.min_similarity,
                },
                "model_id": model.model_id,
                "versions": versions(),
                "seconds": duplicates.seconds | clock.seconds,
                "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            json.dump(summary, files[_SUMMARY], ensure_ascii=False, indent=2)
            files[_SUMMARY].write("\n")
        run.manifest |= summary | {"output": str(output).encode(errors="backslashreplace").decode()}
    return summary


@contextmanager
def _files(output: Path, tables: Tables, access: Access) -> Iterator[dict[str, TextIO]]:
    """Open the files, by name, under temporary names; rename them when the block succeeds."""
    may_enter = access.mode | (access.mode & 0o444) >> 2 if access.exact else 0o700
    names = [*files_of(tables)]
    try:
        make_directory(output, may_enter)
        with replacing([output / name for name in names], access) as files:
            yield dict(zip(names, files, strict=True))
    except OSError as error:
        raise EnvironmentFault(
            f"The report cannot be written to {output}: {error.strerror}; choose another output directory."
        ) from error


def _write_tables(
    files: Mapping[str, TextIO],
    snapshots: Snapshots,
    duplicates: Duplicates,
    tables: Tables,
    min_probability: float,
    progress: Progress,
) -> dict[str, Any]:
    """Write the tables and the page, and return what is counted."""
    formats, style, store = tables.formats, tables.style, snapshots.store
    records = read_records(store, duplicates, tables.columns, shared_preparing(formats, style), progress)
    labels = Labels(duplicates.near.clusters.labels, records)

    def writer(title: str, columns: Sequence[Column]) -> AbstractContextManager[TableWriter]:
        opened = [files[name] for name, _ in _named(title, tables)]
        return table_writers(opened, formats, columns, style, title)

    with writer("pairs", pair_columns(records.columns, explain=tables.explain)) as table:
        listed = write_pairs(table, duplicates, records, labels, tables, progress)
    with writer("clusters", cluster_columns(records.columns)) as table:
        sizes = write_clusters(table, duplicates, records, labels, progress)
    if tables.records:
        with writer("records", record_columns(records.columns)) as table:
            write_records(table, store, duplicates.text_ids, records, labels, progress)
    summary = _summarise(duplicates, records, sizes, listed)
    if formats.page:
        write_page(
            files[_PAGE], page_of(store, duplicates, records, labels, summary, min_probability, formats, progress)
        )
    return summary


def _summarise(duplicates: Duplicates, records: TextRecords, sizes: list[int], listed: int) -> dict[str, Any]:
    counts, pairs = records.counts, duplicates.near.pairs
    of_equal_texts = int((counts * (counts - 1) // 2).sum())
    return {
        "records": int(counts.sum()),
        "distinct_texts": len(counts),
        "exact_duplicate_records": int((counts - 1).sum()),
        "near_pairs": len(pairs),
        "expected_true_pairs": round(float(duplicates.near.probabilities.sum())),
        "pairs_total": of_equal_texts + int((counts[pairs[:, 0]] * counts[pairs[:, 1]]).sum()),
        "pairs_listed": listed,
        "clusters": len(sizes),
        "records_in_clusters": sum(sizes),
        "largest_cluster": max(sizes, default=0),
        "components_sampled": duplicates.near.clusters.sampled,
        "texts_sampled": duplicates.near.clusters.items_sampled,
        "components_skipped": 0,  # for readers of earlier versions, which left large components unclustered
        "texts_skipped": 0,
        "long_texts": duplicates.near.comparison.long_texts,
        "candidates": duplicates.near.candidates,
        "snapshot_generation": duplicates.generation,
    }
