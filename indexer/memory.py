"""How much memory a job needs at its peak, from what is counted before it begins.

The figures were measured on company names with vectors of 128 dimensions; longer texts need more, and so does a
report of records with many other columns, as it holds the lines of those in pairs and clusters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dedup import threads
from dedup.errors import UsageError

_UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([MGT])(?:i?B)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Need:
    """What the peak of a job grows with: bytes in any case, for each thread, and for each distinct text."""

    base: int
    per_thread: int
    per_text: int
    counted: str = ""
    """What a message says before the number of texts, if that is not known exactly."""

    def of(self, texts: int, threads: int) -> int:
        """Return the bytes that the job takes at its peak with so many texts, on so many threads."""
        return self.base + threads * self.per_thread + texts * self.per_text


INDEX = Need(200 << 20, 170 << 20, 450, "At most ")  # a thread has a process of its own, to encode texts
REPORT = Need(250 << 20, 200 << 20, 850)  # a thread has a process of its own, to compare pairs


def parse_size(text: str) -> int:
    """Return the bytes of a size such as ``1500M`` or ``1.5 GiB``; M, G and T stand for powers of 1,024.

    Raises:
        UsageError: it is no size.

    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"{text!r} is no size of memory; write it as in 1500M or 4G.")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def check(need: Need, texts: int, limit: int) -> None:
    """Refuse a job on so many distinct texts that would take more than ``limit`` bytes.

    Raises:
        UsageError: it would.

    """
    workers = threads.count()
    needed = need.of(texts, workers)
    if needed > limit:
        raise UsageError(
            f"{need.counted}{texts:,} distinct texts take about {_mebibytes(needed)} of memory on {workers} threads, "
            f"and --memory allows {_mebibytes(limit)}; allow more, take fewer --threads, or keep the sources in "
            "several workspaces. No record was changed."
        )


def _mebibytes(size: int) -> str:
    return f"{-(-size // (1 << 20)):,}M"
