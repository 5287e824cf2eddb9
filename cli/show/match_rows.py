"""Matches and explanations as rows to print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cli.show.render import Row
from cli.show.table import NOTE
from indexer.outputs.reasons import DIGITS, contributions, rounded

if TYPE_CHECKING:
    from indexer.jobs.query import Match

MAX_RECORDS_IN_TABLE = 5
"""A table lists at most this many records of one text."""
TYPES = {"probability": float, "similarity": float, "exact": bool, "source": str, "id": str, "text": str}
"""The columns that every match has."""
QUERY_TYPES = {"query_line": int, "query_id": str, "query": str, "rank": int, **TYPES}
"""Those of a match of a file of queries."""
_OF_QUERY = "query_"
_RESERVED = {*QUERY_TYPES, "log_odds", "explanation"}


def match_rows(match: Match, reasons: Row, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield a row for each record of a match; a column whose name is reserved gets the prefix ``column_``.

    So does one that may be a column of the query, ``query_city``. ``columns`` are the other columns of the record to
    show; None for all.
    """
    scores = {
        "probability": round(match.probability, DIGITS),
        "similarity": round(match.similarity, DIGITS),
        "exact": match.exact,
    }
    for record in match.records:
        own = {"source": record.source, "id": record.external_id, "text": record.raw}
        others = record.fields if columns is None else {name: record.fields.get(name, "") for name in columns}
        yield {**scores, **own, **_renamed(others), **reasons}


def query_columns(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the other columns of a query, as ``query_city``; a reserved name becomes ``query_column_id``."""
    return {f"{_OF_QUERY}{name}": value for name, value in _renamed(fields, _OF_QUERY).items()}


def table_rows(match: Match, reasons: Row, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table for one match: its first records, then the reasons."""
    rows = list(match_rows(match, {}, columns))
    yield from rows[:MAX_RECORDS_IN_TABLE]
    if len(rows) > MAX_RECORDS_IN_TABLE:
        yield {NOTE: f"… and {len(rows) - MAX_RECORDS_IN_TABLE} more"}
    for line in lines(reasons):
        yield {NOTE: line}


def lines(reasons: Row) -> list[str]:
    """Return reasons as lines of text; the last line is their sum."""
    evidence = reasons.get("explanation", ())
    if reasons.get("log_odds") is None:
        return contributions(evidence)
    total = sum(rounded([item["log_odds"] for item in evidence], 2))
    return [*contributions(evidence), f"= {total:+.2f} log-odds in total"]


def _renamed(fields: Mapping[str, str], prefix: str = "") -> dict[str, str]:
    """Return fields without names that are reserved once they have the prefix, each under a name of its own."""
    renamed: dict[str, str] = {}
    for field, value in fields.items():
        name = field
        while _is_reserved(f"{prefix}{name}", prefix) or (name != field and (name in fields or name in renamed)):
            name = f"column_{name}"
        renamed[name] = value
    return renamed


def _is_reserved(name: str, prefix: str) -> bool:
    return name in _RESERVED or (not prefix and name.startswith(_OF_QUERY))
