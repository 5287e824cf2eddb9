"""Progress reports of long jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Progress = Callable[[str, int, int | None], None]
"""Called with the name of a stage, the amount done and the total (None if unknown)."""


class Measured(Protocol):
    """An input of ``size`` bytes (None if unknown), of which ``bytes_read`` have been read."""

    @property
    def size(self) -> int | None:
        """Length in bytes."""

    @property
    def bytes_read(self) -> int:
        """Bytes consumed so far."""


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Ignore the report."""


def with_total(progress: Progress, source: Measured, reading: str) -> Progress:
    """Return ``progress`` with a total for the stage ``reading``, estimated from the share of the input read so far."""

    def report(stage: str, done: int, total: int | None) -> None:
        if stage == reading and total is None and done and source.size and source.bytes_read:
            total = max(done, done * source.size // source.bytes_read)
        progress(stage, done, total)

    return report
