"""Read Parquet in a child process; see ``parquet_worker``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from typing import IO, Any

from dedup.errors import EnvironmentFault, InputRefused, UsageError
from dedup.runtime import children
from indexer.reading import columns, streams
from indexer.reading.cell_table import CellTable, Unusable
from indexer.reading.formats import parquet_worker
from indexer.reading.rejects import Reject
from indexer.reading.rows import ReadOptions, Row
from indexer.reading.streams import ByteSource

MAX_MESSAGE_BYTES = 1 << 28

_Record = list[str | list[str] | None]
"""The cells of a record; a list stands for one that cannot be used."""
_BAD_ID_KINDS = {"float": "fractions", "boolean": "truth values"}


class ParquetTable(CellTable):
    """The records of a Parquet file without its columns of lists or structures."""

    def __init__(self, source: ByteSource, options: ReadOptions) -> None:
        if find_spec("pyarrow") is None:
            message = f"{source.name} is a Parquet file, which needs pyarrow; run: pip install 'neardup[parquet]'"
            raise UsageError(message)
        self._source = source
        self.name, self.size = source.name, source.size
        self._received = 0
        self._spool: IO[bytes] | None = None
        self._process = start(self._file())
        try:
            self._read_header(options)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:  # noqa: D102
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        if self._spool is not None:
            self._spool.close()
        self._source.close()

    @property
    def bytes_read(self) -> int:
        """An estimate of the bytes that the records yielded so far take in the file."""
        return (self.size or 0) * self.records // max(1, self._total)

    def __iter__(self) -> Iterator[Row | Reject]:
        message: list[_Record] | dict[str, Any] = self._first
        while isinstance(message, list):
            for record in message:
                if item := self.item(_cells(record)):
                    yield item
            message = self._next()
        if message.get("end") != self._total or (self.columns and self._total != self.records):
            raise self._damaged(f"{self.records} of {self._total} records found")
        self._source.refuse_if_changed()

    def _file(self) -> int:
        """Return the descriptor of the file, or of a copy if the input is a pipe."""
        descriptor = self._source.file_descriptor()
        if descriptor is not None:
            return descriptor
        self._spool = self._source.spooled()
        return self._spool.fileno()

    def _read_header(self, options: ReadOptions) -> None:
        start = self._next()
        assert isinstance(start, dict)
        self._total: int = start["rows"]
        names = columns.clean([name for name, _ in start["columns"]])
        nested = [name for name, (_, kind) in zip(names, start["columns"], strict=True) if kind == "nested"]
        for requested in (*options.text_columns, options.id_column or ""):
            if columns.find(nested, requested):
                message = (
                    f"Column {requested!r} of {self.name} holds lists or structures. Choose a column of single values."
                )
                raise InputRefused(message, "E_COLUMN_TYPE")
        warning = f"W_COLUMN_NESTED: Columns of {self.name} with lists or structures are left out: "
        flat = [(name, kind) for name, kind in start["columns"] if kind != "nested"]
        self._first = self._next()
        self.choose_columns(
            [name for name, _ in flat],
            options,
            map(_cells, self._first) if isinstance(self._first, list) else (),
            [warning + ", ".join(map(repr, nested))] if nested else [],
        )
        kind = "text" if self._columns.id_at is None else flat[self._columns.id_at][1]
        if kind in _BAD_ID_KINDS:
            raise InputRefused(
                f"Column {self.choice.id!r} of {self.name} holds {_BAD_ID_KINDS[kind]}, which differ as text from one "
                "program to the next. Store the ids as strings or whole numbers.",
                "E_ID_TYPE",
            )

    def _next(self) -> list[_Record] | dict[str, Any]:
        """Return the next message of the worker; raises ``InputRefused`` if it reports an error or dies."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline(MAX_MESSAGE_BYTES)
        self._received += len(line)
        if not line.endswith(b"\n"):
            raise self._damaged(f"the reader ended with code {self._process.wait()}")
        if self._received > max(streams.RATIO_FLOOR_BYTES, streams.MAX_RATIO * (self.size or 0)) and self.size:
            raise InputRefused(
                f"{self.name} decompresses to more than {streams.MAX_RATIO} times its size. If that is expected, "
                "export it as CSV.",
                "E_COMPRESSION_RATIO",
            )
        message: list[_Record] | dict[str, Any] = json.loads(line)
        if isinstance(message, dict) and "error" in message:
            raise self._damaged(message["error"])
        return message

    def _damaged(self, why: str) -> InputRefused:
        if "encrypt" in why.lower() or self._source.start.startswith(b"PARE"):
            return InputRefused(f"{self.name} is encrypted. Decrypt it first.", "E_PARQUET")
        return InputRefused(
            f"{self.name} is not a valid Parquet file ({why.rstrip('.')}). Export it again.", "E_PARQUET"
        )


def _cells(record: _Record) -> list[str | Unusable | None]:
    return [Unusable(*cell) if isinstance(cell, list) else cell for cell in record]


def start(file: int) -> subprocess.Popen[bytes]:
    """Start the child process that reads the file with this descriptor."""
    pipes = {"stdin": file, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        return children.start(parquet_worker.__name__, parquet_worker.main.__name__, **pipes)
    except OSError as error:
        raise EnvironmentFault(f"The process that reads Parquet cannot be started ({error}).") from error
