"""What a job tells while it runs, and what it leaves behind in the table of runs."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from indexer.store import Store

Progress = Callable[[str, int, int | None], None]
"""Called with the name of a stage, how much of it is done, and of how much (None if not known)."""


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""


@contextmanager
def recorded_run(store: Store, kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Begin a run and finish it as ``done`` after the block, or as ``failed`` if the block raises.

    Yields the ``run_id`` and the manifest, a dictionary for the block to fill with what JSON can hold.
    """
    run_id = store.begin_run(kind)
    manifest: dict[str, Any] = {"versions": versions()}
    try:
        yield run_id, manifest
    except BaseException as error:
        manifest["error"] = str(error) or type(error).__name__
        store.finish_run(run_id, "failed", manifest)
        raise
    store.finish_run(run_id, "done", manifest)


def versions() -> dict[str, str]:
    """Return the versions that a result depends on, without importing what they belong to."""
    result = {"python": platform.python_version()}
    for name, distribution in (
        ("neardup", "neardup"),
        ("faiss", "faiss-cpu"),
        ("onnxruntime", "onnxruntime"),
        ("numpy", "numpy"),
    ):
        try:
            result[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            result[name] = "unknown"
    return result
