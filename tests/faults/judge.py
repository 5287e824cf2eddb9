"""Judge a store from outside, with plain SQL and plain files; only the digest of a snapshot is the program's own."""

import csv
import hashlib
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jobs import OTHER, OTHER_ROWS, RIVAL, RIVAL_ROWS, SOURCE, Job, code, report_folder

from indexer.vectors.faiss_index import digest_text, row_digests, total

Dump = dict[str, list[Any]]
"""All tables, each a list of rows in a fixed order."""

_KNOWN_FILES = re.compile(
    r"lock|neardup\.sqlite(-wal|-shm|\.\d+\.backup)?|snapshots(/(idx|near)-\d+-[0-9a-f]{32}\.(faiss|npz))?"
)
_RECORDS = """
SELECT s.name, r.external_id, r.raw, r.fields, t.normal, v.code, m.model_id
FROM record r JOIN source s ON s.source_id = r.source_id LEFT JOIN text t ON t.text_id = r.text_id
LEFT JOIN text_vector v ON v.text_id = t.text_id LEFT JOIN model m ON m.model_key = v.model_key
"""
_BATCHES = """
SELECT b.run_id, b.batch_no, b.rows_in, b.rejected, b.added, b.changed, b.unchanged, b.removed
FROM ingest_batch b JOIN run r ON r.run_id = b.run_id JOIN source s ON s.source_id = r.source_id
WHERE s.name = '{source}' AND b.run_id > {after_run} ORDER BY b.run_id, b.batch_no
"""
_RUNS = """
SELECT r.state, EXISTS (SELECT 1 FROM ingest_batch b WHERE b.run_id = r.run_id)
FROM run r LEFT JOIN source s ON s.source_id = r.source_id
WHERE r.run_id > {after_run} AND coalesce(s.name, '') <> '{rival}' AND r.kind <> 'report'
"""
_HALVES = {
    "texts without a record": "SELECT count(*) FROM text WHERE text_id NOT IN (SELECT text_id FROM record)",
    "vectors without a text": "SELECT count(*) FROM text_vector WHERE text_id NOT IN (SELECT text_id FROM text)",
    "texts that are there twice": "SELECT count(*) - count(DISTINCT normal) FROM text",
    "records without their run": "SELECT count(*) FROM record WHERE changed_by_run NOT IN (SELECT run_id FROM run)",
}
_CURRENT = "SELECT {columns} FROM snapshot ORDER BY generation DESC LIMIT 1"
_PASSING = {  # columns that differ from one run of the same job to the next
    "run": ("started_at", "finished_at", "manifest"),
    "snapshot": ("created_at", "file_name", "generation"),
    "judgement": ("judged_at",),
    "neighbour_file": ("created_at", "file_name", "generation", "run_id"),
}
_RUN_COLUMNS = {
    "cluster": ("opened_by_run", "closed_by_run"),
    "cluster_event": ("run_id",),
    "pair_event": ("run_id",),
}
"""Columns that name a report that changed something."""


@dataclass(frozen=True)
class Problem:
    """What is wrong; ``kind`` is a column of the table of results."""

    kind: str
    message: str


@dataclass(frozen=True)
class Stage:
    """How far a job has come: rows that were acknowledged, whether it said that it is done.

    ``after_run`` is the last run before it, ``attempts`` how often it was begun. ``is_repeated``: it was begun once
    more after it was done. ``snapshots``: how many there were before, to count those of a job done at once.
    """

    acked: int = 0
    done: bool = False
    after_run: int = 0
    attempts: int = 0
    is_repeated: bool = False
    snapshots: int | None = None


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
        """Return all rows of a query."""
        return [tuple(row) for row in self._connection.execute(statement).fetchall()]

    def tables(self) -> set[str]:
        """Return the names of the tables."""
        if self._is_postgresql:
            return {name for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
        return {name for (name,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table by column, without the columns that pass."""
        cursor = self._connection.execute(f"SELECT * FROM {name}")
        columns = [column[0] for column in cursor.description]
        rows = [dict(zip(columns, map(_readable, row), strict=True)) for row in cursor.fetchall()]
        return [{key: value for key, value in row.items() if key not in _PASSING.get(name, ())} for row in rows]

    def damage(self) -> list[str]:
        """Return what the database finds wrong with itself."""
        if self._is_postgresql:
            return []
        found = [row[0] for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [f"foreign key {row}" for row in self.rows("PRAGMA foreign_key_check")]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def judge(path: Path, url: str | None, job: Job, stage: Stage, places: list[Path] | None = None) -> Iterator[Problem]:
    """Yield what is wrong with a store once a job has come to a stage.

    Its content must be that after the batches that are accounted for, all of them if the job is done, and at least
    those that were acknowledged. ``places`` are the folders where a snapshot may lie; default: that of ``path``.
    """
    is_promised = stage.acked or stage.done
    if not url and not (path / "neardup.sqlite").exists():
        if is_promised or job.start:
            yield Problem("lost", "the database is gone")
        return
    with closing(Database(path, url)) as database:
        for message in database.damage():
            yield Problem("damaged", message)
        has_batches = "ingest_batch" in database.tables()
        if not has_batches and (is_promised or not job.start):
            if is_promised:
                yield Problem("lost", "the tables are gone")
            return
        batches = database.rows(_BATCHES.format(source=SOURCE, after_run=stage.after_run)) if has_batches else []
        yield from _judge_records(database, job, stage, len(batches))
        for what, statement in _HALVES.items():
            if n := database.rows(statement)[0][0]:
                yield Problem("half", f"{n} {what}")
        if has_batches:
            yield from _judge_judgements(database, job, stage)
            yield from _judge_findings(database, path, job, stage)
            yield from _judge_accounts(database, job, stage, batches)
            yield from _judge_runs(database, job, stage)
            yield from _judge_snapshot(database, job, stage, places or [path / "snapshots"])


def _judge_records(database: Database, job: Job, stage: Stage, batches: int) -> Iterator[Problem]:
    at = len(job.accounts) if stage.done else max(job.done_by(stage.acked), min(batches, len(job.accounts)))
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for source, key, *values in database.rows(_RECORDS):
        found[source, key].append(values)
    wanted = {(SOURCE, key): value for (key,), value in job.states[at].items()}
    if (OTHER,) in database.rows("SELECT name FROM source"):
        wanted |= {(OTHER, key): (name, city) for key, name, city in OTHER_ROWS}
    if any(source == RIVAL for source, _ in found):
        wanted |= {(RIVAL, key): (name, city) for key, name, city in RIVAL_ROWS}
    letters = {values[-1][0] for rows in found.values() for values in rows if values[-1]}
    if len(letters) > 1:
        yield Problem("half", f"there are vectors of the models {letters}")
    for where in sorted(set(found) | set(wanted)):
        rows = found.get(where, [])
        if len(rows) > 1 or where not in wanted:
            yield Problem("phantom", f"record {where} is there {len(rows)} times")
        elif not rows:
            yield Problem("lost", f"record {where} is gone after {at} batches")
        else:
            yield from _judge_record(where, rows[0], wanted[where], job.letter if stage.done else None)


def _judge_record(where: Any, row: list[Any], wanted: Any, letter: str | None) -> Iterator[Problem]:
    raw, fields, normal, vector, model_id = row
    name, city = wanted
    if (raw, fields) != (name, json.dumps({"city": city}, separators=(",", ":"))):
        yield Problem("lost", f"record {where} is {raw, fields} and should be {wanted}")
    elif normal != raw.lower():
        yield Problem("half", f"record {where} has the text {normal!r}")
    elif vector is None or bytes(vector) != code(model_id[0], normal) or (letter and model_id[0] != letter):
        yield Problem("half", f"the text of record {where} has another vector, of model {model_id}")


def _judge_accounts(database: Database, job: Job, stage: Stage, batches: list[Any]) -> Iterator[Problem]:
    by_run = [[row[1:] for row in rows] for _, rows in groupby(batches, key=lambda row: row[0])]
    first, repeated = (by_run[0], by_run[1:]) if by_run else ([], [])
    wanted = [(number, *astuple(accounts)) for number, accounts in enumerate(job.accounts)]
    if first != wanted[: len(first)] or (stage.done and len(first) != len(wanted)):
        yield Problem("accounts", f"{first} for {wanted}")
    rows_in = sum(row[1] for row in first)
    if rows_in < stage.acked and not job.judged:
        yield Problem("accounts", f"{stage.acked} rows were acknowledged and {rows_in} accounted for")
    if repeated and (not stage.is_repeated or any(row[3] or row[4] or row[6] for rows in repeated for row in rows)):
        yield Problem("accounts", f"accounted for once more: {repeated}")
    records, kept = database.rows(
        "SELECT (SELECT count(*) FROM record), (SELECT sum(added - removed) FROM ingest_batch)"
    )[0]
    if kept is not None and records != kept:
        yield Problem("accounts", f"{records} records, and {kept} by the accounts of all runs")


def _judge_judgements(database: Database, job: Job, stage: Stage) -> Iterator[Problem]:
    """Yield a problem unless the judgements are the first ones of the job, and at least those acknowledged."""
    if not job.judged:
        return
    found = database.rows("SELECT id_1, id_2, verdict FROM judgement ORDER BY judgement_id")
    if len(found) < (len(job.judged) if stage.done else stage.acked):
        yield Problem("lost", f"{stage.acked} judgements were acknowledged, and {found} are left")
    if found != list(job.judged[: len(found)]) or (job.is_judged_at_once and 0 < len(found) < len(job.judged)):
        yield Problem("phantom", f"{found} for {job.judged}")


def _judge_findings(database: Database, path: Path, job: Job, stage: Stage) -> Iterator[Problem]:
    """Yield a problem unless the files of a report name only clusters of the database, and all of the last report."""
    folder = report_folder(path)
    if not job.is_report or not (folder / "clusters.csv").exists():
        if job.is_report and stage.done:
            yield Problem("lost", "the report has no files")
        return
    with (folder / "clusters.csv").open(newline="", encoding="utf-8") as file:
        written = {(row["cluster_id"], row["id"]) for row in csv.DictReader(file)}
    stored = database.rows("SELECT cluster_id, external_id FROM cluster_member")
    given = {f"c{id_}" for (id_,) in database.rows("SELECT cluster_id FROM cluster")}
    if foreign := {id_ for id_, _ in written} - given:
        yield Problem("phantom", f"the clusters {foreign} are in a file, and not in the database")
    if stage.done and written != {(f"c{id_}", key) for id_, key in stored}:
        yield Problem("unequal", f"{sorted(written)} were written, and {sorted(stored)} stored")


def _judge_runs(database: Database, job: Job, stage: Stage) -> Iterator[Problem]:
    """Yield a problem unless one run did the job, and those of other attempts did nothing and have ended."""
    if not stage.done:
        return
    runs = database.rows(_RUNS.format(after_run=stage.after_run, rival=RIVAL))
    at_work = [state for state, is_accounted in runs if is_accounted]
    others = {state for state, is_accounted in runs if not is_accounted}
    may_be = {"failed", "interrupted"} | ({"done"} if stage.is_repeated else set())
    n_wanted = len(at_work) if stage.is_repeated and at_work else bool(job.accounts)
    if at_work != ["done"] * n_wanted or not others <= may_be or (stage.attempts and len(runs) > stage.attempts):
        yield Problem("runs", f"{runs} after {stage.attempts} attempts")


def _judge_snapshot(database: Database, job: Job, stage: Stage, places: list[Path]) -> Iterator[Problem]:
    """Yield what is wrong with the current snapshot: whatever happens, its file is there as the database says."""
    columns = "file_name, n_bytes, sha256, n_vectors, digest, max_text_id"
    current = database.rows(_CURRENT.format(columns=columns))
    if not current:
        if stage.done and job.publishes:
            yield Problem("snapshot", "there is none")
        return
    file_name, n_bytes, sha256, *noted = current[0]
    files = [place / file_name for place in places if (place / file_name).exists()]
    contents = [file.read_bytes() for file in files]
    if [(len(content), hashlib.sha256(content).hexdigest()) for content in contents] != [(n_bytes, sha256)]:
        yield Problem("snapshot", f"{file_name} is there {len(files)} times, or not what the database says")
    if not stage.done:
        return
    if job.publishes:
        stored = database.rows("SELECT text_id, code FROM text_vector ORDER BY text_id")
        ids = np.array([text_id for text_id, _ in stored], np.int64)
        codes = np.frombuffer(b"".join(vector for _, vector in stored), np.int8).reshape(len(stored), -1)
        if noted != [len(ids), digest_text(total(row_digests(ids, codes))), int(ids.max())]:
            yield Problem("snapshot", f"{file_name} does not hold the vectors of the database")
    if stage.snapshots is not None and stage.attempts == 1:
        ((made, has_rival),) = database.rows(
            f"SELECT (SELECT count(*) FROM snapshot), EXISTS (SELECT 1 FROM record r "
            f"JOIN source s ON s.source_id = r.source_id WHERE s.name = '{RIVAL}')"
        )
        if made != stage.snapshots + job.publishes + has_rival:
            yield Problem("snapshot", f"{made} were published, {stage.snapshots} of them before")


def judge_files(path: Path, url: str | None) -> Iterator[Problem]:
    """Yield a problem for every file that nothing needs."""
    with closing(Database(path, url)) as database:
        published = database.rows(_CURRENT.format(columns="file_name"))
        published += database.rows("SELECT file_name FROM neighbour_file")
    current = {f"snapshots/{name}" for (name,) in published}
    for file in sorted(path.rglob("*")):
        name = str(file.relative_to(path))
        if not _KNOWN_FILES.fullmatch(name) or (name.endswith((".faiss", ".npz")) and name not in current):
            yield Problem("files", f"{name} was left behind")


def last_run(path: Path, url: str | None) -> int:
    """Return the number of the last run, 0 if there is none."""
    if not url and not (path / "neardup.sqlite").exists():
        return 0
    with closing(Database(path, url)) as database:
        return database.rows("SELECT coalesce(max(run_id), 0) FROM run")[0][0] if "run" in database.tables() else 0


def dump(path: Path, url: str | None) -> Dump:
    """Return all tables as lists of rows, without times, random names, and runs that changed nothing."""
    with closing(Database(path, url)) as database:
        result = {name: database.table(name) for name in database.tables()}
        current = database.rows(_CURRENT.format(columns="sha256"))
    result["snapshot"] = [row for row in result["snapshot"] if (row["sha256"],) in current][:1]
    result["store_meta"] = [row for row in result["store_meta"] if row["key"] not in ("store_uuid", "writer")]
    changing = {row["run_id"] for row in result["ingest_batch"] if row["added"] or row["changed"] or row["removed"]}
    used = sorted(changing | {row["changed_by_run"] for row in result["record"]})
    for table, column in (("run", "run_id"), ("ingest_batch", "run_id"), ("record", "changed_by_run")):
        rows = [row for row in result[table] if row[column] in used]
        result[table] = [row | {column: 1 + used.index(row[column])} for row in rows]
    _number_reports(result)
    return {table: sorted(rows, key=lambda row: json.dumps(row, sort_keys=True)) for table, rows in result.items()}


def _number_reports(result: Dump) -> None:
    """Number the reports that changed something: others, that failed or found nothing new, leave a gap."""
    places = [(table, name) for table, names in _RUN_COLUMNS.items() if table in result for name in names]
    found = sorted({row[name] for table, name in places for row in result[table]} - {None})
    for table, name in places:
        for row in result[table]:
            row[name] = None if row[name] is None else found.index(row[name])


def _readable(value: Any) -> Any:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def difference(left: Dump, right: Dump) -> str | None:
    """Return the first row in which two dumps differ, None if they are equal."""
    for table in sorted(set(left) | set(right)):
        here, there = left.get(table, []), right.get(table, [])
        if here != there:
            only = [row for row in here if row not in there], [row for row in there if row not in here]
            return f"{table}: {len(here)} rows for {len(there)}, {only[0][:1]} for {only[1][:1]}"
    return None


def is_noted_as_done(session: Any, after_run: int) -> bool:
    """Tell whether a run after this one ended well: if only the reply to that was lost, the job is done."""
    query = "SELECT FROM run JOIN source USING (source_id) WHERE run_id > %s AND name = %s AND state = 'done'"
    return session.execute(query, [after_run, SOURCE]).fetchone() is not None
