"""Notes on standard error: one line each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.show.text import visible

if TYPE_CHECKING:
    from indexer.reading.open import Table


def say(message: str) -> None:
    """Print one line on stderr."""
    typer.echo(visible(message), err=True)


def say_columns(table: Table, note: str | None = None) -> None:
    """Say which columns are used unless the user named them all."""
    choice = table.choice
    if table.columns and (choice.text_guessed or choice.id_guessed):
        text = " and ".join(map(repr, choice.text))
        identity = (
            f"id from column {choice.id!r}" if choice.id else "no id column: rows are identified by their content"
        )
        say(f"Text from column {text}, {identity}.")
    if note:
        say(note)


def say_rejected(count: int, path: Path | None) -> None:
    """Say how many rows were rejected, and where they are listed."""
    if count:
        say(f"Rejected {count:,} {'row' if count == 1 else 'rows'}{f'; see {path}' if path else ''}.")
