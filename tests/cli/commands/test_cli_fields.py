"""``--field`` in index and query, and the fields of ``compare``."""

import json
from pathlib import Path

import pytest
from invocation import dedup_, rows_of, write
from report_pages import data_of

ROWS = """id,name,city,vat,phone
1,Kessler Bau GmbH,Ulm,DE136695976,+49 731 1234567
2,Kessler Bau GmbH,Bonn,,
3,Kessler Bau Gesellschaft mbH,Ulm,,
4,Sonnentor Reisen,Kiel,DE136695976,
5,Brandt Druck,Trier,,
"""


def indexed(*fields: str) -> str:
    arguments = [part for field in fields for part in ("--field", field)]
    result = dedup_("index", write("customers.csv", ROWS), "--format", "json", *arguments)
    assert result.exit_code == 0, result.output
    return result.stderr


def test_fields_from_the_input_to_the_report() -> None:
    said = indexed("city", "vat:id", "phone")
    assert "'city' is city, 'phone' is phone" in said and "'vat' is" not in said
    result = dedup_("report", "--explain", "--summary", "json")
    summary = json.loads(result.stdout)
    assert summary["fields"] == {"city": "city", "vat": "id", "phone": "phone"}
    assert "1 pair of records with one name is told apart" in result.stderr
    clusters = Path("dedup-report/clusters.csv").read_text(encoding="utf-8").splitlines()[1:]
    cluster_of = {line.split(",")[2]: line.split(",")[0] for line in clusters}
    assert cluster_of["1"] == cluster_of["4"] != cluster_of.get("2")
    assert "same valid vat DE136695976 (2 of 5 records)" in Path("dedup-report/pairs.csv").read_text(encoding="utf-8")


def test_the_memory_of_a_report_counts_values_of_fields() -> None:
    indexed("city", "vat:id")
    for size, exit_code in (("9G", 0), ("1M", 2)):
        result = dedup_("report", "--memory", size)
        assert result.exit_code == exit_code
        assert ("and 10 values of fields need about" in result.stderr) == (exit_code == 2)


def test_a_query_with_fields() -> None:
    indexed("city", "vat:id")
    found = rows_of(dedup_("query", "Kessler Bau GmbH", "--field", "city=Bonn", "--format", "csv"))
    assert found[0]["id"] == "2" and float(found[0]["probability"]) > 0.9
    assert all(float(row["probability"]) < 0.5 for row in found[1:])
    result = dedup_("query", "Kessler Bau GmbH", "--field", "city=Bonn", "--explain")
    assert "city differs" in result.stdout
    queries = write("new.csv", "nr,name,City\n7,Kessler Bau GmbH,ULM\n8,Kessler Bau GmbH,Bonn\n")
    rows = rows_of(dedup_("query", "--input", queries, "-n", "1"))
    assert [row["id"] for row in rows if row["rank"] == "1"] == ["1", "2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("query", "Kessler", "--field", "town=Ulm"), "no field 'town'"),
        (("query", "Kessler", "--field", "city"), "is no value of a field"),
        (("query", "Kessler", "--field", "city=Ulm", "--field", "city=Bonn"), "two values"),
        (("query", "--input", "customers.csv", "--field", "city=Ulm"), "is for a TEXT"),
        (("index", "customers.csv", "--field", "city:town"), "no kind of field"),
        (("index", "customers.csv", "--field", "wherever"), "no column 'wherever'"),
        (("index", "customers.csv", "--field", "wherever"), "fields= in Python"),
        (("index", "customers.csv", "--field", "name:company"), "is the text"),
        (("compare", "a", "b", "--left", "x:id=1", "--right", "x:phone=1"), "has two kinds, id and phone"),
        (("compare", "a", "b", "--left", "city:city=1", "--left", "city=1"), "Two values"),
        (("compare", "a", "b", "--left", "thing=x"), "add its kind"),
        (("compare", "a", "b", "--left", "city"), "is no value of a field"),
        (("report", "--branches", "both"), "branches"),
        (("report", "--preview", "--branches", "merge"), "does not apply"),
    ],
)
def test_bad_fields_are_named(arguments: tuple[str, ...], message: str) -> None:
    indexed("city")
    result = dedup_(*arguments)
    assert result.exit_code != 0 and message in f"{result.output} {result.exception}"


def test_compare_with_fields() -> None:
    def compared(*arguments: str) -> dict:
        return json.loads(dedup_("compare", "Kessler Bau GmbH", "Kessler Bau", *arguments, "--format", "json").stdout)

    alone, apart = compared(), compared("--left", "city=Ulm", "--right", "city=Bonn")
    one = compared(
        "--left", "city=Bonn", "--left", "vat:id=DE136695976", "--right", "city=Ulm", "--right", "vat:id=DE136695976"
    )
    assert apart["probability"] < 0.5 < alone["probability"] <= one["probability"]
    assert compared("--left", "city=Ulm") == alone
    both = "--left", "vat:id=DE136695976", "--right", "vat:id=DE136695976"
    assert compared(*both) == compared(*both[:3], "vat=DE136695976") != alone  # the kind is said once
    assert apart["log_odds"] == pytest.approx(sum(item["log_odds"] for item in apart["explanation"]), abs=1e-5)


def test_a_review_says_which_fields_agree() -> None:
    indexed("city", "vat:id", "phone")
    result = dedup_("review", "--audit", "0", input="q\n")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert any(line[:1] == ["column"] and line[-1] == "field" for line in lines)
    assert any(line[:1] == ["city"] and line[-1] in ("same", "differs") for line in lines)
    indexed("")
    assert "differs" not in dedup_("review", "--audit", "0", input="q\n").stdout


def test_a_preview_says_which_fields_agree() -> None:
    indexed("city", "vat:id", "phone")
    said = dedup_("report", "--preview").stdout
    assert "differ: city" in said and "same: vat; differ: city" in said
    found = json.loads(dedup_("report", "--preview", "--summary", "json").stdout)
    assert {"vat": "same", "city": "differs"} in [pair["fields"] for pair in found["above"]]
    indexed("")
    assert "differ: " not in dedup_("report", "--preview").stdout


def test_merged_branches_are_not_advised_again() -> None:
    indexed("city", "phone")
    assert "--branches merge lets" in dedup_("report").stderr
    write("phones.csv", "id,name,phone\n1,Kessler Bau GmbH,+49 731 1234567\n2,Kessler Bau GmbH,+49 40 7654321\n")
    dedup_("delete", "--source", "customers", "--yes")
    result = dedup_("index", "phones.csv", "--field", "phone")
    assert result.exit_code == 0, result.output
    result = dedup_("report", "--branches", "merge", "--min-probability", "0.99", "--summary", "json")
    assert json.loads(result.stdout)["branches"] == "merge"
    assert "told apart by their fields" in result.stderr and "--branches" not in result.stderr


def test_the_status_tells_kind_and_fields() -> None:
    indexed("city", "vat:id")
    found = json.loads(dedup_("status", "--format", "json").stdout)
    assert (found["kind"], found["fields"]) == ("company", {"customers": {"city": "city", "vat": "id"}})
    lines = [line.split() for line in dedup_("status").stdout.splitlines()]
    assert ["kind", "company"] in lines and ["vat", "id"] in lines


def test_a_page_calls_exact_only_what_is() -> None:
    """Two names under one number have a probability that rounds to 1, and are no exact duplicates."""
    indexed("city", "vat:id")
    own = "8,Brandt Druck,Trier,\n9,Mondtor Reisen,Kiel,DE165355047\n10,Mondtor Reise,Kiel,DE165355047\n"
    write("same.csv", f"id,name,city,vat\n{own}")
    assert dedup_("index", "same.csv", "--field", "city", "--field", "vat:id").exit_code == 0
    assert dedup_("report", "--format", "html").exit_code == 0
    found = data_of(Path("dedup-report/report.html").read_text(encoding="utf-8"))["clusters"]
    weakest = {member[2]: cluster[1] for cluster in found for member in cluster[4]}
    assert weakest["Brandt Druck"] is None and weakest["Mondtor Reise"] == 1.0
