"""How a command ends when something goes wrong: a message on stderr and an exit code."""

from __future__ import annotations

import errno
import functools
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import typer

from cli.show.notes import is_log, listening, say
from cli.show.standard_streams import discard
from cli.show.text import visible
from dedup import errors
from dedup.runtime.threads import require_address_space

P = ParamSpec("P")

OK, BUG, USAGE, SOME_ROWS_REJECTED, REFUSED, ENVIRONMENT, BUSY, VERSION, CORRUPT, REMOVAL, FOUND_NEW = range(11)
INTERRUPTED = 130

_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s/]+(?=@)")

_CODES: dict[type[errors.DedupError], int] = {
    errors.UsageError: USAGE,
    errors.TooManyRemoved: REMOVAL,  # before its base class
    errors.InputRefused: REFUSED,
    errors.EnvironmentFault: ENVIRONMENT,
    errors.WriterBusy: BUSY,
    errors.VersionMismatch: VERSION,
    errors.CorruptStore: CORRUPT,
}
_ENVIRONMENT_ERRNOS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EFBIG, errno.ENOMEM),
    *(errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EBUSY, errno.ENFILE, errno.EAGAIN, errno.ENOLCK),
    *(errno.ETXTBSY, errno.ESTALE, errno.EOPNOTSUPP, errno.EEXIST, errno.ENOTEMPTY, errno.EBADF),
}
_NO_MEMORY = ("bad_alloc", "can't start new thread", "failed to map segment", "Cannot allocate memory")
"""What libraries say in exceptions of other kinds when they get no memory."""


def exit_code(error: BaseException) -> int:
    """Print ``error`` on stderr and return the exit code that it stands for."""
    if isinstance(error, OSError):
        discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return OK
    if isinstance(error, KeyboardInterrupt):
        say("Interrupted.")
        return INTERRUPTED
    if isinstance(error, errors.DedupError):
        say(f"Error: {error}")
        return next((code for kind, code in _CODES.items() if isinstance(error, kind)), BUG)
    if isinstance(error, MemoryError) or any(sign in str(error) for sign in _NO_MEMORY):
        say("Error: Out of memory. Free some, raise the limit (`ulimit`) or use fewer --threads, and try again.")
        return ENVIRONMENT
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT_ERRNOS:
        place = f"{error.filename}: " if error.filename else ""
        say(f"Error: {place}{error.strerror}. Check the path, its permissions and the free space, then try again.")
        return ENVIRONMENT
    say(f"Error: {type(error).__name__}: {error}. This is a bug; {_keep(error)}.")
    return BUG


def end_with_rejects(count: int, *, allowed: bool) -> None:
    """End the command with the exit code for rejected rows, if there are any and none are ``allowed``.

    Raises:
        typer.Exit: with the code.
    """
    if count and not allowed:
        raise typer.Exit(SOME_ROWS_REJECTED)


@contextmanager
def ending() -> Iterator[None]:
    """Make the block end with an exit code instead of an exception.

    Raises:
        typer.Exit: with the code.
    """
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except (Exception, KeyboardInterrupt) as error:
        raise typer.Exit(_usage_code(error) or exit_code(error)) from None


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Make ``command`` end with an exit code instead of an exception."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with ending(), listening(quiet=bool(kwargs.get("quiet"))):
            require_address_space(kwargs.get("threads"))  # type: ignore[arg-type]
            command(*args, **kwargs)
            sys.stdout.flush()

    return run


def _usage_code(error: BaseException) -> int:
    """Show ``error`` and return its exit code if it is typer's on wrong arguments, else 0."""
    show = getattr(error, "show", None)
    if show is None:
        return 0
    if isinstance(message := getattr(error, "message", None), str):
        message = _PASSWORD.sub(r"\1***", message)  # of a URL given in the wrong place
        setattr(error, "message", "\n".join(map(visible, message.splitlines())))  # noqa: B010 (not in its type)
    try:
        if is_log():
            say(f"Error: {getattr(error, 'format_message', lambda: message)()}")
        else:
            show()
    except OSError:
        discard(sys.stderr)
    return USAGE


def _keep(error: BaseException) -> str:
    """Write the traceback of ``error`` to a new file and say where it is."""
    try:
        handle, path = tempfile.mkstemp(prefix="dedup-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(error, file=file)
    except OSError as fault:
        return f"its traceback cannot be written ({fault.strerror})"
    return f"the traceback is in {path}"
