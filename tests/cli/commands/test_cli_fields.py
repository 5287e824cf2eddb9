"""``--field`` in index and query, and the fields of ``compare``."""

import json
from pathlib import Path

import pytest
from invocation import dedup_, rows_of, write

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
