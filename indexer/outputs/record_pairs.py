"""Which pairs of records stand for a pair of texts, and for the records of one text.

All of them, unless they are more than ``most``. Then the first record of each source stands for the others: within a
text each record is paired with those, and between two texts those are paired. So however many records there are, a
filter on the sources of a pair leaves some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product
from math import comb, isqrt
from typing import Generic, TypeVar

MAX_PAIRS = 1_000
"""So many pairs of records are listed for two texts, or for one, before the rule above applies."""

R = TypeVar("R")


class RecordPairs(Generic[R]):
    """The pairs of the records of texts, given by the place of their text; ``source`` tells the source of a record."""

    def __init__(self, of_text: Mapping[int, Sequence[R]], source: Callable[[R], str], most: int) -> None:
        self._of_text, self._source, self._most = of_text, source, most
        self._leaders: dict[int, list[int]] = {}

    def within(self, text: int) -> Iterator[tuple[R, R]]:
        """Yield the pairs of the records of one text, the earlier record first."""
        records = self._of_text[text]
        if comb(len(records), 2) <= self._most:
            yield from combinations(records, 2)
            return
        leaders = self._leaders_of(text)
        for leader in leaders:
            for place, record in enumerate(records):
                if place > leader:
                    yield records[leader], record
                elif place < leader and place not in leaders:
                    yield record, records[leader]

    def across(self, left: int, right: int) -> Iterator[tuple[R, R]]:
        """Yield the pairs of the records of two texts, one of each."""
        first, second = self._of_text[left], self._of_text[right]
        if len(first) * len(second) <= self._most:
            yield from product(first, second)
            return
        for one, other in product(self._leaders_of(left), self._leaders_of(right)):
            yield first[one], second[other]

    def count_within(self, text: int) -> int:
        """Return how many pairs ``within`` yields."""
        n = len(self._of_text[text])
        if comb(n, 2) <= self._most:
            return comb(n, 2)
        leaders = len(self._leaders_of(text))
        return comb(leaders, 2) + leaders * (n - leaders)

    def count_across(self, left: int, right: int) -> int:
        """Return how many pairs ``across`` yields."""
        product_ = len(self._of_text[left]) * len(self._of_text[right])
        return product_ if product_ <= self._most else len(self._leaders_of(left)) * len(self._leaders_of(right))

    def _leaders_of(self, text: int) -> list[int]:
        """Return the place of the first record of each source, of so many sources that they make ``most`` pairs."""
        if text not in self._leaders:
            first: dict[str, int] = {}
            for place, record in enumerate(self._of_text[text]):
                first.setdefault(self._source(record), place)
            self._leaders[text] = list(first.values())[: max(1, isqrt(self._most))]
        return self._leaders[text]
