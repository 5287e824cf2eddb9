"""The steward's file of the README: branches in other towns told apart, one VAT number under two names found."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import pytest
from planted_customers import planted

import neardup


def share_together(clusters: Path, pairs: Iterable[tuple[str, str]]) -> float:
    """Return the share of pairs of which both are in one cluster."""
    with clusters.open(newline="", encoding="utf-8") as file:
        cluster_of = {row["id"]: row["cluster_id"] for row in csv.DictReader(file)}
    together = [one in cluster_of and cluster_of[one] == cluster_of.get(other) for one, other in pairs]
    return sum(together) / len(together)


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_towns_are_told_apart_and_numbers_found(tmp_path: Path, seed: int) -> None:
    file = planted(250, seed)
    with neardup.Index(tmp_path / "index") as index:
        index.add(file.rows, text="name", id="no", source="customers", fields=["city", "vat"])
        index.report(tmp_path / "out")
        alone = neardup.deduplicate(file.rows, text="name", id="no")
    clusters = tmp_path / "out" / "clusters.csv"
    assert share_together(clusters, file.branches) <= 0.05
    assert share_together(clusters, file.one_number) >= 0.95
    assert share_together(clusters, file.copies) >= 0.95
    joined = {frozenset(record.id for record in cluster.records) for cluster in alone.clusters}
    assert sum(any({*pair} <= one for one in joined) for pair in file.branches) > 0.9 * len(file.branches)
