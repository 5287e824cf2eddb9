"""Memory goes back to the system when it is told to."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc
from pathlib import Path
from dedup.runtime.memory import release_free_memory
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])
kept = [bytes(30_000) for _ in range(2_000)]
held = resident()
last = kept[-1]
del kept
gc.collect()
freed = resident()
release_free_memory()
print(held, freed, resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and the C library of GNU")
def test_what_is_freed_goes_back() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    held, freed, after = map(int, said.split())
    assert freed > 0.9 * held  # below what is still in use, the C library keeps it
    assert after < 0.7 * held
