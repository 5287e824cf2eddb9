"""Freed memory is returned to the operating system on request."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc
from pathlib import Path
from dedup.runtime.allocator import release_free_memory
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
def test_freed_memory_is_returned() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    held, freed, after = map(int, said.split())
    assert freed > 0.9 * held  # glibc keeps free memory below a block still in use
    assert after < 0.7 * held
