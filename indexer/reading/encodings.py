"""The encoding of a text file: from its byte-order mark, as requested, or guessed."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from dedup.errors import UsageError

AUTO = "auto"
"""The value of ``--encoding`` for UTF-8 or, if the file is not UTF-8, a confident guess."""
MIN_CONFIDENCE = 0.9
"""A file is not read with an encoding guessed with less confidence."""

_WIDE_MARKS = {  # UTF-32 first: its little-endian mark starts with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MARKS = {codecs.BOM_UTF8: "utf-8", **_WIDE_MARKS}


def from_mark(start: bytes) -> tuple[str, int] | None:
    """Return the encoding named by a byte-order mark and the length of the mark, or None without one."""
    return next(((name, len(mark)) for mark, name in _MARKS.items() if start.startswith(mark)), None)


def is_wide(encoding: str) -> bool:
    """Whether the encoding writes line ends, quotes and delimiters differently from ASCII."""
    marks = '\r\n",;\t|'
    return marks.encode(encoding) != marks.encode()


def lookup(name: str) -> str:
    """Return Python's name of a text encoding; raises ``UsageError`` if there is none."""
    try:
        encoding = codecs.lookup(name).name
        b"\x80".decode(encoding, "backslashreplace")
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        message = f"Unknown text encoding {name!r}. Use one that Python knows, such as utf-8 or cp1252."
        raise UsageError(message) from error
    return "utf-8" if encoding == "utf-8-sig" else encoding


def is_mostly_utf8(lines: Sequence[bytes]) -> bool:
    """Whether more of the lines with bytes beyond ASCII are valid UTF-8 than not; other encodings rarely are."""
    beyond_ascii = [line for line in lines if not line.isascii()]
    return 2 * sum(map(_is_utf8, beyond_ascii)) > len(beyond_ascii)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
