"""Read a table of texts from a file, standard input, several of them, or a database.

``open_table`` and its kin are the only way in, and whatever the format, they give a ``Table``. Everything is
text, and nothing is guessed inside a cell. A fault of the whole input raises ``InputRefused``. A fault of one
record gives a ``Reject`` in its place: every record comes out exactly once, as a ``Row`` or as a ``Reject``.
What a text means, and whether ids repeat, is the business of the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from indexer.reading.formats.delimited import DelimitedTable
from indexer.reading.formats.joined import JoinedTable
from indexer.reading.formats.jsonl import JsonLinesTable, looks_like_json
from indexer.reading.lines import ByteLines
from indexer.reading.records import ColumnChoice, ReadOptions, Row, Table
from indexer.reading.streams import ByteSource

__all__ = ["ColumnChoice", "ReadOptions", "Row", "Table", "default_source", "open_query", "open_table", "open_tables"]


def open_tables(sources: Sequence[str | Path], options: ReadOptions | None = None) -> Table:
    """Open one input as ``open_table`` does, or several, to be read one after the other as if they were one.

    Raises what ``open_table`` raises, for the later inputs while the rows are read.
    """
    options = options or ReadOptions()
    return open_table(sources[0], options) if len(sources) == 1 else JoinedTable(sources, options, open_table)


def open_query(query: str, url: str, options: ReadOptions | None = None) -> Table:
    """Run a query on a database that SQLAlchemy knows and open its result; nothing is ever written there.

    Raises ``InputRefused`` for a query that is wrong, ``EnvironmentFault`` for a database that cannot be
    reached, ``UsageError`` for a URL that is none.
    """
    from indexer.reading.formats.sql import QueryTable

    return QueryTable(query, url, options or ReadOptions())


def default_source(url: str) -> str:
    """Return what the records of a database are filed under unless the user says otherwise: its name."""
    from indexer.reading.formats.sql import database_name

    return database_name(url)


def open_table(source: str | Path, options: ReadOptions | None = None) -> Table:
    """Open a file, or standard input for ``-``, and settle its format, encoding, delimiter and columns.

    Format and compression are recognised by the content. Several text columns are joined with a space. What
    is not asked for is found: UTF-8 unless a byte-order mark says otherwise; the delimiter; the text and the
    id by the usual names of such columns, or no id.

    Raises ``InputRefused`` with a code of ``docs/bad-input.md``, ``UsageError`` for an unknown encoding, an
    impossible delimiter or a package that is not installed, ``EnvironmentFault`` if the file may not be read.
    """
    options = options or ReadOptions()
    opened = ByteSource(source)
    try:
        if opened.is_parquet:
            from indexer.reading.formats.parquet import ParquetTable

            return ParquetTable(opened, options)
        text = ByteLines(opened, options.encoding)
        if looks_like_json(text):
            return JsonLinesTable(opened, text, options)
        return DelimitedTable(opened, text, options)
    except BaseException:
        opened.close()
        raise
