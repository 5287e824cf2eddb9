"""What a command is to read: files, standard input or a query, and under which source each is filed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.tables import open_rejects, source_name

if TYPE_CHECKING:
    from indexer.reading.open import ReadOptions, Table
    from indexer.reading.rejects import RejectsFile, RejectsStream


@dataclass(frozen=True, slots=True)
class Input:
    """What is indexed as one: ``opener`` may be called twice where the table has a size."""

    source: str
    files: Sequence[str]
    opener: Callable[[ReadOptions], Table]

    def open_rejects(self, asked: Path | None) -> RejectsFile | RejectsStream:
        """Return where the rejected rows are listed."""
        return open_rejects(self.files, asked, self.source)


def inputs(
    files: Sequence[str], *, from_sql: str | None, source_url: str | None, source: str | None, rejects: Path | None
) -> list[Input]:
    """Return what is to be indexed: each file as a source of its own or, with ``source``, all of them as one.

    Raises ``UsageError`` for arguments that do not go together.
    """
    from dedup.errors import UsageError
    from indexer.reading.open import default_source, open_query, open_tables

    if (from_sql is None) != (source_url is None):
        raise UsageError("--from-sql QUERY and --source-url URL belong together.")
    if bool(files) == (from_sql is not None):
        raise UsageError("Give either files, as in: dedup index names.csv, or --from-sql QUERY.")
    if from_sql is not None and source_url is not None:
        opener = partial(open_query, from_sql, source_url)
        return [Input(source or default_source(source_url), (), opener)]
    if files.count("-") > 1:
        raise UsageError("Standard input (-) can be read only once.")
    if source is not None or len(files) == 1:
        return [Input(source or source_name(files[0]), files, partial(open_tables, files))]
    if rejects not in (None, Path("-")):
        raise UsageError("--rejects PATH is for one source; name it with --source, or leave --rejects out.")
    found = [Input(source_name(file), (file,), partial(open_tables, (file,))) for file in files]
    names = [one.source for one in found]
    for one in found:
        if names.count(one.source) > 1:
            raise UsageError(
                f"Several files would be the source {one.source!r}. Index them one by one with a --source each, "
                "or all of them as one with one --source."
            )
    return found
