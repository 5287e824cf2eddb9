"""Progress bars with rate and remaining time; on stderr, and only if it is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dedup.runtime.progress import Progress, no_progress

if TYPE_CHECKING:
    from rich.progress import Task

    from indexer.reading.open import Table


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Progress]:
    """Yield a callback ``(stage, done, total)`` that draws a bar for each stage; ``total`` is None if unknown.

    It does nothing if ``quiet`` or if stderr is not a terminal. A new stage, or one that starts again, completes the
    previous bar.
    """
    if quiet or not sys.stderr.isatty():
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
            if total is not None and total != shown.total:  # ``bar.update`` would reset the speed
                shown.total, shown.finished_time = total, None
            rate = f"{shown.speed:,.0f}/s" if shown.speed else ""
            bar.update(shown.id, completed=done, rate=rate)

        yield draw


def with_total(progress: Progress, table: Table, reading: str) -> Progress:
    """Add an estimated total to the stage ``reading``, from the share of the file read so far."""

    def report(stage: str, done: int, total: int | None) -> None:
        if stage == reading and total is None and done and table.size and table.bytes_read:
            total = max(done, done * table.size // table.bytes_read)
        progress(stage, done, total)

    return report
