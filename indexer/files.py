"""Create files and directories that survive a power cut, for the eyes of their owner unless more is asked for."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TextIO
from uuid import uuid4

from dedup.errors import UsageError

SIDE_FILES = ("-journal", "-wal", "-shm", ".lock")
"""Endings of what SQLite and neardup keep beside a database."""

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Access(NamedTuple):
    """Who may read a new file.

    Attributes:
        mode: Permission bits; the umask takes some of them away unless they are ``exact``.
        group: The group that its group bits are meant for. If the file gets another one, they shrink to those of
            everyone.
        exact: Whether the user has named the mode.

    """

    mode: int
    group: int | None = None
    exact: bool = False


PRIVATE = Access(0o600)


def access_like(paths: Iterable[str | Path]) -> Access:
    """Return the access that all of these files give; ``PRIVATE`` if one of them is no regular file, or for none."""
    mode, groups = 0o666, set[int]()
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            return PRIVATE
        if str(path) == "-" or not stat.S_ISREG(status.st_mode):
            return PRIVATE
        mode &= status.st_mode
        groups.add(status.st_gid)
    if not groups:
        return PRIVATE
    return Access(mode | 0o600, groups.pop() if len(groups) == 1 else None)


def access_of(mode: str) -> Access:
    """Return the access that ``--mode`` names in octal digits; raises ``UsageError`` for an invalid one."""
    if not re.fullmatch("0?[67][0-7]{2}", mode) or int(mode, 8) & 0o111:
        raise UsageError(f"--mode {mode} is not the mode of a file; give octal digits such as 600, 640 or 644.")
    return Access(int(mode, 8), exact=True)


def kind_of(path: Path) -> str | None:
    """Return what is at ``path`` in words, without following a link; None for a regular file or nothing.

    Raises ``OSError`` if that cannot be told, for example because the name is too long.
    """
    try:
        return _KINDS.get(stat.S_IFMT(os.lstat(path).st_mode))
    except FileNotFoundError:
        return None


def open_plainly(path: str | Path, flags: int, mode: int = 0o600) -> int:
    """Open a regular file: follow no link, and do not wait for the other end of a pipe.

    Raises ``OSError``: also for what is not a regular file.
    """
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(None, "Not a regular file", str(path))
    return handle


def sync_directory(path: Path) -> None:
    """Flush the entries of a directory to disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directory(path: Path, mode: int = 0o700) -> None:
    """Create a directory and its parents, durable after a power cut: each parent is synced."""
    if path.is_dir():
        return
    make_directory(path.parent, mode)
    path.mkdir(mode=mode, exist_ok=True)
    sync_directory(path.parent)


def open_beside(path: Path, errors: str = "strict", access: Access = PRIVATE) -> TextIO:
    """Open a temporary UTF-8 file beside ``path``; the caller renames it to ``path`` when it is complete.

    The file is locked while it is open, and unlocked temporary files are removed as leftovers of killed jobs. Rename it
    before closing it. ``errors`` is as in ``open``.

    Raises ``OSError`` with the name of the temporary file if it cannot be created.
    """
    remove_left(path)
    while True:
        temporary = path.with_name(f"{_prefix(path)}{uuid4().hex}.tmp")
        file = open(temporary, "x", encoding="utf-8", errors=errors, newline="", opener=open_plainly)  # noqa: SIM115
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            _grant(file.fileno(), access)
            return file
        file.close()  # another process removed it as a leftover before it was locked


def remove_left(path: Path) -> None:
    """Remove temporary files of ``open_beside`` that killed jobs left beside ``path``; ignore errors."""
    name = re.compile(rf"{re.escape(_prefix(path))}[0-9a-f]{{32}}\.tmp")
    with suppress(OSError):
        for left in path.parent.iterdir():
            if name.fullmatch(left.name):
                with suppress(OSError), open(left, "r+b", opener=open_plainly) as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()


def _prefix(path: Path) -> str:
    """Return the prefix of temporary names for ``path``, shortened so that they do not exceed the limit for names."""
    return f".{path.name[:50]}."


def _grant(handle: int, access: Access) -> None:
    """Give a new, empty file, which only its owner may read, its final mode."""
    mode = access.mode
    if not access.exact:
        umask = os.umask(0o077)
        os.umask(umask)
        mode &= ~umask
        if os.fstat(handle).st_gid != access.group:
            mode &= 0o606 | (mode & 0o006) << 3
    if mode != PRIVATE.mode:
        os.fchmod(handle, mode)
