"""The files of a report: their names, how each begins, and the writers of their tables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TextIO

from dedup.errors import EnvironmentFault
from indexer.files import Access, make_directory
from indexer.jobs.report_tables import CLUSTER_COLUMNS, PAIR_COLUMNS, RECORD_COLUMNS, Tables, beginning_of
from indexer.jobs.reporting.change_rows import CHANGE_COLUMNS
from indexer.outputs.destination import replacing
from indexer.outputs.html_report.write import BEGINNING
from indexer.outputs.report_formats import PAGE, table_writers
from indexer.outputs.table_files import Column, TableFormat, TableWriter

_BEGINNINGS = {
    "pairs": PAIR_COLUMNS[:9],
    "clusters": CLUSTER_COLUMNS,
    "changes": CHANGE_COLUMNS[:6],
    "records": RECORD_COLUMNS,
}
"""The tables and their first columns."""
_PAGE = f"report.{PAGE}"
_SUMMARY = "summary.json"


def files_of(tables: Tables) -> dict[str, re.Pattern[bytes] | None]:
    """Return the files of a report, in the order in which they are replaced, and how each begins if it is text."""
    wanted = [table for table in _BEGINNINGS if table != "records" or tables.records]
    files = {name: beginning_of(_BEGINNINGS[table], one) for table in wanted for name, one in _named(table, tables)}
    page = {_PAGE: re.compile(re.escape(BEGINNING.encode()))} if tables.formats.page else {}
    return {**files, **page, _SUMMARY: re.compile(rb'\{\s*"records": \d+,\s*"distinct_texts": \d+,')}


def _named(table: str, tables: Tables) -> Iterator[tuple[str, TableFormat]]:
    """Yield the names of the files of a table, and their formats."""
    for layout in tables.formats.tables:
        yield f"{table}.{layout}", layout


class ReportFiles:
    """The open files of a report.

    Attributes:
        summary: The file of the summary, which is written last.

    """

    def __init__(self, tables: Tables, files: Mapping[str, TextIO]) -> None:
        self._tables, self._files = tables, files
        self.summary = files[_SUMMARY]

    @property
    def page(self) -> TextIO:
        """The file of the page, if there is one."""
        return self._files[_PAGE]

    def table(self, title: str, columns: Sequence[Column]) -> AbstractContextManager[TableWriter]:
        """Open the writer of a table to its file in each format."""
        files = [self._files[name] for name, _ in _named(title, self._tables)]
        return table_writers(files, self._tables.formats, columns, self._tables.style, title)

    def sync(self) -> None:
        """See that what was written so far is on the disk."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def open_files(output: Path, tables: Tables, access: Access) -> Iterator[ReportFiles]:
    """Open the files under temporary names; rename them when the block succeeds.

    Raises ``EnvironmentFault`` if they cannot be written.
    """
    may_enter = access.mode | (access.mode & 0o444) >> 2 if access.exact else 0o700
    names = [*files_of(tables)]
    try:
        make_directory(output, may_enter)
        with replacing([output / name for name in names], access) as files:
            yield ReportFiles(tables, dict(zip(names, files, strict=True)))
    except OSError as error:
        raise EnvironmentFault(
            f"The report cannot be written to {output}: {error.strerror}; choose another output directory."
        ) from error
