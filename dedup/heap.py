"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Give back to the system what this program has freed, where its C library can be told to.

    That of GNU otherwise keeps pages for later, which are a fifth of the memory of a long job with many stages
    (``malloc_trim(3)``). It takes some hundredths of a second.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
