"""Input tables of a command: where rejected rows go, and which columns were taken."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import say

if TYPE_CHECKING:
    from indexer.readers import Table


def rejects_path(file: str, asked: Path | None) -> Path:
    """Return where the rejected rows of ``file`` are listed: beside it, or here if that folder is read-only.

    Raises ``UsageError`` if that is the file itself.
    """
    refuse_overwriting(file, asked, "--rejects")
    if asked or file == "-":
        return asked or Path("stdin.rejects.jsonl")
    beside = Path(f"{file}.rejects.jsonl")
    return beside if os.access(beside.parent, os.W_OK) else Path(beside.name)


def refuse_overwriting(file: str, output: Path | None, option: str) -> None:
    """Raise ``UsageError`` if an output is the very file that is read."""
    from dedup.errors import UsageError

    if output is not None and file != "-" and output.exists() and Path(file).exists() and output.samefile(file):
        raise UsageError(f"{option} {output} is the input itself; name another file.")


def source_name(file: str) -> str:
    """Return what the records of ``file`` are filed under unless the user says otherwise."""
    name = Path(file).name
    return "stdin" if file == "-" else re.sub(r"(\.[a-z]{1,4})?(\.gz)?$", "", name, flags=re.IGNORECASE) or name


def say_columns(table: Table, note: str | None = None) -> None:
    """Say which columns are used, if any of them was not asked for by name."""
    choice = table.choice
    if choice.text_guessed or choice.id_guessed:
        text = " and ".join(map(repr, choice.text))
        identity = f"id from column {choice.id!r}" if choice.id else "no id: a row is known by its content"
        say(f"Text from column {text}, {identity}.")
    if note:
        say(note)


def say_rejected(count: int, path: Path | None) -> None:
    """Say how many rows were rejected, and where they are listed."""
    if count and path:
        say(f"Rejected {count:,} {'row' if count == 1 else 'rows'}; see {path}.")
