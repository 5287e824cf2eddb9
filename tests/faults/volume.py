"""Millions of generated rows: the peak memory of ``dedup index``, and how fast rows are stored.

    python tests/faults/volume.py memory --rows 5000000
    python tests/faults/volume.py rate --rows 1000000

``memory`` indexes rows with ids through a pipe; the peak must not exceed the snapshot by more than ``LIMIT_GIB``.
``rate`` stores rows with an encoder that costs nothing, then copies the same rows into empty tables of the same schema
in one transaction: executemany on SQLite, COPY on PostgreSQL. The same rows, unchanged, are timed as well.
"""

import argparse
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import numpy as np
from server import running_server

from indexer.ingest.load import ingest
from indexer.reading.open import Row
from indexer.store import schema
from indexer.store.engines import insert_rows
from indexer.store.runs import recorded_run
from indexer.store.store import Store
from indexer.store.workspace import Workspace

LIMIT_GIB = 1.5
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]
ENDINGS = ("Inc", "LLC", "GmbH", "Ltd", "Holdings", "Group", "and Sons", "SA")
TABLES = (schema.source, schema.run, schema.model, schema.text, schema.text_vector, schema.record)
CODES = np.ones((1 << 16, 96), np.int8)
MODEL: Any = SimpleNamespace(model_id="c" * 64, encoder=SimpleNamespace(encode=lambda texts: CODES[: len(texts)]))


def write_rows(pipe: IO[str], n: int) -> None:
    """Write names of random syllables, nearly all of them distinct."""
    rng = random.Random(7)
    pipe.write("id,name,city\n")
    for number in range(n):
        words = ("".join(rng.choices(SYLLABLES, k=rng.randrange(2, 5))).title() for _ in range(2))
        pipe.write(f"{number},{' '.join(words)} {ENDINGS[number % 8]},City {number % 9999}\n")
    pipe.close()


def memory(n: int) -> bool:
    """Print the peak of ``dedup index``; tell whether it is within the limit."""
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        workspace = Path(name, "w")
        command = [sys.executable, "-c", "from cli.main import main; main()", "index", "-", "--source", "generated"]
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--workspace", str(workspace)], stdin=subprocess.PIPE, stdout=sys.stderr, text=True
        )
        threading.Thread(target=write_rows, args=(process.stdin, n)).start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        (file,) = (workspace / "snapshots").glob("*.faiss")
        peak, snapshot = usage.ru_maxrss / 2**20, file.stat().st_size / 2**30
        database = (workspace / "neardup.sqlite").stat().st_size / 2**30
    gib = {"peak": peak, "snapshot": snapshot, "peak beyond snapshot": peak - snapshot, "database": database}
    print(json.dumps({"rows": n, "seconds": round(seconds)} | {f"{k}, GiB": round(v, 2) for k, v in gib.items()}))
    return status == 0 and peak - snapshot <= LIMIT_GIB


def generate(n: int) -> Iterator[Row]:
    for i in range(n):
        name = f"Name {i * 7919 % n} Holdings {i % 97} Ltd"
        yield Row(i + 2, i + 1, f"id{i:09d}", name, {"city": f"City {i % 5000}", "country": "US"}, [])


def store_rows(store: Store, n: int, scratch: Path) -> dict[str, float]:
    """Return the seconds of storing, and of that with reading and checking before."""
    times: dict[str, float] = {}
    start = time.perf_counter()

    def note(stage: str, done: int, total: int | None) -> None:
        times[stage] = time.perf_counter() - start

    with recorded_run(store, "index") as run:
        given: dict[str, Any] = {"model": MODEL, "run": run, "scratch": scratch, "on_reject": print, "progress": note}
        summary = ingest(store, "rate", generate(n), identity="column", **given)
    assert summary.accounts.rows_in == n
    total = time.perf_counter() - start
    return {"store": total - times["read"], "total": total}


def copy(store: Store, target: Store) -> float:
    """Return the seconds it takes to insert the rows of all tables of one store into another one."""
    with store.engine.connect() as connection:
        rows = [(table, [tuple(row) for row in connection.execute(table.select())]) for table in TABLES]
    start = time.perf_counter()
    target.write(lambda connection: [insert_rows(connection, *part) for part in rows])
    return time.perf_counter() - start


def measure(n: int, place: Path, urls: list[str | None]) -> dict[str, float]:
    with Workspace(place / "one", urls[0]).open(for_writing=True) as store:
        first = store_rows(store, n, place)
        unchanged = store_rows(store, n, place)["total"]
        with Workspace(place / "two", urls[1]).open(for_writing=True) as target:
            bare = copy(store, target)
    ratios = {f"{part} / bare": seconds / bare for part, seconds in first.items()}
    return {"bare": bare, **first, **ratios, "unchanged": unchanged}


def rate(n: int, rounds: int) -> bool:
    """Print the medians of a few rounds on either engine."""
    gc.set_threshold(200_000, 20, 100)  # as cli.main does
    for engine in ("sqlite", "postgresql"):
        with running_server(durable=True) if engine == "postgresql" else nullcontext() as server:
            results = []
            for number in range(rounds):
                urls = [server.create(f"r{number}_{one}") if server else None for one in "ab"]
                with tempfile.TemporaryDirectory(prefix="rate-") as place:
                    results.append(measure(n, Path(place), urls))
        medians = {key: round(statistics.median(one[key] for one in results), 2) for key in results[0]}
        print(json.dumps({"engine": engine, "rows": n, "rounds": rounds, **medians}), flush=True)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["memory", "rate"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="of rate")
    asked = parser.parse_args()
    is_well = memory(asked.rows) if asked.what == "memory" else rate(asked.rows, asked.rounds)
    sys.exit(not is_well)


if __name__ == "__main__":
    main()
