"""Standard streams that are closed, or that can no longer be written."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from dedup.errors import EnvironmentFault

_DESCRIPTORS = (0, 1, 2)


def occupy_descriptors() -> None:
    """Open the null device in place of each closed standard stream.

    Otherwise the database might get descriptor 1 or 2, and what libraries print would be written into it.
    """
    for descriptor in _DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            _connect_to_nothing(descriptor)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def require_output() -> None:
    """Raise ``EnvironmentFault`` if the program was started without a standard output."""
    if sys.stdout is None:
        raise EnvironmentFault(
            "Standard output is closed, so the result would be lost. Redirect it to /dev/null if you do not need it."
        )


def discard(stream: TextIO | None) -> None:
    """Send what was written to ``stream`` and cannot be flushed, and all that follows, to the null device.

    Python flushes the stream again at exit, and would end with a code of its own.
    """
    try:
        if stream is not None:
            _connect_to_nothing(stream.fileno())
    except (OSError, ValueError):  # the stream has no file descriptor
        pass


def _connect_to_nothing(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
