"""Read one Parquet file and write its records as JSON lines: ``main`` is what the child process of ``parquet`` runs.

A damaged file can crash the Parquet library, exhaust memory or never end; here it can only end the child process.
Standard input must be the file on disk. Nothing else of this project is imported.

The first line it writes is ``{"columns": [[name, kind], …], "rows": n}`` with the kinds of ``_kind``. The next lines
are lists of records without the nested columns, and the last line is ``{"end": n}``. A cell is a string, null, or a
list of an error code and the beginning of the text. ``{"error": sentence}`` ends the output early.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY_BYTES = 4 << 30
SECONDS = 120
"""Time limit for one batch; only a damaged file takes longer."""
BATCH_CELLS = 1 << 13
LINE_CHARACTERS = 1 << 22
MAX_CELL_CHARACTERS = 1 << 20
MAX_RECORD_CHARACTERS = 1 << 24
STAND_IN_CHARACTERS = 1 << 12

Cell = str | list[str] | None


def main() -> None:
    """Read the file that is standard input."""
    confine()
    with os.fdopen(0, "rb") as given:
        serve(given, sys.stdout.buffer)


def confine() -> None:
    """Limit the memory of this process and write no core file when it crashes."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    size = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(file: BinaryIO, output: BinaryIO) -> None:
    """Write the records of ``file`` to ``output``; a batch that takes too long ends the process by a signal."""
    import pyarrow as pa

    lines = _lines(file)
    while True:
        signal.alarm(SECONDS)
        try:
            line = next(lines, None)
        except (pa.ArrowException, OSError, ValueError, MemoryError, UnicodeError, OverflowError) as error:
            line = {"error": " ".join(str(error).split())[:300] or type(error).__name__}
        signal.alarm(0)  # no time limit for the process that reads the output
        if line is None:
            return
        output.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
        output.flush()


def _lines(file: BinaryIO) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import parquet

    source = pa.PythonFile(file, mode="r")
    options = {"pre_buffer": False, "buffer_size": 1 << 20, "page_checksum_verification": True}
    with parquet.ParquetFile(source, **options) as table:
        kinds = [(field.name, _kind(field.type)) for field in table.schema_arrow]
        yield {"columns": kinds, "rows": table.metadata.num_rows}
        flat = [place for place, (_, kind) in enumerate(kinds) if kind != "nested"]
        done = 0
        if flat and table.metadata.num_row_groups:
            size = max(1, BATCH_CELLS // len(kinds))
            for batch in table.iter_batches(batch_size=size, use_threads=False):
                batch.validate(full=True)
                columns = [_texts(batch.column(place)) for place in flat]
                yield from _pages(zip(*columns, strict=True))
                done += batch.num_rows
        yield {"end": done}


def _pages(records: Iterable[Sequence[Cell]]) -> Iterator[list[Sequence[Cell]]]:
    """Group records into lists of bounded length; the cells of a record that is too long become errors."""
    page: list[Sequence[Cell]] = []
    room = LINE_CHARACTERS
    for record in records:
        length = sum(map(_length, record))
        if length > MAX_RECORD_CHARACTERS:
            record = [["E_FIELD_TOO_LONG", ""] for _ in record]
            length = 0
        page.append(record)
        room -= length
        if room < 0:
            yield page
            page, room = [], LINE_CHARACTERS
    if page:
        yield page


def _length(cell: Cell) -> int:
    return 0 if cell is None else len(cell) if isinstance(cell, str) else len(cell[1])


def _kind(type_: pa.DataType) -> str:
    """Return ``text``, ``whole``, ``float``, ``boolean``, ``other`` (dates and the like) or ``nested``."""
    from pyarrow import types

    if types.is_dictionary(type_):
        return _kind(type_.value_type)
    storage = getattr(type_, "storage_type", type_)  # that of an extension type, such as a tensor
    if types.is_nested(storage):
        return "nested"
    if types.is_integer(type_):
        return "whole"
    if types.is_floating(type_):
        return "float"
    if types.is_boolean(type_):
        return "boolean"
    return "text" if _is_text(type_) else "other"


def _is_text(type_: pa.DataType) -> bool:
    from pyarrow import types

    strings = (types.is_string, types.is_large_string, types.is_string_view)
    bytes_ = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    return any(test(type_) for test in (*strings, *bytes_))


def _texts(column: pa.Array) -> list[Cell]:
    """Return a column as text: numbers in their shortest form, dates in ISO 8601."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    target = pa.large_binary() if _is_text(column.type) else pa.string()
    with suppress(pa.ArrowNotImplementedError, pa.ArrowInvalid):
        column = column.cast(target)  # strings as bytes, so that invalid UTF-8 rejects only its record
    return list(map(_cell, column.to_pylist()))


def _cell(value: object) -> Cell:
    if value is None:
        return None
    try:
        text = value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        return ["E_ENCODING_ROW", error.object[:STAND_IN_CHARACTERS].decode("utf-8", "backslashreplace")]
    return text if len(text) <= MAX_CELL_CHARACTERS else ["E_FIELD_TOO_LONG", text[:STAND_IN_CHARACTERS]]
