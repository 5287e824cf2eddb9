"""What ``Index.query`` returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from dedup.errors import UsageError
from dedup.evidence.explain import Explanation
from dedup.text.normalise import normalise
from indexer.results.comparison import Comparison
from indexer.results.records import Match
from indexer.results.tables import Rows, Tabular, rows_of

Explain = Callable[[str, str, float], Explanation]
"""Explains two normal forms, given their cosine."""


@dataclass(frozen=True)
class Matches(Tabular, Sequence[Match]):
    """The matches of one query, best first; a sequence of them."""

    query: str
    found: tuple[Match, ...]
    min_probability: float
    explain_normals: Explain

    def __len__(self) -> int:
        return len(self.found)

    @overload
    def __getitem__(self, place: int) -> Match: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Match]: ...
    def __getitem__(self, place: int | slice) -> Match | Sequence[Match]:
        return self.found[place]

    def __repr__(self) -> str:
        count = f"{len(self)} {'match' if len(self) == 1 else 'matches'}"
        best = f", best {self.found[0].record.text!r} {self.found[0].probability:.3f}" if self.found else ""
        return f"Matches({self.query!r}: {count}{best})"

    @property
    def matches(self) -> Rows[Match]:
        """The matches, as rows that show themselves."""
        return rows_of(self.found, Match.columns)

    def table_rows(self) -> Iterator[Mapping[str, Any]]:  # noqa: D102
        return map(Match.columns, self.found)

    def at(self, min_probability: float) -> Matches:
        """Return the matches of at least this probability; nothing is searched again.

        Raises:
            UsageError: the threshold is lower than that of this result, or above 1.
        """
        if not self.min_probability <= min_probability <= 1:
            raise UsageError(
                f"This result holds matches from {self.min_probability:g} to 1; to see others, query again with "
                f"min_probability={min_probability:g}."
            )
        kept = tuple(match for match in self.found if match.probability >= min_probability)
        return replace(self, found=kept, min_probability=min_probability)

    def explain(self, match: Match) -> Comparison:
        """Return the reasons for the probability of a match."""
        query, text = normalise(match.query), normalise(match.record.text)
        found = None if query == text else self.explain_normals(query, text, match.similarity)
        return Comparison.of(match.query, match.record.text, found)


@dataclass(frozen=True)
class ManyMatches(Tabular, Sequence[Matches]):
    """The matches of many queries, in the order of these; as a table, a row for each match."""

    of_queries: tuple[Matches, ...]

    def __len__(self) -> int:
        return len(self.of_queries)

    @overload
    def __getitem__(self, place: int) -> Matches: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Matches]: ...
    def __getitem__(self, place: int | slice) -> Matches | Sequence[Matches]:
        return self.of_queries[place]

    def __repr__(self) -> str:
        return f"ManyMatches({len(self):,} queries, {len(self.matches):,} matches)"

    @property
    def matches(self) -> Rows[Match]:
        """The matches of all queries."""
        return rows_of([match for matches in self.of_queries for match in matches], Match.columns)

    def table_rows(self) -> Iterator[Mapping[str, Any]]:  # noqa: D102
        return self.matches.table_rows()

    def at(self, min_probability: float) -> ManyMatches:
        """Return the matches of at least this probability, as ``Matches.at``."""
        return ManyMatches(tuple(matches.at(min_probability) for matches in self.of_queries))

    def explain(self, match: Match) -> Comparison:
        """Return the reasons for the probability of a match."""
        return self.of_queries[0].explain(match)
