"""The bytes of an input as lines: opened, counted, decompressed and in an encoding with ASCII in it."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Protocol

from dedup.errors import EnvironmentFault, InputRefused, UsageError
from indexer.rejects import MAX_RAW_BYTES

CHUNK_BYTES = 1 << 20
"""Bytes read at a time; encoding and delimiter are judged on the first chunk."""
MAX_LINE_BYTES = 16 << 20
DELIMITERS = (",", ";", "\t", "|")

_BINARY = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"PAR1\x15": "a Parquet file",
    b"SQLite format 3\0": "an SQLite database",
    b"%PDF-": "a PDF document",
    b"\xfd7zXZ\0": "an xz archive",
    b"BZh91AY&SY": "a bzip2 archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"\x1f\x8b": "a gzip file inside a gzip file",
}
_OTHER_ENCODING = "If the file is in another encoding, name it, for example --encoding cp1252."
_WIDE_MARKS = {  # UTF-32 first: its little-endian mark starts with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Rejoined:
    """A binary stream whose first bytes were already looked at; ``count`` bytes have been handed on."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self.start = stream.read(CHUNK_BYTES)
        self._again = io.BytesIO(self.start)
        self.count = 0

    def read(self, size: int, /) -> bytes:
        data = self._again.read(size) or self._stream.read(size)
        self.count += len(data)
        return data


class Input:
    """The lines of a file or of standard input, decompressed, in an encoding that contains ASCII."""

    def __init__(self, source: str | Path) -> None:
        self.name = "standard input" if str(source) == "-" else str(source)
        self.size: int | None = None
        self._file: io.BufferedReader | None = None
        if str(source) == "-":
            return
        try:
            self._file = io.BufferedReader(io.FileIO(source))
            status = os.fstat(self._file.fileno())
        except IsADirectoryError as error:
            raise InputRefused(f"{self.name} is a folder. Give one CSV file.", "E_NOT_A_FILE") from error
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise InputRefused(f"There is no file {self.name}. Check the path.", "E_NO_FILE") from error
        except OSError as error:
            raise EnvironmentFault(f"Cannot open {self.name}: {error.strerror}.") from error
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._file is not None:
            self._file.close()

    @property
    def bytes_read(self) -> int:
        """Bytes consumed as they lie on disk."""
        return self._raw.count

    def prepare(self, encoding: str | None) -> None:
        """Settle compression and encoding and read the first chunk."""
        with self._faults():
            if self._file is None and sys.stdin is None:
                raise InputRefused("Standard input is closed. Give a file or a pipe.", "E_NO_FILE")
            self._raw = self._stream = _Rejoined(self._file or sys.stdin.buffer)
            if self._raw.start.startswith(b"\x1f\x8b"):
                self._stream = _Rejoined(gzip.GzipFile(fileobj=self._raw, mode="rb"))  # type: ignore[call-overload]
        start = self._stream.start
        for magic, kind in _BINARY.items():
            if start.startswith(magic):
                raise InputRefused(f"{self.name} is {kind}. Give it as CSV, plain or gzipped.", "E_BINARY")
        marked = (name for mark, name in _WIDE_MARKS.items() if start.startswith(mark))
        self.encoding = _text_encoding(encoding or next(marked, "utf-8"))
        self._wide = codecs.getincrementaldecoder(self.encoding)() if _is_wide(self.encoding) else None
        self._newlines = 0
        self._first = self._chunk().removeprefix(codecs.BOM_UTF8)
        self.line_encoding = "utf-8" if self._wide else self.encoding
        self.head = self._first.splitlines(True)
        if len(start) == CHUNK_BYTES:  # the last line of the chunk may go on
            self.head = self.head[:-1] or self.head
        self._refuse_wrong_encoding()

    def decode(self, line: bytes) -> str:
        """Decode a line strictly; raises UnicodeError."""
        text = line.decode(self.line_encoding)
        text.encode()  # some codecs give lone surrogates
        return text

    def checked(self, number: int, line: bytes, faults: dict[int, tuple[str, str]]) -> str:
        """Return the text of a line, or a stand-in and an entry in ``faults``: error and message."""
        text = line[:MAX_LINE_BYTES].decode(self.line_encoding, "backslashreplace")
        if len(line) > MAX_LINE_BYTES:
            faults[number] = "E_FIELD_TOO_LONG", f"Line {number} is longer than {MAX_LINE_BYTES} bytes."
            return text.replace('"', "")[: MAX_RAW_BYTES + 1] + "\n"
        try:
            self.decode(line)
        except UnicodeError as error:
            message = f"L{self._where(number, line, error)[1:]} is not {self.encoding}. {_OTHER_ENCODING}"
            faults[number] = "E_ENCODING_ROW", message
        if "\0" in text:
            faults.setdefault(number, ("E_NUL", f"Line {number} holds a NUL byte."))
        return text

    def lines(self) -> Iterator[list[bytes]]:
        """Yield lists of lines with their line ends; a line over the limit keeps one byte more than it."""
        rest = b""
        for chunk in chain([self._first], iter(self._chunk, b"")):
            data = rest + chunk
            lines = data.splitlines(True)
            rest = lines.pop() if lines and not data.endswith(b"\n") else b""
            if len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\r"):
                rest = rest[: MAX_LINE_BYTES + 1]
            yield lines
        yield [rest] if rest else []

    def _chunk(self) -> bytes:
        with self._faults():
            data = self._stream.read(CHUNK_BYTES)
            if self._wide is None:
                return data
            text = self._wide.decode(data, not data)
            result = text.encode()
        self._newlines += text.count("\n")
        return result

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            message = f"{self.name} is a damaged or incomplete gzip file ({error}). Get it again."
            raise InputRefused(message, "E_GZIP") from error
        except OSError as error:
            raise EnvironmentFault(f"Cannot read {self.name}: {error.strerror}.") from error
        except UnicodeError as error:
            raise self._not_wide(error) from error

    def _not_wide(self, error: UnicodeError) -> InputRefused:
        line, byte = self._newlines + 1, self._stream.count
        if isinstance(error, UnicodeDecodeError):
            before = error.object[: error.start].decode(error.encoding, "ignore")
            line, byte = line + before.count("\n"), byte - len(error.object) + error.start + 1
        message = f"{self.name} is not {self.encoding}: line {line}, byte {byte} of it cannot be decoded."
        return InputRefused(f"{message} Name its encoding with --encoding.", "E_ENCODING")

    def _where(self, number: int, line: bytes, error: UnicodeError) -> str:
        at = error.start if isinstance(error, UnicodeDecodeError) else 0
        return f"line {number}, byte {at + 1} (0x{line[at : at + 1].hex()})"

    def _refuse_wrong_encoding(self) -> None:
        """Refuse a file of another encoding: two lines and over 1 % of the first chunk cannot be decoded."""
        if self._first.count(0) > 0.3 * len(self._first):
            message = f"{self.name} is mostly NUL bytes. If it is UTF-16, say so with --encoding utf-16-le."
            raise InputRefused(message, "E_ENCODING")
        wrong: list[str] = []
        for number, line in enumerate(self.head, 1):
            try:
                self.decode(line)
            except UnicodeError as error:
                wrong.append(self._where(number, line, error))
        total = sum(not line.isspace() for line in self.head)
        if len(wrong) >= 2 and len(wrong) > 0.01 * total:
            raise InputRefused(
                f"{self.name} is not {self.encoding}: {wrong[0]} cannot be decoded, and so in "
                f"{len(wrong)} of the first {total} lines. {_OTHER_ENCODING}",
                "E_ENCODING",
            )


def _is_wide(encoding: str) -> bool:
    """Whether line ends, quotes and delimiters are not the bytes that they are in ASCII."""
    marks = '\r\n"' + "".join(DELIMITERS)
    return marks.encode(encoding) != marks.encode()


def _text_encoding(name: str) -> str:
    try:
        encoding = codecs.lookup(name).name
        b"\x80".decode(encoding, "backslashreplace")
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        message = f"There is no text encoding {name!r}. Give one that Python knows, such as utf-8 or cp1252."
        raise UsageError(message) from error
    return "utf-8" if encoding == "utf-8-sig" else encoding
