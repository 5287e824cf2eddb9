"""What a command does when something goes wrong: one sentence on stderr and an exit code."""

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

from cli.show.text import visible
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


def say(message: str) -> None:
    """Print one line on stderr."""
    typer.echo(visible(message), err=True)


def exit_code(error: BaseException) -> int:
    """Return the code with which the program ends because of ``error``, after saying what it was."""
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
        say("Error: The memory does not suffice; free some and try again.")
        return ENVIRONMENT
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT_ERRNOS:
        place = f"{error.filename}: " if error.filename else ""
        say(f"Error: {place}{error.strerror}. Check free space, permissions and the folder, and try again.")
        return ENVIRONMENT
    say(f"Error: {type(error).__name__}: {error}. This is a bug; the traceback is in {_keep(error)}.")
    return BUG


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Make a command end with an exit code instead of an exception."""

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
    """Send the rest of stdout nowhere: its reader is gone, and Python would complain when it exits."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # stdout is no file of the system
        pass
