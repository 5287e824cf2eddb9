"""Open a file, standard input, several inputs or a database as a ``Table``.

Whatever the format, cells are text and are never interpreted. If the input as a whole is bad, ``InputRefused`` is
raised. If one record is bad, a ``Reject`` takes its place: every record is yielded exactly once, as a ``Row`` or a
``Reject``. Readers do not check the meaning of a text or whether ids repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from indexer.reading.formats.delimited import DelimitedTable
from indexer.reading.formats.joined import JoinedTable
from indexer.reading.formats.jsonl import JsonLinesTable, looks_like_json
from indexer.reading.lines import ByteLines
from indexer.reading.rows import ColumnChoice, ReadOptions, Row, Table
from indexer.reading.streams import ByteSource

__all__ = ["ColumnChoice", "ReadOptions", "Row", "Table", "default_source", "open_query", "open_table", "open_tables"]


def open_tables(sources: Sequence[str | Path], options: ReadOptions | None = None) -> Table:
    """Open one or more inputs as one table.

    Raises what ``open_table`` raises; for the second and later inputs while rows are read.
    """
    options = options or ReadOptions()
    return open_table(sources[0], options) if len(sources) == 1 else JoinedTable(sources, options, open_table)


def open_query(query: str, url: str, options: ReadOptions | None = None) -> Table:
    """Run a query on a database that SQLAlchemy supports and open its result; nothing is written to the database.

    Raises ``InputRefused`` for a bad query, ``EnvironmentFault`` for an unreachable database and ``UsageError`` for an
    invalid URL.
    """
    from indexer.reading.formats.sql import QueryTable

    return QueryTable(query, url, options or ReadOptions())


def default_source(url: str) -> str:
    """Return the default source name for records from a database: the name of the database."""
    from indexer.reading.formats.sql import database_name

    return database_name(url)


def open_table(source: str | Path, options: ReadOptions | None = None) -> Table:
    """Open a file, or standard input for ``-``, and detect what ``options`` leave open.

    Format and compression are detected from the content. The encoding is UTF-8 unless there is a byte-order mark. The
    delimiter is detected, and the text and id columns by their names and values; there may be no id column. Several
    text columns are joined with a space.

    Raises:
        InputRefused: The input is bad; its code is one of ``docs/bad-input.md``.
        UsageError: The encoding is unknown, the delimiter impossible or a package not installed.
        EnvironmentFault: The file cannot be read.

    """
    options = options or ReadOptions()
    opened = ByteSource(source, options.chunk_bytes)
    try:
        if opened.is_parquet:
            from indexer.reading.formats.parquet import ParquetTable

            return ParquetTable(opened, options)
        if opened.is_zip:
            from indexer.reading.formats.xlsx import XlsxTable

            return XlsxTable(opened, options)
        text = ByteLines(opened, options.encoding)
        if looks_like_json(text):
            return JsonLinesTable(opened, text, options)
        return DelimitedTable(opened, text, options)
    except BaseException:
        opened.close()
        raise
