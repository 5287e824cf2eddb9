"""Whether a column that is called an id is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from sqlalchemy import select

from indexer.ingest.keyset import KeySet, keys_of
from indexer.reading.open import ReadOptions, Row, Table
from indexer.store import schema
from indexer.store.store import Store

MOST_REPEATED = 0.05
FEWEST_ROWS = 100
"""A guessed id column is an ordinary one if, of this many rows or more, a larger share repeats an id."""

_PAGE = 50_000


def with_identity(
    table: Table, opener: Callable[[ReadOptions], Table], options: ReadOptions, recorded: str | None
) -> tuple[Table, str | None]:
    """Return ``table``, or one opened anew without its guessed id column if that holds no ids.

    Many files call a column ``id`` that numbers something else, such as the organisation to which several
    rows belong; taking it for the identity of a row would reject all rows of an organisation but one. So a
    file is read once beforehand where the column was guessed. What has no size cannot be read twice: there a
    guess stands; and it stands where ``recorded``, the identity that the source has in the store already
    (``recorded_identity``), is ``column``, so that a growing file keeps its ways from one night to the next.

    Returns with the table, where the guess was dropped, a sentence that says so.
    """
    if not table.choice.id_guessed or table.size is None or recorded == "column":
        return table, None
    with table:
        share = _repeated_share(table)
    column = table.choice.id
    if share <= MOST_REPEATED:
        return opener(options), None
    return opener(replace(options, id_column="")), (
        f"Column {column!r} repeats its value in {share:.1%} of the rows, so it is kept as an ordinary column; "
        f"use --id {column} to take it as the id all the same."
    )


def recorded_identity(store: Store, source: str) -> str | None:
    """Return ``column`` or ``content`` as a source is recorded, None if there is no such source yet."""
    rows = store.read(select(schema.source.c.identity).where(schema.source.c.name == source))
    return rows[0][0] if rows else None


def _repeated_share(table: Table) -> float:
    """Return the share of rows whose id an earlier row has, 0 for few rows."""
    seen = KeySet()
    rows = repeated = 0
    ids = (item.external_id or "" for item in table if isinstance(item, Row))
    while page := list(islice(ids, _PAGE)):
        rows += len(page)
        repeated += int(seen.add(keys_of(page)).sum())
    return repeated / rows if rows >= FEWEST_ROWS else 0.0
