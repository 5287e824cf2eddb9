"""Ways of making clusters of pairs, beside each other on labelled clusters: docs/notes/linkage.md.

python benchmarks/linkage.py --data ../shared/data --only h1b_employers_validation
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dedup.clustering.cluster import cluster_pairs
from dedup.clustering.constraints import Constraints
from dedup.evaluation.measures import b_cubed, pair_precision_recall_f1
from dedup.evidence.features import FEATURES, evidence
from dedup.model import load_model
from dedup.text.normalise import normalise
from indexer.jobs.duplicates import NearDuplicates, duplicates_of_texts

CORPORA = ("h1b_employers_validation", "nber_assignees_validation", "chicago_early_childhood", "sibur_companies")
VETOES = {
    "numbers": ("numbers_differ",),
    "numbers, places, opposites, bodies": ("numbers_differ", "places_differ", "opposites", "another_body"),
}
LARGEST = 3_000
"""A larger component is left to average linkage by samples in every row."""

Labels = NDArray[np.int64]


def read(path: Path) -> tuple[list[str], list[str]]:
    """Return the normal forms of the records that have one, and their clusters."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [(normalise(row["text"]), row["cluster_id"]) for row in csv.DictReader(file)]
    return [text for text, _ in rows if text], [cluster for text, cluster in rows if text]


def components(near: NearDuplicates, n: int) -> Labels:
    """Single linkage: everything that a chain of pairs connects."""
    labels = np.arange(n)
    for one, other in near.pairs.tolist():
        low, high = sorted((labels[one], labels[other]))
        if low != high:
            labels[labels == high] = low
    return labels


def groups_of(labels: Labels) -> Iterator[NDArray[np.int64]]:
    """Yield the members of each group of two or more."""
    order = np.argsort(labels, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        if 1 < len(group) <= LARGEST:
            yield np.sort(group)


def all_pairs(labels: Labels) -> NDArray[np.int64]:
    """Return every pair of each group (p, 2)."""
    found = [pair for group in groups_of(labels) for pair in combinations(group.tolist(), 2)]
    return np.array(found, np.int64).reshape(-1, 2)


def complete(single: Labels, pairs: NDArray[np.int64], probabilities: NDArray[np.float64], least: float) -> Labels:
    """Complete linkage of each component: the least probable pair of a group has at least ``least``."""
    labels, start = np.arange(len(single)), 0
    for group in groups_of(single):
        count = len(group) * (len(group) - 1) // 2
        distances = 1 - probabilities[start : start + count]
        start += count
        cut = fcluster(linkage(distances, "complete"), 1 - least + 1e-12, "distance")
        assert len(squareform(distances)) == len(group)
        for number in np.unique(cut):
            labels[group[cut == number]] = group[cut == number].min()
    return labels


def row(name: str, labels: Labels, of_record: Labels, truth: list[str]) -> str:
    """Return a row of the table."""
    found = labels[of_record]
    _, true = np.unique(truth, return_inverse=True)
    precision, recall, f1 = pair_precision_recall_f1(true, found)
    _, _, b3 = b_cubed(true, found)
    shares = []
    for label in np.flatnonzero(np.bincount(found) > 2):
        of_cluster = true[found == label]
        sizes = np.bincount(of_cluster)
        shares.append((sizes * (sizes - 1)).sum() / (len(of_cluster) * (len(of_cluster) - 1)))
    low = sum(share < 0.8 for share in shares)
    cells = [f"{value:.4f}" for value in (precision, recall, f1, b3, float(np.mean(shares or [1])))]
    return f"| {name} | {' | '.join(cells)} | {low} of {len(shares)} |"


def measure(path: Path) -> list[str]:
    """Return the rows of one corpus."""
    records, truth = read(path)
    texts = list(dict.fromkeys(records))
    place = {text: number for number, text in enumerate(texts)}
    of_record = np.array([place[text] for text in records])
    model = load_model()
    least = model.default_probability
    near = duplicates_of_texts(texts, model, min_probability=least)
    single = components(near, len(texts))
    pairs = all_pairs(single)
    probabilities = near.comparison.probabilities(pairs)
    rows = [
        row("single", single, of_record, truth),
        row("complete", complete(single, pairs, probabilities, least), of_record, truth),
        row("average", near.clusters.labels, of_record, truth),
    ]
    shown = evidence(
        *([texts[at] for at in side] for side in pairs.T), near.comparison.similarities(pairs), _words(near)
    )
    for name, features in VETOES.items():
        differs = shown[:, [FEATURES.index(feature) for feature in features]].any(axis=1)
        apart = Constraints(np.arange(len(texts)), pairs[differs])
        how: dict[str, Any] = {"min_probability": least, "comparison": near.comparison, "constraints": apart}
        split = cluster_pairs(near.pairs, near.probabilities, len(texts), **how)
        rows.append(row(f"average, split by {name}", split.labels, of_record, truth))
    return rows


def _words(near: NearDuplicates) -> Any:
    return near.model.word_model  # type: ignore[attr-defined]


def main() -> None:
    """Print a table for each corpus."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=CORPORA)
    options = parser.parse_args()
    for name in [options.only] if options.only else CORPORA:
        print(f"\n{name}\n\n| linkage | precision | recall | F1 | B³ F1 | mean precision of clusters ≥ 3 | below 0.8 |")
        print("|---|---|---|---|---|---|---|", *measure(options.data / "clusters" / f"{name}.csv.gz"), sep="\n")


if __name__ == "__main__":
    main()
