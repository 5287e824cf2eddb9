"""Input tables of a command: where rejected rows go, and which columns were taken."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli.exit_codes import say

if TYPE_CHECKING:
    from indexer.reading.open import Table
    from indexer.reading.rejects import RejectsFile, RejectsStream


def open_rejects(files: Sequence[str], asked: Path | None, name: str) -> RejectsFile | RejectsStream:
    """Return where the rejected rows of ``files`` are listed: as asked, standard error for ``-``.

    If nothing is asked, that is beside the one file, here if its folder is read-only, or else here under
    ``name``. Raises ``UsageError`` if it is one of the files itself.
    """
    from indexer.reading.rejects import RejectsFile, RejectsStream

    if asked == Path("-"):
        return RejectsStream(sys.stderr)
    for file in files:
        refuse_overwriting(file, asked, "--rejects")
    if asked:
        return RejectsFile(asked)
    if len(files) != 1 or not Path(files[0]).is_file():
        return RejectsFile(Path(f"{name}.rejects.jsonl"))
    beside = Path(f"{files[0]}.rejects.jsonl")
    return RejectsFile(beside if os.access(beside.parent, os.W_OK) else Path(beside.name))


@contextmanager
def reading(table: Table, note: str | None = None, *, quiet: bool) -> Iterator[Table]:
    """Close a table when it was read, having said which columns it has and, at last, what is odd about it."""
    with table:
        if not quiet:
            say_columns(table, note)
        try:
            yield table
        finally:
            for sentence in table.warnings:
                say(f"Warning: {sentence}")


def refuse_overwriting(file: str, output: Path | None, option: str) -> None:
    """Raise ``UsageError`` if an output is the very file that is read, or something that is no file."""
    from dedup.errors import UsageError

    if output is not None and output.exists() and not output.is_file():
        raise UsageError(f"{option} {output} is no ordinary file, and would be replaced by one; name another.")
    if output is not None and output.is_symlink():
        raise UsageError(f"{option} {output} is a link, and would be replaced by a file; name what it points to.")

    if output is not None and file != "-" and output.exists() and Path(file).exists() and output.samefile(file):
        raise UsageError(f"{option} {output} is the input itself; name another file.")


def source_name(file: str) -> str:
    """Return what the records of ``file`` are filed under unless the user says otherwise."""
    name = Path(file).name
    if name != name.encode(errors="replace").decode():
        from dedup.errors import UsageError

        raise UsageError(f"The name of {file!r} is not UTF-8; name the source with --source NAME.")
    ends = r"(\.([a-z]{1,4}|jsonl|ndjson|parquet))?(\.(gz|bgz|bz2|xz|zst))?$"
    return "stdin" if file == "-" else re.sub(ends, "", name, flags=re.IGNORECASE) or name


def say_columns(table: Table, note: str | None = None) -> None:
    """Say which columns are used, if any of them was not asked for by name."""
    choice = table.choice
    if table.columns and (choice.text_guessed or choice.id_guessed):
        text = " and ".join(map(repr, choice.text))
        identity = f"id from column {choice.id!r}" if choice.id else "no id: a row is known by its content"
        say(f"Text from column {text}, {identity}.")
    if note:
        say(note)


def say_rejected(count: int, path: Path | None) -> None:
    """Say how many rows were rejected, and where they are listed."""
    if count:
        say(f"Rejected {count:,} {'row' if count == 1 else 'rows'}{f'; see {path}' if path else ''}.")
