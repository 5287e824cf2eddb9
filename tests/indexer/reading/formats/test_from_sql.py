"""Rows of a query on a database, which is only read."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import create_engine
from sqlalchemy import text as sql
from tables import drain, errors, names, refused, write

from dedup.errors import EnvironmentFault, UsageError
from indexer.reading.open import ReadOptions, Row, default_source, open_query


@pytest.fixture
def database(tmp_path) -> str:
    path = tmp_path / "crm.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (id, name, extra)")
        rows = [
            ("00123", "Acme 100%", None),
            (2**62, "Müller", 1.5),
            (3, b"M\xfcller", "x"),
            (None, "Beta", b"blob"),
            (5, "NU\0L", None),
        ]
        connection.executemany("INSERT INTO customers VALUES (?, ?, ?)", rows)
    connection.close()
    return f"sqlite:///{path}"


def test_rows_of_a_query(database):
    with open_query("SELECT id, name, extra AS more FROM customers ORDER BY rowid", database) as table:
        assert (table.size, table.columns) == (None, ("id", "name", "more"))
        items = list(table)
        assert table.rows_in == 5
    assert items[0] == Row(1, 1, "00123", "Acme 100%", {"more": ""}, ["00123", "Acme 100%", ""], None, database)
    assert items[1][2:5] == (str(2**62), "Müller", {"more": "1.5"})
    assert errors(items) == [(3, "E_ENCODING_ROW"), (4, "E_ID_EMPTY"), (5, "E_NUL")]
    assert items[2].raw == "3,M\\xfcller,x"
    assert default_source(database) == "crm"


def test_percent_signs_and_colons_in_a_query(database):
    table = open_query("SELECT name FROM customers WHERE name LIKE '%100%' AND name <> ':x'", database)
    assert names(drain(table)) == ["Acme 100%"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT nothing FROM customers",
        "SELEKT",
        "",
        "DELETE FROM customers RETURNING id, name",
        "CREATE TABLE x (name)",
        "INSERT INTO customers VALUES (1, 2, 3)",
        "SELECT 1; SELECT 2",
    ],
)
def test_a_wrong_query_is_refused_and_writes_nothing(database, query):
    refused(lambda: drain(open_query(query, database, ReadOptions(text_columns=["name"]))), "E_SQL")
    path = database.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (5,)
    connection.close()


FORBIDDEN = [
    "VACUUM INTO '{new}'",
    "VACUUM",
    "ATTACH '{new}' AS other",
    "ATTACH 'file:{new}?mode=rwc' AS other",
    "SELECT load_extension('{new}')",
    "SELECT name FROM customers WHERE load_extension('{new}') IS NULL",
    "SELECT fts3_tokenizer('simple', x'00')",
    "PRAGMA journal_mode=WAL",
    "PRAGMA journal_mode",
    "PRAGMA user_version=7",
    "PRAGMA writable_schema=ON",
    "PRAGMA temp_store_directory='{folder}'",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA optimize",
    "PRAGMA incremental_vacuum",
    "CREATE TEMP TABLE x AS SELECT 1 AS name",
    "CREATE VIRTUAL TABLE temp.x USING fts5(name)",
    "REPLACE INTO customers VALUES (1, 2, 3) RETURNING name",
    "WITH x AS (SELECT 1) INSERT INTO customers SELECT 1, 2, 3 RETURNING name",
    "UPDATE customers SET name = 'x' RETURNING name",
    "DROP TABLE customers",
    "ALTER TABLE customers ADD COLUMN x",
    "REINDEX",
    "ANALYZE",
    "BEGIN IMMEDIATE",
    "SAVEPOINT x",
    "DETACH main",
    "SELECT name FROM loader",
]


@pytest.mark.parametrize("query", FORBIDDEN)
def test_a_query_can_do_nothing_but_read(database, tmp_path, query):
    path = tmp_path / "crm.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE VIEW loader AS SELECT load_extension('x') AS name")
    connection.close()
    before, new = path.read_bytes(), tmp_path / "new.db"
    sentence = query.format(new=new, folder=tmp_path)
    refused(lambda: drain(open_query(sentence, database, ReadOptions(text_columns=["name"]))), "E_SQL")
    assert [file.name for file in tmp_path.iterdir()] == ["crm.sqlite"]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "query",
    [
        "SELECT upper(name) AS name FROM customers WHERE name LIKE 'A%'",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT 'x' || i AS name FROM n",
        "SELECT name FROM pragma_table_info('customers')",
        "PRAGMA table_info(customers)",
        "SELECT value AS name FROM json_each('[\"Acme\"]')",
        "SELECT name, row_number() OVER (ORDER BY rowid) AS place FROM (SELECT rowid, name FROM customers LIMIT 2)",
        "SELECT name FROM sqlite_schema",
        "VALUES ('Acme')",
        "EXPLAIN QUERY PLAN SELECT name FROM customers",
    ],
)
def test_whatever_only_reads_is_answered(database, query):
    column = {"VALUES": "column1", "EXPLAIN": "detail"}.get(query.split()[0], "name")
    assert names(drain(open_query(query, database, ReadOptions(text_columns=[column], id_column=""))))


def test_a_fraction_is_no_id_of_a_query(database):
    table = open_query("SELECT 1.5 AS id, name FROM customers", database)
    assert "Cast" in refused(lambda: drain(table), "E_ID_TYPE")


def test_columns_of_a_query(database):
    refused(lambda: open_query("SELECT id, id, name FROM customers", database), "E_DUPLICATE_COLUMN")
    refused(lambda: open_query("SELECT name FROM customers", database, ReadOptions(id_column="id")), "E_MISSING_COLUMN")
    table = open_query("SELECT name FROM customers WHERE 0", database)
    assert drain(table) == []
    assert table.warnings[0].startswith("W_NO_ROWS")


def test_a_long_value_of_a_query_costs_its_row(database):
    items = drain(open_query("SELECT printf('%.*c', 1048577, 'x') AS name UNION ALL SELECT 'a'", database))
    assert errors(items) == [(1, "E_FIELD_TOO_LONG")]


def test_addresses_that_are_none(tmp_path):
    for url in ("nonsense", "", "oracle+unheard://x", "nosuch://x"):
        with pytest.raises(UsageError) as caught:
            open_query("SELECT 1", url)
        assert "secret" not in str(caught.value)
    for url in ("sqlite://", "sqlite:///:memory:", f"sqlite:///{tmp_path}/none.sqlite"):
        refused(lambda: open_query("SELECT 1", url), "E_NO_FILE")  # noqa: B023
    assert not (tmp_path / "none.sqlite").exists()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = write(tmp_path, "id,name\n" * 200)
    refused(lambda: open_query("SELECT name FROM x", f"sqlite:///{path}"), "E_SQL")


def test_a_database_that_is_not_there(tmp_path):
    url = f"postgresql://me:secret@/crm?host={tmp_path}&password=hidden"
    with pytest.raises(EnvironmentFault) as caught:
        open_query("SELECT 1", url)
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_query_on_postgresql(postgresql):
    query = """
        SELECT * FROM (VALUES
            (1::bigint, 'Acme 100%', 1.10::numeric(10, 2), true, DATE '2026-01-02', 0.1::float8, '{}'::text[]),
            (2, NULL, 1e3, false, NULL, NULL, NULL)
        ) AS t (id, name, price, ok, day, share, tags) ORDER BY id"""
    items = drain(open_query(query, postgresql))
    assert errors(items) == [(1, "E_NESTED")]
    assert items[1][2:5] == ("2", "", {"price": "1000.00", "ok": "false", "day": "", "share": "", "tags": ""}) or (
        items[1].fields["price"] in ("1000", "1000.00")
    )
    table = open_query("SELECT n AS id, 'Company ' || n AS name FROM generate_series(1, 20000) n", postgresql)
    assert len(drain(table)) == 20_000
    assert "***" in table.name or "@" in table.name


@pytest.mark.parametrize("query", ["CREATE TABLE x ()", "CREATE TEMP TABLE x AS SELECT 1", "SELEC", "SELECT x"])
def test_a_wrong_query_on_postgresql(postgresql, query):
    refused(lambda: drain(open_query(query, postgresql)), "E_SQL")


def test_postgresql_is_only_read(postgresql):
    engine = create_engine(postgresql.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sql("CREATE TABLE IF NOT EXISTS kept (id int, name text)"))
        connection.execute(sql("INSERT INTO kept VALUES (1, 'a')"))
    query = "WITH gone AS (DELETE FROM kept RETURNING id, name) SELECT * FROM gone"
    refused(lambda: drain(open_query(query, postgresql)), "E_SQL")
    with engine.begin() as connection:
        assert connection.execute(sql("SELECT count(*) FROM kept")).scalar() == 1
        connection.execute(sql("DROP TABLE kept"))
    engine.dispose()


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS id, writing() AS name",
        "SELECT nextval('numbers') AS id, 'x' AS name",
        "SELECT 1 AS id, 'x' AS name; COMMIT; INSERT INTO written VALUES (1)",
        "COMMIT; INSERT INTO written VALUES (1) RETURNING 1 AS id, 'x' AS name",
        "SET TRANSACTION READ WRITE",
        "DO $$ BEGIN INSERT INTO written VALUES (1); END $$",
        "CALL writes()",
        "COPY written TO '{folder}/written'",
        "COPY (SELECT 1) TO PROGRAM 'touch {folder}/written'",
        "SELECT set_config('transaction_read_only', 'off', true) AS name, writing() AS id",
    ],
)
def test_what_writes_on_postgresql_is_refused(new_database, tmp_path, query):
    url = new_database()
    tmp_path.chmod(0o777)
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sql("CREATE TABLE written (x int)"))
        connection.execute(sql("CREATE SEQUENCE numbers"))
        body = "LANGUAGE plpgsql AS $$ BEGIN INSERT INTO written VALUES (1); "
        connection.execute(sql(f"CREATE FUNCTION writing() RETURNS text {body} RETURN 'a'; END $$"))
        connection.execute(sql(f"CREATE PROCEDURE writes() {body} END $$"))
    refused(lambda: drain(open_query(query.format(folder=tmp_path), url)), "E_SQL")
    with engine.begin() as connection:
        assert connection.execute(sql("SELECT count(*) FROM written")).scalar() == 0
        assert connection.execute(sql("SELECT is_called FROM numbers")).scalar() is False
    engine.dispose()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_query_that_is_cancelled_may_work_later(new_database):
    url = new_database()
    with pytest.raises(EnvironmentFault, match="Try again later"):
        drain(open_query("SELECT pg_terminate_backend(pg_backend_pid())::text AS name", url))


@pytest.mark.parametrize("url", ["mysql+json://host/crm", "oracle+types://host/crm", "nothing://x"])
def test_a_driver_that_is_none_is_named(url):
    """SQLAlchemy has modules of these names beside its drivers."""
    with pytest.raises(UsageError, match=f"does not know the database '{url.partition(':')[0]}'".replace("+", "[+]")):
        open_query("SELECT 1", url)
