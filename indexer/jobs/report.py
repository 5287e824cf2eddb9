"""The job ``dedup report``: find all duplicates and write tables of pairs and clusters, and ``summary.json``.

``docs/output-files.md`` describes each column; ``jobs.report_tables`` writes them. The three files are replaced
together, once all of them are written; the summary last. Files of these names that no report wrote are kept, and the
report is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from dedup.errors import EnvironmentFault
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.stopwatch import Stopwatch
from indexer.files import PRIVATE, Access, make_directory
from indexer.jobs.duplicates import Duplicates, find_duplicates
from indexer.jobs.report_tables import (
    CLUSTER_COLUMNS,
    PAIR_COLUMNS,
    Labels,
    Tables,
    TextRecords,
    beginning_of,
    cluster_columns,
    pair_columns,
    read_records,
    write_clusters,
    write_pairs,
)
from indexer.memory import REPORT
from indexer.memory import check as check_memory
from indexer.outputs.destination import check_destination, check_foreign, replacing
from indexer.outputs.table_files import TableFormat, preparing, require, table_writer
from indexer.store.runs import recorded_run, versions
from indexer.store.store import check_columns
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

PLAIN = Tables()
"""CSV with all columns."""


def files_of(layout: TableFormat) -> dict[str, re.Pattern[bytes] | None]:
    """Return the files of a report, in the order in which they are replaced, and how each begins if it is text."""
    beginnings = {"pairs": beginning_of(PAIR_COLUMNS[:9]), "clusters": beginning_of(CLUSTER_COLUMNS)}
    tables = {f"{name}.{layout}": beginning if layout.is_text else None for name, beginning in beginnings.items()}
    return {**tables, "summary.json": re.compile(rb'\{\s*"records": \d+,\s*"distinct_texts": \d+,')}


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
            one of the three names that is not of a report; or the tables cannot be written as asked.
        InputRefused: there is no such column.

    Also raises what ``report_workspace`` raises.
    """
    workspace.check_readable()
    require(tables.layout, tables.style)
    for name, beginning in files_of(tables.layout).items():
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
    """Find all duplicates of a store, write the three files into ``output``, and return the summary.

    The directory is created if needed, for its owner or those whom ``access`` names, and existing files of these names
    are replaced. The job is recorded as a run.
    ``memory`` limits the estimated peak memory in bytes (``indexer.memory``). Stages reported to ``progress``: those of
    ``find_duplicates``, ``read records``, ``write pairs``, ``write exact pairs`` and ``write clusters``.

    Raises:
        UsageError: nothing is indexed, not every text is encoded, or the job would need more than ``memory``.
        VersionMismatch: the store was indexed with another model.
        EnvironmentFault: the files cannot be written.

    """
    store = snapshots.store
    check_columns(store, tables.columns)
    tables.keep.check(store)
    if memory is not None:
        check_memory(REPORT, store.counts().texts, store.count_characters(), memory)
    with recorded_run(store, "report") as run:
        duplicates = find_duplicates(snapshots, model, min_probability=min_probability, progress=progress)
        clock = Stopwatch()
        with _files(output, tables.layout, access) as files:
            with clock.stage("write"):
                summary = _write_tables(files, snapshots, duplicates, tables, progress)
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
            json.dump(summary, files[-1], ensure_ascii=False, indent=2)
            files[-1].write("\n")
        run.manifest |= summary | {"output": str(output).encode(errors="backslashreplace").decode()}
    return summary


@contextmanager
def _files(output: Path, layout: TableFormat, access: Access) -> Iterator[list[TextIO]]:
    """Open the three files under temporary names; rename them when the block succeeds."""
    may_enter = access.mode | (access.mode & 0o444) >> 2 if access.exact else 0o700
    try:
        make_directory(output, may_enter)
        with replacing([output / name for name in files_of(layout)], access) as files:
            yield files
    except OSError as error:
        raise EnvironmentFault(
            f"The report cannot be written to {output}: {error.strerror}; choose another output directory."
        ) from error


def _write_tables(
    files: Sequence[TextIO], snapshots: Snapshots, duplicates: Duplicates, tables: Tables, progress: Progress
) -> dict[str, Any]:
    """Write the tables of pairs and clusters, and return what is counted."""
    layout, style = tables.layout, tables.style
    records = read_records(snapshots.store, duplicates, tables.columns, preparing(layout, style), tables.keep, progress)
    labels = Labels(duplicates.near.clusters.labels, records)
    columns = pair_columns(records.columns, explain=tables.explain)
    with table_writer(files[0], layout, columns, style, "pairs") as table:
        listed = write_pairs(table, duplicates, records, labels, tables, progress)
    with table_writer(files[1], layout, cluster_columns(records.columns), style, "clusters") as table:
        sizes = write_clusters(table, duplicates, records, labels, progress)
    return _summarise(duplicates, records, sizes, listed)


def _summarise(duplicates: Duplicates, records: TextRecords, sizes: list[int], listed: int) -> dict[str, Any]:
    counts, pairs, left_out = records.counts, duplicates.near.pairs, duplicates.near.left_out
    judged = duplicates.near.judged
    of_equal_texts = int((counts * (counts - 1) // 2).sum())
    return {
        "records": int(counts.sum()),
        "distinct_texts": len(duplicates.text_ids),
        "exact_duplicate_records": int((counts - 1).sum()),
        "near_pairs": len(pairs),
        "pairs_judged_same": int(duplicates.near.are_judged_same(pairs).sum()),
        "pairs_judged_different": int((counts[left_out[:, 0]] * counts[left_out[:, 1]]).sum()),
        "contradictions": [] if judged is None else [str(one) for one in judged.conflicts],
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
