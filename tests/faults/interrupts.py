"""Signals at random moments, and writers that start at the same moment.

    python tests/faults/interrupts.py --signals 500 --overlaps 200

A signal (SIGINT, SIGTERM, SIGHUP, SIGKILL) reaches a real ``dedup index`` at a random moment of its life. Counted:
exit codes, the longest time from the signal to the end, and whether every batch is whole afterwards; at the end the
command is run once more and the store must hold exactly the file. Then four processes at a time begin to write:
one must win, the others end with exit code 6, and the time that takes is measured; half of the winners are killed.
"""

from __future__ import annotations

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
from pathlib import Path

ROWS = 6_000
PROGRAM = "import indexer.ingest.intake as i; i.BATCH_ROWS = 500; from cli.main import main; main()"


def write_corpus(path: Path, seed: int) -> dict[str, str]:
    generator = random.Random(seed)
    rows = {f"r{n}": f"Company {generator.randrange(10**6)} of {generator.randrange(99)}" for n in range(ROWS)}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "name"))
        writer.writerows(rows.items())
    return rows


def start(directory: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, *arguments, "--workspace", str(directory / "w")]
    return subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def held(directory: Path) -> dict[str, str]:
    """Return what the database says, read without our code; every record must have its text and vector."""
    connection = sqlite3.connect(directory / "w" / "neardup.sqlite")
    rows = dict(connection.execute("SELECT external_id, raw FROM record"))
    (broken,) = connection.execute(
        "SELECT count(*) FROM record LEFT JOIN text USING (text_id) LEFT JOIN text_vector USING (text_id) "
        "WHERE normal IS NULL OR code IS NULL"
    ).fetchone()
    (accounted,) = connection.execute("SELECT coalesce(sum(added - removed), 0) FROM ingest_batch").fetchone()
    connection.close()
    assert broken == 0 and accounted == len(rows), (broken, accounted, len(rows))
    return rows


def interrupt(rounds: int, generator: random.Random) -> dict[str, object]:
    codes: Counter[str] = Counter()
    slowest, partial = 0.0, 0
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for number in range(rounds):
            rows = write_corpus(directory / "corpus.csv", number // 10)
            process = start(directory, "index", "corpus.csv", "--sync", "--quiet")
            try:
                process.wait(generator.uniform(0.4, 2.2))
            except subprocess.TimeoutExpired:
                kind = generator.choice(kinds)
                process.send_signal(kind)
                sent = time.perf_counter()
                process.wait(10)
                slowest = max(slowest, time.perf_counter() - sent)
                codes[f"{kind.name} {process.returncode}"] += 1
            else:
                codes[f"ended {process.returncode}"] += 1
            error = process.stderr.read() if process.stderr else b""
            assert b"Traceback" not in error or b"KeyboardInterrupt" in error, error
            if (directory / "w" / "neardup.sqlite").exists():
                now = held(directory) if _has_tables(directory) else {}
                partial += 0 < sum(now.get(key) == value for key, value in rows.items()) < ROWS
        assert start(directory, "index", "corpus.csv", "--sync", "--quiet").wait() == 0
        assert held(directory) == rows
    return {"signals": rounds, "codes": dict(codes), "slowest_s": round(slowest, 2), "left_half_done": partial}


def _has_tables(directory: Path) -> bool:
    connection = sqlite3.connect(directory / "w" / "neardup.sqlite")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'record'").fetchone()
    connection.close()
    return bool(tables[0])


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


def overlap(rounds: int, generator: random.Random) -> dict[str, object]:
    slowest, winners = 0.0, 0
    with tempfile.TemporaryDirectory() as name:
        for _ in range(rounds):
            command = [sys.executable, "-c", CONTENDER, f"{name}/w"]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            contenders = [subprocess.Popen(command, **pipes) for _ in range(4)]  # type: ignore[call-overload]
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
            if generator.random() < 0.5:
                winner.kill()
            else:
                winner.stdin.write("\n")
                winner.stdin.flush()
            codes = Counter(one.wait() for one in contenders)
            assert codes[6] == 3, codes
    return {"overlaps": rounds, "one_winner": winners, "slowest_refusal_s": round(slowest, 3)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--signals", type=int, default=500)
    options.add_argument("--overlaps", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    generator = random.Random(asked.seed)
    if asked.overlaps:
        print(json.dumps(overlap(asked.overlaps, generator)), flush=True)
    if asked.signals:
        print(json.dumps(interrupt(asked.signals, generator)), flush=True)


if __name__ == "__main__":
    main()
