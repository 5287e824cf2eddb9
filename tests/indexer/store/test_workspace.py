"""Opening a workspace: migrations, versions, files of other programs, settings, faults and locks."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from raw_sql import raw
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy import text as sql
from sqlalchemy.exc import IntegrityError

from dedup.errors import CorruptStore, EnvironmentFault, UsageError, VersionMismatch, WriterBusy
from indexer.store import engines, migrate, schema
from indexer.store.database_url import parse_url
from indexer.store.engines import schema_of
from indexer.store.runs import begin_run, last_runs
from indexer.store.store import Store
from indexer.store.workspace import Workspace

# Migrations


def test_migrations_give_the_tables_of_the_schema(workspace: Workspace) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with workspace.open(for_writing=True) as store, store.engine.connect() as connection:
        context = MigrationContext.configure(raw(connection), opts={"compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []


def test_revisions_are_those_of_alembic(engine_url: str) -> None:
    from alembic.script import ScriptDirectory

    engine = engines.make_engine(parse_url(engine_url))
    with engine.connect() as connection:
        scripts = ScriptDirectory.from_config(migrate.configuration(connection))
    engine.dispose()
    found = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(found)) == schema.REVISIONS
    assert scripts.get_current_head() == schema.HEAD


def test_first_revision_can_be_undone(workspace: Workspace) -> None:
    from alembic import command

    with workspace.open(for_writing=True) as store, store.engine.begin() as connection:
        command.downgrade(migrate.configuration(raw(connection)), "base")
        assert set(schema.metadata.tables) & set(inspect(connection).get_table_names(schema_of(connection))) == set()


def test_upgrade_leaves_logging_alone(workspace: Workspace) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.getLogger("elsewhere").disabled)
    with workspace.open(for_writing=True):
        pass
    assert (list(root.handlers), root.level, logging.getLogger("elsewhere").disabled) == before


def test_reading_imports_no_alembic(directory: Path) -> None:
    with Workspace(directory).open(for_writing=True):
        pass
    program = (
        "import sys; from pathlib import Path; from indexer.store.workspace import Workspace\n"
        "with Workspace(Path(sys.argv[1])).open(for_writing=False) as store: store.counts()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(directory)], check=False).returncode == 0


def set_revision(workspace: Workspace, revision: str) -> None:
    with workspace.open(for_writing=True) as store, store.engine.begin() as connection:
        raw(connection).execute(sql("UPDATE alembic_version SET version_num = :r"), {"r": revision})


@pytest.mark.parametrize("for_writing", [False, True])
def test_newer_schema_is_refused(workspace: Workspace, for_writing: bool) -> None:
    set_revision(workspace, "9999")
    with (
        pytest.raises(VersionMismatch, match=r"newer neardup.*'9999'.*upgrade neardup"),
        workspace.open(for_writing=for_writing),
    ):
        pass


def test_older_schema_names_the_command(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with workspace.open(for_writing=True):
        pass
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9999"))
    monkeypatch.setattr(schema, "HEAD", "9999")
    with pytest.raises(VersionMismatch, match=r"older.*dedup migrate"), workspace.open(for_writing=False):
        pass


@pytest.mark.parametrize("for_writing", [False, True])
@pytest.mark.parametrize(
    ("rules", "message"), [("0", "older rules.*run `dedup migrate` once"), ("99", "newer rules.*upgrade neardup")]
)
def test_texts_normalised_by_other_rules_are_refused(
    workspace: Workspace, rules: str, message: str, for_writing: bool
) -> None:
    with workspace.open(for_writing=True) as store:
        statement = sql("UPDATE store_meta SET value = :rules WHERE key = 'normaliser_version'")
        store.write(lambda connection: raw(connection).execute(statement, {"rules": rules}))
    with pytest.raises(VersionMismatch, match=message), workspace.open(for_writing=for_writing):
        pass


@pytest.mark.parametrize("for_writing", [False, True])
def test_tables_of_another_program_are_refused(workspace: Workspace, engine_url: str, for_writing: bool) -> None:
    engine = engines.make_engine(parse_url(engine_url))
    with engine.begin() as connection:
        raw(connection).execute(sql("CREATE TABLE record (id INTEGER)"))
    engine.dispose()
    with pytest.raises(VersionMismatch, match="another program"), workspace.open(for_writing=for_writing):
        pass


# Opening


@pytest.mark.parametrize("for_writing", [False, True])
def test_a_foreign_sqlite_file_is_not_changed(directory: Path, for_writing: bool) -> None:
    directory.mkdir()
    file = directory / "neardup.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = file.read_bytes()
    with (
        pytest.raises(VersionMismatch, match="another program"),
        Workspace(directory).open(for_writing=for_writing),
    ):
        pass
    assert file.read_bytes() == before


def test_a_file_that_is_not_a_database(directory: Path) -> None:
    directory.mkdir()
    (directory / "neardup.sqlite").write_bytes(b"id,name\n1,Acme\n" * 100)
    with (
        pytest.raises(CorruptStore, match=r"database is damaged\. .*neardup\.sqlite: file is not a database"),
        Workspace(directory).open(for_writing=False),
    ):
        pass


def test_nothing_indexed_yet(workspace: Workspace) -> None:
    with (
        pytest.raises(UsageError, match=r"Nothing is indexed in .* index an input first: `dedup index FILE`"),
        workspace.open(for_writing=False),
    ):
        pass
    assert not workspace.directory.exists()


def test_workspace_belongs_to_its_owner_only(directory: Path) -> None:
    with Workspace(directory).open(for_writing=True):
        pass
    modes = {path.name: path.stat().st_mode & 0o777 for path in (directory, *directory.iterdir())}
    assert modes == {"workspace": 0o700, "snapshots": 0o700, "lock": 0o600, "neardup.sqlite": 0o600}


def test_an_empty_file_that_becomes_a_database_is_no_longer_for_all(tmp_path: Path) -> None:
    file = tmp_path / "companies.sqlite"
    file.touch(0o644)
    with Workspace(tmp_path / "workspace", f"sqlite:///{file}").open(for_writing=True):
        pass
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)  # who names it may let others read a database
    with Workspace(tmp_path / "workspace", f"sqlite:///{file}").open(for_writing=True):
        pass
    assert file.stat().st_mode & 0o777 == 0o640


def test_second_opening_changes_nothing(workspace: Workspace) -> None:
    with workspace.open(for_writing=True) as store:
        first = store.meta("store_uuid")
    with workspace.open(for_writing=True) as store:
        assert store.meta("store_uuid") == first
    with workspace.open(for_writing=False) as store:
        assert store.meta("store_uuid") == first
        assert store.meta("nothing") is None


def test_directory_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(EnvironmentFault, match="cannot be created"),
        Workspace(tmp_path / "file" / "workspace").open(for_writing=True),
    ):
        pass


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "URL is invalid"),
        ("mysql://host/name", "'mysql' are not supported"),
        ("sqlite://", "in memory"),
    ],
)
def test_unusable_urls(directory: Path, url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Workspace(directory, url)


def test_missing_driver_names_the_extra(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with (
        pytest.raises(UsageError, match=r"pip install 'neardup\[postgres\]'"),
        Workspace(directory, "postgresql://host/name").open(for_writing=False),
    ):
        pass


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_an_old_server_is_refused(workspace: Workspace) -> None:
    engine = engines.make_engine(workspace.url, oldest_postgresql=990_000)
    with pytest.raises(VersionMismatch, match="The server is PostgreSQL 1"):
        engine.connect()
    engine.dispose()


def test_network_file_systems_get_no_write_ahead_log(tmp_path: Path) -> None:
    assert engines.journal_mode((3, 53, 0), "ext4") == "WAL"
    assert {engines.journal_mode((3, 53, 0), kind) for kind in ("nfs4", "cifs", "9p", "fuse.sshfs")} == {"DELETE"}
    assert engines.file_system(tmp_path) not in ("", "proc")
    assert engines.file_system(Path("/proc/self/status")) == "proc"


HIDDEN = (
    "postgresql://me:s3cret@127.0.0.1:1/dd",
    "postgresql://me@127.0.0.1:1/dd?password=s3cret",
    "postgresql://me@/dd?host=127.0.0.1&port=1&sslpassword=s3cret",
    "postgresql://me@127.0.0.1:1/dd?options=-c%20x%3Ds3cret",
    "postgresql://me:a@s3cret@127.0.0.1:1/dd",
)


@pytest.mark.parametrize("url", HIDDEN)
def test_no_secret_of_a_url_is_shown(directory: Path, url: str, caplog: pytest.LogCaptureFixture) -> None:
    def use() -> None:
        place = Workspace(directory, url, retry_pauses_s=[])
        assert "s3cret" not in place.where
        with place.open(for_writing=True):
            raise AssertionError("there is no server")

    with pytest.raises((EnvironmentFault, UsageError)) as caught:
        use()
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in caplog.text


def test_password_is_never_shown(directory: Path) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/name"
    with (
        pytest.raises(EnvironmentFault, match=r"me:\*\*\*@127") as caught,
        Workspace(directory, url).open(for_writing=False),
    ):
        pass
    assert "hunter2" not in str(caught.value)


def test_statement_values_are_never_shown(store: Store) -> None:
    statement = sql("INSERT INTO store_meta (key, value) VALUES ('store_uuid', :value)")
    with pytest.raises(IntegrityError) as caught:
        store.write(lambda connection: raw(connection).execute(statement, {"value": "confidential"}))
    assert "confidential" not in str(caught.value)


def test_write_ahead_log_only_where_safe() -> None:
    safe = [(3, 51, 3), (3, 52, 0), (3, 50, 7), (3, 44, 6)]
    unsafe = [(3, 51, 2), (3, 50, 6), (3, 45, 0), (3, 44, 5), (3, 40, 1), (3, 7, 0)]
    assert {engines.journal_mode(version) for version in safe} == {"WAL"}
    assert {engines.journal_mode(version) for version in unsafe} == {"DELETE"}


def test_sqlite_settings(directory: Path) -> None:
    with Workspace(directory).open(for_writing=True) as store, store.engine.connect() as connection:
        mode = engines.journal_mode(sqlite3.sqlite_version_info).lower()
        expected = {
            "foreign_keys": 1,
            "synchronous": 2 if mode == "wal" else 3,
            "journal_mode": mode,
            "cache_size": -65536,
        }
        expected["application_id"] = schema.APPLICATION_ID
        for pragma, value in expected.items():
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


# One writer


def test_second_writer_is_refused(workspace: Workspace) -> None:
    with workspace.open(for_writing=True):
        with (
            pytest.raises(WriterBusy, match=f"Process {os.getpid()} on .* is writing"),
            workspace.open(for_writing=True),
        ):
            pass
        with workspace.open(for_writing=False) as reader:
            assert reader.counts().records == 0
    with workspace.open(for_writing=True):
        pass


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_second_writer_from_another_directory(engine_url: str, tmp_path: Path) -> None:
    with Workspace(tmp_path / "one", engine_url).open(for_writing=True) as store:
        with (
            pytest.raises(WriterBusy, match="is writing to postgresql"),
            Workspace(tmp_path / "two", engine_url).open(for_writing=True),
        ):
            pass
        run_id = begin_run(store, "index")
    with Workspace(tmp_path / "two", engine_url).open(for_writing=True) as store:
        assert [run.run_id for run in last_runs(store, 2)] == [run_id]


def test_the_next_job_can_start_before_the_server_ends_the_last_session(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "invalidate", lambda self: None)  # sessions stay
    monkeypatch.setattr(Engine, "dispose", lambda self: None)
    for _ in range(2):
        with workspace.open(for_writing=True) as store:
            assert store.counts().records == 0


def test_reader_of_a_locked_file_is_refused(directory: Path) -> None:
    with Workspace(directory).open(for_writing=True):
        pass
    holder = sqlite3.connect(directory / "neardup.sqlite", isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with (
        pytest.raises(WriterBusy, match="in use by another process"),
        Workspace(directory, busy_timeout_ms=1).open(for_writing=False) as reader,
    ):
        reader.counts()
    holder.close()


def test_dead_writer_frees_the_lock(workspace: Workspace, engine_url: str) -> None:
    program = (
        "import os, sys; from pathlib import Path; from indexer.store.workspace import Workspace\n"
        "with Workspace(Path(sys.argv[1]), sys.argv[2]).open(for_writing=True): os._exit(9)"
    )
    command = [sys.executable, "-c", program, str(workspace.directory), engine_url]
    assert subprocess.run(command, check=False).returncode == 9
    with workspace.open(for_writing=True):
        pass


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_writer_waits_a_moment_for_a_dead_one_to_be_noticed(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as dead, monkeypatch.context() as patch:
        dead.enter_context(Workspace(tmp_path / "one", engine_url).open(for_writing=True))
        patch.setattr("indexer.store.lock.time.sleep", lambda seconds: dead.close())
        with Workspace(tmp_path / "two", engine_url).open(for_writing=True) as store:
            assert store.counts().records == 0
