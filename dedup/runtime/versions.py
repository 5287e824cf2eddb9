"""Installed versions of neardup and the libraries it depends on, read without importing them."""

from __future__ import annotations

from functools import cache

_DISTRIBUTIONS = {"faiss": "faiss-cpu"}
"""Libraries whose distribution has another name."""


@cache
def version_of(library: str) -> str:
    """Return the installed version of a library, ``unknown`` if it is not installed."""
    from importlib import metadata  # costs 20 ms, which `dedup --help` should not spend

    try:
        return metadata.version(_DISTRIBUTIONS.get(library, library))
    except metadata.PackageNotFoundError:
        return "unknown"


def versions_of(*libraries: str) -> dict[str, str]:
    """Return the versions of neardup, Python and the given libraries."""
    from platform import python_version

    return {"neardup": version_of("neardup"), "python": python_version()} | {
        library: version_of(library) for library in libraries
    }
