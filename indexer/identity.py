"""Whether a column that is called an id is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import select

from dedup.errors import UsageError
from indexer import schema
from indexer.readers import Options, Row, Table
from indexer.workspace import Workspace

MOST_REPEATED = 0.05
FEWEST_ROWS = 100
"""A guessed id column is an ordinary one if, of this many rows or more, a larger share repeats an id."""


def open_with_identity(
    opener: Callable[[Options], Table], options: Options, *, recorded: Callable[[], str | None]
) -> tuple[Table, str | None]:
    """Open a table to be indexed with ``opener``; a guessed id column that holds no ids is not taken.

    Many files call a column ``id`` that numbers something else, such as the organisation to which several
    rows belong; taking it for the identity of a row would reject all rows of an organisation but one. So a
    file is read once beforehand where the column was guessed. What has no size cannot be read twice: there a
    guess stands; and it stands where ``recorded()``, the identity that the source has in the store already
    (``recorded_identity``), is ``column``, so that a growing file keeps its ways from one night to the next.

    Returns the table and, where the guess was dropped, a sentence that says so.
    """
    table = opener(options)
    if not table.choice.id_guessed or table.size is None or recorded() == "column":
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


def recorded_identity(workspace: Workspace, source: str) -> str | None:
    """Return ``column`` or ``content`` as a source is recorded, None if there is no such source yet."""
    try:
        with workspace.open(for_writing=False) as store, store.engine.connect() as connection:
            columns = schema.source.c
            return connection.execute(select(columns.identity).where(columns.name == source)).scalar()
    except UsageError:  # nothing is indexed yet
        return None


def _repeated_share(table: Table) -> float:
    """Return the share of rows whose id an earlier row has, 0 for few rows; ids are held as hashes."""
    seen: set[int] = set()
    rows = 0
    for item in table:
        if isinstance(item, Row):
            rows += 1
            seen.add(hash(item.external_id))
    return (rows - len(seen)) / rows if rows >= FEWEST_ROWS else 0.0
