"""URLs of databases, those that are understood and those that are not, and what becomes of an index job with each.

``cases`` yields a URL and the database that must hold the row, if it must work: then the job ends with 0, and others
find the row there. If not, the job ends with 2, names the remedy and leaves nothing behind.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from urllib.parse import unquote

from invocation import dedup_, write
from server import execute

Case = tuple[str, str | None]
"""A URL, and what must hold the row: the path of a SQLite file or the URL of a PostgreSQL database; None if refused."""

GOOD_PATHS = (
    *("plain.db", "two words.db", "Größe.db", "100%.db", "%20.db", "a#b.db", "a=b&c.db", "it's.db", 'say "x".db'),
    *("./:memory:", "./file:x.db", "deep/er/x.db", "no_suffix", "-x.db", "memory", "semi;colon", "back\\slash.db"),
)
BAD_PATHS = (
    "",
    " ",
    ":memory:",
    "file:m",
    "file:m.db",
    "FILE:m.db",
    "file::memory:",
    "file:///tmp/never.db",
    "%3Amemory:",
    "file%3Am",
)
SQLITE_PARAMETERS = (
    *("mode=memory", "mode=ro", "mode=rw", "mode=rwc", "mode=memory&uri=true", "mode=ro&uri=true", "uri=true", "uri=1"),
    *(
        "cache=shared",
        "cache=shared&mode=memory&uri=true",
        "immutable=1&uri=true",
        "vfs=unix-none",
        "nolock=1&uri=true",
    ),
    *("psow=0", "timeout=0", "timeout=5", "isolation_level=None", "isolation_level=EXCLUSIVE", "detect_types=3"),
    *("check_same_thread=false", "cached_statements=0", "factory=x", "_pragma=journal_mode(off)", "journal_mode=OFF"),
    *(
        "synchronous=OFF",
        "bogus=1",
        "password=x",
        "key=x",
        "host=/tmp",
        "autocommit=true",
        "MODE=MEMORY",
        "mode=memory%00",
    ),
)
SQLITE_PREFIXES = ("sqlite:///", "sqlite+pysqlite:///")
FOREIGN_PREFIXES = (
    *("sqlite://host/", "sqlite://user@host/", "sqlite://user:pw@/", "sqlite://:pw@/", "sqlite://host:1/"),
    *(
        "sqlite+aiosqlite:///",
        "sqlite+pysqlcipher:///",
        "sqlite+pysqlite_numeric:///",
        "sqlite+nothing:///",
        "SQLITE:///",
    ),
    *("sqlite3:///", "file:///", "mysql://u@h/", "mysql+pymysql://u@h/", "oracle://u@h/", "mssql+pyodbc://u@h/"),
    *("duckdb:///", "http://h/", "postgresql+asyncpg://u@h/", "postgresql+pg8000://u@h/", "postgresqlx://h/"),
    *("cockroachdb://u@h/", "redshift://u@h/", "jdbc:postgresql://h/", "sqlite:/", "sqlite:", "sqlite//", "://", "//"),
)
GOOD_PARAMETERS = (
    *("", "connect_timeout=5", "application_name=nightly%20job", "sslmode=disable", "sslmode=prefer"),
    *("keepalives=1&keepalives_idle=5", "target_session_attrs=read-write", "target_session_attrs=any", "port=5432"),
    *(
        "tcp_user_timeout=1000",
        "gssencmode=disable",
        "channel_binding=prefer",
        "password=unused",
        "sslrootcert=/none.pem",
    ),
)
BAD_PARAMETERS = (
    *(
        "dbname=other",
        "service=other",
        "servicefile=/x",
        "user=other",
        "hostaddr=127.0.0.1",
        "options=-csearch_path%3Dx",
    ),
    *("options=-c%20default_transaction_read_only%3Don", "options=-csynchronous_commit%3Doff", "replication=database"),
    *("target_session_attrs=read-only", "target_session_attrs=standby", "client_encoding=latin1", "autocommit=true"),
    *("row_factory=x", "prepare_threshold=0", "cursor_factory=x", "context=x", "bogus=1", "sslmode=never", "sslmode=0"),
    *(
        "connect_timeout=soon",
        "connect_timeout=-1",
        "connect_timeout=1.5",
        "port=0",
        "port=65536",
        "port=x",
        "port=1,x",
    ),
    *("keepalives=yes", "application_name=a&application_name=b", "sslmode=require&sslmode=disable", "SSLMODE=disable"),
    *("dbname=other&sslmode=disable", "sslmode=disable&dbname=other", "load_balance_hosts=random", "requirepeer=x"),
    *(
        "fallback_application_name=x",
        "passwd=x",
        "timeout=5",
        "schema=x",
        "search_path=x",
        "currentSchema=x",
        "ssl=true",
    ),
)
BAD_POSTGRESQL = (
    *(
        "postgresql://",
        "postgresql:///",
        "postgresql://u@h",
        "postgresql://u@h/",
        "postgres://h:0/d",
        "postgresql://h:65536/d",
    ),
    *(
        "postgresql://h:x/d",
        "postgresql://h:5432:1/d",
        "postgresql://h/d%0Aname",
        "postgresql://h/d\nname",
        "nonsense",
        " ",
    ),
    *(
        "postgresql://u:p\x00w@h/d",
        "postgresql://u%00@h/d",
        "postgresql://h/d?host=x",
        "postgresql:h/d",
        "\ud800",
        "x\udcff",
    ),
)


def cases(postgresql: str) -> Iterator[Case]:
    """Yield every case; ``postgresql`` is the URL of a database."""
    for path in GOOD_PATHS:
        yield f"sqlite:///{path}", unquote(path)
        yield f"sqlite+pysqlite:///{os.path.abspath(path)}", os.path.abspath(unquote(path))
    yield "sqlite:///empty query.db?", "empty query.db"
    for prefix, path in product(SQLITE_PREFIXES, BAD_PATHS):
        yield prefix + path, None
    for prefix, path, parameters in product(
        SQLITE_PREFIXES, ("kept.db", "deep/kept.db", "file:m", ":memory:"), SQLITE_PARAMETERS
    ):
        yield f"{prefix}{path}?{parameters}", None
    for prefix, rest in product(FOREIGN_PREFIXES, ("x.db", "x.db?mode=memory", "")):
        yield prefix + rest, None
    for parameters in GOOD_PARAMETERS:
        yield _with(postgresql, parameters), postgresql
    for driver in ("postgres", "postgresql+psycopg", "postgresql+psycopg2"):
        yield postgresql.replace("postgresql:", f"{driver}:", 1), postgresql
    for driver, parameters in product(("", "+psycopg"), BAD_PARAMETERS):
        yield _with(postgresql, parameters).replace("postgresql:", f"postgresql{driver}:", 1), None
    for url in BAD_POSTGRESQL:
        yield url, None


def _with(url: str, parameters: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{parameters}" if parameters else url


def fault_of(url: str, holder: str | None, number: int) -> str | None:
    """Index one row with this URL, in the current directory, and return what is wrong with the outcome."""
    before = _files()
    row = write(f"row{number}.csv", f"id,name\n1,Acme {number}\n")
    result = dedup_("index", row, "--database", url, "--workspace", "work", "--quiet")
    os.unlink(row)
    if holder is not None:
        if result.exit_code:
            return f"refused with {result.exit_code}: {result.stderr}"
        again = dedup_("status", "--database", url, "--workspace", "work")
        return None if again.exit_code == 0 and _holds(holder, number) else "acknowledged, but not kept there"
    if result.exit_code != 2:
        return f"ended with {result.exit_code}: {result.stderr or result.stdout}"
    if not re.fullmatch(r"(Usage: .*)?Error: .{40,}\n", result.stderr, re.DOTALL):
        return f"a message without a remedy: {result.stderr}"
    if _files() != before:
        return f"left {_files() - before}"
    return None


def _files() -> set[Path]:
    return {path for path in Path().rglob("*") if path.parts[0] != "work"}


def _holds(holder: str, number: int) -> bool:
    query = "SELECT count(*) FROM record WHERE raw = "
    if "://" in holder:
        return execute(holder, f"{query}%s", [f"Acme {number}"]) == [(1,)]
    if not Path(holder).is_file():
        return False
    with sqlite3.connect(holder) as connection:
        found = connection.execute(f"{query}?", [f"Acme {number}"]).fetchone()
    connection.close()
    return found == (1,)


def play(postgresql: str, *, every: int = 1) -> tuple[int, int, list[str]]:
    """Play the cases, or one of ``every``; return how many had to work, how many not, and the faults."""
    Path("deep/er").mkdir(parents=True, exist_ok=True)
    good = bad = 0
    faults = []
    for number, (url, holder) in enumerate(cases(postgresql)):
        if number % every == 0:
            good, bad = good + (holder is not None), bad + (holder is None)
            if fault := fault_of(url, holder, number):
                faults.append(f"{url!a}: {fault}")
    return good, bad, faults
