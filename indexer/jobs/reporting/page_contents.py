"""Fill the page of a report: the worst clusters, why their records are together, and what is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from dedup.runtime.progress import Progress
from indexer.findings.changes import Changes
from indexer.jobs.duplicates import Duplicates
from indexer.jobs.report_tables import Labels, other_columns
from indexer.jobs.reporting.text_records import TextRecords
from indexer.outputs.html_report.contents import (
    MAX_CLUSTERS,
    MAX_MEMBERS,
    ClusterItem,
    Member,
    Page,
    RunTotals,
    SourceTotals,
)
from indexer.outputs.html_report.contents import Changes as PageChanges
from indexer.outputs.reasons import contributions, reasons_of
from indexer.outputs.report_formats import ReportFormats
from indexer.store.runs import last_runs, versions
from indexer.store.schema import run
from indexer.store.store import Store

_TOTALS = ("records", "clusters", "records_in_clusters")
_RUNS = 12
_RUNS_READ = 200
_STEPS = 25
_AT_ONCE = 1_000


def page_of(
    store: Store,
    duplicates: Duplicates,
    records: TextRecords,
    labels: Labels,
    told: Changes,
    summary: Mapping[str, Any],
    min_probability: float,
    formats: ReportFormats,
    progress: Progress,
) -> Page:
    """Return the page, with what has changed, ``told``.

    Its clusters are explained while they are iterated over, the stage ``explain``.
    """
    kinds = {f"c{id_}": change.event.kind for change in told.clusters for id_ in change.event.after}
    clusters = _Worst(duplicates, records, labels, kinds if told.since is not None else {})
    start = max(0.0, np.floor(min_probability * 10 - 1e-9) / 10)
    counts, _ = np.histogram(duplicates.near.probabilities, _STEPS, (start, 1.0))
    return Page(
        version=versions()["neardup"],
        min_probability=min_probability,
        runs=[*_earlier(store), _totals(summary, datetime.now(UTC).isoformat(timespec="seconds"))],
        probabilities=counts.tolist(),
        histogram_from=float(start),
        sizes=Counter(clusters.sizes.tolist()),
        sources=_by_source(store, records, labels),
        columns=other_columns(records.columns),
        clusters=clusters.items(progress),
        clusters_total=len(clusters.sizes),
        elsewhere=[f"clusters.{layout}" for layout in formats.tables],
        changes=_changes(store, told),
    )


def _totals(found: Mapping[str, Any], finished_at: str) -> RunTotals:
    return RunTotals(finished_at, *(found[name] for name in _TOTALS))


def _changes(store: Store, told: Changes) -> PageChanges | None:
    """Return the changes in words; None for the first report."""
    if told.since is None:
        return None
    counts = {kind.replace("_", " "): count for kind, count in told.counts().items() if count}
    finished = store.read(select(run.c.finished_at).where(run.c.run_id == told.since))
    day = f" of {finished[0][0][:16].replace('T', ' ')} UTC" if finished and finished[0][0] else ""
    return PageChanges(f"run {told.since}{day}", counts)


def _has_totals(manifest: Mapping[str, Any]) -> bool:
    return all(isinstance(manifest.get(name), int) for name in _TOTALS)


def _earlier(store: Store) -> list[RunTotals]:
    """Return the reports before this one, oldest first."""
    runs = [
        _totals(one.manifest, one.finished_at)
        for one in last_runs(store, _RUNS_READ)
        if one.kind == "report" and one.state == "done" and one.finished_at and _has_totals(one.manifest)
    ]
    return runs[: _RUNS - 1][::-1]


def _by_source(store: Store, records: TextRecords, labels: Labels) -> list[SourceTotals]:
    clustered = Counter(records.cells(held)[0] for place in labels.places().tolist() for held in records.held[place])
    totals = [SourceTotals(name, count, clustered[name]) for name, count in store.counts().sources.items()]
    return sorted(totals, key=lambda one: (-one.records, one.source))


@dataclass(frozen=True, slots=True)
class _Shown:
    """A cluster of the page: its texts, of which ``first`` holds the representative, and those that are shown."""

    label: int
    size: int
    weakest: float
    first: int
    others: list[int]


class _Worst:
    """The clusters of a report, those with the lowest probability first; of equal ones the larger first."""

    def __init__(self, duplicates: Duplicates, records: TextRecords, labels: Labels, kinds: Mapping[str, str]) -> None:
        self._near, self._records, self._labels, self._kinds = duplicates.near, records, labels, kinds
        places = labels.places()
        starts = np.flatnonzero(np.diff(labels.of_text[places], prepend=-1))
        self._groups = np.split(places, starts[1:]) if len(places) else []
        self.sizes: NDArray[np.int64] = np.array([records.counts[group].sum() for group in self._groups], np.int64)

    def items(self, progress: Progress) -> Iterator[ClusterItem]:
        """Yield the worst ones; some are compared with their representatives at once."""
        weakest = self._near.clusters.weakest
        of_group = [int(self._labels.of_text[group[0]]) for group in self._groups]
        lowest = np.array([weakest.get(label, 1.0) for label in of_group])
        order = np.lexsort((-self.sizes, lowest))[:MAX_CLUSTERS].tolist()
        shown = [self._shown(of_group[at], int(self.sizes[at]), float(lowest[at]), self._groups[at]) for at in order]
        for done in range(0, len(shown), _AT_ONCE):
            progress("explain", done, len(shown))
            page = shown[done : done + _AT_ONCE]
            compared = self._compared([(one.first, other) for one in page for other in one.others])
            for one in page:
                yield self._item(one, list(islice(compared, len(one.others))))
        progress("explain", len(shown), len(shown))

    def _shown(self, label: int, size: int, weakest: float, group: NDArray[np.int64]) -> _Shown:
        first = next(place for place in group.tolist() if self._records.facts.chosen(place)[0] is not None)
        others = [place for place in group.tolist() if place != first][: MAX_MEMBERS - 1]
        return _Shown(label, size, weakest, first, others)

    def _compared(self, pairs: list[tuple[int, int]]) -> Iterator[tuple[float, list[str]]]:
        """Yield the probability of each pair of texts, and the reasons as lines."""
        near, wanted = self._near, np.array(pairs, np.int64).reshape(-1, 2)
        explained = near.explain(wanted, near.comparison.similarities(wanted).tolist())
        probabilities = near.comparison.probabilities(wanted).tolist()
        for probability, one in zip(probabilities, explained, strict=True):
            yield probability, contributions(reasons_of(one)["explanation"])

    def _item(self, one: _Shown, compared: list[tuple[float, list[str]]]) -> ClusterItem:
        members = [
            self._member(held, probability, False, why)
            for place, (probability, why) in zip(one.others, compared, strict=True)
            for held in self._records.held[place]
        ]
        members.sort(key=lambda member: member.probability or 0)
        equal = contributions(reasons_of(None)["explanation"])
        same, (named, _) = [*self._records.held[one.first]], self._records.facts.chosen(one.first)
        first = same.pop(named or 0)
        exact = [self._member(held, 1.0, True, equal) for held in same]
        kept = [self._member(first, None, False, ()), *members, *exact][:MAX_MEMBERS]
        name = self._labels.name(one.label)
        return ClusterItem(name, one.weakest if members else None, one.size, kept, self._kinds.get(name, ""))

    def _member(self, held: str, probability: float | None, exact: bool, reasons: Any) -> Member:  # noqa: ANN401
        source, id, text, *cells = self._records.cells(held)
        return Member(source, id, text, probability, exact, reasons, cells)
