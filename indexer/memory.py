"""How much memory a job needs at its peak, estimated from what is counted before it begins.

An estimate, not a limit. The figures were measured on names of 25 characters with vectors of 128 dimensions on two
threads: from 20,000 to ten million of them the estimate is 0.94 to 1.15 times what a report took, and from 100,000 on
1.0 to 1.11 times what an index took; a report of 20,000 texts of 1,000 characters takes a sixth more. Not seen are how
many pairs there are, the other columns of records in pairs and clusters, whose lines a report holds, in how many cells
each text has to lie, and scripts of which a character takes two or four bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dedup.errors import UsageError
from dedup.runtime import threads

_UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([MGT])(?:i?B)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Need:
    """What the peak of a job grows with: bytes in any case, for each thread, distinct text, and character held.

    Fewer characters than ``many`` give a thread less to hold, in proportion.
    """

    base: int
    per_thread: int
    per_text: int
    per_character: int
    many: int = 1
    counted: str = ""
    """What a message says before the number of texts, if that is not known exactly."""

    def of(self, texts: int, characters: int, threads: int) -> int:
        """Return the bytes at the peak with so many texts and characters that are held at once, on so many threads."""
        of_threads = threads * self.per_thread * min(characters, self.many) // self.many
        return self.base + of_threads + texts * self.per_text + characters * self.per_character


INDEX = Need(120 << 20, 155 << 20, 390, 12, counted="At most ")
"""Its threads have processes to encode texts; held are the characters of a batch of rows, of all columns."""
REPORT = Need(160 << 20, 243 << 20, 200, 20, many=5_000_000)
"""Its threads have processes to compare pairs; held are the characters of all texts."""


def parse_size(text: str) -> int:
    """Return the bytes of a size such as ``1500M`` or ``1.5 GiB``; M, G and T stand for powers of 1,024.

    Raises:
        UsageError: it is no size.

    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"{text!r} is no size of memory; write it as in 1500M or 4G.")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def check(need: Need, texts: int, characters: int, limit: int) -> None:
    """Refuse a job on so many distinct texts, with so many characters held at once, that takes more than ``limit``.

    Raises:
        UsageError: it would take more than so many bytes.

    """
    workers = threads.count()
    needed = need.of(texts, characters, workers)
    if needed > limit:
        raise UsageError(
            f"{need.counted}{texts:,} distinct texts, {characters:,} characters at once, take about "
            f"{_mebibytes(needed)} of memory on {workers} threads, and --memory allows {_mebibytes(limit)}; allow "
            "more, take fewer --threads, or keep the sources in several workspaces. No record was changed."
        )


def _mebibytes(size: int) -> str:
    return f"{-(-size // (1 << 20)):,}M"
