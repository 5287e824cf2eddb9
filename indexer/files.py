"""Write files that appear under their names only when complete and that survive a power cut."""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TextIO
from uuid import uuid4


def sync_directory(path: Path) -> None:
    """Flush the entries of a directory to disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_beside(path: Path, errors: str = "strict") -> TextIO:
    """Open a temporary UTF-8 file beside ``path``; the caller renames it to ``path`` when it is complete.

    The file is locked while it is open, and unlocked temporary files are removed as leftovers of killed jobs. Rename it
    before closing it. ``errors`` is as in ``open``.

    Raises ``OSError`` with the name of the temporary file if it cannot be created.
    """
    remove_left(path)
    while True:
        temporary = path.with_name(f"{_prefix(path)}{uuid4().hex}.tmp")
        file = temporary.open("x", encoding="utf-8", errors=errors, newline="")
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another process removed it as a leftover before it was locked


def remove_left(path: Path) -> None:
    """Remove temporary files of ``open_beside`` that killed jobs left beside ``path``; ignore errors."""
    name = re.compile(rf"{re.escape(_prefix(path))}[0-9a-f]{{32}}\.tmp")
    with suppress(OSError):
        for left in path.parent.iterdir():
            if name.fullmatch(left.name):
                with suppress(OSError), left.open("r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()


def _prefix(path: Path) -> str:
    """Return the prefix of temporary names for ``path``, shortened so that they do not exceed the limit for names."""
    return f".{path.name[:50]}."
