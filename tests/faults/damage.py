"""Edits of a SQLite database by hand: every column with every kind of wrong value, tables changed, pages destroyed.

``edits`` lists them with the exit code that ``dedup verify`` must give: 8 for damage, 7 where only the snapshot is bad
or missing, 0 for edits that change nothing of ours. An edit that SQLite itself refuses is none (``Edit.apply``).
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wrong_values import (
    JSON_COLUMNS,
    LEGITIMATE,
    LEGITIMATE_SETTINGS,
    LONG,
    OF_CACHE,
    OF_SNAPSHOT,
    ROWS,
    WRONG,
    WRONG_JSON,
)

SOUND, SNAPSHOT, DAMAGED = 0, 7, 8

PAGE_BYTES = 4096


@dataclass(frozen=True)
class Edit:
    """A change to the database, and the exit code of ``dedup verify`` after it."""

    name: str
    expected: int
    change: Callable[[Path], None]

    def apply(self, database: Path) -> bool:
        """Change the database; return False if SQLite refuses."""
        try:
            self.change(database)
        except sqlite3.IntegrityError:
            return False
        return True


def run_sql(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def _sql(name: str, expected: int, *statements: str) -> Edit:
    return Edit(name, expected, lambda database: run_sql(database, *statements))


def columns(database: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(database)) as connection:
        return {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in ROWS}


def wrong_values(database: Path) -> Iterator[Edit]:
    """Yield an edit for each column and each wrong value."""
    for table, names in columns(database).items():
        for column in names:
            json = WRONG_JSON if (table, column) in JSON_COLUMNS else {}
            for name, value in (WRONG | json).items():
                if (table, column, name) in LEGITIMATE:
                    continue
                place = (table, column, name)
                expected = SOUND if place in OF_CACHE else SNAPSHOT if place in OF_SNAPSHOT else DAMAGED
                yield _sql(
                    f"{table}.{column} {name}", expected, f"UPDATE {table} SET {column} = {value} WHERE {ROWS[table]}"
                )


def _set(key: str, value: str) -> str:
    return f"INSERT OR REPLACE INTO store_meta VALUES ('{key}', {value})"


def settings() -> Iterator[Edit]:
    """Yield edits of every setting."""
    for key in ("writer", "next_text_id", "next_record_id", "normaliser_version", "store_uuid", "corpus", "id_type:1"):
        for name, value in (WRONG | WRONG_JSON).items():
            if (key, name) not in LEGITIMATE_SETTINGS and name != "null":
                yield _sql(f"setting {key} {name}", DAMAGED, _set(key, value))
        if key not in ("corpus", "id_type:1"):
            yield _sql(f"setting {key} missing", DAMAGED, f"DELETE FROM store_meta WHERE key = '{key}'")
    for name, value in {
        "types": '{"texts": "a", "corpus": {}}',
        "counts": '{"texts": 8, "corpus": {"n_names": 8, "words": {"blue": "x"}, "word_pairs": {}, "initials": {}, '
        '"short_forms": {}, "widths": []}}',
        "infinite": '{"texts": 8, "corpus": {"n_names": 1e999, "words": {}, "word_pairs": {}, "initials": {}, '
        '"short_forms": {}, "widths": []}}',
        "negative": '{"texts": 8, "corpus": {"n_names": 8, "words": {"blue": -7}, "word_pairs": {}, "initials": {}, '
        '"short_forms": {}, "widths": []}}',
    }.items():
        yield _sql(f"setting corpus {name}", DAMAGED, _set("corpus", f"'{value}'"))
    yield _sql("setting next_text_id low", DAMAGED, _set("next_text_id", "'3'"))
    yield _sql("setting next_record_id low", DAMAGED, _set("next_record_id", "'3'"))
    yield _sql("setting writer one number", DAMAGED, _set("writer", "'5'"))
    yield _sql("setting writer huge", DAMAGED, _set("writer", "'99999999999999999999999:0'"))
    yield _sql("setting writer negative", DAMAGED, _set("writer", "'-5:0'"))
    yield _sql("setting unknown", DAMAGED, _set("words", "'{'"))
    yield _sql("settings all missing", DAMAGED, "DELETE FROM store_meta")


def contents() -> Iterator[Edit]:
    """Yield edits that leave each value possible, but not what belongs there."""
    for name, fields in {
        "number": '{"city": 5}',
        "nested": '{"city": {"a": "b"}}',
        "null": '{"city": null}',
        "cut": '{"city": "x',
        "two": '{"city": "x"}, {}',
        "NaN": '{"city": NaN}',
        "surrogate": '{"city": "\\ud800"}',
        "changed": '{"city": "elsewhere"}',
        "none": "{}",
    }.items():
        yield _sql(f"fields {name}", DAMAGED, f"UPDATE record SET fields = '{fields}' WHERE record_id = 3")
    code = "UPDATE text_vector SET code ="
    add = "INSERT INTO record SELECT 100000, source_id, 'new', 'Foreign Inc', '{}', content_digest, text_id,"
    for name, *statements in (
        ("text changed", "UPDATE text SET normal = 'other' WHERE text_id = 3"),
        ("text blank", "UPDATE text SET normal = ' ' WHERE text_id = 3"),
        ("text punctuation", "UPDATE text SET normal = '!!! …' WHERE text_id = 3"),
        ("texts all one", "UPDATE text SET normal = 'one', digest = 1"),
        ("text deleted", "DELETE FROM text WHERE text_id = 3"),
        ("texts deleted", "DELETE FROM text"),
        ("text extra", "INSERT INTO text VALUES (99999, 'zzz', 1)"),
        ("text negative", "UPDATE text SET text_id = -3 WHERE text_id = 3"),
        ("text negative with its vector", "UPDATE text SET text_id = -3 WHERE text_id = 3",
         "UPDATE text_vector SET text_id = -3 WHERE text_id = 3",
         "UPDATE record SET text_id = -3 WHERE text_id = 3"),
        ("text largest", "INSERT INTO text VALUES (9223372036854775807, 'zzz', 1)",
         "INSERT INTO text_vector SELECT 9223372036854775807, model_key, code FROM text_vector WHERE text_id = 3"),
        ("vector short", f"{code} x'0102' WHERE text_id = 3"),
        ("vector long", f"{code} code || x'01' WHERE text_id = 3"),
        ("newest vector short", f"{code} x'0102' WHERE text_id = (SELECT max(text_id) FROM text)"),
        ("newest vector long", f"{code} code || x'01' WHERE text_id = (SELECT max(text_id) FROM text)"),
        ("newest vector zero", f"{code} zeroblob(32) WHERE text_id = (SELECT max(text_id) FROM text)"),
        ("vectors short and long", f"{code} substr(code, 2) WHERE text_id = 3",
         f"{code} code || x'01' WHERE text_id = 4"),
        ("vectors all short", f"{code} substr(code, 1, 20)"),
        ("vectors all short, no snapshot", f"{code} substr(code, 1, 20)", "DELETE FROM snapshot"),
        ("vectors all long, no snapshot", f"{code} code || code", "DELETE FROM snapshot"),
        ("vectors short and long, no snapshot", f"{code} substr(code, 2) WHERE text_id = 3",
         f"{code} code || x'01' WHERE text_id = 4", "DELETE FROM snapshot"),
        ("vector zero", f"{code} zeroblob(32) WHERE text_id = 3"),
        ("vector zero, no snapshot", f"{code} zeroblob(32) WHERE text_id = 3", "DELETE FROM snapshot"),
        ("vectors all zero", f"{code} zeroblob(32)", "DELETE FROM snapshot"),
        ("vector smallest", f"{code} CAST(replace(hex(zeroblob(32)), '00', x'80') AS BLOB) WHERE text_id = 3"),
        ("vector of another model", "UPDATE text_vector SET model_key = 77 WHERE text_id = 3"),
        ("vectors of another model", "UPDATE text_vector SET model_key = 77"),
        ("vector without a text", "INSERT INTO text_vector SELECT 7777, model_key, code FROM text_vector LIMIT 1"),
        ("record of no text", "UPDATE record SET text_id = 999999 WHERE record_id = 3"),
        ("record of the last id and no text", "UPDATE record SET text_id = 999999999999 WHERE record_id = 3"),
        ("records of no text", "UPDATE record SET text_id = 999999"),
        ("record of no source", "UPDATE record SET source_id = 99 WHERE record_id = 3"),
        ("records of no source", "UPDATE record SET source_id = 99"),
        ("record of no run", "UPDATE record SET changed_by_run = 99 WHERE record_id = 3"),
        ("record of another text", "UPDATE record SET text_id = 4 WHERE record_id = 3"),
        ("record deleted", "DELETE FROM record WHERE record_id = 4"),
        ("records deleted", "DELETE FROM record"),
        ("record added", f"{add} changed_by_run FROM record WHERE record_id = 3"),
        ("digests swapped", "UPDATE record SET content_digest = zeroblob(16) WHERE record_id = 3"),
        ("raw long", f"UPDATE record SET raw = {LONG} || {LONG} WHERE record_id = 3"),
        ("raw blank", "UPDATE record SET raw = '   ' WHERE record_id = 3"),
        ("source deleted", "DELETE FROM source WHERE source_id = 1"),
        ("sources deleted", "DELETE FROM source"),
        ("source renamed", "UPDATE source SET name = 'other' WHERE source_id = 1"),
        ("source added with a large key", "INSERT INTO source VALUES (9223372036854775807, 'zz', 'column')"),
        ("model deleted", "DELETE FROM model"),
        ("model added with a large key", f"INSERT INTO model VALUES (9223372036854775807, '{'c' * 64}')"),
        ("run deleted", "DELETE FROM run WHERE run_id = 1"),
        ("run running", "UPDATE run SET state = 'running' WHERE run_id = 1"),
        ("run with a large key", "INSERT INTO run SELECT 9223372036854775807, kind, state, started_at, finished_at, "
         "manifest, NULL, NULL FROM run WHERE run_id = 1"),
        ("manifest without rows", "UPDATE run SET manifest = '{}' WHERE run_id = 1"),
        ("manifest rows word", "UPDATE run SET manifest = '{\"rows\": \"x\"}' WHERE run_id = 1"),
        ("manifest error list", "UPDATE run SET state = 'failed', manifest = '{\"error\": [1]}' WHERE run_id = 1"),
        ("manifest rows list", "UPDATE run SET manifest = '{\"rows\": [1]}'"),
        ("manifest rows text", "UPDATE run SET manifest = '{\"rows\": {\"rows_in\": \"x\"}}'"),
        ("batch deleted", "DELETE FROM ingest_batch WHERE run_id = 1"),
        ("batch renumbered", "UPDATE ingest_batch SET batch_no = 5 WHERE run_id = 1"),
        ("batch of no run", "UPDATE ingest_batch SET run_id = 99 WHERE run_id = 1"),
        ("batches large", "UPDATE ingest_batch SET rows_in = 9223372036854775807, added = 9223372036854775807"),
        ("batches wrong", "UPDATE ingest_batch SET rows_in = rows_in + 1"),
        ("pair swapped", "UPDATE near_pair SET text_id_1 = text_id_2, text_id_2 = text_id_1"),
        ("pair of one text", "UPDATE near_pair SET text_id_2 = text_id_1"),
        ("cluster closed with members", "UPDATE cluster SET closed_by_run = 1 WHERE cluster_id = 1"),
        ("cluster without members", "DELETE FROM cluster_member WHERE cluster_id = 1"),
        ("cluster with one member", "DELETE FROM cluster_member WHERE record_id > 1"),
        ("cluster forgotten", "DELETE FROM cluster WHERE cluster_id = 1"),
        ("cluster with a successor", "UPDATE cluster SET successor = 2 WHERE cluster_id = 1"),
        ("cluster followed by a closed one", "UPDATE cluster SET successor = cluster_id WHERE closed_by_run > 0"),
        ("member of no cluster", "UPDATE cluster_member SET cluster_id = 999 WHERE record_id = 3"),
        ("member of no source", "UPDATE cluster_member SET source_id = 99 WHERE record_id = 3"),
        ("event of no run", "UPDATE cluster_event SET run_id = 99"),
        ("event without moves", "UPDATE cluster_event SET details = '{\"before\": [], \"after\": [1]}'"),
        ("event with moves of words",
         "UPDATE cluster_event SET details = '{\"before\": [], \"after\": [1], \"moves\": [[\"a\", 1, 2]]}'"),
        ("baseline twice", "INSERT INTO baseline SELECT 2, model_key, normaliser_version, texts, max_text_id, "
         "prior_shift, corpus, cells_per_text, centres, digest, fields FROM baseline"),
        ("baseline of other texts", "UPDATE baseline SET texts = texts + 1"),
        ("baseline with another prior", "UPDATE baseline SET prior_shift = 0.5"),
        ("baseline with cells", "UPDATE baseline SET cells_per_text = 3, centres = zeroblob(64)"),
        ("baseline with odd cells", "UPDATE baseline SET cells_per_text = 3, centres = zeroblob(65)"),
        ("neighbours of a path", "UPDATE neighbour_file SET file_name = '../../etc/passwd'"),
        ("time without a zone", "UPDATE run SET started_at = '2026-01-01T00:00:00' WHERE run_id = 1"),
    ):  # fmt: skip
        yield _sql(name, DAMAGED, *statements)


def snapshots() -> Iterator[Edit]:
    """Yield edits of the row of the snapshot."""
    recall = '"recall": {"least_similarity": 0.3, "of_all": 1.0, "of_queries": 1.0}'
    for name, expected, value in (
        ("{}", DAMAGED, "{}"),
        ("words", DAMAGED, '{"cells": "7", "dimension": "a", "kind": "flat"}'),
        ("no recall", DAMAGED, '{"cells": 3, "cells_per_text": 1, "dimension": 32, "recall": null}'),
        ("recall NaN", DAMAGED, '{"cells": 3, "cells_per_text": 1, "dimension": 32, "recall": {"of_all": NaN}}'),
        ("cells below none", DAMAGED, '{"cells": -1, "dimension": 32}'),
        ("no dimension", DAMAGED, '{"cells": 0, "dimension": 0}'),
        ("dimension huge", DAMAGED, '{"cells": 0, "dimension": 99999999999}'),
        ("cells real", DAMAGED, '{"cells": 0.5, "dimension": 32}'),
        ("cells true", DAMAGED, '{"cells": true, "dimension": 32}'),
        ("another dimension", SNAPSHOT, '{"cells": 0, "dimension": 31}'),
        ("cells many", SNAPSHOT, f'{{"cells": 1000000000, "cells_per_text": 1, "dimension": 32, {recall}}}'),
        ("cells", SNAPSHOT, f'{{"cells": 3, "cells_per_text": 1, "cells_asked": 1, "dimension": 32, {recall}}}'),
    ):
        yield _sql(f"snapshot parameters {name}", expected, f"UPDATE snapshot SET parameters = '{value}'")
    for name, expected, change in (
        ("another file", SNAPSHOT, f"file_name = 'idx-9-{'0' * 32}.faiss'"),
        ("a path", DAMAGED, "file_name = '../../../etc/passwd'"),
        ("another SHA-256", SNAPSHOT, f"sha256 = '{'0' * 64}'"),
        ("another digest", SNAPSHOT, f"digest = '{'0' * 32}'"),
        ("more bytes", SNAPSHOT, "n_bytes = n_bytes + 1"),
        ("fewer vectors", SNAPSHOT, "n_vectors = n_vectors - 1"),
        ("a lower last text", SNAPSHOT, "max_text_id = 3"),
        ("a higher last text", SNAPSHOT, "max_text_id = 9000000000"),
        ("bytes beyond all disks", DAMAGED, "n_bytes = 9000000000000000000"),
        ("a large generation", DAMAGED, "generation = 9223372036854775807"),
        ("another state", DAMAGED, "state = 'other'"),
        ("another model", DAMAGED, "model_key = 9"),
    ):
        yield _sql(f"snapshot with {name}", expected, f"UPDATE snapshot SET {change}")
    yield _sql("snapshot forgotten", SNAPSHOT, "DELETE FROM snapshot")
    yield _sql("vectors forgotten", SNAPSHOT, "DELETE FROM text_vector")
    yield _sql("vector forgotten", SNAPSHOT, "DELETE FROM text_vector WHERE text_id = 3")


def rebuilt(database: Path) -> Iterator[Edit]:
    """Yield edits that build a table again, without what kept its rows right."""
    for table, names in columns(database).items():
        listed = ", ".join(f'"{name}"' for name in names)
        typeless = [f"CREATE TABLE new ({listed})", f"INSERT INTO new SELECT * FROM {table}"]
        swap = [f"DROP TABLE {table}", f"ALTER TABLE new RENAME TO {table}"]
        yield _sql(f"{table} without types", DAMAGED, *typeless, *swap)
        yield _sql(f"{table} twice", DAMAGED, *typeless, f"INSERT INTO new SELECT * FROM {table}", *swap)
        nothing = ", ".join("NULL" for _ in names)
        yield _sql(f"{table} with nothing", DAMAGED, *typeless, f"INSERT INTO new VALUES ({nothing})", *swap)
        yield _sql(f"{table} dropped", DAMAGED, f"DROP TABLE {table}")
        yield _sql(f"{table} renamed", DAMAGED, f"ALTER TABLE {table} RENAME TO other")
        yield _sql(f"{table} a view", DAMAGED, f"ALTER TABLE {table} RENAME TO other",
                   f"CREATE VIEW {table} AS SELECT * FROM other")  # fmt: skip
        yield _sql(f"{table} column renamed", DAMAGED, f'ALTER TABLE {table} RENAME COLUMN "{names[-1]}" TO zz')
        yield _sql(f"{table} with a trigger", DAMAGED,
                   f"CREATE TRIGGER t BEFORE INSERT ON {table} BEGIN SELECT RAISE(IGNORE); END")  # fmt: skip
        yield _sql(f"{table} with a column", SOUND, f"ALTER TABLE {table} ADD COLUMN zz TEXT")


def structure() -> Iterator[Edit]:
    """Yield edits of what surrounds the rows."""
    for name, expected, *statements in (
        ("record without a column", DAMAGED, "ALTER TABLE record DROP COLUMN raw"),
        ("trigger deletes", DAMAGED, "CREATE TRIGGER t AFTER INSERT ON ingest_batch BEGIN DELETE FROM record; END"),
        ("trigger refuses", DAMAGED, "CREATE TRIGGER t BEFORE INSERT ON run BEGIN SELECT RAISE(ABORT, 'no'); END"),
        ("trigger ignores", DAMAGED,
         "CREATE TRIGGER t BEFORE UPDATE ON store_meta BEGIN SELECT RAISE(IGNORE); END"),
        ("index of texts missing", DAMAGED, "DROP INDEX ix_text_digest"),
        ("index of records missing", DAMAGED, "DROP INDEX ix_record_text_id"),
        ("unique index", DAMAGED, "CREATE UNIQUE INDEX x ON record (source_id, record_id)"),
        ("unique index of a part", DAMAGED, "CREATE UNIQUE INDEX x ON record (raw) WHERE record_id > 5"),
        ("revision unknown", DAMAGED, "UPDATE alembic_version SET version_num = 'zz'"),
        ("revision blob", DAMAGED, "UPDATE alembic_version SET version_num = x'ff'"),
        ("revision not UTF-8", DAMAGED, "UPDATE alembic_version SET version_num = CAST(x'ff' AS TEXT)"),
        ("revision empty", DAMAGED, "DELETE FROM alembic_version"),
        ("revisions two", DAMAGED, "INSERT INTO alembic_version VALUES ('0001')"),
        ("revision 0001 of these tables", DAMAGED, "UPDATE alembic_version SET version_num = '0001'"),
        ("revision 0002 of these tables", DAMAGED, "UPDATE alembic_version SET version_num = '0002'"),
        ("revision of a newer version", 7, "UPDATE alembic_version SET version_num = '9999'"),
        ("no revisions", DAMAGED, "DROP TABLE alembic_version"),
        ("no application id", DAMAGED, "PRAGMA application_id=0"),
        ("application id of another", DAMAGED, "PRAGMA application_id=77"),
        ("schema unreadable", DAMAGED, "PRAGMA writable_schema=1", "UPDATE sqlite_schema SET sql = 'CREATE TABLE x'"),
        ("schema of one table", DAMAGED, "PRAGMA writable_schema=1",
         "UPDATE sqlite_schema SET sql = 'CREATE TABLE record(a, b)' WHERE name = 'record'"),
        ("schema elsewhere", DAMAGED, "PRAGMA writable_schema=1",
         "UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'text'"),
        ("index elsewhere", DAMAGED, "PRAGMA writable_schema=1",
         "UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'ix_record_text_id'"),
        ("untouched", SOUND, "PRAGMA foreign_keys=OFF"),
        ("user version", SOUND, "PRAGMA user_version=99"),
        ("statistics", SOUND, "ANALYZE"),
        ("pairs forgotten", SOUND, "DELETE FROM near_pair"),
        ("baseline forgotten", SOUND, "DELETE FROM baseline"),
        ("neighbours forgotten", SOUND, "DELETE FROM neighbour_file"),
        ("neighbours of another file", SOUND, f"UPDATE neighbour_file SET sha256 = '{'0' * 64}'"),
        ("neighbours of other texts", SOUND, "UPDATE neighbour_file SET n_texts = n_texts + 1"),
        ("neighbours of other cells", SOUND, f"UPDATE neighbour_file SET cells_digest = '{'0' * 64}'"),
        ("events forgotten", SOUND, "DELETE FROM cluster_event", "DELETE FROM pair_event"),
        ("judgements forgotten", SOUND, "DELETE FROM judgement"),
        ("vacuum", SOUND, "VACUUM"),
        ("index of the user", SOUND, "CREATE INDEX x ON record (raw)"),
        ("table of the user", SOUND, "CREATE TABLE zz (x)", "INSERT INTO zz VALUES (x'ff')"),
        ("view of the user", SOUND, "CREATE VIEW zz AS SELECT raw FROM record"),
        ("trigger of the user", SOUND, "CREATE TABLE zz (x)",
         "CREATE TRIGGER t AFTER INSERT ON zz BEGIN DELETE FROM zz; END"),
        ("column with a default", SOUND, "ALTER TABLE record ADD COLUMN zz TEXT NOT NULL DEFAULT 'x'"),
        ("id with a gap", SOUND, "UPDATE store_meta SET value = '9999' WHERE key = 'next_text_id'"),
        ("id of a record changed", SOUND, "UPDATE record SET external_id = 'other' WHERE record_id = 3"),
        ("corpus forgotten", SOUND, "DELETE FROM store_meta WHERE key = 'corpus'"),
        ("types of ids forgotten", SOUND, "DELETE FROM store_meta WHERE key LIKE 'id_type:%'"),
    ):  # fmt: skip
        yield _sql(name, expected, *statements)


def pages(database: Path) -> Iterator[Edit]:
    """Yield edits of the bytes of the file: pages zeroed, filled with noise, cut off."""
    n = database.stat().st_size // PAGE_BYTES
    noise = random.Random(7).randbytes(PAGE_BYTES)

    def overwrite(at: int, content: bytes) -> Callable[[Path], None]:
        def change(path: Path) -> None:
            with path.open("r+b") as file:
                file.seek(at)
                file.write(content)

        return change

    def cut(size: int) -> Callable[[Path], None]:
        return lambda path: os.truncate(path, size)

    for page in range(n):
        yield Edit(f"page {page + 1} zeroed", DAMAGED, overwrite(page * PAGE_BYTES, bytes(PAGE_BYTES)))
        yield Edit(f"page {page + 1} noise", DAMAGED, overwrite(page * PAGE_BYTES, noise))
        if page:
            yield Edit(f"cut before page {page + 1}", DAMAGED, cut(page * PAGE_BYTES))
    yield Edit("cut within a page", DAMAGED, cut((n - 1) * PAGE_BYTES + 100))


def edits(database: Path, *, every: int = 1) -> list[Edit]:
    """Return all edits of this sound database, of the wrong values ``every`` second or third if asked."""
    return [
        *list(wrong_values(database))[::every],
        *settings(),
        *contents(),
        *snapshots(),
        *rebuilt(database),
        *structure(),
        *pages(database),
    ]
