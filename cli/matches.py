"""Matches as rows to print: one row for each record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cli.render import contributions

if TYPE_CHECKING:
    from dedup.explain import Explanation
    from dedup.model import Model
    from indexer.search import Match

MAX_RECORDS_IN_TABLE = 5
"""Records of one text that a table lists."""
_OURS = {
    *("query_line", "query_id", "query", "rank", "probability", "similarity", "exact"),
    *("source", "id", "text", "explanation"),
}
_EQUAL = "the texts are equal once normalised"


def match_rows(match: Match, reasons: Sequence[dict[str, Any]] | None) -> Iterator[dict[str, Any]]:
    """Yield a row for each record of a match, ``column_`` before a column that is called as one of ours."""
    scores = {
        "probability": round(match.probability, 6),
        "similarity": round(match.similarity, 6),
        "exact": match.exact,
    }
    for record in match.records:
        own = {"source": record.source, "id": record.external_id, "text": record.raw}
        row = {**scores, **own, **_renamed(record.fields)}
        yield row if reasons is None else {**row, "explanation": reasons}


def table_rows(match: Match, reasons: Sequence[dict[str, Any]] | None) -> Iterator[dict[str, Any]]:
    """Yield what a table shows of a match: its first records, then the reasons below them."""
    rows = list(match_rows(match, None))
    yield from rows[:MAX_RECORDS_IN_TABLE]
    if len(rows) > MAX_RECORDS_IN_TABLE:
        yield {"text": f"… and {len(rows) - MAX_RECORDS_IN_TABLE} more"}
    for line in contributions(reasons or ()):
        yield {"text": f"  {line}"}


def reasons_of(explanation: Explanation | None) -> list[dict[str, Any]]:
    """Return the evidence in words with its weight in log-odds; None is for texts that are equal."""
    if explanation is None:
        return [{"label": _EQUAL, "log_odds": None}]
    return [{"label": item.label, "log_odds": round(float(item.log_odds), 4)} for item in explanation.contributions]


def explain(model: Model, normal: str, match: Match) -> list[dict[str, Any]]:
    """Return the reasons for a match of the query with this normal form."""
    if match.exact:
        return reasons_of(None)
    return reasons_of(model.explain(normal, match.normal, match.similarity))


def _renamed(fields: dict[str, str]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for name, value in fields.items():
        while name in _OURS or (name in renamed):
            name = f"column_{name}"
        renamed[name] = value
    return renamed


def pages(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Split rows into lists of ``size``, the last one shorter."""
    page: list[Any] = []
    for row in rows:
        page.append(row)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page
