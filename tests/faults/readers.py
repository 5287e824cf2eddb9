"""Readers while a writer works: every answer must be of one moment, and true.

    python tests/faults/readers.py --seconds 120 [--postgresql]

One process changes, adds and deletes records and publishes a snapshot after every job; two others open the workspace,
query, and close it, over and over. Each match must have records, all of them with its normal form, and the similarity
computed anew from the texts; no answer may end in an error.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from jobs import SOURCE, load_rows, model
from server import running_server
from store_model import cosine

from dedup.text.normalise import normalise
from indexer.jobs.delete import delete_records
from indexer.jobs.query import Searcher
from indexer.store.workspace import Workspace
from indexer.vectors import snapshot

NAMES = 400


def random_name(rng: random.Random) -> str:
    return f"Company {rng.randrange(NAMES)} of {rng.randrange(20)}"


def write(place: Workspace, until: float) -> dict[str, int]:
    rng = random.Random(0)
    jobs = 0
    snapshot.LEAST_CHANGES = 0  # publish after every job
    snapshot.LARGEST_CHANGED_SHARE = 0.0
    while time.time() < until:
        rows = [(f"r{n}", random_name(rng), "") for n in range(NAMES)]
        with place.open(for_writing=True) as store:
            load_rows(store, place.snapshots, rows, SOURCE)
            delete_records(store, [f"r{n}" for n in rng.sample(range(NAMES), 50)], SOURCE)
        jobs += 1
    return {"jobs": jobs}


def read(place: Workspace, until: float, seed: int) -> dict[str, int]:
    rng = random.Random(seed)
    answers = matches = 0
    while time.time() < until:
        with place.open(for_writing=False) as store:
            searcher = Searcher(store, place.snapshots, model())
            for query in [random_name(rng) for _ in range(5)]:
                for match in searcher.query([query], limit=5)[0]:
                    assert match.records, (query, match)
                    assert all(normalise(record.raw) == match.normal for record in match.records), (query, match)
                    expected = 1.0 if match.exact else cosine(model(), normalise(query), match.normal)
                    assert abs(match.similarity - expected) < 1e-6, (query, match, expected)
                    matches += 1
                answers += 1
    return {"answers": answers, "matches": matches}


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--seconds", type=float, default=120)
    options.add_argument("--postgresql", action="store_true")
    options.add_argument("--role", choices=["write", "read"], help=argparse.SUPPRESS)
    options.add_argument("--place", nargs=3, help=argparse.SUPPRESS)
    options.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.role:
        directory, url, until = asked.place
        workspace = Workspace(Path(directory), url or None)
        done = write(workspace, float(until)) if asked.role == "write" else read(workspace, float(until), asked.seed)
        print(json.dumps(done))
        return
    with ExitStack() as stack:
        server = stack.enter_context(running_server()) if asked.postgresql else None
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="readers-"))) / "w"
        url = server.create("readers") if server else ""
        with Workspace(place, url or None).open(for_writing=True) as store:
            load_rows(store, place / "snapshots", [("r1", "Company 1", "")], SOURCE)
        command = [sys.executable, __file__, "--place", str(place), url, str(time.time() + asked.seconds)]
        workers = [
            subprocess.Popen([*command, "--role", role, "--seed", str(seed)], stdout=subprocess.PIPE, text=True)
            for seed, role in enumerate(("write", "read", "read"))
        ]
        outcomes = [json.loads(worker.communicate()[0] or "null") for worker in workers]
    engine = "postgresql" if asked.postgresql else "sqlite"
    print(json.dumps({"seconds": asked.seconds, "engine": engine, "outcomes": outcomes}))
    sys.exit(any(worker.returncode for worker in workers))


if __name__ == "__main__":
    main()
