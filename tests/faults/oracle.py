"""Judge a workspace from outside, with plain SQL and plain files: no code of the program is used here."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads import SOURCE, Workload, encode

KNOWN_FILES = re.compile(r"lock|neardup\.sqlite(-wal|-shm|\.\d+\.backup)?|snapshots(/idx-\d+-[0-9a-f]{32}\.faiss)?")

_RECORDS = """
SELECT r.external_id, r.raw, r.fields, t.normal, v.code
FROM record r JOIN source s ON s.source_id = r.source_id
LEFT JOIN text t ON t.text_id = r.text_id LEFT JOIN text_vector v ON v.text_id = t.text_id
WHERE s.name = '{source}'
"""
_ORPHANS = {
    "texts without a record": "SELECT count(*) FROM text WHERE text_id NOT IN (SELECT text_id FROM record)",
    "vectors without a text": "SELECT count(*) FROM text_vector WHERE text_id NOT IN (SELECT text_id FROM text)",
    "records without their run": "SELECT count(*) FROM record WHERE changed_by_run NOT IN (SELECT run_id FROM run)",
}
Dump = dict[str, list[Any]]
"""All tables, each a list of rows in a fixed order."""

_ACCOUNTS = ("rows_in", "rejected", "added", "changed", "unchanged", "removed")
_PASSING = {  # columns that differ from one run of the same job to the next
    "run": ("started_at", "finished_at", "manifest"),
    "snapshot": ("created_at", "file_name", "generation"),
}


@dataclass(frozen=True)
class Problem:
    """What is wrong: ``kind`` is a column of the table of results."""

    kind: str
    message: str


class Database:
    """A database, read with its bare driver."""

    def __init__(self, path: Path, url: str | None) -> None:
        self._is_postgresql = url is not None
        self._connection: Any
        if url:
            import psycopg

            self._connection = psycopg.connect(url, autocommit=True)
        else:
            self._connection = sqlite3.connect(path / "neardup.sqlite")

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return all rows, binary values as bytes."""
        found = self._connection.execute(statement).fetchall()
        return [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in found]

    def tables(self) -> set[str]:
        """Return the names of the tables."""
        if self._is_postgresql:
            return {name for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
        return {name for (name,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns."""
        return [column[0] for column in self._connection.execute(f"SELECT * FROM {table} LIMIT 0").description]

    def damage(self) -> list[str]:
        """Return what the database finds wrong with itself."""
        if self._is_postgresql:
            return []
        found = [row[0] for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [f"foreign key {row}" for row in self.rows("PRAGMA foreign_key_check")]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def judge(path: Path, url: str | None, workload: Workload, acked: int, *, done: bool) -> Iterator[Problem]:
    """Yield what must not be, after the first ``acked`` rows of the job's input were acknowledged, or all of it."""
    if not url and not (path / "neardup.sqlite").exists():
        if acked or done or workload.before:
            yield Problem("lost", "the database is gone")
        return
    with closing(Database(path, url)) as database:
        for message in database.damage():
            yield Problem("damaged", message)
        if "ingest_batch" not in database.tables() and (not workload.before or acked or done):
            if acked or done:
                yield Problem("lost", "the tables are gone")
            return
        yield from _judge_records(database, workload, acked, done)
        for what, statement in _ORPHANS.items():
            if n := database.rows(statement)[0][0]:
                yield Problem("half", f"{n} {what}")
        if "ingest_batch" in database.tables():
            yield from _judge_accounts(database, workload, acked, done)
            yield from _judge_snapshot(database, path)


def _judge_records(database: Database, workload: Workload, acked: int, done: bool) -> Iterator[Problem]:
    sure = set(workload.before) | set(workload.after) if done else {k for k in workload.steps[:acked] if k}
    rows = database.rows(_RECORDS.format(source=SOURCE))
    for key, times in Counter(row[0] for row in rows).items():
        if times > 1:
            yield Problem("phantom", f"record {key} is there {times} times")
    found = {row[0]: row[1:] for row in rows}
    for key in sorted(set(found) | set(workload.before) | set(workload.after)):
        raw, fields, normal, code = found.get(key, (None, None, None, None))
        content = (raw, fields) if key in found else None
        before, after = workload.before.get(key), workload.after.get(key)
        if content != after and key in sure:
            kind = "phantom" if after is None else "lost"
            yield Problem(kind, f"record {key} was acknowledged as {after} and is {content}")
        elif content not in (before, after):
            yield Problem("lost" if content is None else "phantom", f"record {key} is {content}, which it never was")
        elif content and normal != content[0].lower():
            yield Problem("half", f"record {key} has the text {normal!r}")
        elif content and code != encode(normal):
            yield Problem("half", f"the text of record {key} has the vector {code!r}")


def _judge_accounts(database: Database, workload: Workload, acked: int, done: bool) -> Iterator[Problem]:
    columns = ", ".join(f"b.{name}" for name in _ACCOUNTS)
    statement = f"""SELECT b.run_id, b.batch_no, {columns} FROM ingest_batch b JOIN run r ON r.run_id = b.run_id
        ORDER BY b.run_id, b.batch_no"""
    totals: dict[int, dict[str, int]] = {}
    for run_id, number, *values in database.rows(statement):
        accounts = dict(zip(_ACCOUNTS, values, strict=True))
        total = totals.setdefault(run_id, dict.fromkeys(("batches", *_ACCOUNTS), 0))
        if number != total["batches"]:
            yield Problem("accounts", f"run {run_id}: batch {number} follows batch {total['batches'] - 1}")
        if accounts["rows_in"] != sum(accounts[name] for name in ("rejected", "added", "changed", "unchanged")):
            yield Problem("accounts", f"run {run_id}, batch {number} does not add up: {accounts}")
        total["batches"] += 1
        for name, value in accounts.items():
            total[name] += value
    records = database.rows("SELECT count(*) FROM record")[0][0]
    if totals and records != sum(total["added"] - total["removed"] for total in totals.values()):
        yield Problem("accounts", f"{records} records, and the batches say {totals}")
    last = totals[max(totals)] if totals else dict.fromkeys(_ACCOUNTS, 0)
    if workload.steps and (last["rows_in"] < acked or (done and last["rows_in"] != len(workload.steps))):
        yield Problem("accounts", f"{acked} of {len(workload.steps)} rows were acknowledged, not {last}")
    if workload.steps and done and last["rejected"] != workload.steps.count(None):
        yield Problem("accounts", f"{workload.steps.count(None)} rows are bad, not {last['rejected']}")


def _judge_snapshot(database: Database, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with the snapshot that the database names: its name is written last."""
    statement = "SELECT file_name, n_bytes, sha256 FROM snapshot ORDER BY generation DESC LIMIT 1"
    for file_name, n_bytes, sha256 in database.rows(statement):
        file = path / "snapshots" / file_name
        content = file.read_bytes() if file.exists() else None
        if content is None:
            yield Problem("snapshot", f"{file_name} is not there")
        elif len(content) != n_bytes or hashlib.sha256(content).hexdigest() != sha256:
            yield Problem("snapshot", f"{file_name} is not what the database says")


def judge_files(path: Path, url: str | None) -> Iterator[Problem]:
    """Yield a problem for every file that nothing needs."""
    with closing(Database(path, url)) as database:
        rows = database.rows("SELECT file_name FROM snapshot ORDER BY generation DESC LIMIT 1")
    current = {f"snapshots/{row[0]}" for row in rows}
    for file in sorted(path.rglob("*")):
        name = str(file.relative_to(path))
        if not KNOWN_FILES.fullmatch(name) or (name.endswith(".faiss") and name not in current):
            yield Problem("files", f"{name} was left behind")


def dump(path: Path, url: str | None) -> Dump:
    """Return all tables as lists of rows, without times, random names, and runs that changed nothing."""
    with closing(Database(path, url)) as database:
        result: Dump = {}
        for table in sorted(database.tables()):
            columns = [name for name in database.columns(table) if name not in _PASSING.get(table, ())]
            rows = [
                dict(zip(columns, map(_readable, row), strict=True))
                for row in database.rows(f"SELECT {', '.join(columns)} FROM {table}")
            ]
            result[table] = rows
        current = database.rows("SELECT sha256 FROM snapshot ORDER BY generation DESC LIMIT 1")
    result["snapshot"] = [row for row in result["snapshot"] if (row["sha256"],) in current][:1]
    result["store_meta"] = [row for row in result["store_meta"] if row["key"] not in ("store_uuid", "writer")]
    _renumber_runs(result)
    return {table: sorted(rows, key=lambda row: json.dumps(row, sort_keys=True)) for table, rows in result.items()}


def _renumber_runs(result: Dump) -> None:
    """Give the runs that changed records the numbers 1, 2 and so on, and leave out the others."""
    changing = {row["run_id"] for row in result["ingest_batch"] if row["added"] or row["changed"] or row["removed"]}
    used = sorted(changing | {row["changed_by_run"] for row in result["record"]})
    for table, column in (("run", "run_id"), ("ingest_batch", "run_id"), ("record", "changed_by_run")):
        rows = [row for row in result[table] if row[column] in used]
        result[table] = [row | {column: 1 + used.index(row[column])} for row in rows]


def _readable(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def difference(left: Dump, right: Dump) -> str | None:
    """Return the first row in which two dumps differ, None if they are equal."""
    for table in sorted(set(left) | set(right)):
        here, there = left.get(table, []), right.get(table, [])
        if here != there:
            only = [row for row in here if row not in there], [row for row in there if row not in here]
            return f"{table}: {len(here)} rows for {len(there)}, {only[0][:1]} for {only[1][:1]}"
    return None
