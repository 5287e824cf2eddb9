"""Corpora with a known truth: names with planted duplicates, and groups of texts to see where a model is right.

Of the pairs that a method finds only those between planted records can be judged. A pair is one of two distinct
normal forms (``text.normalise``), however many records have them, so exact duplicates count for nobody. It is true
if two records with these forms share a cluster; if their clusters share only the part before the dot, it is neither
true nor false (``README.md`` of the data); any other pair is false.
"""

import csv
import random
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup.evaluation.evaluate import Mates, mates_of
from dedup.text.names import parse
from dedup.text.normalise import normalise
from dedup.training.data.sources import read_rows

TRUTH = "clusters/h1b_employers_validation.csv.gz"
OTHERS = "names/organisations.csv.gz"
ALL = 1_136_906  # records: the planted ones and all others
SEED = 5
Pairs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Distinct pairs found, the true and the false ones of those between planted texts, and all true pairs."""

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
        """Share of true pairs among those found that can be judged."""
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
    def _truth(self) -> tuple[list[Mates], list[Mates], int]:
        """For each planted text its mates, those that may be its mates, and the number of true pairs."""
        texts = self.text_of_record[: len(self.clusters)]
        same = mates_of(texts, self.clusters)
        akin = mates_of(texts, [cluster.partition(".")[0] for cluster in self.clusters])
        return same, akin, sum(map(len, same)) // 2

    def judge(self, pairs: Pairs) -> Verdict:
        """Return what pairs (p, 2) of records are worth."""
        same, akin, wanted = self._truth
        first, second = self.text_of_record[pairs.T]
        kept = (first != second) & (first >= 0) & (second >= 0)
        lower, higher = np.minimum(first, second)[kept], np.maximum(first, second)[kept]
        lower, higher = np.divmod(np.unique(lower * len(self.names) + higher), len(self.names))
        both = higher < len(same)  # planted texts have the lowest numbers
        true = false = 0
        for one, other in zip(lower[both].tolist(), higher[both].tolist(), strict=True):
            true += other in same[one]
            false += other not in akin[one]
        return Verdict(len(lower), true, false, wanted)


def read_planted(data: Path, size: int) -> Planted:
    """Return a corpus of ``size`` records, or of all there are: the planted ones, and others drawn at random."""
    truth = list(read_rows(data / TRUTH))
    others = [row["name"] for row in read_rows(data / OTHERS)]
    n_others = min(len(others), max(0, size - len(truth)))
    drawn = sorted(random.Random(SEED).sample(range(len(others)), n_others))
    names = [row["text"] for row in truth] + [others[number] for number in drawn]
    return Planted(names, [row["cluster_id"] for row in truth])


def write_names(path: Path, names: Iterable[str]) -> None:
    """Write names as a CSV file with the columns id, which counts from 0, and name."""
    unfinished = path.with_suffix(".tmp")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "name"))
        writer.writerows(enumerate(names))
    unfinished.replace(path)


# Groups of texts and pairs

GROUPS = {
    "length of the shorter name": ("at most 8 characters", "9 to 16", "17 to 28", "more than 28"),
    "legal forms": ("neither name has one", "one name has one", "both names have one"),
    "numbers": ("no number", "the same numbers", "different numbers"),
}
_LENGTHS = (8, 16, 28)
_KANA = "Hiragana, Katakana"
_SCRIPTS = {"CJK": "Han", "HIRAGANA": _KANA, "KATAKANA": _KANA}  # by the first word of a letter's Unicode name
_SCRIPTS |= {name.upper(): name for name in ("Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Hangul", "Thai")}


def script_of(text: str) -> str:
    """Return the script of most letters of a text.

    One kana makes a text Japanese; Latin is split by whether every Latin letter is ASCII. Texts without letters and
    scripts without a name here are "other".
    """
    letters = [char for char in text if unicodedata.category(char)[0] == "L"]
    words = [unicodedata.name(char, "").partition(" ")[0] for char in letters]
    scripts = Counter(_SCRIPTS.get(word, "other") for word in words)
    if not scripts:
        return "other"
    most = _KANA if _KANA in scripts else scripts.most_common(1)[0][0]
    if most != "Latin":
        return most
    is_plain = all(char.isascii() for char, word in zip(letters, words, strict=True) if word == "LATIN")
    return "Latin, ASCII" if is_plain else "Latin, diacritics"


def scripts_of_pair(left: str, right: str) -> tuple[str, str]:
    """Return the group of a pair by its two scripts, and whether they are one script; Latin is one."""
    scripts = sorted({script_of(left), script_of(right)})
    distinct = {script.partition(",")[0] for script in scripts}
    return " and ".join(scripts), "one script" if len(distinct) == 1 else "two scripts"


def slices_of(left: Sequence[str], right: Sequence[str]) -> dict[str, list[str]]:
    """Return the group of each pair of normal forms by each property of ``GROUPS``."""
    lengths, forms, numbers = GROUPS.values()
    rows = []
    for texts in zip(left, right, strict=True):
        first, second = map(parse, texts)
        which = (1 if first.numbers == second.numbers else 2) if first.numbers or second.numbers else 0
        length = lengths[bisect_left(_LENGTHS, min(map(len, texts)))]
        rows.append((length, forms[bool(first.forms) + bool(second.forms)], numbers[which]))
    return dict(zip(GROUPS, map(list, zip(*rows, strict=True)), strict=True))
