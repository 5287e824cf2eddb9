"""What ``deduplicate`` and ``Index.duplicates`` return."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from dedup.matching.matcher import Matcher
from indexer.jobs.duplicates import NearDuplicates
from indexer.jobs.fielding.field_evidence import FieldEvidence
from indexer.outputs.record_pairs import MAX_PAIRS, RecordPairs
from indexer.results.pairs import PairSequence
from indexer.results.records import (
    CLUSTER_COLUMNS,
    CLUSTERED_PAIR_COLUMNS,
    RECORD_COLUMNS,
    Cluster,
    Pair,
    Record,
    Rejected,
)
from indexer.results.tables import Rows, check_threshold, counted, rows_of


@dataclass(frozen=True, eq=False)
class Duplicates(PairSequence):
    """The duplicates among records, as pairs and as clusters. As a sequence and as a table it is its pairs.

    A cluster joins two groups of records while the average probability between them is high enough, so a pair may lie
    across two clusters, and two records of a cluster need not be a pair.

    Attributes:
        records: All records, in the order given.
        rejected: The rows that were not used because they have no text.
        min_probability: The lowest probability of a pair.
        text_columns: The columns that were used as the text; empty for an index.
        id_column: The column that was used as the id; None if there is none, and for an index.

    """

    records: Sequence[Record]
    rejected: tuple[Rejected, ...]
    min_probability: float
    text_columns: tuple[str, ...]
    id_column: str | None
    _near: NearDuplicates
    _of_text: Mapping[int, Sequence[Record]]
    _n_texts: int
    _max_pairs: int = MAX_PAIRS

    column_names = CLUSTERED_PAIR_COLUMNS

    def __repr__(self) -> str:
        pairs, clusters = counted(self.pairs, "pair"), counted(self.clusters, "cluster")
        if len(self.pairs) < self.pairs_total:
            pairs = f"{len(self.pairs):,} of {self.pairs_total:,} pairs"
        return f"Duplicates({pairs}, {clusters}, min_probability={self.min_probability:g})"

    @cached_property
    def pairs(self) -> Rows[Pair]:
        """The pairs of records: near ones of distinct texts by falling probability, then exact ones.

        Where two texts, or the records of one, make more than ``max_pairs`` pairs, only those with the first record of
        each source are among them; ``pairs_total`` counts all.
        """
        near, listed = self._near, RecordPairs(self._of_text, lambda record: record.source, self._max_pairs)
        order = np.lexsort((-near.similarities, -near.probabilities)).tolist()  # stable: ties by text
        equal = [text for text, group in sorted(self._of_text.items()) if len(group) > 1]
        sizes = [listed.count_across(*pair) for pair in near.pairs[order].tolist()] + [*map(listed.count_within, equal)]
        ends, judged = np.cumsum(sizes, dtype=np.int64), near.are_judged_same(near.pairs)

        @lru_cache(maxsize=1)
        def group(at: int) -> list[Pair]:
            if at >= len(order):
                text = equal[at - len(order)]
                return [Pair(*both, 1.0, 1.0, True, self._cluster_of((text, text))) for both in listed.within(text)]
            texts = near.sides(near.pairs[order[at]][None])[0].tolist()
            probability, similarity = float(near.probabilities[order[at]]), float(near.similarities[order[at]])
            cluster, is_judged = self._cluster_of(texts), bool(judged[order[at]])
            exact = near.have_one_text(texts)
            return [Pair(*both, probability, similarity, exact, cluster, is_judged) for both in listed.across(*texts)]

        def make(place: int) -> Pair:
            at = int(np.searchsorted(ends, place, side="right"))
            return group(at)[place - int(ends[at]) + sizes[at]]

        return Rows(sum(sizes), make, Pair.clustered_columns, CLUSTERED_PAIR_COLUMNS)

    @cached_property
    def pairs_total(self) -> int:
        """The number of all pairs of records."""
        counts = {text: len(group) for text, group in self._of_text.items()}
        across = sum(counts[one] * counts[other] for one, other in self._near.pairs.tolist())
        return across + sum(count * (count - 1) // 2 for count in counts.values())

    @cached_property
    def clusters(self) -> Rows[Cluster]:
        """The clusters of two records or more, in the order of their first record."""
        weakest = self._near.clusters.weakest
        return _ClusterRows(
            [
                Cluster(place, tuple(records), weakest.get(label, 1.0))
                for place, (label, records) in enumerate(self._members.items())
            ]
        )

    @cached_property
    def _members(self) -> dict[int, list[Record]]:
        """The records of each label of a cluster of two or more."""
        labels = self._near.clusters.labels
        label_of = {id(record): int(labels[text]) for text, group in self._of_text.items() for record in group}
        members: dict[int, list[Record]] = {}
        for record in self.records:
            members.setdefault(label_of[id(record)], []).append(record)
        return {label: records for label, records in members.items() if len(records) > 1}

    @cached_property
    def _ids_of_labels(self) -> dict[int, int]:
        return {label: place for place, label in enumerate(self._members)}

    def _cluster_of(self, texts: Sequence[int]) -> int | None:
        """Return the id of the cluster that holds two texts; None if they are in different ones."""
        one, other = (int(self._near.clusters.labels[text]) for text in texts)
        return self._ids_of_labels.get(one) if one == other else None

    @cached_property
    def unique(self) -> Rows[Record]:
        """The first record of each cluster and all records in no cluster, in the order given."""
        dropped = {id(record) for cluster in self.clusters for record in cluster.records[1:]}
        kept = [record for record in self.records if id(record) not in dropped]
        return rows_of(kept, Record.columns, RECORD_COLUMNS)

    @cached_property
    def cluster_ids(self) -> list[int | None]:
        """For each row given the id of its cluster; None for a row in no cluster, such as a rejected one.

        Of an index: for each of ``records``.
        """
        of_record = {id(record): cluster.id for cluster in self.clusters for record in cluster.records}
        ids: list[int | None] = [None] * (len(self.records) + len(self.rejected))
        for place, record in enumerate(self.records):
            ids[place if record.position is None else record.position] = of_record.get(id(record))
        return ids

    def at(self, min_probability: float) -> Duplicates:
        """Return the duplicates at a higher threshold; nothing is encoded or searched again.

        Raises:
            UsageError: the threshold is lower than that of this result, or above 1.
        """
        check_threshold(min_probability, self.min_probability)
        near = self._near.at(min_probability, self._n_texts)
        return replace(self, min_probability=min_probability, _near=near)

    @property
    def _matcher(self) -> Matcher:
        return self._near.model

    @property
    def _evidence(self) -> FieldEvidence | None:
        return self._near.evidence

    @property
    def _items(self) -> Iterable[tuple[int, Sequence[Record]]]:
        return self._of_text.items()


class _ClusterRows(Rows[Cluster]):
    """Clusters; as a table, a row for each of their records."""

    def __init__(self, clusters: Sequence[Cluster]) -> None:
        super().__init__(len(clusters), clusters.__getitem__, lambda cluster: {}, CLUSTER_COLUMNS)

    def __reduce__(self) -> tuple[Any, ...]:
        return _ClusterRows, (list(self),)

    def _title(self) -> str:
        return counted(self, "cluster")

    def table_rows(self) -> Iterator[Mapping[str, Any]]:
        return (
            {"cluster_id": cluster.id, **record.columns(), "weakest_probability": cluster.weakest_probability}
            for cluster in self
            for record in cluster.records
        )
