"""A progress bar on standard error with rate and remaining time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dedup.errors import UsageError
from dedup.runtime.progress import Progress, no_progress

if TYPE_CHECKING:
    from rich.progress import Task

ProgressOption = bool | Progress | None
"""True draws a bar, a function is called with every report, None or False reports nothing."""


@contextmanager
def progress_of(option: ProgressOption) -> Iterator[Progress]:
    """Provide the function that a job reports to."""
    if option is True:
        with progress_bar() as progress:
            yield progress
    elif option and not callable(option):
        raise UsageError(f"progress is {option!r}; give True for a bar, or a function of (stage, done, total).")
    else:
        yield option or no_progress


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Progress]:
    """Provide a function that draws (stage, done, total); it draws nothing if ``quiet`` or without a terminal.

    Each stage has its own bar, which finishes the previous one; a stage that restarts gets a new bar. ``total`` is None
    if unknown.
    """
    if quiet or not _can_draw():
        yield no_progress
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
    )
    shown: Task | None = None
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:

        def draw(stage: str, done: int, total: int | None) -> None:
            nonlocal shown
            if shown is None or shown.description != stage.capitalize() or done < shown.completed:
                if shown is not None:
                    bar.update(shown.id, total=shown.total or shown.completed)
                    bar.stop_task(shown.id)
                bar.add_task(stage.capitalize(), total=total, rate="")
                shown = bar.tasks[-1]
            if total is not None and total != shown.total:  # an estimate changed; ``bar.update`` would reset the speed
                shown.total, shown.finished_time = total, None
            rate = f"{shown.speed:,.0f}/s" if shown.speed else ""
            bar.update(shown.id, completed=done, rate=rate)

        yield draw


def _can_draw() -> bool:
    """Return whether standard error is a terminal, or this is a notebook, where ``rich`` draws below the cell."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
