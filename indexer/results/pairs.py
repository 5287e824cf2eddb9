"""What ``deduplicate`` and ``link`` have in common: a result that is a sequence of pairs, and explains each of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import Any, overload

from dedup.errors import UsageError
from dedup.evidence.explain import Explanation
from dedup.matching.matcher import Matcher
from dedup.text.normalise import normalise
from indexer.jobs.fielding.field_evidence import FieldEvidence
from indexer.results.comparison import Comparison
from indexer.results.records import PAIR_COLUMNS, Pair, Record
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

    @property
    @abstractmethod
    def _evidence(self) -> FieldEvidence | None:
        """What fields say of the items; None if there are none."""

    @property
    @abstractmethod
    def _items(self) -> Iterable[tuple[int, Sequence[Record]]]:
        """The items with their records."""

    @cached_property
    def _item_of(self) -> dict[int, int]:
        return {id(record): item for item, group in self._items for record in group}

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
        of_names = None if left == right else self._matcher.explain(left, right, pair.similarity)
        if self._evidence is None:
            return of_names
        try:
            items = [self._item_of[id(one)] for one in (pair.left, pair.right)]
        except KeyError:
            raise UsageError("Only a pair of this result can be explained; this one is of another.") from None
        return self._evidence.explain(items, of_names)
