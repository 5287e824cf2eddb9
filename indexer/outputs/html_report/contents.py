"""What the page shows; whoever fills it needs no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MAX_CLUSTERS = 10_000
"""So many clusters are in the page, the worst."""
MAX_MEMBERS = 100
"""So many records of a cluster are in the page."""


@dataclass(frozen=True, slots=True)
class Member:
    """A record of a cluster, compared with the representative, which is the first member.

    Attributes:
        source: Its source.
        id: Its id.
        text: Its text.
        probability: That it is the same as the representative; None for this one itself.
        exact: Whether both texts are equal after normalisation.
        reasons: For the probability, a line each.
        cells: Values of the columns of the page.

    """

    source: str
    id: str
    text: str
    probability: float | None
    exact: bool
    reasons: Sequence[str]
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class ClusterItem:
    """A cluster with at most ``MAX_MEMBERS`` of its records.

    ``weakest`` is the lowest probability of two of its records, None if all are exact duplicates; ``change`` is a key
    of ``Changes.counts`` or empty.
    """

    cluster_id: str
    weakest: float | None
    size: int
    members: Sequence[Member]
    change: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since an earlier run, named in words; ``counts`` by kind, such as new, grown, merged, gone pairs."""

    since: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RunTotals:
    """What a run found; its time is ISO 8601."""

    finished_at: str
    records: int
    clusters: int
    records_in_clusters: int


@dataclass(frozen=True, slots=True)
class SourceTotals:
    """How many records of a source are in the index, and how many of these in a cluster."""

    source: str
    records: int
    clustered: int


@dataclass(frozen=True, slots=True)
class Page:
    """A report as a page.

    Attributes:
        version: Of neardup.
        min_probability: The lowest probability of a pair.
        runs: The last runs, oldest first; the last one is this.
        changes: Since an earlier run; None if nothing is known of one.
        probabilities: Of all near pairs of distinct texts, counted from ``histogram_from`` to 1 in equal steps.
        histogram_from: Where the first step begins.
        sizes: Number of clusters by number of records.
        sources: Largest first.
        columns: Names of the other columns of the input.
        clusters: Worst first.
        clusters_total: How many there are; the page holds at most ``MAX_CLUSTERS``.
        elsewhere: Names of the files that hold all clusters; none if the page is the only one.

    """

    version: str
    min_probability: float
    runs: Sequence[RunTotals]
    probabilities: Sequence[int]
    histogram_from: float
    sizes: Mapping[int, int]
    sources: Sequence[SourceTotals]
    columns: Sequence[str]
    clusters: Iterable[ClusterItem]
    clusters_total: int
    elsewhere: Sequence[str] = field(default_factory=tuple)
    changes: Changes | None = None
