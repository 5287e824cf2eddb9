"""A page that a command writes beside what it prints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from cli.show.render import output_to
from dedup.errors import UsageError

Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Also write a page to look at: one file that works offline."),
]


def check_page(path: Path | None, *, inputs: Sequence[str] = ()) -> None:
    """Refuse to write a page there; ``inputs`` are what the command reads.

    Raises:
        UsageError, EnvironmentFault: nothing can be written there, or something would be lost.

    """
    from indexer.outputs.destination import check_destination, check_folder, check_foreign, is_stream
    from indexer.outputs.model_pages.frame import BEGINNING

    if path is None:
        return
    if str(path) == "-":
        raise UsageError("--html - would mix the page with the figures on standard output; give a file.")
    check_destination(path, "--html", inputs=inputs)
    check_folder(path, "--html")
    if not is_stream(path):
        check_foreign(path, "a page", re.compile(re.escape(BEGINNING.encode())))


@contextmanager
def page_file(path: Path, mode: str | None, *, inputs: Sequence[str] = ()) -> Iterator[TextIO]:
    """Yield the open page, which is complete after the block; raises ``EnvironmentFault``."""
    from indexer.files import access_like, access_of

    with output_to(path, access_of(mode) if mode else access_like(inputs)) as out:
        yield out
