"""Peak memory of ``dedup index`` on a generated corpus, beyond the size of its FAISS snapshot.

    python tests/faults/memory.py --rows 5000000

The rows come through a pipe, with ids; names are made of random syllables, nearly all of them distinct.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

LIMIT_GIB = 1.5
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]
ENDINGS = ("Inc", "LLC", "GmbH", "Ltd", "Holdings", "Group", "and Sons", "SA")


def write_rows(pipe: IO[str], n: int) -> None:
    generator = random.Random(7)
    pipe.write("id,name,city\n")
    for number in range(n):
        words = ("".join(generator.choices(SYLLABLES, k=generator.randrange(2, 5))).title() for _ in range(2))
        pipe.write(f"{number},{' '.join(words)} {ENDINGS[number % 8]},City {number % 9999}\n")
    pipe.close()


def peak_of(process: subprocess.Popen[str]) -> tuple[int, float]:
    """Return the exit code and the peak of the resident memory in GiB."""
    _, status, usage = os.wait4(process.pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss / 2**20


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=5_000_000)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        arguments = ["index", "-", "--source", "generated", "--workspace", f"{name}/w"]
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", "from cli.main import main; main()", *arguments],
            stdin=subprocess.PIPE,
            stdout=sys.stderr,
            text=True,
        )
        assert process.stdin is not None
        threading.Thread(target=write_rows, args=(process.stdin, asked.rows)).start()
        code, peak = peak_of(process)
        seconds = time.perf_counter() - start
        (snapshot,) = Path(name, "w", "snapshots").glob("*.faiss")
        snapshot_gib = snapshot.stat().st_size / 2**30
        database_gib = Path(name, "w", "neardup.sqlite").stat().st_size / 2**30
    result = {
        "rows": asked.rows,
        "seconds": round(seconds),
        "peak_gib": round(peak, 2),
        "snapshot_gib": round(snapshot_gib, 2),
        "peak_beyond_snapshot_gib": round(peak - snapshot_gib, 2),
        "database_gib": round(database_gib, 2),
    }
    print(json.dumps(result))
    sys.exit(code != 0 or peak - snapshot_gib > LIMIT_GIB)


if __name__ == "__main__":
    main()
