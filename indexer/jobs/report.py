"""The job ``dedup report``: find all duplicates and write ``pairs.csv``, ``clusters.csv`` and ``summary.json``.

``pairs.csv`` lists each pair of near-duplicate texts once (``near``), represented by the first record of each text and
most probable first; then each further record of a text with its first record (``exact``).

``clusters.csv`` lists all records of every cluster of two or more, with all other columns of the input. Clusters are in
the order of their first record. A cluster is named ``c`` followed by the smallest ``record_id`` in it, so it keeps its
name as long as that record stays in it. An input column with the name of one of ours is renamed with the prefix
``column_``.

Cells are protected against formulas (``indexer.outputs.csv``) unless ``raw`` is true. The three files are replaced
together, once all of them are written; the summary last. Files of these names that no report wrote are kept, and the
report is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from dedup.errors import EnvironmentFault
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.stopwatch import Stopwatch
from indexer.files import PRIVATE, Access, make_directory
from indexer.jobs.duplicates import Duplicates, check_text_of, find_duplicates
from indexer.memory import REPORT
from indexer.memory import check as check_memory
from indexer.outputs.csv import csv_line, guard
from indexer.outputs.destination import check_destination, check_foreign, replacing
from indexer.store.integrity.values import damaged
from indexer.store.runs import recorded_run, versions
from indexer.store.store import Record, Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

PAIR_COLUMNS = (
    *("source_1", "id_1", "text_1", "source_2", "id_2", "text_2"),
    *("probability", "similarity", "kind"),
)
CLUSTER_COLUMNS = ("cluster_id", "source", "id", "text", "weakest_probability")
FILES = {
    "pairs.csv": re.compile(re.escape(csv_line(PAIR_COLUMNS).encode())),
    "clusters.csv": re.compile(re.escape(csv_line(CLUSTER_COLUMNS).encode())),
    "summary.json": re.compile(rb'\{\s*"records": \d+,\s*"distinct_texts": \d+,'),
}
"""The files, in the order in which they are replaced, and how each begins."""

_AT_ONCE = 5_000

Guard = Callable[[str], str]


class Line(NamedTuple):
    """A record as CSV.

    Attributes:
        cells: Its source, id and text.
        others: Its other columns, as far as they were known when it was read; begins with a comma unless empty.
        width: Number of columns in ``others``.

    """

    cells: str
    others: str
    width: int


@dataclass(frozen=True, slots=True)
class TextRecords:
    """The records of n texts.

    Attributes:
        counts: Number of records of each text (n,).
        first_records: Smallest ``record_id`` of each text (n,).
        lines: Records by position of the text, for texts in a pair or a cluster.
        columns: Other columns of the input, in the order in which they first occur.

    """

    counts: NDArray[np.int64]
    first_records: NDArray[np.int64]
    lines: dict[int, list[Line]]
    columns: list[str]


def report(
    workspace: Workspace,
    model: Matcher,
    output: Path,
    *,
    min_probability: float | None = None,
    memory: int | None = None,
    access: Access | None = None,
    raw: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Report the duplicates of a workspace as ``report_workspace`` does; ``min_probability`` defaults to the model's.

    Unless ``access`` is given, the files can be read by those who can read the database.

    Raises:
        UsageError: nothing is indexed, in which case no workspace is created; or the output directory holds a file of
            one of the three names that is not of a report.

    Also raises what ``report_workspace`` raises.
    """
    workspace.check_readable()
    for name, beginning in FILES.items():
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
            raw=raw,
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
    raw: bool = False,
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
    if memory is not None:
        check_memory(REPORT, store.counts().texts, store.count_characters(), memory)
    with recorded_run(store, "report") as run:
        duplicates = find_duplicates(snapshots, model, min_probability=min_probability, progress=progress)
        clock = Stopwatch()
        with _files(output, access) as (pairs, clusters, summary_file):
            with clock.stage("write"):
                guarded = guard(raw=raw)
                records = _read_records(store, duplicates, guarded, progress)
                _write_pairs(pairs, duplicates, records, progress)
                sizes = _write_clusters(clusters, duplicates, records, guarded, progress)
            summary = _summarise(duplicates, records, sizes)
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
            json.dump(summary, summary_file, ensure_ascii=False, indent=2)
            summary_file.write("\n")
        run.manifest |= summary | {"output": str(output).encode(errors="backslashreplace").decode()}
    return summary


@contextmanager
def _files(output: Path, access: Access) -> Iterator[list[TextIO]]:
    """Open the three files under temporary names; rename them when the block succeeds."""
    may_enter = access.mode | (access.mode & 0o444) >> 2 if access.exact else 0o700
    try:
        make_directory(output, may_enter)
        with replacing([output / name for name in FILES], access) as files:
            yield files
    except OSError as error:
        raise EnvironmentFault(
            f"The report cannot be written to {output}: {error.strerror}; choose another output directory."
        ) from error


def _read_records(store: Store, duplicates: Duplicates, guarded: Guard, progress: Progress) -> TextRecords:
    text_ids, labels = duplicates.text_ids.tolist(), duplicates.near.clusters.labels
    counts = np.zeros(len(text_ids), np.int64)
    first_records = np.zeros(len(text_ids), np.int64)
    is_written = (np.bincount(labels, minlength=len(labels)) > 1)[labels]
    is_written[duplicates.near.pairs] = True
    lines: dict[int, list[Line]] = {}
    columns: dict[str, None] = {}
    place = 0
    for text_id, group in groupby(store.iter_records(), attrgetter("text_id")):
        records = list(group)
        while place < len(text_ids) and text_ids[place] < text_id:
            place += 1
        check_text_of(records[0], text_ids[place : place + 1])
        counts[place] = len(records)
        first_records[place] = records[0].record_id
        for record in records:
            if record.fields:
                columns.update(dict.fromkeys(record.fields))
        if is_written[place] or len(records) > 1:
            lines[place] = [_line(record, columns, guarded) for record in records]
        if not place % _AT_ONCE:
            progress("read records", place, len(text_ids))
    if len(bare := np.flatnonzero(counts == 0)):
        raise damaged(f"Text {text_ids[int(bare[0])]} has no record.")
    progress("read records", len(text_ids), len(text_ids))
    return TextRecords(counts, first_records, lines, list(columns))


def _line(record: Record, columns: Iterable[str], guarded: Guard) -> Line:
    cells = guarded(record.source), guarded(record.external_id), guarded(record.raw)
    others = [guarded(record.fields.get(column, "")) for column in columns]
    return Line(csv_line(cells), csv_line(("", *others)) if others else "", len(others))


def _write_pairs(file: TextIO, duplicates: Duplicates, records: TextRecords, progress: Progress) -> None:
    file.write(csv_line(PAIR_COLUMNS) + "\n")
    lines = records.lines
    order = np.lexsort((-duplicates.near.similarities, -duplicates.near.probabilities))  # stable: ties by text
    for block in _blocks(order, "pairs", progress):
        rows = zip(
            duplicates.near.pairs[block].tolist(),
            duplicates.near.probabilities[block].tolist(),
            duplicates.near.similarities[block].tolist(),
            strict=True,
        )
        file.writelines(
            f"{lines[first][0].cells},{lines[second][0].cells},{probability:.6f},{similarity:.6f},near\n"
            for (first, second), probability, similarity in rows
        )
    for block in _blocks(np.flatnonzero(records.counts > 1), "exact pairs", progress):
        for first_record, *others in map(lines.__getitem__, block.tolist()):
            file.writelines(f"{first_record.cells},{record.cells},1.000000,1.000000,exact\n" for record in others)


def _write_clusters(
    file: TextIO, duplicates: Duplicates, records: TextRecords, guarded: Guard, progress: Progress
) -> list[int]:
    """Write the clusters and return the number of records of each."""
    file.write(csv_line((*CLUSTER_COLUMNS, *map(guarded, _unique_names(records.columns)))) + "\n")
    labels, weakest = duplicates.near.clusters.labels, duplicates.near.clusters.weakest
    places, first_records = _clustered_places(labels, records)
    for block in _blocks(places, "clusters", progress):
        for place, label in zip(block.tolist(), labels[block].tolist(), strict=True):
            start, end = f"c{first_records[label]}", f"{weakest.get(label, 1.0):.6f}"
            file.writelines(
                f"{start},{line.cells},{end}{line.others}{',' * (len(records.columns) - line.width)}\n"
                for line in records.lines[place]
            )
    sizes: list[int] = np.bincount(labels[places], records.counts[places]).astype(np.int64).tolist()
    return [size for size in sizes if size]


def _clustered_places(labels: NDArray[np.int64], records: TextRecords) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of texts in clusters of two records or more, and the first record of each label (n,).

    The texts of a cluster are adjacent, and clusters are in the order of their first record.
    """
    n = len(labels)
    sizes = np.zeros(n, np.int64)
    np.add.at(sizes, labels, records.counts)
    first_records = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(first_records, labels, records.first_records)
    places = np.flatnonzero(sizes[labels] > 1)
    return places[np.lexsort((places, first_records[labels[places]]))], first_records


def _summarise(duplicates: Duplicates, records: TextRecords, sizes: list[int]) -> dict[str, Any]:
    counts, pairs = records.counts, duplicates.near.pairs
    of_equal_texts = int((counts * (counts - 1) // 2).sum())
    return {
        "records": int(counts.sum()),
        "distinct_texts": len(counts),
        "exact_duplicate_records": int((counts - 1).sum()),
        "near_pairs": len(pairs),
        "expected_true_pairs": round(float(duplicates.near.probabilities.sum())),
        "pairs_total": of_equal_texts + int((counts[pairs[:, 0]] * counts[pairs[:, 1]]).sum()),
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


def _blocks(values: NDArray[np.int64], stage: str, progress: Progress) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
        progress(f"write {stage}", min(start + _AT_ONCE, len(values)), len(values))


def _unique_names(columns: list[str]) -> list[str]:
    """Return names for the columns of the input that differ from ours and from each other."""
    taken = {*CLUSTER_COLUMNS, *columns}
    names = []
    for column in columns:
        name = column
        if column in CLUSTER_COLUMNS:
            while name in taken:
                name = f"column_{name}"
            taken.add(name)
        names.append(name)
    return names
