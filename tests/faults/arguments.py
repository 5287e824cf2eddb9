"""Odd arguments: numbers, texts, bytes, paths and URLs that somebody, or some program, gives to the command line.

Whatever they are, a command ends with a documented exit code and, unless it is 0, with a sentence; and a command that
did not do what was asked has changed nothing. Some cases are controls: they must work.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from invocation import dedup_

DOCUMENTED = frozenset({0, 2, 3, 4, 5, 6, 7, 8})
DONE = frozenset({0, 3})

HUGE = ("99999999999999999999", "9" * 5_000, "2147483648", "1e400", "1" + "0" * 400)
NUMBERS = (
    *("", " ", "0", "-0", "-1", "+1", "007", " 1", "1 ", "1.5", ".5", "1.", "1,5", "1_000", "1e3", "1e-400", "0x10"),
    *(
        "nan",
        "NaN",
        "inf",
        "-inf",
        "Infinity",
        "null",
        "true",
        "None",
        "½",
        "²",
        "∞",
        "１２",
        "٣",
        "--",
        "-",
        "a",
        "1;2",
    ),
    *(
        "1 2",
        "4G",
        "0M",
        "1.5GiB",
        "٣M",
        "1M1",
        "-1G",
        "999999999999999T",
        "9" * 400 + "G",
        "\udcff",
        "1\udcff",
        "\x7f",
    ),
    *("1\n", "\x1b[31m1", "1\u202e", "1;2", "\x7f"),
    *HUGE,
)
TEXTS = (
    *("", " ", "\n", "\t", "-", "--", "\x1b[31mred", "\u202eevil", "\x7f", "\U000e0041", "💥", "\udcff", "a\udc80b"),
    *(
        "\ud800",
        "x" * 5_000,
        "x" * 200_000,
        "../..",
        "/dev/null",
        "NULL",
        "'; DROP TABLE record; --",
        "%00",
        "a\u2028b",
    ),
)
BYTES = ("\udcff", "caf\udce9", "a\udc80b", "\udcff\udcfe", "new\nline", "\x1b[31m", "-x", "💥", "a b", "x" * 200)
URLS = (
    *(
        "",
        " ",
        "://",
        "foo",
        "sqlite",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite:///.",
        "sqlite:////",
        "sqlite:///..",
    ),
    *("sqlite:///:memory:", "sqlite://u:p@h/x.db", "sqlite://h/x.db", "sqlite:///a%00b", "sqlite:////nowhere/x.db"),
    *(
        "sqlite:////dev/null",
        "sqlite:////dev/full",
        "sqlite:///names.csv",
        "sqlite:///a.db?timeout=x",
        "sqlite:///\udcff",
    ),
    *(
        "sqlite:///a.db?timeout=1&timeout=2",
        "sqlite:///x.db?plugin=os",
        "sqlite:///" + "a" * 300,
        "mysql://x",
        "oracle://",
    ),
    *("postgresql://a@127.0.0.1:1/d", "postgres://a@127.0.0.1:1/d", "postgresql+asyncpg://a@127.0.0.1:1/d"),
    *("postgresql://a@127.0.0.1:abc/d", "postgresql://a@127.0.0.1:99999/d", "postgresql://a@127.0.0.1:-5/d"),
    *(
        "postgresql://a@127.0.0.1:1/d?bogus=1",
        "postgresql://a@127.0.0.1:1/d?connect_timeout=x",
        "postgresql://a@[::1/d",
    ),
    *("postgresql://a@127.0.0.1:1/d?sslmode=silly", "postgresql://a@127.0.0.1:1/d?plugin=x", "postgresql://[::1]:1/d"),
    *("postgresql://a@127.0.0.1:1/d?host=a,b,c&port=1,2", "postgresql://a@127.0.0.1:1/d?service=none", "http://x/y"),
    *("postgresql://a@127.0.0.1:1/d?async_fallback=true", "postgresql://a@/d?host=/nowhere", "file:///etc/passwd"),
    *("postgresql://a@127.0.0.1:1/d?options=-c%20x", "postgresql://%00@127.0.0.1:1/d", "\x1b[31m://x", "sqlite3:///x"),
)

QUERY, INDEX = ("query", "acme"), ("index", "names.csv")
WITH_NUMBER = (
    *((QUERY, "--threads"), (QUERY, "--limit"), (QUERY, "--min-probability"), (INDEX, "--threads")),
    *((INDEX, "--memory"), (INDEX, "--skip-lines"), (INDEX, "--max-reject-rate"), (("report",), "--min-probability")),
    (("report",), "--memory"),
    *((("train", "nowhere", "-o", "model"), "--steps"), (("train", "nowhere", "-o", "model"), "--seed")),
)
WITH_TEXT = (
    *((INDEX, "--source"), (INDEX, "--text"), (INDEX, "--id"), (INDEX, "--encoding"), (INDEX, "--delimiter")),
    *(
        (INDEX, "--quote"),
        (("delete",), "--id"),
        (("delete",), "--source"),
        (QUERY, "--format"),
        (("status",), "--format"),
    ),
    *((("index", "--source-url", "sqlite:///names.csv"), "--from-sql"), (("query",), ""), (("compare", "acme"), "")),
    *(((), ""), (("index",), "--no-such-option")),
)
WITH_PATH = (
    *((INDEX, "--workspace"), (INDEX, "--rejects"), (("query", "--input", "names.csv"), "--output"), (("index",), "")),
    *((("query",), "--input"), (("report",), "--output"), (("evaluate",), "--pairs"), (("status",), "--workspace")),
)


class Case(NamedTuple):
    """Arguments, and the exit code if there is only one that is right."""

    arguments: tuple[str, ...]
    code: int | None = None


def cases() -> Iterator[Case]:
    """Yield all cases, controls last."""
    for groups, values in ((WITH_NUMBER, NUMBERS), (WITH_TEXT, TEXTS), (WITH_PATH, BYTES)):
        for command, option in groups:
            yield from (Case((*command, *([option] if option else []), value)) for value in values)
    for url in URLS:
        yield Case(("status", "--database", url))
        yield Case(("index", "names.csv", "--workspace", "other", "--database", url))
        yield Case(("index", "--from-sql", "SELECT 1 AS name", "--source-url", url, "--workspace", "other"))
    yield from CONTROLS


CONTROLS = (
    *(Case((*QUERY, "--limit", limit), 0) for limit in ("1", "007", "100000000", "99999999999999999999")),
    *(Case((*QUERY, "--threads", number), 0) for number in ("1", "2", "100000")),
    *(Case((*QUERY, "--min-probability", share), 0) for share in ("0", "1", "0.5", "1e-3")),
    *(Case((*QUERY, "--min-probability", share), 2) for share in ("nan", "inf", "1.0001", "-0.1", "½", "")),
    *(Case((*INDEX, "--memory", size), 0) for size in ("4G", "1.5 GiB", "999999T")),
    *(Case((*INDEX, "--memory", size), 2) for size in ("", "4", "0M", "-1G", "9" * 400 + "G")),
    *(Case((*INDEX, "--source", text), 0) for text in ("customers", "Köln", "💥", "a b")),
    *(Case((*INDEX, "--source", text), 2) for text in ("\udcff", "")),
    Case(("index", "na me.csv"), 4),  # its rows are in another source
    Case(("index", "💥.csv"), 0),
    *(Case(("index", name, "--workspace", f"of {name}"), 0) for name in ("na me.csv", "💥.csv")),
    Case(("index", "\udcff.csv"), 2),
    Case(("index", "\udcff.csv", "--source", "odd"), 0),
    Case((*INDEX, "--workspace", "w\udcff"), 0),
    Case((*QUERY, "--output", "\udcff.json"), 0),
    Case(("query", "\udcff"), 2),
    Case(("delete", "--id", "\udcff"), 2),
    Case(("status",), 0),
    Case(("query", "--input", "\udcff.csv"), 0),
)


def prepare() -> None:
    """Write the inputs and the index into the working directory."""
    for name in ("names.csv", "na me.csv", "💥.csv", "\udcff.csv"):
        Path(name).write_text("id,name\n1,Acme\n2,Acme Inc\n3,Beta\n", encoding="utf-8")
    assert dedup_("index", "names.csv", "--quiet").exit_code == 0


def fault_of(case: Case) -> str:
    """Run a case; return what is wrong with how it ended, empty if nothing."""
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # --threads of the case before has changed it
    before = stored()
    result = dedup_(*case.arguments)
    code = result.exit_code
    said = result.stderr.strip()
    if code not in DOCUMENTED:
        return f"exit code {code}: {said[-300:]}{result.exception or ''}"
    if case.code not in (None, code):
        return f"exit code {code}, not {case.code}: {said[-300:]}"
    if code not in DONE and "Error: " not in said.splitlines()[-1]:
        return f"exit code {code} without a sentence: {said[-300:]!r}"
    if "Traceback" in said or "This is a bug" in said or not set(said).isdisjoint("\x1b\x7f\u202e\udcff"):
        return f"not fit to be read: {said[-300:]!r}"
    return "the index was changed" if code not in DONE and stored() != before else ""


def stored() -> list[tuple[str, ...]]:
    """The records of the index."""
    connection = sqlite3.connect(".dedup/neardup.sqlite")
    try:
        return connection.execute("SELECT * FROM record ORDER BY 1").fetchall()
    finally:
        connection.close()
