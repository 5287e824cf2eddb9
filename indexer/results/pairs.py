"""What ``deduplicate`` and ``link`` have in common: a result that is a sequence of pairs, and explains each of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, overload

from dedup.errors import UsageError
from dedup.evidence.explain import Explanation
from dedup.matching.matcher import Matcher
from dedup.text.normalise import normalise
from indexer.results.comparison import Comparison
from indexer.results.records import PAIR_COLUMNS, Pair
from indexer.results.tables import Rows, Tabular


class PairSequence(Tabular, Sequence[Pair]):
    """A dataclass that is its pairs, as a sequence and as a table. What it computes from its fields is not pickled."""

    column_names: Sequence[str] = PAIR_COLUMNS

    @property
    @abstractmethod
    def pairs(self) -> Rows[Pair]:
        """The pairs."""

    @property
    @abstractmethod
    def _matcher(self) -> Matcher:
        """The model that was used."""

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: self.__dict__[one.name] for one in fields(self)}  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, place: int) -> Pair: ...
    @overload
    def __getitem__(self, place: slice) -> list[Pair]: ...
    def __getitem__(self, place: int | slice) -> Pair | list[Pair]:
        return self.pairs[place]

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def table_rows(self) -> Iterator[Mapping[str, Any]]:  # noqa: D102
        return self.pairs.table_rows()

    def explain(self, pair: Pair) -> Comparison:
        """Return the reasons for the probability of a pair.

        Raises:
            UsageError: it is not a pair.
        """
        if not isinstance(pair, Pair):
            raise UsageError(f"Only a pair can be explained, such as .pairs[0]; this is {pair!r}.")
        return Comparison.of(pair.left.text, pair.right.text, self._reasons(pair), exact=pair.exact)

    def _reasons(self, pair: Pair) -> Explanation | None:
        left, right = normalise(pair.left.text), normalise(pair.right.text)
        return None if left == right else self._matcher.explain(left, right, pair.similarity)
