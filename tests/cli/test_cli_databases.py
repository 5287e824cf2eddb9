"""Guards of a source, linking and queries on both databases; the same rows in Python and on the command line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import workbook
from invocation import dedup_, rows_of, write
from typer.testing import Result

import dedup.model
from dedup.errors import UsageError
from indexer.api import Index

ACCOUNTS = [(1, "Acme Widgets Inc", "Ulm"), (2, "ACME WIDGETS INC", "Kiel"), (3, "Zenith Copper", "Lyon")]
LEADS = [(7, "Acme Widgets Incc", "Bonn"), (8, "Acme Widgets Incc", "Rome"), (9, "Nobody Knows", "Oslo")]


def listed(path: str, rows: list[tuple[int, str, str]], header: str = "id,name,city") -> str:
    return write(path, "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


def harbors(path: str, numbers: range, header: str = "id,key,name") -> str:
    return listed(path, [(n, f"K{n}", f"Harbor Works {n}") for n in numbers], header)


@pytest.fixture
def run(engine_url: str) -> Callable[..., Result]:
    return lambda command, *arguments: dedup_(command, *arguments, "--database", engine_url)


@pytest.fixture
def two_sources(run: Callable[..., Result]) -> Callable[..., Result]:
    for path, rows in (("accounts.csv", ACCOUNTS), ("leads.csv", LEADS)):
        assert run("index", listed(path, rows), "-q").exit_code == 0
    return run


def sources(engine_url: str) -> dict[str, int]:
    with Index(engine_url, model=dedup.model.load_model()) as index:
        return index.status().sources


def test_a_list_that_is_cut_off_ends_with_9_and_removes_nothing(run, engine_url):
    assert run("index", harbors("list.csv", range(100)), "--sync").exit_code == 0
    harbors("list.csv", range(20))
    result = run("index", "list.csv", "--sync")
    assert (result.exit_code, result.stdout) == (9, "")
    assert "would remove 80 of the 100 records of source 'list' (80%, at most 10% is allowed)" in result.stderr
    assert "--max-removed 1" in result.stderr
    assert run("index", "list.csv", "--sync", "--max-removed", "0.79").exit_code == 9
    assert sources(engine_url) == {"list": 100}
    assert run("index", "list.csv", "--sync", "--max-removed", "1").exit_code == 0
    assert sources(engine_url) == {"list": 20}


def test_a_dated_name_asks_for_the_source(run, engine_url):
    assert run("index", harbors("export-2026-11-29.csv", range(50))).exit_code == 0
    result = run("index", harbors("export-2026-11-30.csv", range(2, 55)))
    assert (result.exit_code, result.stdout) == (4, "")
    assert "48 of 53 rows are in source 'export-2026-11-29' already" in result.stderr
    assert "use --source export-2026-11-29" in result.stderr
    assert run("index", "export-2026-11-30.csv", "--source", "export-2026-11-29").exit_code == 0
    assert sources(engine_url) == {"export-2026-11-29": 55}


def test_ids_from_another_column_are_refused(run, engine_url):
    assert run("index", harbors("list.csv", range(30))).exit_code == 0
    for sync in ((), ("--sync",)):
        result = run("index", "list.csv", "--id", "key", *sync)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "ids from column 'id', but this input takes them from 'key'" in result.stderr
        assert "--id id" in result.stderr
    assert run("index", "list.csv", "--id", "").exit_code == 2
    assert sources(engine_url) == {"list": 30}


def test_a_file_is_linked_with_a_source_as_in_python(two_sources, engine_url):
    result = two_sources("link", "leads.csv", "--against", "accounts", "--keep", "all", "--columns", "city")
    assert result.exit_code == 0
    rows = rows_of(result)
    found = [(row["id_1"], row["id_2"], row["city_1"], row["city_2"]) for row in rows]
    assert sorted(found) == [
        ("7", "1", "Bonn", "Ulm"),
        ("7", "2", "Bonn", "Kiel"),
        ("8", "1", "Rome", "Ulm"),
        ("8", "2", "Rome", "Kiel"),
        ("9", "", "Oslo", ""),
    ]
    with Index(engine_url, model=dedup.model.load_model()) as index:
        table = list(index.link("leads.csv", "accounts").rows("all", ["city"]).table_rows())
        semicolons = Path("semicolons.csv")
        semicolons.write_text(Path("leads.csv").read_text().replace(",", ";"))
        same = index.link(semicolons, "accounts", delimiter=";", text="name").rows("all", ["city"]).table_rows()
        assert [row["id_2"] for row in same] == [row["id_2"] for row in table]
    assert [(row["id_1"], row["id_2"] or "", row["city_1"], row["city_2"] or "") for row in table] == found
    assert list(table[0]) == list(rows[0])


def test_a_report_between_two_sources_has_every_pair_as_in_python(two_sources, engine_url):
    result = two_sources("report", "--between", "leads", "accounts", "--columns", "city", "--output", "out")
    assert result.exit_code == 0
    with Path("out/links.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = [(row["id_1"], row["id_2"], row["city_1"], row["city_2"]) for row in rows]
    assert sorted(found) == [
        ("7", "1", "Bonn", "Ulm"),
        ("7", "2", "Bonn", "Kiel"),
        ("8", "1", "Rome", "Ulm"),
        ("8", "2", "Rome", "Kiel"),
    ]
    with Index(engine_url, model=dedup.model.load_model()) as index:
        links = index.between("leads", "accounts")
        assert [(pair.left.id, pair.right.id) for pair in links] == [(row["id_1"], row["id_2"]) for row in rows]


@pytest.mark.parametrize("most", [1000, 1])
def test_equal_leads_of_one_account_are_all_listed(run, engine_url, most):
    """Whatever the limit for the pairs of a report, none across two lists is lost."""
    assert run("index", listed("accounts.csv", ACCOUNTS[:1]), "-q").exit_code == 0
    leads = [(n, "ACME WIDGETS INC.", "Bonn") for n in (7, 8, 9)]
    assert run("index", listed("leads.csv", leads), "-q").exit_code == 0
    assert run("report", "--output", "out", "--max-pairs", str(most), "--columns", "").exit_code == 0
    with Path("out/pairs.csv").open(encoding="utf-8", newline="") as file:
        pairs = {frozenset((row["id_1"], row["id_2"])) for row in csv.DictReader(file)}
    across = {frozenset((account, lead)) for account in "1" for lead in "789"}
    assert across <= pairs
    assert len(pairs) == 6 or most == 1
    with Index(engine_url, model=dedup.model.load_model()) as index:
        assert {frozenset((pair.left.id, pair.right.id)) for pair in index.between("leads", "accounts")} == across
        assert {frozenset((p.left.id, p.right.id)) for p in index.duplicates(max_pairs=most).pairs} == pairs
    result = run("link", "leads.csv", "--against", "accounts", "--keep", "all")
    assert {frozenset((row["id_1"], row["id_2"])) for row in rows_of(result)} == across


def test_where_to_look_and_what_to_leave_out(two_sources):
    def found(*arguments: str) -> list[tuple[str, str]]:
        result = two_sources("query", "--input", "leads.csv", "--format", "csv", "--min-probability", "0.8", *arguments)
        assert result.exit_code == 0, result.stderr
        return [(row["query_id"], row["id"]) for row in rows_of(result)]

    of_leads = [(lead, other) for lead in "78" for other in "7812"]
    assert found() == [*of_leads, ("9", "9")]
    assert found("--source", "accounts") == [("7", "1"), ("7", "2"), ("8", "1"), ("8", "2")]
    assert found("--source", "accounts", "--unmatched")[-1] == ("9", "")
    assert found("--exclude-self", "--unmatched") == [
        *(("7", "8"), ("7", "1"), ("7", "2")),
        *(("8", "7"), ("8", "1"), ("8", "2")),
        ("9", ""),
    ]


def test_workbooks_and_parquet_hold_the_rows_of_csv(two_sources):
    from pyarrow import parquet

    for suffix in ("csv", "xlsx", "parquet"):
        for command in (("link", "leads.csv", "--against", "accounts"), ("query", "--input", "leads.csv")):
            assert two_sources(*command, "--output", f"{command[0]}.{suffix}").exit_code == 0
    assert two_sources("report", "--output", "out", "--format", "xlsx").exit_code == 0
    for command in ("link", "query"):
        with Path(f"{command}.csv").open(encoding="utf-8", newline="") as file:
            rows = [list(row) for row in csv.reader(file)]
        header, *cells = next(iter(workbook.sheets(f"{command}.xlsx").values()))
        table = parquet.read_table(f"{command}.parquet")
        assert [name for _, name in header] == table.column_names == rows[0]
        assert len(cells) == table.num_rows == len(rows) - 1
        at = rows[0].index("probability")
        assert {row[at][0] for row in cells if row[at]} == {"n"}
    assert Path("out/pairs.xlsx").exists()


def test_a_report_is_the_same_in_python(two_sources, engine_url):
    options = ("--format", "tsv", "--columns", "city", "--explain", "--max-pairs", "2", "--raw")
    assert two_sources("report", "--output", "out", *options).exit_code == 0
    with Index(engine_url, model=dedup.model.load_model()) as index:
        index.report("python", formats="tsv", columns=["city"], explain=True, max_pairs=2, raw=True)
        with pytest.raises(UsageError, match="max_pair"):
            index.report("python", max_pair=2)
    for name in ("pairs.tsv", "clusters.tsv"):
        assert Path("out", name).read_bytes() == Path("python", name).read_bytes()
    assert "city_1" in Path("out/pairs.tsv").read_text(encoding="utf-8").splitlines()[0]


def test_a_query_in_some_sources_is_the_same_in_python(two_sources, engine_url):
    rows = rows_of(two_sources("query", "Acme Widgets Inc", "--source", "accounts", "--format", "csv"))
    with Index(engine_url, model=dedup.model.load_model()) as index:
        for source in ("accounts", ["accounts"]):
            assert [match.record.id for match in index.query("Acme Widgets Inc", source=source)] == [
                row["id"] for row in rows
            ]
        assert {match.record.source for match in index.query("Acme Widgets Inc")} == {"accounts", "leads"}
        assert {match.record.source for match in index.query("Acme Widgets Inc", source="leads")} == {"leads"}
        for bad in ("nobody", [], ""):
            with pytest.raises(UsageError, match="source"):
                index.query("Acme Widgets Inc", source=bad)
        assert {match.record.source for match in index.query("Acme Widgets Inc", source="leads")} == {"leads"}
