"""A progress bar on stderr with rate and remaining time, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import TaskID

    from indexer.progress import Progress
    from indexer.readers import Table


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Progress]:
    """Give a callable that draws (stage, done, total); without a terminal, or if ``quiet``, it does nothing.

    Each new stage gets a bar of its own, and the one before is finished. ``total`` is None if unknown.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda stage, done, total: None
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
    tasks: dict[str, TaskID] = {}
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:

        def draw(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                for task in tasks.values():
                    bar.stop_task(task)
                tasks[stage] = bar.add_task(stage.capitalize(), total=total, rate="")
            speed = bar.tasks[bar.task_ids.index(tasks[stage])].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            bar.update(tasks[stage], completed=done, total=total, rate=rate)

        yield draw


def with_total(progress: Progress, table: Table) -> Progress:
    """Estimate how many rows there will be by how much of the file those before took."""

    def report(stage: str, done: int, total: int | None) -> None:
        if total is None and done and table.size and table.bytes_read:
            total = max(done, done * table.size // table.bytes_read)
        progress(stage, done, total)

    return report
