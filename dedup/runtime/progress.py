"""Progress reports of long jobs."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with the name of a stage, the amount done and the total (None if unknown)."""


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Ignore the report."""
