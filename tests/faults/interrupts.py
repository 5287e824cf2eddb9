"""Signals at random moments, and writers that start at the same moment.

    python tests/faults/interrupts.py --signals 500 --overlaps 200

A signal (SIGINT, SIGTERM, SIGHUP, SIGKILL) reaches a real ``dedup index`` at a random moment of its life. Counted are
the exit codes, the longest time from the signal to the end, and how many runs left a part of the batches, each of them
whole; then the command is repeated, and the store must hold exactly the file. After that, four processes at a time
begin to write: one must win, the others end with exit code 6, and the time that takes is measured; half of the winners
are killed.
"""

import argparse
import csv
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

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


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--signals", type=int, default=500)
    options.add_argument("--overlaps", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    rng = random.Random(asked.seed)
    if asked.overlaps:
        print(json.dumps(overlap(asked.overlaps, rng)), flush=True)
    if asked.signals:
        print(json.dumps(interrupt(asked.signals, rng)), flush=True)


if __name__ == "__main__":
    main()
