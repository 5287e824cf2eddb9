"""Workspaces and files that are not what they should be, and schemas of PostgreSQL: each is refused with its code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doubles import fake_model
from invocation import dedup_, write
from sqlalchemy import create_engine, make_url
from sqlalchemy import text as sql

import dedup.model
import neardup
from dedup.errors import UsageError


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: fake_model())
    write("a.csv", "id,name\n1,Acme\n2,Beta\n")
    write("b.csv", "id,name\n1,Acme\n2,Gamma\n3,Delta\n")


COMMANDS = (["status"], ["query", "acme"], ["index", "b.csv"], ["verify"], ["migrate"], ["delete", "--source", "a"])


# Links, files and folders in the place of others


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_folder_of_snapshots_that_is_a_link_is_refused(tmp_path: Path, command: list[str]) -> None:
    assert dedup_("index", "a.csv", "-w", "w").exit_code == 0
    elsewhere = tmp_path / "elsewhere"
    Path("w/snapshots").rename(elsewhere)
    Path("w/snapshots").symlink_to(elsewhere)
    foreign = elsewhere / f"idx-1-{'0' * 32}.faiss"
    foreign.write_bytes(b"theirs")
    before = {file.name: file.read_bytes() for file in elsewhere.iterdir()}
    result = dedup_(*command, "-w", "w")
    assert result.exit_code == 5
    assert "snapshots is a link, which is not followed" in result.stderr
    assert {file.name: file.read_bytes() for file in elsewhere.iterdir()} == before


READERS = (["index", "bad.csv"], ["query", "--input", "bad.csv"], ["link", "bad.csv", "a.csv"])
"""Commands that list rejected rows in the workspace."""


@pytest.mark.parametrize("folder", ["rejects", "rejects/queries"])
@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
def test_a_folder_of_rejects_that_is_a_link_is_refused(tmp_path: Path, command: list[str], folder: str) -> None:
    write("bad.csv", "id,name\n" + "".join(f"{n},Name {n}\n" for n in range(30)) + "99,\n")
    assert dedup_("index", "a.csv", "-w", "w").exit_code == 0
    assert dedup_(*command, "-w", "w").exit_code == 3  # the control
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = Path("w") / folder
    if place.exists():
        place.rename(tmp_path / "before")
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(elsewhere)
    result = dedup_(*command, "-w", "w")
    assert (result.exit_code, f"{folder} is a link, which is not followed" in result.stderr) == (5, True), result.output
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("folder", ["", "rejects", "rejects/queries"])
@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
def test_a_folder_of_rejects_that_others_can_write_to_is_refused(command: list[str], folder: str) -> None:
    """Also where nothing is indexed, since two files are linked without an index."""
    write("bad.csv", "id,name\n" + "".join(f"{n},Name {n}\n" for n in range(30)) + "99,\n")
    place = Path("w") / folder
    place.mkdir(parents=True)
    place.chmod(0o777)
    result = dedup_(*command, "-w", "w")
    assert (result.exit_code, f"Other users can write to {place}" in result.stderr) == (5, True), result.output
    assert not [path for path in Path("w").rglob("*") if path.is_file()]
    assert dedup_("link", "bad.csv", "a.csv", "-w", "w", "--rejects", "r.jsonl").exit_code == 3


def test_a_workspace_that_is_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    Path("w").symlink_to(tmp_path / "disk")
    assert dedup_("index", "a.csv", "-w", "w").exit_code == 0
    assert dedup_("query", "acme", "-w", "disk").exit_code == 0


def _folder(path: Path) -> None:
    path.mkdir(parents=True)


def _pipe(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path.name)


def _nowhere(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("nothing")


def _device(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(("make", "code"), [(_folder, 2), (_pipe, 2), (_device, 2), (_loop, 5), (_nowhere, 5)])
def test_a_database_that_is_no_file_is_refused(make: Callable[[Path], None], code: int, command: list[str]) -> None:
    make(Path("w/neardup.sqlite"))
    result = dedup_(*command, "-w", "w")
    assert result.exit_code == code
    assert "neardup.sqlite" in result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_workspace_that_cannot_be_looked_at_may_work_later(command: list[str]) -> None:
    for place in ("a.csv", "a.csv/deeper", "n" * 300):
        result = dedup_(*command, "-w", place)
        assert result.exit_code == 5, result.stderr


@pytest.fixture
def without_rights() -> Iterator[Callable[[], None]]:
    """A function that makes this process one to which permissions mean something, if it is root's."""
    before = os.geteuid()
    yield lambda: os.seteuid(65_534) if before == 0 else None
    os.seteuid(before)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_workspace_without_permission_may_work_later(without_rights, tmp_path: Path, command: list[str]) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        if os.geteuid() == 0:
            folder.chmod(folder.stat().st_mode | 0o055)
    assert dedup_("index", "a.csv", "-w", "w").exit_code == 0
    assert dedup_(*command, "-w", "w").exit_code == 0
    Path("w").chmod(0)
    without_rights()
    try:
        result = dedup_(*command, "-w", "w")
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        Path("w").chmod(0o700)
    assert result.exit_code == 5, result.stderr
    assert "Permission denied" in result.stderr


def test_where_nothing_is_indexed_the_remedy_is_to_index() -> None:
    result = dedup_("status", "-w", "none")
    assert (result.exit_code, "index an input first" in result.stderr) == (2, True)


# Schemas of PostgreSQL

on_postgresql = pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)


@pytest.fixture
def administer(engine_url: str) -> Iterator[Callable[[str], list]]:
    """Runs a statement as the owner of the database."""
    engine = create_engine(make_url(engine_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")

    def run(statement: str) -> list:
        with engine.connect() as connection:
            result = connection.execute(sql(statement))
            return result.all() if result.returns_rows else []

    yield run
    engine.dispose()


@pytest.fixture
def role(administer: Callable[[str], list], engine_url: str) -> Iterator[str]:
    """The URL of the database for a new role that may only connect."""
    name = f"app_{make_url(engine_url).database}"
    administer(f"CREATE ROLE {name} LOGIN")
    yield make_url(engine_url).set(username=name, password=None).render_as_string(hide_password=False)
    administer(f"DROP OWNED BY {name}")
    administer(f"DROP ROLE {name}")


@on_postgresql
def test_tables_planted_in_an_earlier_schema_are_not_used(engine_url: str, administer, role: str) -> None:
    assert dedup_("index", "a.csv", "-w", "w", "--database", engine_url).exit_code == 0
    name = make_url(role).username
    administer(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}")
    administer("CREATE SCHEMA planted")
    tables = [row[0] for row in administer("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    for table in tables:
        administer(f'CREATE TABLE planted."{table}" (LIKE public."{table}")')
    administer("CREATE FUNCTION planted.coalesce_max(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    administer("CREATE FUNCTION planted.max(integer) RETURNS integer LANGUAGE sql AS 'SELECT 666'")
    administer("CREATE FUNCTION planted.pg_try_advisory_lock(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false'")
    administer(f"GRANT ALL ON SCHEMA planted TO {name}")
    administer(f"GRANT ALL ON ALL TABLES IN SCHEMA planted TO {name}")
    administer(f"ALTER ROLE {name} SET search_path = planted, pg_catalog, public")
    for command in (
        ["verify"],
        ["index", "b.csv", "--source", "a"],
        ["verify"],
        ["delete", "--source", "a", "--id", "3"],
    ):
        result = dedup_(*command, "-w", "w", "--database", role)
        assert result.exit_code == 0, (command, result.stderr)
    found = dedup_("query", "gamma", "-w", "w", "--database", role, "--format", "csv")
    assert "Gamma" in found.stdout
    assert administer("SELECT external_id FROM public.record ORDER BY 1") == [("1",), ("2",)]
    assert {administer(f'SELECT count(*) FROM planted."{table}"')[0][0] for table in tables} == {0}


@on_postgresql
def test_a_role_with_few_rights_does_everything_but_create(engine_url: str, administer, role: str) -> None:
    """The grants are those of docs/reliability.md."""
    name = make_url(role).username
    administer("CREATE SCHEMA companies")
    named = ("--schema", "companies", "-w", "w")
    assert dedup_("index", "a.csv", "--database", engine_url, *named).exit_code == 0
    denied = dedup_("index", "b.csv", "--database", role, *named)
    assert (denied.exit_code, "permission denied" in denied.stderr) == (5, True)
    administer(f"GRANT USAGE ON SCHEMA companies TO {name}")
    administer(f"GRANT SELECT ON ALL TABLES IN SCHEMA companies TO {name}")
    for command in (["query", "acme"], ["status"], ["verify"]):
        result = dedup_(*command, "--database", role, *named)
        assert result.exit_code == 0, (command, result.stderr)
    denied = dedup_("index", "b.csv", "--database", role, *named)
    assert (denied.exit_code, "permission denied" in denied.stderr) == (5, True)
    administer(f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA companies TO {name}")
    for command in (
        ["index", "b.csv"],
        ["index", "b.csv", "--sync"],
        ["delete", "--source", "a"],
        ["verify"],
        ["migrate"],
    ):
        result = dedup_(*command, "--database", role, *named)
        assert result.exit_code == 0, (command, result.stderr)
    assert administer("SELECT count(*) FROM companies.record") == [(3,)]


@on_postgresql
def test_two_schemas_are_two_indexes(engine_url: str, administer, tmp_path: Path) -> None:
    administer('CREATE SCHEMA "Two; Words"')
    with (
        neardup.Index(engine_url, workspace=tmp_path / "one") as one,
        neardup.Index(engine_url, workspace=tmp_path / "two", schema="Two; Words") as two,
    ):
        one.add(["Acme"])
        two.add(["Beta", "Gamma"])
        assert (one.status().records, two.status().records) == (1, 2)
        assert "schema Two; Words" in repr(two)
        assert two.query("beta")[0].record.text == "Beta"


@on_postgresql
def test_another_schema_is_named_and_a_missing_one_refused(engine_url: str, administer) -> None:
    administer("CREATE SCHEMA companies")
    assert dedup_("index", "a.csv", "-w", "w", "--database", engine_url, "--schema", "companies").exit_code == 0
    for command in (["status"], ["index", "b.csv"]):
        result = dedup_(*command, "-w", "w", "--database", engine_url)
        assert result.exit_code == 2
        assert "but in 'companies'; name one with --schema" in result.stderr
        result = dedup_(*command, "-w", "w", "--database", engine_url, "--schema", "none")
        assert (result.exit_code, "There is no schema 'none'" in result.stderr) == (2, True)
    assert administer("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert dedup_("index", "b.csv", "-w", "w2", "--database", engine_url, "--schema", "public").exit_code == 0


@pytest.mark.parametrize("schema", ["", "pg_catalog", "pg_temp", "information_schema"])
def test_schemas_of_the_system_are_refused(directory: Path, schema: str) -> None:
    with pytest.raises(UsageError, match="belongs to PostgreSQL"):
        neardup.Index("postgresql://host/name", workspace=directory, schema=schema)


def test_only_postgresql_has_schemas(directory: Path) -> None:
    with pytest.raises(UsageError, match="only a PostgreSQL database has schemas"):
        neardup.Index(directory, schema="public")


@on_postgresql
def test_a_session_has_no_search_path(engine_url: str, directory: Path) -> None:
    from indexer.store.workspace import Workspace

    with Workspace(directory, engine_url).open(for_writing=True) as store, store.engine.connect() as connection:
        for _ in range(2):
            assert connection.exec_driver_sql("SHOW search_path").scalar() in ("", '""')
            connection.rollback()
        with pytest.raises(Exception, match='relation "record" does not exist'):
            connection.exec_driver_sql("SELECT * FROM record")
