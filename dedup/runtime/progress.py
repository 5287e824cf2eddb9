"""How a job tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with the name of a stage, how much of it is done, and of how much (None if not known)."""


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""
