"""What a report would find at each threshold, and the pairs next to the one chosen; nothing is stored or written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.fields.agreement import marks_of
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from indexer.jobs import increment
from indexer.jobs.duplicates import Duplicates
from indexer.outputs.reasons import DIGITS
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
BOUNDARY_PAIRS = 10
_BELOW = 0.2
"""So far below the threshold chosen are the pairs that just miss it."""


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a report with this ``min_probability`` would find; the names are those of ``summary.json``."""

    min_probability: float
    near_pairs: int
    pairs_total: int
    clusters: int
    records_in_clusters: int
    largest_cluster: int


@dataclass(frozen=True, slots=True)
class BoundaryPair:
    """A pair of distinct texts, or of records of one text that fields tell apart, each shown by its first record.

    ``fields`` says of each field that both have whether its values are the same, similar or differ.
    """

    probability: float
    source_1: str
    id_1: str
    text_1: str
    source_2: str
    id_2: str
    text_2: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview of a report.

    Attributes:
        min_probability: The threshold chosen.
        thresholds: What would be found at this one and at others, ascending.
        above: The pairs that just reach the threshold, the nearest first.
        below: Those that just miss it, the nearest first.

    """

    min_probability: float
    thresholds: tuple[AtThreshold, ...]
    above: tuple[BoundaryPair, ...]
    below: tuple[BoundaryPair, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the preview as values that JSON can hold."""
        return asdict(self)


def preview(
    workspace: Workspace, model: Matcher, *, min_probability: float | None = None, progress: Progress = no_progress
) -> Preview:
    """Return what a report would find; ``min_probability`` defaults to the model's.

    Stages reported to ``progress``: those of ``increment.find``, and ``cluster``.

    Raises:
        UsageError: nothing is indexed.
        VersionMismatch: the store was indexed with another model.
    """
    workspace.check_readable()
    chosen = model.default_probability if min_probability is None else min_probability
    lowest = max(0.0, min(THRESHOLDS[0], chosen) - _BELOW)
    wanted = sorted({*THRESHOLDS, chosen})
    with workspace.open(for_writing=False) as store:
        snapshots = Snapshots(store, workspace.snapshots)
        found = increment.find_all(snapshots, model, min_probability=lowest, progress=progress)
        counts = found.records_of_items().counts(store)
        rows = []
        for done, threshold in enumerate(wanted):
            progress("cluster", done, len(wanted))
            rows.append(_at(found, counts, threshold))
        progress("cluster", len(wanted), len(wanted))
        above, below = _boundary(found, chosen)
        return Preview(chosen, tuple(rows), _pairs(store, found, above), _pairs(store, found, below))


def _at(found: Duplicates, counts: NDArray[np.int64], threshold: float) -> AtThreshold:
    near = found.near.at(threshold, len(found.text_ids))
    pairs, equal = counts[near.pairs], int((counts * (counts - 1) // 2).sum())
    sizes = np.zeros(len(counts), np.int64)
    np.add.at(sizes, near.clusters.labels, counts)
    sizes = sizes[sizes > 1]
    total = equal + int((pairs[:, 0] * pairs[:, 1]).sum())
    return AtThreshold(threshold, len(pairs), total, len(sizes), int(sizes.sum()), int(sizes.max(initial=0)))


def _boundary(found: Duplicates, chosen: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which pairs are next to the threshold, on either side."""
    order = np.argsort(found.near.probabilities, kind="stable")  # ties by text
    cut = int(np.searchsorted(found.near.probabilities[order], chosen))
    return order[cut : cut + BOUNDARY_PAIRS], order[max(0, cut - BOUNDARY_PAIRS) : cut][::-1]


def _pairs(store: Store, found: Duplicates, which: NDArray[np.intp]) -> tuple[BoundaryPair, ...]:
    items = found.near.sides(found.near.pairs[which])
    records = found.records_of_items().read(store, items.ravel().tolist())
    pairs, evidence = [], found.near.evidence
    for both, probability in zip(items.tolist(), found.near.probabilities[which].tolist(), strict=True):
        one, other = (records[item][0] for item in both)
        sides = (one.source, one.external_id, one.raw, other.source, other.external_id, other.raw)
        marks = {} if evidence is None else marks_of(evidence.table, evidence.row_of[both].tolist())
        pairs.append(BoundaryPair(round(probability, DIGITS), *sides, marks))
    return tuple(pairs)
