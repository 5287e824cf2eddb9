"""Text encodings: which one a file is in, by its mark, as stated, or guessed."""

from __future__ import annotations

import codecs

from dedup.errors import UsageError

AUTO = "auto"
"""As ``--encoding``: UTF-8 or, where that does not fit, a good guess."""
LEAST_CONFIDENCE = 0.9
"""A guess below is no ground to read a file."""
USUAL = "cp1252"
"""Taken where several encodings give the same text or do equally well."""

_WIDE_MARKS = {  # UTF-32 first: its little-endian mark starts with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MARKS = {codecs.BOM_UTF8: "utf-8", **_WIDE_MARKS}


def marked(start: bytes) -> tuple[str, int] | None:
    """Return the encoding that a byte-order mark states and the length of the mark."""
    return next(((name, len(mark)) for mark, name in _MARKS.items() if start.startswith(mark)), None)


def is_wide(encoding: str) -> bool:
    """Whether line ends, quotes and delimiters are not the bytes that they are in ASCII."""
    marks = '\r\n",;\t|'
    return marks.encode(encoding) != marks.encode()


def lookup(name: str) -> str:
    """Return Python's name of a text encoding; raises ``UsageError`` if it is none."""
    try:
        encoding = codecs.lookup(name).name
        b"\x80".decode(encoding, "backslashreplace")
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        message = f"There is no text encoding {name!r}. Give one that Python knows, such as utf-8 or cp1252."
        raise UsageError(message) from error
    return "utf-8" if encoding == "utf-8-sig" else encoding


def guess(data: bytes) -> tuple[str, float] | None:
    """Guess the encoding of a text; return its name and the confidence, 0 to 1, or None without an idea.

    One-byte encodings look alike, so a guess may be confident and wrong: it is named, never taken unasked.
    """
    from charset_normalizer import from_bytes

    found = list(from_bytes(data))
    if not found:
        return None
    best = found[0]
    equal = [match for match in found if (match.chaos, match.coherence) == (best.chaos, best.coherence)]
    names = {name for match in equal for name in match.could_be_from_charset}
    return USUAL if USUAL in names else best.encoding, 1.0 - best.chaos
