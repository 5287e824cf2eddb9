"""Run a program without a network, with a home of its own, and see what it wrote: the kernel watches, not the program.

A filter of system calls (seccomp) kills every process that asks for a socket, and is inherited by its children. Local
sockets are allowed: through one the C library looks up the name of a user. Where strace is installed, it also lists the
files that any of the processes changed.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from paths import ROOT

SOCKET = {"x86_64": 41, "aarch64": 198}.get(platform.machine())
CAN_CONFINE = sys.platform.startswith("linux") and SOCKET is not None
STRACE = shutil.which("strace")

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_KILL, _ALLOW = 0x80000000, 0x7FFF0000
_NUMBER, _FAMILY, _LOCAL = 0, 16, 1
"""Where the kernel's ``seccomp_data`` has the number of the call and its first argument; the family AF_UNIX."""
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06

_CHANGES = (
    *("open", "openat", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "rename", "renameat", "renameat2", "link"),
    *("linkat", "symlink", "symlinkat", "unlink", "unlinkat", "rmdir", "truncate", "chmod", "fchmodat", "utimensat"),
)
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")


class Seen(NamedTuple):
    """How a program ended, and the files outside ``folder`` that it changed, if strace was there."""

    code: int
    errors: str
    outside: list[str]


def run_confined(folder: Path, program: str, *arguments: str, **environment: str) -> Seen:
    """Run Python code in ``folder / "cwd"``; its home and its temporary files are in ``home`` and ``tmp`` beside it."""
    places = [folder / name for name in ("cwd", "home", "tmp")]
    for place in places:
        place.mkdir(exist_ok=True)
    log = folder / "strace.log"
    tracing = [STRACE, "-f", "-qq", "-y", "-e", f"trace=?{',?'.join(_CHANGES)}", "-o", str(log)] if STRACE else []
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_", "DEDUP_"))}
    surroundings = {
        **kept,
        **{"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "2"},
        **{"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")},
        **environment,
    }
    done = subprocess.run(
        [*tracing, sys.executable, "-P", "-c", program, *arguments],
        cwd=folder / "cwd",
        env=surroundings,
        preexec_fn=_forbid_sockets,
        capture_output=True,
        text=True,
    )
    outside = [] if STRACE is None else _changed_outside(log, folder)
    return Seen(done.returncode, done.stderr, outside)


def _forbid_sockets() -> None:
    """Kill this process and its children when they call ``socket`` for other than local ones; see seccomp(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    rules = (
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_IF_EQUAL, 0, 3, SOCKET),
        (_LOAD, 0, 0, _FAMILY),
        (_JUMP_IF_EQUAL, 1, 0, _LOCAL),
        (_RETURN, 0, 0, _KILL),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    program = ctypes.create_string_buffer(struct.pack("H6xQ", len(rules), ctypes.addressof(code)))
    zero = ctypes.c_ulong(0)
    if libc.prctl(_NO_NEW_PRIVILEGES, ctypes.c_ulong(1), zero, zero, zero) or libc.prctl(
        _SET_SECCOMP, ctypes.c_ulong(_FILTER), program, zero, zero
    ):
        raise OSError(ctypes.get_errno(), "seccomp")


def _changed_outside(log: Path, folder: Path) -> list[str]:
    """Return the calls that changed a file outside ``folder``; devices do not count."""
    found = []
    for line in log.read_text("utf-8", "replace").splitlines():
        call = line.partition(" ")[2].strip()
        if " = -1 " in call or (call.startswith("open") and not _WRITES.search(call)):
            continue
        paths = [Path(directory, name) for directory, name in re.findall(r'(?:<([^>]*)>, |)"([^"]*)"', call)]
        real = [Path(os.path.normpath(folder / "cwd" / path)) for path in paths]
        if not all(path.is_relative_to(folder) or _is_device(path) for path in real):
            found.append(call)
    return found


def _is_device(path: Path) -> bool:
    return path.is_relative_to("/dev") and not path.is_relative_to("/dev/shm")
