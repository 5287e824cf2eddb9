"""Files that appear under their names only when they are whole, and are there after a power cut."""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TextIO
from uuid import uuid4


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_beside(path: Path, errors: str = "strict") -> TextIO:
    """Open a new text file in UTF-8 in the directory of ``path``, to be given that name when it is whole.

    It is locked as long as it is open: files of this kind that nobody holds were left by killed jobs, and are removed.
    So it has to get its name before it is closed.
    Raises ``OSError``, with the name of the new file, if it cannot be made.
    """
    remove_left(path)
    while True:
        temporary = path.with_name(f"{_prefix(path)}{uuid4().hex}.tmp")
        file = temporary.open("x", encoding="utf-8", errors=errors, newline="")
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another process took it for one that was left, before it was locked


def remove_left(path: Path) -> None:
    """Remove the files of ``open_beside`` that killed jobs left beside ``path``, where that is possible."""
    ours = re.compile(rf"{re.escape(_prefix(path))}[0-9a-f]{{32}}\.tmp")
    with suppress(OSError):
        for left in path.parent.iterdir():
            if ours.fullmatch(left.name):
                with suppress(OSError), left.open("r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()


def _prefix(path: Path) -> str:
    """Return how the names of files begin that are to become ``path``; a whole long name would make them too long."""
    return f".{path.name[:50]}."
