"""Vectors with near neighbours, and snapshots of them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from indexer.store.store import Codes, Ids

CELLS_ABOVE = 1000


def clustered(n: int = 5000) -> tuple[Ids, Codes]:
    """Vectors in groups of five, under ids with gaps."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((n // 5, 48))
    points = np.repeat(centres, 5, axis=0) + 0.4 * rng.standard_normal((n, 48))
    codes = np.clip(np.rint(points / np.linalg.norm(points, axis=1, keepdims=True) * 254), -127, 127)
    return np.arange(10, 10 + 3 * n, 3), codes.astype(np.int8)


def faked_store(ids: Ids, codes: Codes) -> SimpleNamespace:
    """A store that has only vectors, and takes note of the snapshot that is published."""
    return SimpleNamespace(
        load_vectors=lambda model_id, **_: (ids, codes),
        current_snapshot=lambda: None,
        publish_snapshot=lambda **values: SimpleNamespace(**values),
    )


def damage(path: Path, how: str, other: bytes) -> None:
    content = bytearray(path.read_bytes())
    if how == "one bit":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        return
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "link":
        (path.parent / "elsewhere").write_bytes(content)
        path.symlink_to("elsewhere")
    elif how != "missing":
        path.write_bytes({"cut": content[:-1], "longer": content + b"\0", "empty": b"", "other": other}[how])
