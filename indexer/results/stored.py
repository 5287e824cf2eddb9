"""Records and matches of an index, as the Python API gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from indexer.jobs.query import Match as Found
from indexer.results.records import Match, Record
from indexer.store import store as stored


def record_of(record: stored.Record, parsers: dict[str, Callable[[str], Any]]) -> Record:
    """Return a record without its empty fields, its id parsed by the parser of its source."""
    fields = {name: value for name, value in record.fields.items() if value}
    return Record(parsers[record.source](record.external_id), record.raw, record.source, fields)


def matches_of(query: str, hits: list[Found], parsers: dict[str, Callable[[str], Any]]) -> tuple[Match, ...]:
    """Return a match for each record of each hit."""
    return tuple(
        Match(query, record_of(record, parsers), hit.probability, hit.similarity, hit.exact)
        for hit in hits
        for record in hit.records
    )
