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
    Raises ``OSError``, with the name of the new file, if it cannot be made.
    """
    with suppress(OSError):
        _remove_left(path)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    file = temporary.open("x", encoding="utf-8", errors=errors, newline="")
    with suppress(OSError):  # not every file system has locks
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _remove_left(path: Path) -> None:
    ours = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{32}}\.tmp")
    for left in path.parent.iterdir():
        if ours.fullmatch(left.name):
            with suppress(OSError), left.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
