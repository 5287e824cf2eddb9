"""Read the bytes of a file or standard input: count and decompress them and notice if the file changes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from dedup.errors import EnvironmentFault, InputRefused
from indexer.reading.rows import CHUNK_BYTES

MAX_RATIO = 200
"""Most decompressed bytes per compressed byte, checked from ``RATIO_FLOOR_BYTES`` decompressed bytes on."""
RATIO_FLOOR_BYTES = 64 << 20
MAX_XZ_MEMORY = 512 << 20

_COMPRESSED_CHUNK_BYTES = 1 << 14
_COMPRESSED = {  # name to first bytes
    "gzip": rb"\x1f\x8b",
    "bzip2": rb"BZh[1-9](1AY&SY|\x17rE8P\x90)",
    "xz": rb"\xfd7zXZ\0",
    "zstd": rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",
}
_BINARY = {
    rb"\xd0\xcf\x11\xe0": "an old or encrypted Excel workbook",
    rb"SQLite format 3\0": "an SQLite database",
    rb"%PDF-": "a PDF document",
}
_BINARY_REMEDIES = {
    "an SQLite database": "Query it with --from-sql 'SELECT …' and --source-url sqlite:///FILE; in Python, add the "
    "rows of a query.",
    "an old or encrypted Excel workbook": "Save it as .xlsx without a password, or as CSV.",
    "a PDF document": "Export the table, for example as CSV.",
}
_ZIP = rb"PK(\x03\x04|\x05\x06)"
_PARQUET = rb"PAR[1E][^\n]{0,7}[\0-\x08]"  # the last byte is not in any line of text
_DECOMPRESSION_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstd.ZstdError)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _read_chunk(stream: _Readable, size: int) -> bytes:
    """Read ``size`` bytes unless the stream ends: joining a long line from many small pieces would be slow."""
    pieces: list[bytes] = []
    room = size
    while room and (data := stream.read(room)):
        pieces.append(data)
        room -= len(data)
    return b"".join(pieces)


class _PeekedStream:
    """A binary stream whose first chunk is known as ``start``; ``count`` bytes were read from it."""

    def __init__(self, stream: _Readable, chunk_bytes: int) -> None:
        self._stream = stream
        self.start = _read_chunk(stream, chunk_bytes)
        self._again = io.BytesIO(self.start)
        self.count = 0

    def read(self, size: int, /) -> bytes:
        data = self._again.read(size) or self._stream.read(size)
        self.count += len(data)
        return data


class _Members:
    """Concatenated compressed streams as one; unlike ``bz2`` and ``lzma``, other bytes after them are an error."""

    def __init__(self, stream: _Readable, make: Callable[[], Any]) -> None:
        self._stream = stream
        self._make = make
        self._member = make()

    def read(self, size: int, /) -> bytes:
        while True:
            data = b""
            if self._member.eof:
                data = self._member.unused_data.lstrip(b"\0")  # padding
                while not data:
                    compressed = self._stream.read(_COMPRESSED_CHUNK_BYTES)
                    if not compressed:
                        return b""
                    data = compressed.lstrip(b"\0")
                self._member = self._make()
            elif self._member.needs_input and not (data := self._stream.read(_COMPRESSED_CHUNK_BYTES)):
                raise EOFError("unexpected end of file")
            try:
                decompressed: bytes = self._member.decompress(data, size)
            except OSError as error:  # bz2 raises it for invalid data
                raise zlib.error(str(error)) from error
            if decompressed:
                return decompressed


class ByteSource:
    """A file, or standard input for ``-``, as decompressed bytes.

    Attributes:
        name: The name for messages.
        start: The first chunk.
        chunk_bytes: Bytes read at a time.
        compression: The compression or None.
        size: The size on disk in bytes, or None if it has none.

    """

    def __init__(self, place: str | Path, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.chunk_bytes = chunk_bytes
        self.is_stdin = str(place) == "-"
        self.name = "standard input" if self.is_stdin else str(place)
        self._path = Path(place)
        self.size: int | None = None
        self._file: io.BufferedReader | None = None
        self._status: os.stat_result | None = None
        if not self.is_stdin:
            self._open()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._file is not None:
            self._file.close()

    @property
    def bytes_read(self) -> int:
        """Bytes read so far of the file on disk."""
        return self._raw.count

    @property
    def is_parquet(self) -> bool:
        """Whether this is a Parquet file, plain or encrypted."""
        return re.match(_PARQUET, self.start) is not None

    @property
    def is_zip(self) -> bool:
        """Whether this is a zip archive, as an Excel workbook is."""
        return re.match(_ZIP, self.start) is not None

    def spooled(self) -> IO[bytes]:
        """Return the rest of the input as a temporary file, at its start; raises what ``read`` raises."""
        copy = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            with self.translate_errors():
                while data := self.read():
                    copy.write(data)
                copy.seek(0)
        except BaseException:
            copy.close()
            raise
        return copy

    def read(self) -> bytes:
        """Return the next chunk, empty at the end.

        Raises ``InputRefused`` for a damaged stream, a decompression bomb and a file that was changed since it was
        opened; ``EnvironmentFault`` if the disk fails.
        """
        with self.translate_errors():
            data = _read_chunk(self._stream, self.chunk_bytes)
        if self.compression:
            self._refuse_bomb()
        if not data:
            self.refuse_if_changed()
        return data

    def file_descriptor(self) -> int | None:
        """Return the descriptor of a regular file, positioned at its start; None for pipes and the like."""
        if self._file is None or self.size is None:
            return None
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        return self._file.fileno()

    def refuse_if_changed(self) -> None:
        """Raise ``InputRefused`` if the file was changed since it was opened."""
        if self._status is None:
            return
        try:
            now = self._path.stat()
        except OSError:
            now = None
        if now is None or any(
            getattr(now, key) != getattr(self._status, key) for key in ("st_size", "st_mtime_ns", "st_ino", "st_dev")
        ):
            message = f"{self.name} changed while it was read. Use a copy that nothing writes to."
            raise InputRefused(message, "E_CHANGED")

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Turn errors of reading and decompressing into ``InputRefused`` and ``EnvironmentFault``."""
        try:
            yield
        except _DECOMPRESSION_ERRORS as error:
            message = f"{self.name} is a damaged or incomplete {self.compression} file ({error}). Get a new copy."
            raise InputRefused(message, "E_COMPRESSION") from error
        except OSError as error:
            raise EnvironmentFault(f"Cannot read {self.name}: {error.strerror or error}.") from error

    def _open(self) -> None:
        try:
            self._file = io.BufferedReader(io.FileIO(self._path))
            status = os.fstat(self._file.fileno())
        except IsADirectoryError as error:
            raise InputRefused(f"{self.name} is a folder, not a file.", "E_NOT_A_FILE") from error
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise InputRefused(f"File {self.name} does not exist. Check the path.", "E_NO_FILE") from error
        except OSError as error:
            raise EnvironmentFault(f"Cannot open {self.name}: {error.strerror}.") from error
        if stat.S_ISREG(status.st_mode):
            self.size, self._status = status.st_size, status

    def _prepare(self) -> None:
        """Detect the compression and read the first chunk."""
        if self.is_stdin and sys.stdin is None:
            raise InputRefused("Standard input is closed. Use a file or a pipe.", "E_NO_FILE")
        self.compression: str | None = None
        with self.translate_errors():
            self._raw = self._stream = _PeekedStream(self._file or sys.stdin.buffer, self.chunk_bytes)
            self.compression = _first_match(_COMPRESSED, self._raw.start)
            if self.compression:
                self._stream = _PeekedStream(_decompressed(self._raw, self.compression), self.chunk_bytes)
        self.start = self._stream.start
        if self.compression and (inner := self._inner()):
            message = f"{self.name} is a {inner} file inside a {self.compression} file. Decompress it once."
            raise InputRefused(message, "E_BINARY")
        for pattern, kind in _BINARY.items():
            if re.match(pattern, self.start):
                remedy = _BINARY_REMEDIES.get(kind, "Extract or export the table, for example as CSV.")
                raise InputRefused(f"{self.name} is {kind}. {remedy}", "E_BINARY")

    def _inner(self) -> str | None:
        """Return what is compressed and must not be."""
        if self.is_parquet:
            return "Parquet"
        return "zip or Excel" if self.is_zip else _first_match(_COMPRESSED, self.start)

    def _refuse_bomb(self) -> None:
        decompressed, compressed = self._stream.count, self._raw.count
        if decompressed > RATIO_FLOOR_BYTES and decompressed > MAX_RATIO * compressed:
            raise InputRefused(
                f"{self.name} decompresses to more than {MAX_RATIO} times its size. If that is expected, decompress "
                "it yourself and use the result.",
                "E_COMPRESSION_RATIO",
            )


def _first_match(patterns: dict[str, bytes], start: bytes) -> str | None:
    return next((name for name, pattern in patterns.items() if re.match(pattern, start)), None)


def _decompressed(stream: _Readable, compression: str) -> _Readable:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[call-overload, no-any-return]
    makers: dict[str, Callable[[], Any]] = {
        "bzip2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY),
        "zstd": zstd.ZstdDecompressor,
    }
    return _Members(stream, makers[compression])
