"""Versions are read from the installed distributions, without importing them."""

import platform
import subprocess
import sys
from importlib import metadata

from dedup.runtime.versions import version_of, versions_of


def test_versions_are_those_of_the_distributions() -> None:
    assert versions_of("faiss", "numpy") == {
        "neardup": version_of("neardup"),
        "python": platform.python_version(),
        "faiss": metadata.version("faiss-cpu"),
        "numpy": metadata.version("numpy"),
    }
    assert version_of("no-such-library") == "unknown"


def test_nothing_is_imported() -> None:
    program = (
        "import sys; from dedup.runtime.versions import versions_of; versions_of('faiss', 'sqlalchemy', 'numpy');"
        "sys.exit(any(name in sys.modules for name in ('faiss', 'sqlalchemy', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
