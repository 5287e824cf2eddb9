"""Notes on standard error: one line each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from cli.show.standard_streams import discard
from cli.show.text import visible


def say(message: str) -> None:
    """Print one line on stderr, if that can be written: there is no other place to say that it cannot."""
    try:
        typer.echo(visible(message), err=True)
    except OSError:
        discard(sys.stderr)


def notes_unless(quiet: bool) -> Callable[[str], None]:
    """Return what prints notes on stderr; if ``quiet``, only warnings."""

    def note(sentence: str) -> None:
        if not quiet or sentence.startswith("Warning:"):
            say(sentence)

    return note


def say_rejected(count: int, path: Path | None) -> None:
    """Say how many rows were rejected, and where they are listed."""
    if count:
        say(f"Rejected {count:,} {'row' if count == 1 else 'rows'}{f'; see {path}' if path else ''}.")
