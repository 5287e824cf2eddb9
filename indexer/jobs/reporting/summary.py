"""The counts of a report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.text.names import LONG_TEXT
from indexer.jobs.duplicates import Duplicates
from indexer.jobs.fielding.field_evidence import FieldEvidence
from indexer.jobs.reporting.text_records import TextRecords
from indexer.store.store import Store


def summary_of(
    store: Store, duplicates: Duplicates, records: TextRecords, sizes: list[int], listed: int
) -> dict[str, Any]:
    """Return the counts, given the number of records of each cluster and that of the pairs listed."""
    counts, pairs, left_out = records.counts, duplicates.near.pairs, duplicates.near.left_out
    judged, evidence = duplicates.near.judged, duplicates.near.evidence
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
        "long_texts": store.count_long_texts(LONG_TEXT),
        "candidates": duplicates.near.candidates,
        "snapshot_generation": duplicates.generation,
        **({} if evidence is None else _of_fields(duplicates, evidence, counts)),
    }


def _of_fields(duplicates: Duplicates, evidence: FieldEvidence, counts: NDArray[np.int64]) -> dict[str, Any]:
    """Return the fields with their kinds, how branches count, what is told apart, and values that identify nobody."""
    labels, texts = duplicates.near.clusters.labels, evidence.text_of
    of_texts = np.bincount(texts, counts).astype(np.int64)
    _, group = np.unique(np.column_stack([texts, labels]), axis=0, return_inverse=True)
    together = np.bincount(group.reshape(-1), counts).astype(np.int64)
    one_name = int(_pairs(of_texts).sum() - _pairs(together).sum())
    return {
        "fields": {column.label: str(column.kind) for column in evidence.table.columns},
        "branches": "merge" if evidence.merges_branches else "separate",
        "pairs_of_one_text_apart": one_name,
        "values_of_many_names": {label: len(values) for label, values in evidence.table.shared().items()},
    }


def _pairs(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return counts * (counts - 1) // 2
