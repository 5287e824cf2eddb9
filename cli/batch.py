"""A file of queries: read in pages, searched page by page, matches written as they are found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.inputs import announced, open_rejects, refuse_overwriting
from cli.options import Format
from cli.show.matches import explain, match_rows, pages, table_rows
from cli.show.notes import say_rejected
from cli.show.progress_bar import with_total
from cli.show.render import output_to, write_rows

if TYPE_CHECKING:
    from dedup.runtime.progress import Progress
    from indexer.jobs.query import Match, Searcher
    from indexer.reading.open import ReadOptions, Row, Table
    from indexer.reading.rejects import Reject

PAGE = 2000
"""Queries that are answered together."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read the file of queries."""

    file: str
    options: ReadOptions
    rejects: Path | None
    quiet: bool


@dataclass(frozen=True, slots=True)
class Search:
    """How to search for each query."""

    searcher: Searcher
    limit: int
    min_probability: float
    explain: bool

    def find(self, texts: Sequence[str]) -> list[list[Match]]:
        """Return the matches of each text, best first."""
        return self.searcher.query(texts, limit=self.limit, min_probability=self.min_probability)

    def reasons(self, normal: str, match: Match) -> dict[str, Any]:
        """Return the log-odds and the evidence of a match if ``explain`` is set, else nothing."""
        return explain(self.searcher.model, normal, match) if self.explain else {}

    def write_all(
        self,
        asked: Reading,
        output: Path | None,
        layout: Format,
        progress: Progress,
    ) -> int:
        """Write the matches of all rows of the file; return the number of rejected rows."""
        from indexer.reading.open import open_table

        refuse_overwriting(asked.file, output, "--output")
        table = open_table(asked.file, asked.options)
        progress = with_total(progress, table, "queries")
        with (
            open_rejects([asked.file], asked.rejects, "stdin") as refused,
            announced(table, quiet=asked.quiet),
        ):
            with output_to(output) as out:
                write_rows(self._rows(table, layout, refused.add, progress), layout, out)
            say_rejected(refused.count, refused.commit())
            return refused.count

    def _rows(
        self,
        table: Table,
        layout: Format,
        on_reject: Callable[[Reject], None],
        progress: Progress,
    ) -> Iterator[dict[str, Any]]:
        as_rows = table_rows if layout is Format.table else match_rows
        for page in pages(_valid_rows(table, on_reject), PAGE):
            rows, normals = zip(*page, strict=True)
            for row, normal, found in zip(rows, normals, self.find([row.raw for row in rows]), strict=True):
                head = {"query_line": row.line, "query_id": row.external_id, "query": row.raw}
                for rank, match in enumerate(found, 1):
                    for result in as_rows(match, self.reasons(normal, match)):
                        yield {**head, "rank": rank, **result}
            progress("queries", table.rows_in, None)
        progress("queries", table.rows_in, table.rows_in)


def _valid_rows(table: Table, on_reject: Callable[[Reject], None]) -> Iterator[tuple[Row, str]]:
    """Yield the valid rows with their normal forms; pass the others to ``on_reject``."""
    from dedup.text.normalise import normalise
    from indexer.ingest.intake import fault_of
    from indexer.reading.open import Row

    for row in table:
        if not isinstance(row, Row):
            on_reject(row)
            continue
        normal = normalise(row.raw)
        if fault := fault_of(normal):
            on_reject(row.reject(fault[0], None, fault[1]))
        else:
            yield row, normal
