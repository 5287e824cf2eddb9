"""The inputs of a command, from its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.reading.inputs import Input


def inputs(
    files: Sequence[str], *, from_sql: str | None, source_url: str | None, source: str | None, rejects: Path | None
) -> list[Input]:
    """Return the inputs to index: one for each file, or a single one if ``source`` is given.

    Raises ``UsageError`` if the arguments contradict each other.
    """
    from dedup.errors import UsageError
    from indexer.reading.inputs import input_of_query, inputs_of_files

    if (from_sql is None) != (source_url is None):
        raise UsageError("--from-sql QUERY and --source-url URL must be given together.")
    if bool(files) == (from_sql is not None):
        raise UsageError("Give either files, as in `dedup index names.csv`, or --from-sql QUERY.")
    if from_sql is not None and source_url is not None:
        return [input_of_query(from_sql, source_url, source)]
    found = inputs_of_files(files, source)
    if len(found) > 1 and rejects not in (None, Path("-")):
        raise UsageError("--rejects FILE works for one source only; add --source NAME, or leave out --rejects.")
    return found
