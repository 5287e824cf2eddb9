"""How fast rows are stored, beside bare inserts of the same rows.

    python tests/faults/rate.py --rows 1000000

Stores generated rows with an encoder that costs nothing, then copies the same rows into empty tables of the same schema
in one transaction: executemany on SQLite, COPY on PostgreSQL. The same rows, unchanged, are timed as well.
"""

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from server import running_server

from dedup.runtime import threads
from indexer.ingest.load import ingest
from indexer.reading.open import Row
from indexer.store import schema
from indexer.store.engines import insert_rows
from indexer.store.runs import recorded_run
from indexer.store.store import Store
from indexer.store.workspace import Workspace

TABLES = (schema.source, schema.run, schema.model, schema.text, schema.text_vector, schema.record)
CODES = np.ones((1 << 16, 96), np.int8)
MODEL: Any = SimpleNamespace(model_id="c" * 64, encoder=SimpleNamespace(encode=lambda texts: CODES[: len(texts)]))


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
        given: dict[str, Any] = {"model": MODEL, "run": run, "scratch": scratch, "mirror": False}
        summary = ingest(store, "rate", generate(n), identity="column", on_reject=print, progress=note, **given)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    gc.set_threshold(200_000, 20, 100)  # as cli.main does
    threads.compute_with(1)  # with more, other processes would encode, and passing texts to them is not free
    for engine in ("sqlite", "postgresql"):
        with running_server(durable=True) if engine == "postgresql" else nullcontext() as server:
            results = []
            for number in range(asked.rounds):
                urls = [server.create(f"r{number}_{one}") if server else None for one in "ab"]
                with tempfile.TemporaryDirectory(prefix="rate-") as place:
                    results.append(measure(asked.rows, Path(place), urls))
        medians = {key: round(statistics.median(one[key] for one in results), 2) for key in results[0]}
        print(json.dumps({"engine": engine, "rows": asked.rows, **medians}), flush=True)


if __name__ == "__main__":
    main()
