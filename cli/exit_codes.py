"""How a command ends when something goes wrong: a message on stderr and an exit code."""

from __future__ import annotations

import errno
import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import ParamSpec

import typer

from cli.show.notes import say
from dedup import errors

P = ParamSpec("P")

OK, BUG, USAGE, SOME_ROWS_REJECTED, REFUSED, ENVIRONMENT, BUSY, VERSION, CORRUPT = range(9)
INTERRUPTED = 130

_CODES: dict[type[errors.DedupError], int] = {
    errors.UsageError: USAGE,
    errors.InputRefused: REFUSED,
    errors.EnvironmentFault: ENVIRONMENT,
    errors.WriterBusy: BUSY,
    errors.VersionMismatch: VERSION,
    errors.CorruptStore: CORRUPT,
}
_ENVIRONMENT_ERRNOS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EFBIG, errno.ENOMEM),
}


def exit_code(error: BaseException) -> int:
    """Print ``error`` on stderr and return the exit code that it stands for."""
    if isinstance(error, BrokenPipeError):
        _close_stdout()
        return OK
    if isinstance(error, KeyboardInterrupt):
        say("Interrupted.")
        return INTERRUPTED
    if isinstance(error, errors.DedupError):
        say(f"Error: {error}")
        return next((code for kind, code in _CODES.items() if isinstance(error, kind)), BUG)
    if isinstance(error, MemoryError):
        say("Error: Out of memory. Free some and try again.")
        return ENVIRONMENT
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT_ERRNOS:
        place = f"{error.filename}: " if error.filename else ""
        say(f"Error: {place}{error.strerror}. Check the path, its permissions and the free space, then try again.")
        return ENVIRONMENT
    say(f"Error: {type(error).__name__}: {error}. This is a bug; the traceback is in {_keep(error)}.")
    return BUG


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Make ``command`` end with an exit code instead of an exception."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except (typer.Exit, typer.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:
            raise typer.Exit(exit_code(error)) from None

    return run


def _keep(error: BaseException) -> str:
    """Write the traceback of ``error`` to a new file and return its path."""
    handle, path = tempfile.mkstemp(prefix="dedup-error-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exception(error, file=file)
    return path


def _close_stdout() -> None:
    """Redirect stdout to the null device: its reader is gone, and flushing it at exit would raise again."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # stdout has no file descriptor
        pass
