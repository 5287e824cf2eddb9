"""The injector of ``faults.c`` in Python: compile it, load it into a new process, and drive it there."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

FLAVOURS = ("trace", "kill", "torn", "eio", "enospc", "power", "random", "reply")
"""What can happen at the k-th call, as ``faults.c`` explains; the order is that of its ``enum flavour``."""
FATAL = ("kill", "torn", "power", "random")
"""Flavours after which the process is dead; after the others it must end by itself, and well."""
KEY = ("database", "job", "flavour", "k", "seed")
"""What identifies a point in the log."""


def build(directory: Path) -> Path:
    """Compile the injector into ``directory`` and return the library."""
    library = directory / "faults.so"
    compiler = shutil.which(os.environ.get("CC", "cc")) or "gcc"
    options = ["-D_GNU_SOURCE", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread"]
    sources = sorted(Path(__file__).parent.glob("*.c"))
    subprocess.run([compiler, *options, "-o", library, *sources, "-ldl"], check=True)
    return library


class Injector:
    """The injector of this process, which was started with ``LD_PRELOAD`` set to the library."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)

    def arm(self, root: Path, k: int, flavour: str, *, seed: int, sockets: bool, report: int) -> None:
        """Count calls from now on and break the ``k``-th one, which is named in a line written to ``report``."""
        number = FLAVOURS.index(flavour)
        self._library.faults_arm(os.fsencode(root), ctypes.c_long(k), number, seed, int(sockets), report)

    def disarm(self) -> None:
        """Stop counting and breaking."""
        self._library.faults_disarm()

    def strike(self) -> None:
        """Die now, in the way of the flavour."""
        self._library.faults_now()
