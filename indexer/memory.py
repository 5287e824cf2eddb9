"""Estimate the peak memory of a job from what can be counted before it starts.

It is an estimate, not a limit. It was measured on names of 25 characters, vectors of 128 dimensions and two threads:
0.94 to 1.15 times the memory of a report for 20,000 to ten million names, and 1.0 to 1.11 times that of an index for
100,000 names or more. A report on 20,000 texts of 1,000 characters takes a sixth more than estimated, one on 100,000
texts that are nearly equal (``Unknown 1``) a seventh more, and one on 2,000 texts of 4,096 characters 0.97 of it.
Small jobs take less than estimated: an index of 100 texts a third. A report on 20,000 misspellings of one name takes
twice as much: so many pairs are compared that the processes start, which for other lists of that size they do not.

The estimate ignores the number of pairs, the further columns of records in pairs and clusters (a report holds their
lines), the number of cells per text, and scripts whose characters take two or four bytes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from dedup.errors import UsageError
from dedup.runtime import threads
from dedup.text.names import LONG_TEXT, REMEMBERED_LONG

_UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([MGT])(?:i?B)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Need:
    """Peak memory of a job in bytes: a constant, and per thread, distinct text, character in memory and field value.

    With fewer characters than ``full_thread`` and fewer texts than ``full_texts``, a thread takes proportionally less,
    and it takes ``per_long_character`` for each character of the long texts that it remembers, if that is more.
    """

    base: int
    per_thread: int
    per_text: int
    per_character: int
    full_thread: int = 1
    full_texts: int = 1
    per_long_character: int = 0
    per_value: int = 0
    prefix: str = ""
    """Precedes the number of texts in messages if that number is not exact."""

    def estimate(self, texts: int, characters: int, threads: int, values: int = 0) -> int:
        """Return the peak in bytes for a number of texts, of characters in memory at once, of threads and of values.

        ``values`` is the number of records times that of their fields.
        """
        of_threads = threads * self._of_thread(max(1, texts), characters)
        of_texts = texts * self.per_text + characters * self.per_character
        return self.base + of_threads + of_texts + values * self.per_value

    def _of_thread(self, texts: int, characters: int) -> int:
        share = min(1.0, max(characters / self.full_thread, texts / self.full_texts))
        length = characters // texts
        of_long = min(texts, REMEMBERED_LONG) * length * self.per_long_character if length >= LONG_TEXT else 0
        return max(int(self.per_thread * share), of_long)


INDEX = Need(120 << 20, 155 << 20, 390, 12, prefix="Up to ")
"""Each thread has a process that encodes texts; the characters are those of one batch of rows, all columns."""
REPORT = Need(
    *(160 << 20, 243 << 20, 240, 20),
    full_thread=5_000_000,
    full_texts=200_000,
    per_long_character=24,
    per_value=140,
)
"""Each thread has a process that compares pairs; the characters are those of all texts.

A value of a field takes what it did on 210,000 records with six fields.
"""


def parse_size(text: str) -> int:
    """Return the bytes of a size such as ``1500M`` or ``1.5 GiB``; M, G and T are powers of 1,024.

    Raises:
        UsageError: The text is not a size.

    """
    match = _SIZE.fullmatch(text.strip())
    size = float(match[1]) * _UNITS[match[2].upper()] if match else math.inf
    if not math.isfinite(size):
        raise UsageError(f"{text!r} is not a memory size. Use a form such as 1500M or 4G.")
    return int(size)


def check(need: Need, texts: int, characters: int, limit: int, *, values: int = 0) -> None:
    """Refuse a job whose estimated peak memory exceeds ``limit`` bytes.

    ``texts`` is the number of distinct texts, ``characters`` the number of characters in memory at once, ``values``
    the number of records times that of their fields.

    Raises:
        UsageError: The estimate exceeds ``limit``.

    """
    workers = threads.count()
    needed = need.estimate(texts, characters, workers, values)
    if needed > limit:
        raise UsageError(
            f"{need.prefix}{texts:,} distinct texts with {characters:,} characters at once"
            f"{f' and {values:,} values of fields' if values else ''} need about "
            f"{_mebibytes(needed)} of memory on {workers} threads, but --memory allows {_mebibytes(limit)}. "
            "Allow more, use fewer --threads, or split the sources among several workspaces. No record was changed."
        )


def _mebibytes(size: int) -> str:
    return f"{-(-size // (1 << 20)):,}M"
