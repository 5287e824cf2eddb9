"""Transactions take effect exactly once: broken connections, lost replies, and writers that lost their lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest
from raw_sql import raw
from sqlalchemy import Connection, event
from sqlalchemy import text as sql

from dedup.errors import EnvironmentFault, UsageError, WriterBusy
from indexer.store.store import Store
from indexer.store.workspace import Workspace

only_postgresql = pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)


@pytest.fixture
def retry_pauses_s() -> tuple[float, ...]:
    return (0.0, 0.0, 0.0)


@pytest.fixture
def workspace(directory: Path, engine_url: str, retry_pauses_s: tuple[float, ...]) -> Workspace:
    return Workspace(directory, engine_url, retry_pauses_s=retry_pauses_s)


def add(key: str) -> Callable[[Connection], int]:
    """Return work that adds one row and returns the number of rows."""

    def work(connection: Connection) -> int:
        raw(connection).execute(sql("INSERT INTO store_meta (key, value) VALUES (:key, '1')"), {"key": f"test {key}"})
        return raw(connection).execute(sql("SELECT count(*) FROM store_meta WHERE key LIKE 'test %'")).scalar_one()

    return work


def kill_backend(connection: Connection) -> None:
    """End the session of ``connection`` from another one."""
    pid = connection.execute(sql("SELECT pg_backend_pid()")).scalar_one()
    with connection.engine.connect() as other:
        other.execute(sql("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def test_a_reader_cannot_write(workspace: Workspace) -> None:
    with workspace.open(for_writing=True):
        pass
    with workspace.open(for_writing=False) as reader, pytest.raises(RuntimeError, match="for reading"):
        reader.write(add("a"))


def test_an_overtaken_writer_commits_nothing(
    workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.write(add("a")) == 1
    monkeypatch.setattr("indexer.store.workspace.file_lock", lambda path, where: nullcontext())
    monkeypatch.setattr("indexer.store.lock.AdvisoryLock._try", lambda self: True)
    with workspace.open(for_writing=True) as second:
        assert second.write(add("b")) == 2
        with pytest.raises(WriterBusy, match="has begun to write"):
            store.write(add("c"))
        assert second.write(add("d")) == 3


@only_postgresql
def test_a_broken_connection_is_retried(store: Store) -> None:
    calls: list[int] = []

    def work(connection: Connection) -> int:
        calls.append(1)
        if len(calls) < 3:
            kill_backend(connection)
        return add("a")(connection)

    assert store.write(work) == 1
    assert len(calls) == 3
    assert store.write(add("b")) == 2


@only_postgresql
def test_a_lost_reply_to_commit_is_resolved(store: Store) -> None:
    calls: list[int] = []

    def work(connection: Connection) -> int:
        calls.append(1)
        return add("a")(connection)

    engine: Any = store.engine
    do_commit = engine.dialect.do_commit

    def commit_and_break(connection: Any) -> None:
        engine.dialect.do_commit = do_commit
        do_commit(connection)
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    engine.dialect.do_commit = commit_and_break
    assert store.write(work) == 1
    assert len(calls) == 1
    assert store.write(add("b")) == 2


def test_writing_continues_after_a_commit_that_failed_but_took_effect(store: Store) -> None:
    engine: Any = store.engine
    do_commit = engine.dialect.do_commit

    def commit_and_fail(connection: Any) -> None:
        engine.dialect.do_commit = do_commit
        do_commit(connection)
        raise RuntimeError("disk I/O error")

    engine.dialect.do_commit = commit_and_fail
    with pytest.raises(RuntimeError, match="disk"):
        store.write(add("a"))
    assert store.write(add("b")) == 2


@only_postgresql
@pytest.mark.parametrize("retry_pauses_s", [()])
def test_a_commit_in_progress_is_waited_for(
    workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may still be executing a COMMIT after its client has lost the connection and given up."""
    assert store.write(add("a")) == 1
    with pytest.raises(Exception, match="expected"), monkeypatch.context() as patch:
        patch.setattr(store.engine.dialect, "do_commit", fail)
        store.write(add("b"))
    url = workspace.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as lost, psycopg.connect(url, autocommit=True) as watcher, ThreadPoolExecutor() as pool:
        lost.execute("UPDATE store_meta SET value = '1:2' WHERE key = 'writer' AND value = '1:1'")

        def commit_when_waited_for() -> None:
            while not watcher.execute("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchall():
                pass
            lost.commit()

        committed = pool.submit(commit_when_waited_for)
        assert store.write(add("c")) == 2
        committed.result()


def fail(*_: object) -> None:
    raise psycopg.OperationalError("expected")


@only_postgresql
@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
def test_conflicts_are_retried(store: Store, state: str) -> None:
    calls: list[int] = []

    def work(connection: Connection) -> int:
        calls.append(1)
        if len(calls) == 1:
            connection.execute(sql(f"DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '{state}'; END $$"))
        return add("a")(connection)

    assert store.write(work) == 1
    assert len(calls) == 2


@only_postgresql
def test_a_permanently_lost_database_is_an_environment_fault(workspace: Workspace) -> None:
    def work(connection: Connection) -> None:
        kill_backend(connection)
        connection.execute(sql("SELECT 1"))

    with pytest.raises(EnvironmentFault, match="again later"), workspace.open(for_writing=True) as store:
        store.write(work)


@only_postgresql
def test_reading_survives_a_broken_connection(store: Store) -> None:
    broken: list[int] = []

    def break_once(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "store_meta" in statement and not broken:
            broken.append(1)
            connection.connection.driver_connection.close()

    event.listen(store.engine, "before_cursor_execute", break_once)
    assert store.meta("next_text_id") == "1"
    assert broken


@only_postgresql
def test_the_lock_is_taken_again_after_a_restart(workspace: Workspace, store: Store, tmp_path: Path) -> None:
    with store.engine.connect() as connection:
        connection.execute(
            sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND datname = current_database()"
            )
        )
    calls: list[int] = []

    def work(connection: Connection) -> int:
        calls.append(1)
        if len(calls) == 1:
            kill_backend(connection)
        return add("a")(connection)

    assert store.write(work) == 1
    other = Workspace(tmp_path / "other", workspace.url.render_as_string(hide_password=False))
    with pytest.raises(WriterBusy), other.open(for_writing=True):
        pass


@only_postgresql
def test_a_pooler_that_shares_sessions_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.store.lock._BACKEND", sql("SELECT 4711"))
    with pytest.raises(UsageError, match="pooler"), workspace.open(for_writing=True):
        pass


def test_one_sqlite_file_has_one_writer_across_workspaces(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.sqlite'}"
    one, two = Workspace(tmp_path / "one", url), Workspace(tmp_path / "two", url)
    with one.open(for_writing=True), pytest.raises(WriterBusy, match="is writing"), two.open(for_writing=True):
        pass
