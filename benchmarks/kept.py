"""What is kept of measurements: JSON files that name the code they are of, so that no table mixes that of two.

python benchmarks/kept.py        # prints the name of the code as it is now
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGES = ("dedup", "indexer", "cli")
SCHEMA = "migrations"  # beside the packages


@cache
def code() -> str:
    """Return the name of the code that is measured: a hash of all files of the program, of its model and schema too.

    Not of the benchmarks: who changes how they measure begins with an empty folder.
    """
    roots = {}
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"The package {package} is not installed; `make install` does it.")
        roots[package] = Path(spec.origin).parent
    hashes = hashlib.sha256()
    for name, root in {**roots, SCHEMA: roots[PACKAGES[0]].parent / SCHEMA}.items():
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                hashes.update(f"{name}/{path.relative_to(root).as_posix()}\n".encode())
                hashes.update(hashlib.sha256(path.read_bytes()).digest())
    return hashes.hexdigest()[:16]


def read(path: Path) -> dict[str, Any] | None:
    """Return what was measured of this code; None if nothing was, or, which is said, if it was of other code."""
    if not path.exists():
        return None
    result = dict(json.loads(path.read_text(encoding="utf-8")))
    if result.get("code") == code():
        return result
    _say_once(f"{path} is of other code: not used, and measured anew where it is needed")
    return None


def write(path: Path, result: Mapping[str, Any]) -> None:
    """Keep what was measured of this code."""
    path.write_text(json.dumps({**result, "code": code()}, indent=2) + "\n", encoding="utf-8")


@cache
def _say_once(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    print(code())
