"""A corpus with a planted truth: the clusters of one file among other names, and what found pairs are worth there.

Of the pairs that a method finds only those between planted records can be judged. A pair is one of two distinct
normal forms (``text.normalise``), however many records have them, so exact duplicates count for nobody. It is true
if two records with these forms share a cluster; if their clusters only have the part before the dot in common, it is
neither true nor false (``README.md`` of the data); any other pair is false.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup.evaluation.evaluate import mates_of
from dedup.text.normalise import normalise
from dedup.training.data.sources import read_rows

TRUTH = "clusters/h1b_employers_validation.csv.gz"
OTHERS = "names/organisations.csv.gz"
ALL = 1_136_906  # records: the planted ones and all others
SEED = 5
Pairs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The distinct pairs found, those of them between planted texts that are true or false, and all that are true."""

    pairs: int
    true: int
    false: int
    wanted: int

    @property
    def recall(self) -> float:
        """Share of the true pairs that was found."""
        return self.true / self.wanted

    @property
    def precision(self) -> float:
        """Share of true pairs among those that were found and can be judged."""
        return self.true / max(1, self.true + self.false)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.true / max(1, self.true + self.false + self.wanted)


@dataclass(frozen=True)
class Planted:
    """The raw names of n records; the first of them are planted, and ``clusters`` are theirs."""

    names: list[str]
    clusters: list[str]

    @cached_property
    def text_of_record(self) -> NDArray[np.int64]:
        """The number of each record's normal form, (n,), those of planted records first; -1 where it is empty."""
        numbers: dict[str, int] = {"": -1}
        normals = map(normalise, self.names)
        return np.array([numbers.setdefault(text, len(numbers) - 1) for text in normals], dtype=np.int64)

    @cached_property
    def _truth(self) -> tuple[list[set[int]], list[set[int]], int]:
        """For each planted text those it is the same as, those it is the same as or nearly, and the true pairs."""
        texts = self.text_of_record[: len(self.clusters)]
        same = mates_of(texts, self.clusters)
        akin = mates_of(texts, [cluster.partition(".")[0] for cluster in self.clusters])
        return same, akin, sum(map(len, same)) // 2

    def distinct(self, pairs: Pairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the distinct pairs of texts of pairs (p, 2) of records, as keys, and the distinct ones' rows.

        A key is the lower number times the number of records plus the higher one.
        """
        first, second = self.text_of_record[pairs.T]
        kept = np.flatnonzero((first != second) & (first >= 0) & (second >= 0))
        keys = np.minimum(first, second)[kept] * len(self.names) + np.maximum(first, second)[kept]
        unique, at = np.unique(keys, return_index=True)
        return unique, kept[at]

    def judge(self, pairs: Pairs) -> Verdict:
        """Return what pairs (p, 2) of records are worth."""
        return self.judge_keys(self.distinct(pairs)[0])

    def judge_keys(self, keys: NDArray[np.int64]) -> Verdict:
        """Return what ``distinct`` pairs are worth."""
        same, akin, wanted = self._truth
        lower, higher = np.divmod(keys, len(self.names))
        both = higher < len(same)  # planted texts have the lowest numbers
        true = false = 0
        for first, second in zip(lower[both].tolist(), higher[both].tolist(), strict=True):
            true += second in same[first]
            false += second not in akin[first]
        return Verdict(len(keys), true, false, wanted)


def read_planted(data: Path, size: int) -> Planted:
    """Return a corpus of ``size`` records, or of all there are: the planted ones, and others drawn by chance."""
    truth = list(read_rows(data / TRUTH))
    others = [row["name"] for row in read_rows(data / OTHERS)]
    n_others = min(len(others), max(0, size - len(truth)))
    drawn = sorted(random.Random(SEED).sample(range(len(others)), n_others))
    return Planted(
        [row["text"] for row in truth] + [others[number] for number in drawn], [row["cluster_id"] for row in truth]
    )


def write_names(path: Path, names: Iterable[str]) -> None:
    """Write names as a CSV file with the columns id, which counts from 0, and name."""
    unfinished = path.with_suffix(".tmp")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "name"))
        writer.writerows(enumerate(names))
    unfinished.replace(path)
