"""Upgrade databases of every released schema, on both engines, without loss."""

from __future__ import annotations

import io
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from doubles import fake_model
from first_schema import to_first_schema
from paths import FIXTURES
from raw_sql import raw
from sqlalchemy import Engine, inspect
from sqlalchemy import text as sql

from dedup.errors import CorruptStore, EnvironmentFault, UsageError, VersionMismatch, WriterBusy
from indexer.jobs.query import Searcher
from indexer.jobs.verify import verify, worst_kind
from indexer.store import engines, migrate, schema
from indexer.store.engines import schema_of
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

MODEL = fake_model()
KEPT = {
    "source": ("source_id", "name", "identity"),
    "record": ("record_id", "source_id", "external_id", "raw", "fields", "content_digest", "text_id", "changed_by_run"),
    "text": ("text_id", "normal"),
    "model": ("model_key", "model_id"),
    "text_vector": ("text_id", "model_key", "code"),
    "run": ("run_id", "kind", "state", "started_at", "finished_at", "manifest"),
}


@pytest.fixture(params=schema.REVISIONS[:-1])
def revision(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def old(revision: str, engine_url: str, directory: Path) -> Workspace:
    """A workspace as an older version left it."""
    fixture = FIXTURES / f"schema-{revision}"
    shutil.copytree(fixture / "snapshots", directory / "snapshots")
    workspace = Workspace(directory, engine_url)
    if workspace.url.get_backend_name() == "sqlite":
        shutil.copy(fixture / "neardup.sqlite", workspace.url.database)
    else:
        with engine_of(workspace).begin() as connection:
            raw(connection).exec_driver_sql((fixture / "postgresql.sql").read_text(encoding="utf-8"))
    return workspace


def engine_of(workspace: Workspace) -> Engine:
    return engines.make_engine(workspace.url)


def content(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    engine = engine_of(workspace)
    with engine.connect() as connection:
        rows = {
            table: sorted(
                tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
                for row in raw(connection).execute(sql(f"SELECT {', '.join(columns)} FROM {table}"))
            )
            for table, columns in KEPT.items()
        }
    engine.dispose()
    return rows


def test_downgrade_and_upgrade(old: Workspace) -> None:
    """Downgrade to the first schema, as the crash tests of migrations do, and upgrade again."""
    old.migrate()
    before = content(old)
    to_first_schema(old)
    assert revision_of(old) == schema.REVISIONS[0]
    old.migrate()
    assert content(old) == before


def revision_of(workspace: Workspace) -> str:
    engine = engine_of(workspace)
    with engine.connect() as connection:
        found = raw(connection).execute(sql("SELECT version_num FROM alembic_version")).scalar_one()
    engine.dispose()
    return str(found)


def test_nothing_is_lost_and_everything_works(old: Workspace, revision: str) -> None:
    before = content(old)
    assert [len(before[table]) for table in KEPT] == [2, 12, 9, 1, 9, 2]
    done = old.migrate()
    assert (done.before, done.after) == (revision, schema.HEAD)
    assert content(old) == before
    with old.open(for_writing=False) as store:
        (found,) = Searcher(Snapshots(store, old.snapshots), MODEL).query(["Contoso Food"], limit=1)
        assert [record.source for record in found[0].records] == ["names", "suppliers"]
    with old.open(for_writing=True) as store:
        assert Snapshots(store, old.snapshots).publish(MODEL.model_id) is not None
        assert (
            worst_kind(verify(Snapshots(store, old.snapshots), old.directory, MODEL.model_id, MODEL.dimension)) is None
        )
    again = old.migrate()
    assert (again.before, again.after, again.copy) == (schema.HEAD, schema.HEAD, None)


def test_records_are_normalised_again(old: Workspace) -> None:
    """Their raw texts are changed here to some that older rules normalised as those of the fixture."""
    engine = engine_of(old)
    rewritten = {4: "Caf&eacute; Contoso センタ-", 7: "Contoso&nbsp;Foods", 8: "&#39;"}
    with engine.begin() as connection:
        for record_id, text in rewritten.items():
            raw(connection).execute(
                sql("UPDATE record SET raw = :raw WHERE record_id = :id"), {"raw": text, "id": record_id}
            )
    engine.dispose()
    before = {record_id: text_id for record_id, *_, text_id, _ in content(old)["record"]}
    assert old.migrate().renormalised == 2
    after = content(old)
    texts = dict(after["text"])
    text_of = {record_id: text_id for record_id, *_, text_id, _ in after["record"]}
    assert (texts[text_of[4]], texts[text_of[7]]) == ("café contoso センター", "contoso foods")
    assert {record_id for record_id in before if before[record_id] != text_of[record_id]} == {4, 7}
    assert text_of[4] not in before.values() and text_of[7] == before[5]
    assert {before[4], before[7]}.isdisjoint(texts) and set(text_of.values()) == set(texts)
    assert {text_id for text_id, *_ in after["text_vector"]} == set(texts) - {text_of[4]}
    assert old.migrate().renormalised is None


@pytest.mark.parametrize("for_writing", [False, True])
def test_opening_does_not_upgrade(old: Workspace, revision: str, for_writing: bool) -> None:
    before = content(old)
    with (
        pytest.raises(VersionMismatch, match=rf"older schema '{revision}'; run `dedup migrate`"),
        old.open(for_writing=for_writing),
    ):
        pass
    assert (content(old), revision_of(old)) == (before, revision)


def described(workspace: Workspace) -> dict[str, tuple[Any, ...]]:
    """The constraints, indexes and columns of each table."""
    engine = engine_of(workspace)
    with engine.connect() as connection:
        found = inspect(raw(connection))
        assert set(found.get_table_names(schema_of(connection))) == {*schema.metadata.tables, "alembic_version"}
        tables = {
            table: (
                found.get_pk_constraint(table),
                sorted(found.get_foreign_keys(table), key=lambda key: key["name"]),
                sorted(found.get_unique_constraints(table), key=lambda key: key["name"]),
                found.get_indexes(table),
                [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table)],
            )
            for table in (*schema.metadata.tables, "alembic_version")
        }
    engine.dispose()
    return tables


def created(directory: Path, url: str) -> Workspace:
    """A workspace with a new database."""
    workspace = Workspace(directory, url)
    with workspace.open(for_writing=True):
        pass
    return workspace


def test_the_tables_are_those_of_a_new_database(
    old: Workspace, new_database: Callable[[], str], tmp_path: Path
) -> None:
    """They have the same constraints with the same names, which follow the naming convention."""
    old.migrate()
    new = created(tmp_path / "new", new_database())
    for workspace in (old, new):
        for table, (key, foreign, unique, *_) in described(workspace).items():
            if table in schema.metadata.tables:
                names = {key["name"], *(one["name"] for one in foreign), *(one["name"] for one in unique)}
                assert names == {constraint.name for constraint in schema.metadata.tables[table].constraints}
        engine = engine_of(workspace)
        with engine.begin() as connection:
            alembic = migrate.configuration(raw(connection))
            alembic.stdout = io.StringIO()
            command.check(alembic)
            assert alembic.stdout.getvalue() == "No new upgrade operations detected.\n"
        engine.dispose()
    assert described(old) == described(new)


def test_the_revisions_make_the_tables_of_a_new_database(new_database: Callable[[], str], tmp_path: Path) -> None:
    """All of them, from the first one on: a new database is made without them."""
    old = Workspace(tmp_path / "old", new_database())
    engine = engine_of(old)
    with engine.begin() as connection:
        command.upgrade(migrate.configuration(raw(connection)), "head")
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA application_id={schema.APPLICATION_ID}")
    engine.dispose()
    assert described(old) == described(created(tmp_path / "new", new_database()))


def test_foreign_keys_still_hold(old: Workspace) -> None:
    old.migrate()
    engine = engine_of(old)
    for statement in (
        "UPDATE run SET source_id = 99",
        "UPDATE record SET changed_by_run = 99",
        "DELETE FROM model",
        "INSERT INTO ingest_batch VALUES (99, 0, 0, 0, 0, 0, 0, 0)",
    ):
        with pytest.raises(Exception, match=r"(?i)foreign key"), engine.begin() as connection:
            raw(connection).exec_driver_sql(statement)
    engine.dispose()


KILLED = """
import os, sys
from pathlib import Path
from alembic import op
from indexer.store.workspace import Workspace
setattr(op, sys.argv[3], lambda *arguments, **options: os._exit(9))
Workspace(Path(sys.argv[1]), sys.argv[2]).migrate()
"""


@pytest.mark.parametrize(
    ("revision", "at"),
    [
        *((revision, at) for revision in ("0001", "0002") for at in ("batch_alter_table", "create_table", "execute")),
        ("0003", "create_table"),
    ],
)
def test_a_killed_migration_can_be_repeated(old: Workspace, revision: str, engine_url: str, at: str) -> None:
    before = content(old)
    command_line = [sys.executable, "-c", KILLED, str(old.directory), engine_url, at]
    assert subprocess.run(command_line, check=False).returncode == 9
    assert (content(old), revision_of(old)) == (before, revision)
    old.migrate()
    assert (content(old), revision_of(old)) == (before, schema.HEAD)


def test_a_second_writer_is_refused(old: Workspace) -> None:
    old.migrate()
    with old.open(for_writing=True), pytest.raises(WriterBusy):
        old.migrate()


@pytest.mark.parametrize("revision", ["9999"])
def test_newer_schema_is_not_touched(workspace: Workspace, revision: str) -> None:
    with workspace.open(for_writing=True) as store, store.engine.begin() as connection:
        raw(connection).execute(sql("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    with pytest.raises(VersionMismatch, match="upgrade neardup"):
        workspace.migrate()
    assert revision_of(workspace) == revision


def test_nothing_to_migrate(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="Nothing is indexed"):
        workspace.migrate()


# The backup of a SQLite file


@pytest.fixture
def old_file(revision: str, directory: Path) -> Path:
    shutil.copytree(FIXTURES / f"schema-{revision}", directory)
    return directory / "neardup.sqlite"


def test_a_backup_is_kept(old_file: Path, revision: str) -> None:
    workspace = Workspace(old_file.parent)
    before = content(workspace)
    (old_file.parent / f"neardup.sqlite.{revision}.tmp").write_bytes(b"left by a killed process")
    copy = workspace.migrate().copy
    assert copy == old_file.parent / f"neardup.sqlite.{revision}.backup"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not copy.with_suffix(".tmp").exists()
    shutil.move(copy, old_file)  # the backup is a complete database of the older schema
    assert (content(workspace), revision_of(workspace)) == (before, revision)
    assert workspace.migrate().before == revision


def test_too_little_space(old_file: Path, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = 5 * old_file.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(EnvironmentFault, match=f"has 1 bytes free, but migrating neardup.sqlite needs {needed:,}"):
        Workspace(old_file.parent).migrate()
    assert revision_of(Workspace(old_file.parent)) == revision


def test_a_file_that_is_locked_while_it_is_copied(old_file: Path, revision: str) -> None:
    other = sqlite3.connect(old_file, isolation_level=None)

    def lock(stage: str, done: int, total: int | None) -> None:
        if done == 1:
            other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(WriterBusy, match="in use by another process"):
        Workspace(old_file.parent, busy_timeout_ms=20).migrate(lock, pages_per_step=1)
    other.close()
    assert revision_of(Workspace(old_file.parent)) == revision
    assert not list(old_file.parent.glob("*.tmp")) and not list(old_file.parent.glob("*.backup"))


def test_dangling_references_stop_it(old_file: Path, revision: str) -> None:
    with sqlite3.connect(old_file) as connection:
        connection.execute("DELETE FROM text WHERE text_id = 1")
    connection.close()
    with pytest.raises(CorruptStore, match="refers to a missing row of text"):
        Workspace(old_file.parent).migrate()
    assert revision_of(Workspace(old_file.parent)) == revision
