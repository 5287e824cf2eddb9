"""Versions of this program and of what it stands on, without importing any of it."""

from __future__ import annotations

_DISTRIBUTIONS = {"onnxruntime": "onnxruntime", "faiss": "faiss-cpu", "sqlalchemy": "sqlalchemy"}


def version_of(distribution: str) -> str:
    """Return the installed version; ``unknown`` in a source tree that is not installed."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def versions() -> dict[str, str]:
    """Return the versions that an error report should name."""
    from platform import python_version

    ours = {"neardup": version_of("neardup"), "python": python_version()}
    return ours | {name: version_of(distribution) for name, distribution in _DISTRIBUTIONS.items()}
