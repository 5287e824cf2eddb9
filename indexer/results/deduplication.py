"""What ``deduplicate`` and ``Index.duplicates`` return."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dedup.errors import UsageError
from dedup.evidence.explain import Explanation
from dedup.text.normalise import normalise
from indexer.jobs.duplicates import NearDuplicates
from indexer.results.comparison import Comparison
from indexer.results.records import Cluster, Pair, Record, Rejected
from indexer.results.tables import Rows, Tabular, counted

Explain = Callable[[str, str, float], Explanation]
"""Explains two normal forms, given their cosine."""


@dataclass(frozen=True)
class Duplicates(Tabular):
    """The duplicates among records, as pairs and as clusters; as a sequence and as a table it is its pairs.

    ``records`` are all records in the order given (of an index: those in a pair or a cluster). ``rejected`` are rows
    that were not used because they have no text.
    """

    min_probability: float
    records: Sequence[Record]
    rejected: tuple[Rejected, ...]
    near: NearDuplicates
    of_text: Mapping[int, Sequence[Record]]
    n_texts: int
    explain_normals: Explain

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        pairs, clusters = counted(self.pairs, "pair"), counted(self.clusters, "cluster")
        return f"Duplicates({pairs}, {clusters}, min_probability={self.min_probability:g})"

    def table_rows(self) -> Any:  # noqa: ANN401, D102
        return self.pairs.table_rows()

    @cached_property
    def pairs(self) -> Rows[Pair]:
        """The pairs: near ones of distinct texts by falling probability, then exact ones.

        Where several records have one text, its first record stands for all of them in a near pair, and each further
        one makes an exact pair with the first.
        """
        near = self.near
        order = np.lexsort((-near.similarities, -near.probabilities))  # stable: ties by text
        exact = [(group[0], other) for _, group in sorted(self.of_text.items()) for other in group[1:]]

        def make(place: int) -> Pair:
            if place >= len(order):
                return Pair(*exact[place - len(order)], 1.0, 1.0, True)
            at = order[place]
            left, right = (self.of_text[text][0] for text in near.pairs[at].tolist())
            return Pair(left, right, float(near.probabilities[at]), float(near.similarities[at]), False)

        return Rows(len(order) + len(exact), make, Pair.columns)

    @cached_property
    def clusters(self) -> Rows[Cluster]:
        """The clusters of two records or more, in the order of their first record."""
        labels, weakest = self.near.clusters.labels, self.near.clusters.weakest
        label_of = {id(record): int(labels[text]) for text, group in self.of_text.items() for record in group}
        members: dict[int, list[Record]] = {}
        for record in self.records:
            members.setdefault(label_of[id(record)], []).append(record)
        found = [
            Cluster(records[0].id, tuple(records), weakest.get(label, 1.0))
            for label, records in members.items()
            if len(records) > 1
        ]
        return _ClusterRows(found)

    @cached_property
    def unique(self) -> list[Record]:
        """The records that are left if of each cluster only the first is kept, in the order given."""
        dropped = {id(record) for cluster in self.clusters for record in cluster.records[1:]}
        return [record for record in self.records if id(record) not in dropped]

    @cached_property
    def cluster_ids(self) -> list[Any]:
        """For each of ``records`` the id of its cluster; None for a record that has no duplicate."""
        of_record = {id(record): cluster.id for cluster in self.clusters for record in cluster.records}
        return [of_record.get(id(record)) for record in self.records]

    def at(self, min_probability: float) -> Duplicates:
        """Return the duplicates at a higher threshold; nothing is encoded or searched again.

        Raises:
            UsageError: the threshold is lower than that of this result, or above 1.
        """
        if not self.min_probability <= min_probability <= 1:
            raise UsageError(
                f"This result holds pairs from {self.min_probability:g} to 1; to see others, compute again with "
                f"min_probability={min_probability:g}."
            )
        near = self.near.at(min_probability, self.n_texts)
        return Duplicates(
            min_probability, self.records, self.rejected, near, self.of_text, self.n_texts, self.explain_normals
        )

    def explain(self, pair: Pair) -> Comparison:
        """Return the reasons for the probability of a pair."""
        left, right = normalise(pair.left.text), normalise(pair.right.text)
        found = None if left == right else self.explain_normals(left, right, pair.similarity)
        return Comparison.of(pair.left.text, pair.right.text, found)


class _ClusterRows(Rows[Cluster]):
    """Clusters; as a table, a row for each of their records."""

    def __init__(self, clusters: Sequence[Cluster]) -> None:
        super().__init__(len(clusters), clusters.__getitem__, lambda cluster: {})

    def table_rows(self) -> Any:  # noqa: ANN401
        return (
            {"cluster_id": cluster.id, **record.columns(), "weakest_probability": cluster.weakest_probability}
            for cluster in self
            for record in cluster.records
        )
