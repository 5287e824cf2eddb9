"""Which columns and pairs a report and a query write, and in which format."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import workbook
from invocation import ENVIRONMENT, START, dedup_, start, write

ACCOUNTS = "id,name,city,text\nA1,Northwind Trading,Ulm,old\n"
LEADS = "id,name,city,phone\n=1,Northwind Tradng,Bonn,+49 30\n02,Northwind Tradng,Kiel,\n3,Northwind Tradng,,7\n"
OURS = ["source_1", "id_1", "text_1", "source_2", "id_2", "text_2", "probability", "similarity", "kind", "cluster_id"]
THRESHOLD = ("--min-probability", "0.8")


@pytest.fixture(autouse=True)
def two_lists() -> None:
    write("accounts.csv", ACCOUNTS)
    write("leads.csv", LEADS)
    assert dedup_("index", "accounts.csv", "leads.csv", "--quiet").exit_code == 0


def pairs(**options: str) -> list[dict[str, str]]:
    with open("dedup-report/pairs.csv", newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, **options))


def test_every_pair_has_both_records_with_all_columns_and_its_cluster() -> None:
    result = dedup_("report", *THRESHOLD)
    assert result.exit_code == 0 and "pairs listed             6" in result.stdout and result.stderr == ""
    found = pairs()
    columns = [f"{name}_{side}" for name in ("city", "column_text", "phone") for side in (1, 2)]
    assert list(found[0]) == OURS + columns
    across = [(row["id_1"], row["id_2"], row["city_1"], row["city_2"]) for row in found if row["kind"] == "near"]
    assert across == [("A1", "'=1", "Ulm", "Bonn"), ("A1", "02", "Ulm", "Kiel"), ("A1", "3", "Ulm", "")]
    assert {row["cluster_id"] for row in found} == {"c1"} and len(found) == 6
    assert found[0]["column_text_1"] == "old" and found[0]["phone_2"] == "'+49 30"


def test_what_is_not_listed_is_said_and_no_source_is_lost() -> None:
    result = dedup_("report", *THRESHOLD, "--max-pairs", "2")
    assert result.stderr.startswith(
        "Note: 3 of 6 pairs are listed. Where two similar texts, or the records of one text, "
    )
    found = pairs()
    assert [(row["id_1"], row["id_2"]) for row in found] == [("A1", "'=1"), ("'=1", "02"), ("'=1", "3")]
    summary = json.loads(Path("dedup-report/summary.json").read_text())
    assert (summary["pairs_total"], summary["pairs_listed"]) == (6, 3)


def test_reasons_on_request() -> None:
    assert dedup_("report", *THRESHOLD, "--explain", "--columns", "").exit_code == 0
    near, *_, exact = pairs()
    assert list(near) == [*OURS, "log_odds", "explanation"]
    assert near["log_odds"] == "1.512000" and near["explanation"].startswith("'-1.00 starting point | +2.50 letters in")
    assert (exact["log_odds"], exact["explanation"]) == ("", "the texts are equal after normalisation")


def test_columns_are_chosen_in_their_order() -> None:
    assert dedup_("report", "--columns", "phone,city", *THRESHOLD).exit_code == 0
    assert list(pairs()[0])[10:] == ["phone_1", "phone_2", "city_1", "city_2"]
    header = Path("dedup-report/clusters.csv").read_text().splitlines()[0]
    facts = "is_representative,keep,exact,is_weakest"
    assert header == f"cluster_id,source,id,text,weakest_probability,{facts},phone,city"
    table = dedup_("query", "northwind trading", "--columns", "phone", "--columns", '"city"').stdout
    assert table.splitlines()[0].split() == [
        "probability",
        "similarity",
        "exact",
        "source",
        "id",
        "text",
        "phone",
        "city",
    ]
    assert "city" not in dedup_("query", "northwind trading", "--columns", "").stdout


@pytest.mark.parametrize("command", [("report",), ("query", "northwind"), ("query", "--input", "leads.csv")])
def test_a_column_that_no_record_has_is_refused(command: tuple[str, ...]) -> None:
    result = dedup_(*command, "--columns", "city,town")
    assert result.exit_code == 4 and "column 'town'" in result.stderr and "'city'" in result.stderr
    assert not Path("dedup-report").exists()


def test_a_report_as_workbooks_and_again() -> None:
    for _ in range(2):
        assert dedup_("report", "--format", "xlsx", *THRESHOLD).exit_code == 0
    assert sorted(os.listdir("dedup-report")) == ["changes.xlsx", "clusters.xlsx", "pairs.xlsx", "summary.json"]
    [first, *others] = workbook.sheets("dedup-report/pairs.xlsx")["pairs"]
    assert [cell and cell[1] for cell in first][:10] == OURS
    near = others[0]
    assert near[4] == ("inlineStr", "=1") and near[6] is not None and near[6][0] == "n"
    assert workbook.sheets("dedup-report/pairs.xlsx")["pairs"][2][4] == ("inlineStr", "02")
    result = dedup_("report", *THRESHOLD)
    assert "pairs.xlsx, dedup-report/clusters.xlsx, dedup-report/changes.xlsx are not of this report" in result.stderr
    Path("dedup-report/pairs.xlsx").write_bytes(b"PK\x03\x04 precious\0")
    result = dedup_("report", "--format", "xlsx")
    assert result.exit_code == 2 and Path("dedup-report/pairs.xlsx").read_bytes() == b"PK\x03\x04 precious\0"


def test_a_report_as_people_of_a_locale_write() -> None:
    for _ in range(2):
        assert dedup_("report", "--locale", "de", "--bom", *THRESHOLD).exit_code == 0
    assert Path("dedup-report/pairs.csv").read_bytes().startswith(b"\xef\xbb\xbfsource_1;")
    assert pairs(delimiter=";")[-1]["probability"] == "1,000000"
    assert dedup_("report", "--delimiter", "tab", *THRESHOLD).exit_code == 0
    assert pairs(delimiter="\t")[-1]["probability"] == "1.000000"
    assert dedup_("report", "--format", "tsv", *THRESHOLD).exit_code == 0
    assert "\tid_1\t" in Path("dedup-report/pairs.tsv").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report", "--output", "-"), "is not a directory"),
        (("report", "--output", "out.xlsx"), "--format xlsx"),
        (("report", "--format", "parquet", "--locale", "de"), "for CSV and TSV, not for parquet"),
        (("report", "--format", "tsv", "--delimiter", ";"), "TSV is delimited by tabs"),
        (("report", "--locale", "xx"), "'xx' is not known"),
        (("query", "x", "--output", "m.ods"), ".ods are not written"),
        (("query", "x", "--output", "m.csv.gz"), ".gz are not written"),
        (("query", "x", "--output", "m.xlsx", "--format", "csv"), "--format is csv"),
        (("query", "x", "--bom"), "not for table"),
        (("index", "leads.csv", "--rejects", "bad.xlsx"), "written as JSON Lines or CSV"),
        (("query", "x", "--format", "jsonl", "--output-delimiter", ";"), "not for jsonl"),
    ],
)
def test_what_cannot_be_written_so_is_refused(arguments: tuple[str, ...], said: str) -> None:
    before = sorted(os.listdir())
    result = dedup_(*arguments)
    assert result.exit_code == 2 and said in " ".join(result.stderr.split()), result.output
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("name", ["xlsx", "parquet"])
def test_bytes_go_to_standard_output_and_to_pipes(name: str) -> None:
    magic = {"xlsx": b"PK", "parquet": b"PAR1"}[name]
    assert dedup_("query", "northwind", "--format", name, "--output", "-").stdout_bytes.startswith(magic)
    assert start("index", "accounts.csv", "--workspace", "of a process").returncode == 0
    program = f'"{sys.executable}" -c "{START}" query northwind --workspace "of a process" --format {name}'
    code = f"({program} --output /dev/fd/3 >&2) 3>&1 | cat > piped"
    run = subprocess.run(["bash", "-o", "pipefail", "-c", code], capture_output=True, env=ENVIRONMENT)
    assert run.returncode == 0, run.stderr
    assert Path("piped").read_bytes().startswith(magic)
    if name == "xlsx":
        assert workbook.rows("piped")[0][:3] == ["probability", "similarity", "exact"]


def test_a_table_without_rows_or_without_a_value_has_its_columns_and_their_types() -> None:
    from pyarrow import parquet

    write("acc.csv", "id,name\n1,Acme Widgets\n")
    write("leads.csv", "id,name\n7,Nobody Knows\n")
    assert dedup_("index", "acc.csv").exit_code == 0
    query = ("query", "--input", "leads.csv", "--min-probability", "0.9")
    link = ("link", "leads.csv", "--against", "acc")
    assert dedup_(*query).stdout == "query_line,query_id,query,rank,probability,similarity,exact,source,id,text\n"
    text = dedup_("query", "Nobody Knows", "--min-probability", "0.9", "--format", "csv")
    assert text.stdout == "probability,similarity,exact,source,id,text\n"
    for command in (query, (*query, "--unmatched"), link):
        assert dedup_(*command, "--output", "out.parquet").exit_code == 0
        types = {field.name: str(field.type) for field in parquet.read_schema("out.parquet")}
        assert (types["probability"], types["exact"]) == ("double", "bool")
    write("none.csv", "id,name\n")
    assert dedup_("link", "none.csv", "--against", "acc").stdout.startswith("id_1,text_1,")
