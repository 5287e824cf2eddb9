"""``dedup report``: the formats of its files, the table of all records, the page, and what is printed."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from invocation import dedup_, write
from report_pages import Structure, data_of

import dedup.model
import neardup

NAMES = "id,name,city\n1,Northwind Trading,Ulm\n2,Zebra Oil,Bonn\n3,Northwind Tradng,Kiel\n4,northwind trading,=1\n"


@pytest.fixture(autouse=True)
def a_list() -> None:
    write("a.csv", NAMES)
    assert dedup_("index", "a.csv", "--quiet").exit_code == 0


def rows(path: str) -> list[dict[str, str]]:
    with open(f"dedup-report/{path}", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def objects(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(f"dedup-report/{path}").read_text("utf-8").splitlines()]


def test_several_formats_hold_the_same() -> None:
    assert (
        dedup_("report", "--format", "csv,jsonl", "--format", "parquet", "--format", "csv", "--records").exit_code == 0
    )
    tables = ("pairs", "clusters", "changes", "records")
    names = [f"{table}.{layout}" for table in tables for layout in ("csv", "jsonl", "parquet")]
    assert sorted(os.listdir("dedup-report")) == sorted([*names, "summary.json"])
    for table in tables:
        from pyarrow import parquet

        found = objects(f"{table}.jsonl")
        assert parquet.read_table(f"dedup-report/{table}.parquet").to_pylist() == found
        assert len(rows(f"{table}.csv")) == len(found) and list(rows(f"{table}.csv")[0]) == list(found[0])
    assert [row["city"] for row in rows("records.csv")] == ["Ulm", "Bonn", "Kiel", "'=1"]
    assert [row["city"] for row in objects("records.jsonl")] == ["Ulm", "Bonn", "Kiel", "=1"]
    assert isinstance(objects("pairs.jsonl")[0]["probability"], float)


def test_every_record_has_its_cluster_in_the_order_it_was_added() -> None:
    assert dedup_("report", "--records").exit_code == 0
    facts = ("is_representative", "keep")
    found = [tuple(row[name] for name in ("source", "id", "cluster_id", *facts)) for row in rows("records.csv")]
    assert found == [
        ("a", "1", "c1", "true", "true"),
        ("a", "2", "", "true", "true"),
        ("a", "3", "c1", "false", "false"),
        ("a", "4", "c1", "false", "false"),
    ]
    clustered = {tuple(row[name] for name in ("id", "cluster_id", *facts)) for row in rows("clusters.csv")}
    assert {row[1:] for row in found if row[2]} == clustered


@pytest.mark.parametrize("name", ["json", "table", "JSON"])
def test_what_is_printed_is_another_option(name: str) -> None:
    result = dedup_("report", "--format", name)
    assert result.exit_code == 2 and f"--summary {name.lower()}" in result.stderr
    assert not Path("dedup-report").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "pdf"), "give one of csv, tsv, jsonl, xlsx, parquet, html"),
        (("--format", ""), "give one of csv"),
        (("--format", "csv,,html"), "give one of csv"),
        (("--tables", "xlsx"), "--tables"),
        (("--format", "jsonl,html", "--bom"), "are for CSV and TSV, not for jsonl"),
        (("--format", "html", "--records"), "needs a format beside html"),
        (("--between", "a", "b", "--format", "html"), "name a table format"),
        (("--between", "a", "b", "--records"), "does not apply to --between"),
        (("--output", "report.html"), "--format html"),
    ],
)
def test_what_cannot_be_written_so_is_refused(arguments: tuple[str, ...], said: str) -> None:
    before = sorted(os.listdir())
    result = dedup_("report", *arguments)
    assert result.exit_code == 2 and said in " ".join(result.stderr.split()), result.output
    assert sorted(os.listdir()) == before


def test_the_style_of_csv_is_for_csv_beside_other_formats() -> None:
    assert dedup_("report", "--format", "csv,tsv,jsonl", "--bom", "--locale", "de", "--delimiter", "|").exit_code == 0
    assert Path("dedup-report/pairs.csv").read_bytes().startswith(b"\xef\xbb\xbfsource_1|id_1|")
    assert Path("dedup-report/pairs.tsv").read_bytes().startswith(b"\xef\xbb\xbfsource_1\tid_1\t")
    assert "1,000000" in Path("dedup-report/pairs.tsv").read_text("utf-8")
    assert objects("pairs.jsonl")[-1]["probability"] == 1.0


def test_the_page_of_an_index() -> None:
    assert dedup_("report", "--format", "html").exit_code == 0
    assert sorted(os.listdir("dedup-report")) == ["report.html", "summary.json"]
    html = Path("dedup-report/report.html").read_text("utf-8")
    assert "first report of this index" in Structure(html).text
    ((name, weakest, size, change, members),) = data_of(html)["clusters"]
    assert (name, size, change) == ("c1", 3, "") and 0.9 < weakest < 1
    assert [(one[1], one[2], one[3], one[4]) for one in members] == [
        ("1", "Northwind Trading", None, 0),
        ("3", "Northwind Tradng", weakest, 0),
        ("4", "northwind trading", 1.0, 1),
    ]
    assert members[1][5] == ["-1.00 starting point", "+2.50 letters in common", "+0.01 length"]
    assert members[2][5] == ["the texts are equal after normalisation"] and members[2][6] == ["=1"]
    assert dedup_("report", "--format", "html,csv", "--columns", "").exit_code == 0
    again = Path("dedup-report/report.html").read_text("utf-8")
    assert "as in the last run" in Structure(again).text and data_of(again)["columns"] == []
    assert "Every cluster is in clusters.csv beside this file" in Structure(again).text


def test_a_page_of_somebody_else_is_kept() -> None:
    Path("dedup-report").mkdir()
    theirs = "<!doctype html>\n<title>Sales</title>\n"
    Path("dedup-report/report.html").write_text(theirs)
    result = dedup_("report", "--format", "html")
    assert result.exit_code == 2 and "is not a report of neardup" in result.stderr
    assert Path("dedup-report/report.html").read_text() == theirs


def test_files_of_an_earlier_report_are_named() -> None:
    assert dedup_("report", "--format", "html,tsv", "--records").exit_code == 0
    result = dedup_("report")
    older = ("pairs.tsv", "clusters.tsv", "changes.tsv", "records.tsv", "report.html")
    assert result.stderr == f"Note: {', '.join(f'dedup-report/{name}' for name in older)} are not of this report.\n"


def test_links_in_several_formats() -> None:
    write("b.csv", "id,name\n7,Northwind Trading\n")
    assert dedup_("index", "b.csv", "--quiet").exit_code == 0
    assert dedup_("report", "--between", "b", "a", "--format", "csv,jsonl").exit_code == 0
    assert sorted(os.listdir("dedup-report")) == ["links.csv", "links.jsonl"]
    assert [row["id_2"] for row in rows("links.csv")] == [one["id_2"] for one in objects("links.jsonl")] != []


def test_the_same_from_python() -> None:
    with neardup.Index(model=dedup.model.load_model()) as index:
        summary = index.report("out", formats=["jsonl", "html"], records=True)
        names = sorted(os.listdir("out"))
        assert names == [
            "changes.jsonl",
            "clusters.jsonl",
            "pairs.jsonl",
            "records.jsonl",
            "report.html",
            "summary.json",
        ]
        assert summary["clusters"] == 1
        assert index.report("out", formats="csv")["clusters"] == 1
        for wrong in ("json", 7, ["csv", 7], []):
            with pytest.raises(neardup.UsageError, match="formats"):
                index.report("other", formats=wrong)  # type: ignore[arg-type]
    assert not Path("other").exists()
