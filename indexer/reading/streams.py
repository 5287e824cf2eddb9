"""The bytes of a file or of standard input: opened, counted, decompressed, and watched for changes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from dedup.errors import EnvironmentFault, InputRefused

CHUNK_BYTES = 1 << 20
"""Bytes read at a time; format, encoding and delimiter are judged on the first chunk."""
MAX_RATIO = 200
"""Most decompressed bytes for one compressed byte, once there are ``RATIO_FLOOR_BYTES`` of them."""
RATIO_FLOOR_BYTES = 64 << 20
MAX_XZ_MEMORY = 512 << 20

_PACKED_CHUNK_BYTES = 1 << 14
_COMPRESSED = {  # a name, and how it begins
    "gzip": rb"\x1f\x8b",
    "bzip2": rb"BZh[1-9](1AY&SY|\x17rE8P\x90)",
    "xz": rb"\xfd7zXZ\0",
    "zstd": rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",
}
_BINARY = {
    rb"PK(\x03\x04|\x05\x06)": "a zip archive or an Excel workbook",
    rb"\xd0\xcf\x11\xe0": "an Excel workbook",
    rb"SQLite format 3\0": "an SQLite database",
    rb"%PDF-": "a PDF document",
}
_BINARY_REMEDIES = {
    "an SQLite database": "Read a table of it with --from-sql 'SELECT …' and --source-url sqlite:///FILE.",
    "a PDF document": "Give the table itself, for example as CSV.",
}
_PARQUET = rb"PAR[1E][^\n]{0,7}[\0-\x08]"  # no line of text has such a byte; Parquet has one near its start
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstd.ZstdError)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _filled(stream: _Readable) -> bytes:
    """Read a whole chunk unless the stream ends: many small pieces of a long line would be joined one by one."""
    pieces: list[bytes] = []
    room = CHUNK_BYTES
    while room and (data := stream.read(room)):
        pieces.append(data)
        room -= len(data)
    return b"".join(pieces)


class _Rejoined:
    """A binary stream whose first bytes were already looked at; ``count`` bytes have been handed on."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self.start = _filled(stream)
        self._again = io.BytesIO(self.start)
        self.count = 0

    def read(self, size: int, /) -> bytes:
        data = self._again.read(size) or self._stream.read(size)
        self.count += len(data)
        return data


class _Members:
    """One compressed stream after another; unlike ``bz2`` and ``lzma``, bytes that are none are a fault."""

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
                    packed = self._stream.read(_PACKED_CHUNK_BYTES)
                    if not packed:
                        return b""
                    data = packed.lstrip(b"\0")
                self._member = self._make()
            elif self._member.needs_input and not (data := self._stream.read(_PACKED_CHUNK_BYTES)):
                raise EOFError("it ends in the middle")
            try:
                unpacked: bytes = self._member.decompress(data, size)
            except OSError as error:  # bz2 says so of data that is none of its own
                raise zlib.error(str(error)) from error
            if unpacked:
                return unpacked


class ByteSource:
    """A file, or standard input for ``-``, as decompressed bytes.

    ``start`` is the first chunk of them, ``packing`` the compression or None, ``size`` the length on disk or
    None. ``name`` is that of messages.
    """

    def __init__(self, place: str | Path) -> None:
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
        """Bytes consumed as they lie on disk."""
        return self._raw.count

    @property
    def is_parquet(self) -> bool:
        """Whether this is a Parquet file, plain or encrypted."""
        return re.match(_PARQUET, self.start) is not None

    def read(self) -> bytes:
        """Return the next chunk, empty at the end.

        Raises ``InputRefused`` for a damaged stream, one that grows out of proportion, and a file that was
        changed since it was opened; ``EnvironmentFault`` if the disk fails.
        """
        with self.faults():
            data = _filled(self._stream)
        if self.packing:
            self._refuse_bomb()
        if not data:
            self.refuse_if_changed()
        return data

    def file_descriptor(self) -> int | None:
        """Return the descriptor of a plain file with a size, at its start; None for pipes and the like."""
        if self._file is None or self.size is None:
            return None
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        return self._file.fileno()

    def refuse_if_changed(self) -> None:
        """Raise ``InputRefused`` if the file is not what it was when it was opened."""
        if self._status is None:
            return
        try:
            now = self._path.stat()
        except OSError:
            now = None
        if now is None or any(
            getattr(now, key) != getattr(self._status, key) for key in ("st_size", "st_mtime_ns", "st_ino", "st_dev")
        ):
            message = f"{self.name} was changed while it was read. Give a copy that nothing writes to."
            raise InputRefused(message, "E_CHANGED")

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn what reading raises into errors for the user."""
        try:
            yield
        except _DAMAGED as error:
            message = f"{self.name} is a damaged or incomplete {self.packing} file ({error}). Get it again."
            raise InputRefused(message, "E_COMPRESSION") from error
        except OSError as error:
            raise EnvironmentFault(f"Cannot read {self.name}: {error.strerror or error}.") from error

    def _open(self) -> None:
        try:
            self._file = io.BufferedReader(io.FileIO(self._path))
            status = os.fstat(self._file.fileno())
        except IsADirectoryError as error:
            raise InputRefused(f"{self.name} is a folder. Give a file.", "E_NOT_A_FILE") from error
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise InputRefused(f"There is no file {self.name}. Check the path.", "E_NO_FILE") from error
        except OSError as error:
            raise EnvironmentFault(f"Cannot open {self.name}: {error.strerror}.") from error
        if stat.S_ISREG(status.st_mode):
            self.size, self._status = status.st_size, status

    def _prepare(self) -> None:
        """Settle the compression and read the first chunk."""
        if self.is_stdin and sys.stdin is None:
            raise InputRefused("Standard input is closed. Give a file or a pipe.", "E_NO_FILE")
        self.packing: str | None = None
        with self.faults():
            self._raw = self._stream = _Rejoined(self._file or sys.stdin.buffer)
            self.packing = _first_match(_COMPRESSED, self._raw.start)
            if self.packing:
                self._stream = _Rejoined(_unpacked(self._raw, self.packing))
        self.start = self._stream.start
        if self.packing and (inner := "Parquet" if self.is_parquet else _first_match(_COMPRESSED, self.start)):
            message = f"{self.name} is a {inner} file inside a {self.packing} file. Unpack it once."
            raise InputRefused(message, "E_BINARY")
        for pattern, kind in _BINARY.items():
            if re.match(pattern, self.start):
                remedy = _BINARY_REMEDIES.get(kind, "Unpack or export it, for example as CSV.")
                raise InputRefused(f"{self.name} is {kind}. {remedy}", "E_BINARY")

    def _refuse_bomb(self) -> None:
        unpacked, packed = self._stream.count, self._raw.count
        if unpacked > RATIO_FLOOR_BYTES and unpacked > MAX_RATIO * packed:
            raise InputRefused(
                f"{self.name} grows to more than {MAX_RATIO} times its size when it is unpacked. If it is what "
                f"you meant, unpack it yourself and give the result.",
                "E_COMPRESSION_RATIO",
            )


def _first_match(patterns: dict[str, bytes], start: bytes) -> str | None:
    return next((name for name, pattern in patterns.items() if re.match(pattern, start)), None)


def _unpacked(stream: _Readable, packing: str) -> _Readable:
    if packing == "gzip":
        return gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[call-overload, no-any-return]
    makers: dict[str, Callable[[], Any]] = {
        "bzip2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY),
        "zstd": zstd.ZstdDecompressor,
    }
    return _Members(stream, makers[packing])
