"""What this machine can do, measured now: bare operations to compare stages and hot paths with."""

import csv
import hashlib
import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist

from dedup.model import Model
from dedup.text.normalise import fold

RUNS = 5
_SIDE = 2_048
_TABLES = (
    "CREATE TABLE text (text_id INTEGER PRIMARY KEY, normal TEXT, digest BLOB)",
    "CREATE TABLE text_vector (text_id INTEGER PRIMARY KEY, code BLOB)",
    "CREATE TABLE record (record_id INTEGER PRIMARY KEY, external_id TEXT, raw TEXT, digest BLOB, text_id INTEGER)",
)
Work = Callable[[], Any]


def seconds_of(work: Work) -> float:
    """Return the wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median_seconds(work: Work) -> float:
    """Return the median of the seconds of a few calls, after one to warm up."""
    work()
    return statistics.median(seconds_of(work) for _ in range(RUNS))


def product() -> tuple[Work, int]:
    """Return one large product of float32 matrices, and its floating-point operations."""
    left, right = np.random.default_rng(1).standard_normal((2, _SIDE, _SIDE), dtype=np.float32)
    result = np.empty_like(left)
    return lambda: np.matmul(left, right, out=result), 2 * _SIDE**3


def sgemm_rate() -> float:
    """Return the floating-point operations per second of ``product``."""
    work, operations = product()
    return operations / median_seconds(work)


def cpdist_rate(left: Sequence[str], right: Sequence[str]) -> float:
    """Return the pairs per second that RapidFuzz compares by one measure, ``ratio``, on all cores."""
    return len(left) / median_seconds(lambda: cpdist(left, right, scorer=fuzz.ratio, workers=-1, dtype=np.float32))


def tower_operations(model: Model, normals: Iterable[str]) -> float:
    """Return the floating-point operations that the tower cannot avoid.

    Those are the product of each step of the recurrence, [hidden] × [hidden, 4 hidden] (the input's share is a
    table to look up), and one projection of each text, [2 hidden] × [2 hidden, dimension].
    """
    hidden = int(model.manifest["architecture"]["hidden_size"])
    lengths = [len(fold(normal)) for normal in normals]
    return 2.0 * sum(lengths) * hidden * 4 * hidden + 2.0 * len(lengths) * 2 * hidden * model.dimension


def bare_store(
    path: Path, names: Sequence[str], text_of_record: Sequence[int], texts: Sequence[str], codes: Any
) -> Work:
    """Write the names of n records, m distinct texts and their codes (m, d) to a new SQLite file.

    Three ``executemany`` in one transaction, digests included, no index and no check; the file stays.
    """
    digests = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
    rows: list[list[tuple[Any, ...]]] = [
        list(zip(range(len(texts)), texts, digests, strict=True)),
        [(number, code.tobytes()) for number, code in enumerate(codes)],
        [(n, str(n), names[n], digests[text], text) for n, text in enumerate(text_of_record)],
    ]

    def write() -> None:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode=WAL")
        with connection:
            for statement in _TABLES:
                connection.execute(statement)
            for name, of_table in zip(("text", "text_vector", "record"), rows, strict=True):
                connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(of_table[0]))})", of_table)
        connection.close()

    return write


def bare_load(path: Path) -> None:
    """Read the texts and vectors of ``bare_store``."""
    connection = sqlite3.connect(path)
    connection.execute("SELECT text_id, normal FROM text").fetchall()
    connection.execute("SELECT text_id, code FROM text_vector").fetchall()
    connection.close()


def bare_read(path: Path) -> None:
    """Read a file by the ``csv`` module."""
    with path.open(encoding="utf-8", newline="") as file:
        for _ in csv.reader(file):
            pass


def bare_rewrite(path: Path, copy: Path) -> Work:
    """Write the rows of a file to another one by the ``csv`` module."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))

    def write() -> None:
        with copy.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)

    return write


def durable_write(path: Path, n_bytes: int) -> None:
    """Hash so many bytes (SHA-256) and write them to the disk."""
    content = bytes(n_bytes)
    hashlib.sha256(content).digest()
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
