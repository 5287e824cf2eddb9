"""Start child processes that run our own code, and nothing that lies in the working directory.

A child is a fresh interpreter in Python's isolated mode: it reads no environment variable and no ``sitecustomize``,
finds the standard library first, then the packages of this project, then what the caller finds. A file ``signal.py``
or ``numpy.py`` in the working directory is never imported. No other module starts a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
"""The directory that holds this package."""

_PROGRAM = (
    "import json, sys; call = json.loads(sys.argv[1]); sys.path += call['path']; "
    "from importlib import import_module; "
    "getattr(import_module(call['module']), call['function'])(*call['arguments'])"
)


def start(
    module: str,
    function: str,
    *arguments: object,
    **options: Any,  # noqa: ANN401 - those of Popen
) -> subprocess.Popen[bytes]:
    """Start a process that calls ``function`` of ``module`` with ``arguments``, which must be JSON.

    ``options`` are those of ``subprocess.Popen``. Raises ``OSError`` if the process cannot be started.
    """
    call = {"path": _search_path(), "module": module, "function": function, "arguments": arguments}
    flags = ["-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    return subprocess.Popen([sys.executable, *flags, "-c", _PROGRAM, json.dumps(call)], **options)


def _search_path() -> list[str]:
    """Return where a child looks for modules that are not in the standard library: this project, then as the caller.

    The working directory is left out, however it is written, unless the project itself lies there. So are relative
    entries, and entries that are not strings, which the import system ignores.
    """
    entries = [entry for entry in sys.path if isinstance(entry, str) and Path(entry).is_absolute()]
    return list(dict.fromkeys([str(_ROOT), *(entry for entry in entries if not _is_working_directory(entry))]))


def _is_working_directory(entry: str) -> bool:
    try:
        return os.path.samefile(entry, os.curdir)
    except OSError:  # one of them does not exist
        return False
