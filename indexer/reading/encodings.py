"""The encoding of a text file: from its byte-order mark, as requested, or guessed."""

from __future__ import annotations

import codecs

from dedup.errors import UsageError

AUTO = "auto"
"""The value of ``--encoding`` for UTF-8 or, if the file is not UTF-8, a confident guess."""
MIN_CONFIDENCE = 0.9
"""A file is not read with an encoding guessed with less confidence."""
PREFERRED = "cp1252"
"""Chosen among encodings that decode a text equally well."""

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


def guess(data: bytes) -> tuple[str, float] | None:
    """Guess the encoding of a text; return its name and a confidence (0 to 1), or None if nothing fits.

    Single-byte encodings look alike, so a confident guess can be wrong: report it, and use it only on request.
    """
    from charset_normalizer import from_bytes

    found = list(from_bytes(data))
    if not found:
        return None
    best = found[0]
    equal = [match for match in found if (match.chaos, match.coherence) == (best.chaos, best.coherence)]
    names = {name for match in equal for name in match.could_be_from_charset}
    return PREFERRED if PREFERRED in names else best.encoding, 1.0 - best.chaos
