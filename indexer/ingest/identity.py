"""Decide whether a guessed id column really holds ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from sqlalchemy import select

from indexer.ingest.keyset import KeySet, keys_of
from indexer.reading.open import ReadOptions, Row, Table
from indexer.store import schema
from indexer.store.store import Store

MAX_REPEATED = 0.05
MIN_ROWS = 100
"""A guessed id column is dropped if more than ``MAX_REPEATED`` of at least ``MIN_ROWS`` rows repeat an id."""

_PAGE_ROWS = 50_000


def with_identity(
    table: Table, opener: Callable[[ReadOptions], Table], options: ReadOptions, recorded: str | None
) -> tuple[Table, str | None]:
    """Return ``table``, or reopen it without its guessed id column if that column repeats too many values.

    In many files the column ``id`` identifies something else, such as the organisation to which several rows belong;
    using it as the id would reject all but one row of each organisation. So if the column was guessed, the file is read
    once in advance. The guess is kept for an input without a size, which cannot be read twice, and if ``recorded`` (the
    identity of the source in the store, see ``recorded_identity``) is ``column``, so that a growing file is treated the
    same on every run.

    Returns the table, and a note for the user if the guess was dropped.
    """
    if not table.choice.id_guessed or table.size is None or recorded == "column":
        return table, None
    with table:
        share = _repeated_share(table)
    column = table.choice.id
    if share <= MAX_REPEATED:
        return opener(options), None
    return opener(replace(options, id_column="")), (
        f"Column {column!r} repeats a value in {share:.1%} of the rows, so it is not used as the id. "
        f"To use it anyway, name it: --id {column}, or id={column!r} in Python."
    )


def recorded_identity(store: Store, source: str) -> str | None:
    """Return the identity of a source in the store, ``column`` or ``content``; None for a new source."""
    rows = store.read(select(schema.source.c.identity).where(schema.source.c.name == source))
    return rows[0][0] if rows else None


def _repeated_share(table: Table) -> float:
    """Return the share of rows whose id occurred before; 0 for fewer than ``MIN_ROWS`` rows."""
    seen = KeySet()
    rows = repeated = 0
    ids = (item.external_id or "" for item in table if isinstance(item, Row))
    while page := list(islice(ids, _PAGE_ROWS)):
        rows += len(page)
        repeated += int(seen.add(keys_of(page)).sum())
    return repeated / rows if rows >= MIN_ROWS else 0.0
