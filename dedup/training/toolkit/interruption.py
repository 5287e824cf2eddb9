"""End a training at the end of a step when a signal asks for it, so that a checkpoint can be saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether a signal has come; a second one has the effect that it had before."""

    def __init__(self) -> None:
        self.signum: int | None = None

    def finish(self) -> None:
        """Raise what the signal stands for: ``KeyboardInterrupt``, or ``SystemExit`` with 128 and its number."""
        if self.signum == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + (self.signum or 0))


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Note signals within the block; only the main thread of a process gets them."""
    noted = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = {signum: signal.getsignal(signum) for signum in _SIGNALS if signal.getsignal(signum) != signal.SIG_IGN}

    def note(signum: int, frame: FrameType | None) -> None:
        noted.signum = signum
        _restore()

    def _restore() -> None:
        for signum, handler in before.items():
            signal.signal(signum, handler)

    try:
        for signum in before:
            signal.signal(signum, note)
        yield noted
    finally:
        _restore()
