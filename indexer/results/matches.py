"""What ``Index.query`` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from dedup.matching.matcher import Matcher
from dedup.text.normalise import normalise
from indexer.jobs.query import Match as Found
from indexer.results.comparison import Comparison
from indexer.results.records import MATCH_COLUMNS, Match
from indexer.results.sides import Parsers, record_of
from indexer.results.tables import Rows, Tabular, check_threshold, count_of, rows_of


@dataclass(frozen=True, eq=False)
class Matches(Tabular, Sequence[Match]):
    """The matches of one query, best first; a sequence of them."""

    query: str
    min_probability: float
    _found: tuple[Match, ...]
    _model: Matcher

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, place: int) -> Match: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Match]: ...
    def __getitem__(self, place: int | slice) -> Match | Sequence[Match]:
        return self._found[place]

    def __repr__(self) -> str:
        count = count_of(len(self), "match", "matches")
        best = f", best {self._found[0].record.text!r} {self._found[0].probability:.3f}" if self._found else ""
        return f"Matches({self.query!r}: {count}{best})"

    @property
    def matches(self) -> Rows[Match]:
        """The matches, as rows that show themselves."""
        return rows_of(self._found, Match.columns, MATCH_COLUMNS)

    column_names = MATCH_COLUMNS

    def table_rows(self) -> Iterator[Mapping[str, Any]]:  # noqa: D102
        return map(Match.columns, self._found)

    def at(self, min_probability: float) -> Matches:
        """Return the matches of at least this probability; nothing is searched again.

        Raises:
            UsageError: the threshold is lower than that of this result, or above 1.
        """
        check_threshold(min_probability, self.min_probability)
        kept = tuple(match for match in self._found if match.probability >= min_probability)
        return replace(self, _found=kept, min_probability=min_probability)

    def explain(self, match: Match) -> Comparison:
        """Return the reasons for the probability of a match."""
        return _explained(self._model, match)


@dataclass(frozen=True, eq=False)
class ManyMatches(Tabular, Sequence[Matches]):
    """The matches of many queries, in the order of these; as a table, a row for each match."""

    _of_queries: tuple[Matches, ...]
    _model: Matcher

    def __len__(self) -> int:
        return len(self._of_queries)

    @overload
    def __getitem__(self, place: int) -> Matches: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Matches]: ...
    def __getitem__(self, place: int | slice) -> Matches | Sequence[Matches]:
        return self._of_queries[place]

    def __repr__(self) -> str:
        return (
            f"ManyMatches({count_of(len(self), 'query', 'queries')}, {count_of(len(self.matches), 'match', 'matches')})"
        )

    @property
    def matches(self) -> Rows[Match]:
        """The matches of all queries."""
        return rows_of([match for matches in self._of_queries for match in matches], Match.columns, MATCH_COLUMNS)

    column_names = MATCH_COLUMNS

    def table_rows(self) -> Iterator[Mapping[str, Any]]:  # noqa: D102
        return self.matches.table_rows()

    def at(self, min_probability: float) -> ManyMatches:
        """Return the matches of at least this probability, as ``Matches.at``."""
        return replace(self, _of_queries=tuple(matches.at(min_probability) for matches in self._of_queries))

    def explain(self, match: Match) -> Comparison:
        """Return the reasons for the probability of a match."""
        return _explained(self._model, match)


def _explained(model: Matcher, match: Match) -> Comparison:
    query, text = normalise(match.query), normalise(match.record.text)
    found = None if query == text else model.explain(query, text, match.similarity)
    if match.fields is not None:
        found = match.fields.explain(found)
    return Comparison.of(match.query, match.record.text, found, exact=match.exact)


def matches_of(query: str, hits: Sequence[Found], parsers: Parsers) -> tuple[Match, ...]:
    """Return a match for each record of each hit."""
    return tuple(
        Match(query, record_of(record, parsers), hit.probability, hit.similarity, hit.exact, hit.fields)
        for hit in hits
        for record in hit.records
    )
