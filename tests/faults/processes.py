"""Processes that meet: signals at random moments, writers that start together, readers beside a writer.

    python tests/faults/processes.py signals --rounds 500
    python tests/faults/processes.py overlaps --rounds 200
    python tests/faults/processes.py readers --seconds 120 [--postgresql]

signals   A signal reaches a real ``dedup index`` at a random moment of its life. Counted are the exit codes, the
          longest time from the signal to the end, and how many runs left a part of the batches, each of them whole;
          then the command is repeated, and the store must hold exactly the file.
overlaps  Four processes at a time begin to write. One must win, the others end with exit code 6, and the time that
          takes is measured; half of the winners are killed.
readers   One process changes, adds and deletes records and publishes a snapshot after every job; two others open the
          workspace, query and close it. Each match must have records, all of them with its normal form, and the
          similarity computed anew from the texts; no answer may end in an error.
"""

import argparse
import csv
import json
import multiprocessing
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from jobs import SOURCE, load_rows, model, snapshots_of
from server import running_server
from store_model import cosine

from dedup.text.normalise import normalise
from indexer.jobs.delete import delete_records
from indexer.jobs.query import Searcher
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

ROWS = 6_000
PROGRAM = "import indexer.ingest.intake as i; i.BATCH_ROWS = 500; from cli.main import main; main()"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)


def write_corpus(path: Path, seed: int) -> dict[str, str]:
    rng = random.Random(seed)
    rows = {f"r{n}": f"Company {rng.randrange(10**6)} of {rng.randrange(99)}" for n in range(ROWS)}
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "name"), *rows.items()])
    return rows


def start_index(directory: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, "index", "corpus.csv", "--sync", "--quiet", "--workspace", "w"]
    return subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def held(directory: Path) -> dict[str, str]:
    """Return what the database holds, read without our code; every record must have its text and vector."""
    with closing(sqlite3.connect(directory / "w" / "neardup.sqlite")) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'record'").fetchone():
            return {}
        rows = dict(connection.execute("SELECT external_id, raw FROM record"))
        (broken,) = connection.execute(
            "SELECT count(*) FROM record LEFT JOIN text USING (text_id) LEFT JOIN text_vector USING (text_id) "
            "WHERE normal IS NULL OR code IS NULL"
        ).fetchone()
        (accounted,) = connection.execute("SELECT coalesce(sum(added - removed), 0) FROM ingest_batch").fetchone()
    assert broken == 0 and accounted == len(rows), (broken, accounted, len(rows))
    return rows


def interrupt(rounds: int, rng: random.Random) -> dict[str, object]:
    codes: Counter[str] = Counter()
    slowest, partial = 0.0, 0
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for number in range(rounds):
            rows = write_corpus(directory / "corpus.csv", number // 10)
            process = start_index(directory)
            try:
                process.wait(rng.uniform(0.4, 2.2))
                codes[f"ended {process.returncode}"] += 1
            except subprocess.TimeoutExpired:
                kind = rng.choice(SIGNALS)
                process.send_signal(kind)
                sent = time.perf_counter()
                process.wait(10)
                slowest = max(slowest, time.perf_counter() - sent)
                codes[f"{kind.name} {process.returncode}"] += 1
            error = process.stderr.read() if process.stderr else b""
            assert b"Traceback" not in error or b"KeyboardInterrupt" in error, error
            if (directory / "w" / "neardup.sqlite").exists():
                now = held(directory)
                partial += 0 < sum(now.get(key) == value for key, value in rows.items()) < ROWS
        assert start_index(directory).wait() == 0
        assert held(directory) == rows
    return {"signals": rounds, "codes": dict(codes), "slowest_s": round(slowest, 2), "left_half_done": partial}


CONTENDER = """
import sys, time, os
from pathlib import Path
from dedup.errors import WriterBusy
from indexer.store.workspace import Workspace
place = Workspace(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
start = time.perf_counter()
try:
    with place.open(for_writing=True):
        print("won", flush=True)
        sys.stdin.readline()
except WriterBusy:
    print(time.perf_counter() - start, flush=True)
    os._exit(6)
"""


def overlap(rounds: int, rng: random.Random) -> dict[str, object]:
    slowest, winners = 0.0, 0
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(rounds):
            command = [sys.executable, "-c", CONTENDER, f"{name}/w"]
            contenders: list[Any] = [subprocess.Popen(command, **pipes) for _ in range(4)]
            for one in contenders:
                assert one.stdout.readline() == "ready\n"
            for one in contenders:
                one.stdin.write("\n")
                one.stdin.flush()
            said = [one.stdout.readline().strip() for one in contenders]
            assert said.count("won") == 1, said
            winners += 1
            slowest = max(slowest, *(float(word) for word in said if word != "won"))
            winner = contenders[said.index("won")]
            if rng.random() < 0.5:
                winner.kill()
            else:
                winner.stdin.write("\n")
                winner.stdin.flush()
            codes = Counter(one.wait() for one in contenders)
            assert codes[6] == 3, codes
    return {"overlaps": rounds, "one_winner": winners, "slowest_refusal_s": round(slowest, 3)}


NAMES = 400


def random_name(rng: random.Random) -> str:
    return f"Company {rng.randrange(NAMES)} of {rng.randrange(20)}"


def write(directory: Path, url: str | None, until: float, seed: int) -> dict[str, int]:
    place, rng = Workspace(directory, url), random.Random(seed)
    jobs = 0
    while time.time() < until:
        rows = [(f"r{n}", random_name(rng), "") for n in range(NAMES)]
        with place.open(for_writing=True) as store:
            load_rows(snapshots_of(place, store), rows, SOURCE)
            delete_records(store, [f"r{n}" for n in rng.sample(range(NAMES), 50)], SOURCE)
        jobs += 1
    return {"jobs": jobs}


def read(directory: Path, url: str | None, until: float, seed: int) -> dict[str, int]:
    place, rng = Workspace(directory, url), random.Random(seed)
    answers = matches = 0
    while time.time() < until:
        with place.open(for_writing=False) as store:
            searcher = Searcher(Snapshots(store, place.snapshots), model())
            for query in [random_name(rng) for _ in range(5)]:
                for match in searcher.query([query], limit=5)[0]:
                    assert match.records, (query, match)
                    assert all(normalise(record.raw) == match.normal for record in match.records), (query, match)
                    expected = 1.0 if match.exact else cosine(model(), normalise(query), match.normal)
                    assert abs(match.similarity - expected) < 1e-6, (query, match, expected)
                    matches += 1
                answers += 1
    return {"answers": answers, "matches": matches}


def readers(seconds: float, on_postgresql: bool) -> dict[str, object]:
    with ExitStack() as stack:
        server = stack.enter_context(running_server()) if on_postgresql else None
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="readers-"))) / "w"
        url = server.create("readers") if server else None
        place = Workspace(directory, url)
        with place.open(for_writing=True) as store:
            load_rows(snapshots_of(place, store), [("r1", "Company 1", "")], SOURCE)
        pool = stack.enter_context(ProcessPoolExecutor(3, multiprocessing.get_context("spawn")))
        until = time.time() + seconds
        jobs = [pool.submit(do, directory, url, until, seed) for seed, do in enumerate((write, read, read))]
        outcomes = [job.result() for job in jobs]
    return {"engine": "postgresql" if url else "sqlite", "outcomes": outcomes}


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("what", choices=["signals", "overlaps", "readers"], metavar="WHAT")
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--seconds", type=float, default=120)
    options.add_argument("--postgresql", action="store_true")
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    if asked.what == "readers":
        outcome = readers(asked.seconds, asked.postgresql)
    else:
        outcome = (interrupt if asked.what == "signals" else overlap)(asked.rounds, random.Random(asked.seed))
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
