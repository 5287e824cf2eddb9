"""Versions of neardup and its main dependencies, read without importing them."""

from __future__ import annotations

_DISTRIBUTIONS = {"onnxruntime": "onnxruntime", "faiss": "faiss-cpu", "sqlalchemy": "sqlalchemy"}


def version_of(distribution: str) -> str:
    """Return the installed version of a distribution; ``unknown`` if it is not installed."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def versions() -> dict[str, str]:
    """Return the versions to quote in an error report."""
    from platform import python_version

    ours = {"neardup": version_of("neardup"), "python": python_version()}
    return ours | {name: version_of(distribution) for name, distribution in _DISTRIBUTIONS.items()}
