"""Parquet as a table, read by a child process: see ``parquet_worker``."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from dedup.errors import InputRefused, UsageError
from indexer.reading import columns, streams
from indexer.reading.cell_table import CellTable, Unusable
from indexer.reading.records import ReadOptions, Row
from indexer.reading.rejects import Reject
from indexer.reading.streams import ByteSource

MAX_MESSAGE_BYTES = 1 << 28

_WORKER = Path(__file__).with_name("parquet_worker.py")
_NO_ID = {"float": "fractions", "boolean": "truth values"}


class ParquetTable(CellTable):
    """The records of a Parquet file; columns of lists or structures are left out."""

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
            self._settle_columns(options)
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
        """Bytes of the file that the records given so far take, as an estimate."""
        return (self.size or 0) * self.rows_in // max(1, self._total)

    def __iter__(self) -> Iterator[Row | Reject]:
        while isinstance(message := self._next(), list):
            for record in message:
                yield self.item([Unusable(*cell) if isinstance(cell, list) else cell for cell in record])
        if message.get("end") != self._total or (self.columns and self._total != self.rows_in):
            raise self._damaged(f"it has {self.rows_in} of {self._total} records")
        self._source.refuse_if_changed()

    def _file(self) -> int:
        """Return the descriptor of the file, or of a copy of what cannot be read twice."""
        descriptor = self._source.file_descriptor()
        if descriptor is not None:
            return descriptor
        with self._source.faults():
            self._spool = tempfile.TemporaryFile()  # noqa: SIM115
            while data := self._source.read():
                self._spool.write(data)
            self._spool.seek(0)
        return self._spool.fileno()

    def _settle_columns(self, options: ReadOptions) -> None:
        start = self._next()
        assert isinstance(start, dict)
        self._total: int = start["rows"]
        names = columns.clean([name for name, _ in start["columns"]])
        nested = [name for name, (_, kind) in zip(names, start["columns"], strict=True) if kind == "nested"]
        for asked in (*options.text_columns, options.id_column or ""):
            if columns.find(nested, asked):
                message = f"Column {asked!r} of {self.name} holds lists or structures. Choose a column of values."
                raise InputRefused(message, "E_COLUMN_TYPE")
        left_out = f"W_COLUMN_NESTED: {self.name} has columns of lists or structures, which are left out: "
        flat = [(name, kind) for name, kind in start["columns"] if kind != "nested"]
        self.settle(
            [name for name, _ in flat],
            options,
            [left_out + ", ".join(map(repr, nested))] if nested else [],
        )
        kind = "text" if self._columns.id_at is None else flat[self._columns.id_at][1]
        if kind in _NO_ID:
            raise InputRefused(
                f"Column {self.choice.id!r} of {self.name} holds {_NO_ID[kind]}, which are no ids: their text may "
                "change from one program to the next. Store the ids as strings or whole numbers.",
                "E_ID_TYPE",
            )

    def _next(self) -> list[list[str | list[str] | None]] | dict[str, Any]:
        """Return the worker's next message; raises ``InputRefused`` for an error and for its death."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline(MAX_MESSAGE_BYTES)
        self._received += len(line)
        if not line.endswith(b"\n"):
            raise self._damaged(f"reading it ended with code {self._process.wait()}")
        if self._received > max(streams.RATIO_FLOOR_BYTES, streams.MAX_RATIO * (self.size or 0)) and self.size:
            raise InputRefused(
                f"{self.name} grows to more than {streams.MAX_RATIO} times its size when it is read. If it is "
                "what you meant, export it as CSV.",
                "E_COMPRESSION_RATIO",
            )
        message: list[list[str | list[str] | None]] | dict[str, Any] = json.loads(line)
        if isinstance(message, dict) and "error" in message:
            raise self._damaged(message["error"])
        return message

    def _damaged(self, why: str) -> InputRefused:
        if "encrypt" in why.lower() or self._source.start.startswith(b"PARE"):
            return InputRefused(f"{self.name} is encrypted. Give it decrypted.", "E_PARQUET")
        return InputRefused(f"{self.name} is no sound Parquet file ({why.rstrip('.')}). Write it again.", "E_PARQUET")


def start(file: int) -> subprocess.Popen[bytes]:
    """Start the child that reads the file with this descriptor."""
    command = [sys.executable, "-P", str(_WORKER)]
    return subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
