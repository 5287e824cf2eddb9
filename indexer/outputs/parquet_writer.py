"""Write a table as Parquet, some thousand rows at a time, by pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, BinaryIO

import pyarrow
from pyarrow import parquet

from indexer.outputs.destination import MADE_BY
from indexer.outputs.reasons import DIGITS
from indexer.outputs.table_files import Column, TableWriter

ROWS_AT_ONCE = 50_000
"""Rows of a row group, all of which are in memory at once."""

_TYPES = {str: pyarrow.string(), float: pyarrow.float64(), int: pyarrow.int64(), bool: pyarrow.bool_()}


class ParquetWriter(TableWriter):
    """Texts are strings, probabilities doubles, and empty cells of a number or a truth value null."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        fields = [pyarrow.field(column.name, _TYPES[column.type]) for column in columns]
        self._schema = pyarrow.schema(fields, metadata={"written_by": MADE_BY})
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Sequence[Any]] = []

    def write(self, rows: Iterable[Sequence[Any]]) -> None:  # noqa: D102
        rows = iter(rows)
        while page := list(islice(rows, ROWS_AT_ONCE - len(self._waiting))):
            self._waiting += page
            if len(self._waiting) == ROWS_AT_ONCE:
                self._flush()

    def close(self) -> None:  # noqa: D102
        self._flush()
        self._writer.close()

    def discard(self) -> None:  # noqa: D102
        with suppress(OSError, pyarrow.ArrowException):
            self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            columns = zip(*self._waiting, strict=True)
            arrays = [
                pyarrow.array([None if value is None else round(value, DIGITS) for value in values], field.type)
                if field.type == _TYPES[float]
                else pyarrow.array(values, field.type)
                for values, field in zip(columns, self._schema, strict=True)
            ]
            self._writer.write_batch(pyarrow.record_batch(arrays, schema=self._schema))
            self._waiting.clear()
