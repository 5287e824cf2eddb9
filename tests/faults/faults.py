"""The shim of ``faults.c`` in Python: compile it, load it into a process that is started, and drive it there."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

FLAVOURS = ("trace", "kill", "torn", "eio", "enospc", "power", "random", "reply")
"""What can happen at the k-th call, as ``faults.c`` explains; the order is that of its ``enum flavour``."""


def compiler() -> str | None:
    """Return the C compiler that is found, if any."""
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")


def build(directory: Path) -> Path:
    """Compile the shim into ``directory`` and return the library."""
    library = directory / "faults.so"
    sources = sorted(Path(__file__).parent.glob("*.c"))
    options = ["-D_GNU_SOURCE", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread"]
    subprocess.run([str(compiler()), *options, "-o", library, *sources, "-ldl"], check=True)
    return library


class Faults:
    """The shim of this process, which was started with ``LD_PRELOAD`` set to the library."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.faults_count.restype = ctypes.c_long

    def arm(self, root: Path, k: int, flavour: str, *, seed: int, sockets: bool, report: int) -> None:
        """Count from now on, and break the ``k``-th call; it is named in a line written to ``report``."""
        library, number = self._library, FLAVOURS.index(flavour)
        library.faults_arm(os.fsencode(root), ctypes.c_long(k), number, seed, int(sockets), report)

    def disarm(self) -> int:
        """Count no more, break nothing; return how many calls were counted."""
        self._library.faults_disarm()
        return int(self._library.faults_count())

    def strike(self) -> None:
        """Die now, in the way of the flavour."""
        self._library.faults_now()
