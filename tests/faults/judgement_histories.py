"""Random histories of judgements, and what they must lead to, found in the plainest way.

The reference keeps sets of records, and looks at every pair of sets at each step: every *different* holds; each *same*,
the oldest first, joins two sets unless a *different* lies between them; so do equal texts, in the order of the texts;
then average linkage joins what remains.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from zlib import crc32

import numpy as np
from doubles import Encoder, FakeModel

TEXTS = ("Acme Widgets", "Beta Gamma", "Copper Falcon", "Delta Works", "Ember Mills", "Falcon Steel", "Granite Bay")
RECORDS = [(f"r{number}", TEXTS[place]) for number, place in enumerate((0, 0, 0, 1, 1, 2, 3, 4, 5, 5, 6))]
GONE = ("r90", "r91")
"""Records that are judged, but are not in the index."""
LEAST = 0.5

Pair = tuple[str, str]


@dataclass(frozen=True)
class Step:
    """Somebody says something of two records; None takes what was said back."""

    pair: Pair
    verdict: str | None


@dataclass
class History:
    """What people said, one after the other."""

    seed: int
    steps: list[Step] = field(default_factory=list)

    def last_words(self) -> list[tuple[Pair, str]]:
        """The judgement of each pair that is not taken back, the oldest first."""
        said: dict[Pair, str | None] = {}
        for step in self.steps:
            said.pop(step.pair, None)
            said[step.pair] = step.verdict
        return [(pair, verdict) for pair, verdict in said.items() if verdict is not None]


class Alike(Encoder):
    """Vectors so near to each other that every pair is a candidate."""

    def encode(self, normals: Sequence[str]) -> np.ndarray:
        return (super().encode(normals) // 8 + 90).astype(np.int8)


class Probabilities(FakeModel):
    """A probability for each pair of texts that has nothing to do with them, and every pair a candidate."""

    def __init__(self, seed: int) -> None:
        super().__init__("a" * 64, Alike(), min_similarity=0.0)
        self.seed = seed

    def of(self, left: str, right: str) -> float:
        """The probability of two normal forms."""
        one, other = sorted((left, right))
        return crc32(f"{self.seed} {one}|{other}".encode()) / 2**32

    def compare(self, left: Sequence[str], right: Sequence[str], similarities: np.ndarray) -> np.ndarray:
        return np.array([self.of(*both) for both in zip(left, right, strict=True)], np.float64)


def history(seed: int) -> History:
    """A random history; every eighth one has no word that counts, as a control."""
    source = random.Random(seed)
    names = [name for name, _ in RECORDS] + list(GONE)
    verdicts: list[str | None] = ["same", "different", "same", "different", "unsure", None]
    made = History(seed)
    for _ in range(source.randrange(1, 14)):
        one, other = sorted(source.sample(names, 2))
        made.steps.append(Step((one, other), source.choice(verdicts) if seed % 8 else "unsure"))
    return made


@dataclass
class Outcome:
    """Groups of records, pairs that are listed, and the judgements left out."""

    clusters: list[list[str]]
    pairs: set[frozenset[str]]
    left_out: list[Pair]


def expected(told: History, model: Probabilities, normals: dict[str, str]) -> Outcome:
    """What a report must say; ``normals`` are the normal forms of the records, in the order of their texts."""
    words = told.last_words()
    different = [set(pair) for pair, verdict in words if verdict == "different"]
    sets: list[set[str]] = [{name} for name in [*normals, *GONE]]

    def home(name: str) -> set[str]:
        return next(one for one in sets if name in one)

    def apart(one: set[str], other: set[str]) -> bool:
        return any(len(pair & one) == 1 and len(pair & other) == 1 for pair in different)

    def join(one: str, other: str) -> bool:
        left, right = home(one), home(other)
        if left is right:
            return True
        if apart(left, right):
            return False
        sets.remove(right)
        left |= right
        return True

    same = [pair for pair, verdict in words if verdict == "same"]
    left_out = [pair for pair in same if not join(*pair)]
    spoken_of = {name for pair in (*same, *map(tuple, different)) for name in pair}
    texts = list(dict.fromkeys(normals.values()))
    numbers: dict[str, int] = {}
    further = len(texts)
    for place, text in enumerate(texts):
        parts: list[str] = []
        members = sorted((name for name in normals if normals[name] == text), key=lambda name: name not in spoken_of)
        for name in members:
            if not any(join(first, name) for first in parts):
                parts.append(name)
        numbers |= {name: further + at for at, name in enumerate(parts[1:])} | {parts[0]: place}
        further += len(parts) - 1
    clusters = _linked(sets, apart, model, normals, numbers)
    return Outcome(
        clusters, _listed(sets, apart, model, normals, [pair for pair in same if pair not in left_out]), left_out
    )


def _linked(
    sets: list[set[str]], apart: Any, model: Probabilities, normals: dict[str, str], numbers: dict[str, int]
) -> list[list[str]]:
    """Join the best two groups while they are good enough; of equals the first, as the parts are numbered."""

    def number(group: set[str]) -> int:
        return min(numbers[name] for name in group if name in numbers)

    groups = [set(one) for one in sets if one & normals.keys()]
    home = {name: number for number, one in enumerate(groups) for name in one}

    def texts(group: set[str]) -> set[tuple[int, str]]:
        return {(home[name], normals[name]) for name in group if name in normals}

    def mean(one: set[str], other: set[str]) -> float:
        if apart(one, other):
            return -1.0
        return float(np.mean([model.of(left, right) for _, left in texts(one) for _, right in texts(other)]))

    while len(groups) > 1:
        groups.sort(key=number)
        pairs = combinations(range(len(groups)), 2)
        best, one, other = max((round(mean(groups[a], groups[b]), 12), -a, -b) for a, b in pairs)
        if best < LEAST:
            break
        groups[-one] |= groups.pop(-other)
    found = [sorted(group & normals.keys()) for group in groups]
    return sorted(group for group in found if len(group) > 1)


def _listed(
    sets: list[set[str]], apart: Any, model: Probabilities, normals: dict[str, str], same: list[Pair]
) -> set[frozenset[str]]:
    home = {name: number for number, one in enumerate(sets) for name in one}

    def sides(pair: Pair) -> frozenset[tuple[int, str]]:
        """The parts of texts that two records are in."""
        return frozenset((home[name], normals[name]) for name in pair)

    judged = {sides(pair) for pair in same if normals.keys() >= set(pair)}
    found = set()
    for pair in combinations(normals, 2):
        one, other = pair
        if normals[one] == normals[other]:
            is_listed = home[one] == home[other]
        else:
            is_likely = model.of(normals[one], normals[other]) >= LEAST
            is_apart = home[one] != home[other] and apart(sets[home[one]], sets[home[other]])
            is_listed = (is_likely and not is_apart) or sides(pair) in judged
        if is_listed:
            found.add(frozenset(pair))
    return found
