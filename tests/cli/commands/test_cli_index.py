"""``dedup index``: what is a source, what is an id, and what is counted."""

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from invocation import corpus, counts_of, dedup_, rows_of, write
from typer.testing import Result


def sources() -> dict[str, str]:
    rows = json.loads(dedup_("query", "acme", "--format", "json", "--min-probability", "0").stdout)
    return {row["text"]: row["source"] for row in rows}


def test_index_counts_and_a_second_run_changes_nothing() -> None:
    first = dedup_("index", corpus())
    assert first.exit_code == 0
    assert "Text from column 'name', id from column 'id'." in first.stderr
    counts = counts_of(first)
    assert float(counts.pop("seconds")) >= 0
    assert counts.pop("snapshot") in ("built", "unchanged")
    assert counts == {
        **{"rows read": "30", "added": "30", "changed": "0", "unchanged": "0", "removed": "0"},
        **{"rejected": "0", "distinct texts encoded": "29"},
    }
    second = counts_of(dedup_("index", "companies.csv", "--text", "name", "--id", "id"))
    assert (second["unchanged"], second["distinct texts encoded"]) == ("30", "0")


def test_standard_input_and_sources() -> None:
    text = "name\nAcme Widgets\n"
    assert dedup_("index", "-", input=text).exit_code == 0
    assert dedup_("index", "-", "--source", "crm", input=text).exit_code == 0
    found = rows_of(dedup_("query", "acme widgets", "--format", "csv"))
    assert [row["source"] for row in found] == ["stdin", "crm"]


def test_an_empty_file_that_may_be_empty_changes_nothing() -> None:
    write("night.csv", "name\nAcme\n")
    assert dedup_("index", "night.csv").exit_code == 0
    write("night.csv", "")
    assert dedup_("index", "night.csv").exit_code == 4
    result = dedup_("index", "night.csv", "--allow-empty")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Warning: W_EMPTY" in result.stderr
    assert sources() == {"Acme": "night"}


def test_options_on_how_to_read_reach_the_reader() -> None:
    data = "Export\n1;'Müller; \"x\"'\n2;'A 'B' C'\n3;MÃ¼ller\n".encode()
    options = ("--skip-lines", "1", "--no-header", "--quote", "'", "--lenient", "--fix-mojibake", "--delimiter", ";")
    columns = ("--text", "column_2", "--id", "column_1")
    result = dedup_("index", write("odd.csv", data), *options, *columns)
    assert result.exit_code == 0, result.stderr
    assert set(sources()) == {'Müller; "x"', "A 'B' C", "Müller"}
    assert "Warning: W_MOJIBAKE" in result.stderr
    found = dedup_("query", "--input", "odd.csv", *options, *columns, "--format", "jsonl", "--limit", "1")
    queries = [json.loads(line)["query"] for line in found.stdout.splitlines()]
    assert queries == ['Müller; "x"', "A 'B' C", "Müller"]
    assert "Warning: W_MOJIBAKE" in found.stderr
    write("latin.csv", "id,name\n1,Müller & Söhne\n2,Café\n".encode("cp1252"))
    assert "W_ENCODING" in dedup_("index", "latin.csv", "--encoding", "auto").stderr


# How a row is known


def test_without_an_id_column_only_the_difference_is_added_and_removed() -> None:
    write("plain.csv", "name\nAlpha Inc\nBeta Inc\n")
    assert "no id column: rows are identified by their content" in dedup_("index", "plain.csv").stderr
    write("plain.csv", "name\nAlpha Inc\nGamma Inc\n")
    counts = counts_of(dedup_("index", "plain.csv"))
    assert (counts["added"], counts["removed"], counts["unchanged"]) == ("1", "1", "1")


def index_aliases(organisation: Callable[[int], int]) -> Result:
    """Index 120 names with the ids of their organisations."""
    rows = "".join(f"org-{organisation(i)},Name Number {i}\n" for i in range(120))
    return dedup_("index", write("aliases.csv", "id,name\n" + rows))


def test_a_guessed_id_that_repeats_is_an_ordinary_column() -> None:
    result = index_aliases(lambda i: i // 2)
    assert result.exit_code == 0
    assert "repeats a value in 50.0% of the rows" in result.stderr
    assert "120" in result.stdout
    assert json.loads(dedup_("query", "Name Number 7", "--format", "json").stdout)[0]["id"] != "org-3"


def test_a_guessed_id_that_hardly_repeats_stays_the_id() -> None:
    result = index_aliases(lambda i: max(i, 1))
    assert result.exit_code == 3
    assert "Rejected 1 row" in result.stderr


def test_a_growing_file_keeps_its_identity() -> None:
    def grown(rows: int) -> str:
        return "id,name\n" + "".join(f"org-{max(i, 6)},Name Number {i}\n" for i in range(rows))

    write("grows.csv", grown(98))
    assert dedup_("index", "grows.csv").exit_code == 3
    write("grows.csv", grown(102))
    result = dedup_("index", "grows.csv", "--max-reject-rate", "0.1")
    assert result.exit_code == 3
    assert "ordinary column" not in result.stderr


# Several files, and a query of a database

TWO = ("id,name\n1,Acme Widgets\n2,Beta Foods\n", '{"id": 3, "name": "Gamma Steel"}\n{"id": 1, "name": "Again"}\n')


def test_each_file_is_a_source_of_its_own() -> None:
    result = dedup_("index", write("a.csv", TWO[0]), write("b.jsonl.gz", gzip.compress(TWO[1].encode())))
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.stdout.splitlines() if line.startswith("source")] == ["a", "b"]
    assert sources() == {"Acme Widgets": "a", "Beta Foods": "a", "Gamma Steel": "b", "Again": "b"}
    states = [(run["kind"], run["state"]) for run in json.loads(dedup_("status", "--format", "json").stdout)["runs"]]
    assert states == [("index", "done"), ("index", "done")]


def test_several_files_of_one_source_are_one_input() -> None:
    result = dedup_("index", write("a.csv", TWO[0]), write("b.jsonl", TWO[1]), "--source", "all")
    assert result.exit_code == 3
    counts = counts_of(result)
    assert (counts["a.csv"], counts["b.jsonl"]) == ("2 read, 0 rejected", "2 read, 1 rejected")
    assert (counts["rows read"], counts["added"], counts["rejected"]) == ("4", "3", "1")
    [reject] = map(json.loads, Path(".dedup/rejects/all.jsonl").read_text().splitlines())
    assert (reject["file"], reject["line"], reject["error"]) == ("b.jsonl", 2, "E_ID_DUPLICATE")
    assert reject["raw"] == '{"id": 1, "name": "Again"}'
    assert set(sources().values()) == {"all"}


def test_the_first_refused_file_ends_the_command() -> None:
    write("a.csv", TWO[0])
    result = dedup_("index", "a.csv", "missing.csv", "b.csv")
    assert result.exit_code == 4
    assert "missing.csv" in result.stderr
    assert set(sources().values()) == {"a"}


def test_a_refused_file_of_one_source_takes_all_of_it_back() -> None:
    write("a.csv", TWO[0])
    assert dedup_("index", "a.csv", "missing.csv", "--source", "all").exit_code == 4
    assert json.loads(dedup_("status", "--format", "json").stdout)["records"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a.csv", "--from-sql", "SELECT 1", "--source-url", "sqlite:///x"),
        ("--from-sql", "SELECT 1"),
        ("--source-url", "sqlite:///x"),
        ("a.csv", "folder/a.csv"),
        ("-", "-", "--source", "x"),
        ("a.csv", "b.csv", "--rejects", "r.jsonl"),
        ("--from-sql", "SELECT 1", "--source-url", "nonsense"),
        ("a.csv", "--quote", "''"),
    ],
    ids=" ".join,
)
def test_inputs_that_do_not_go_together(arguments: tuple[str, ...]) -> None:
    write("a.csv", TWO[0])
    result = dedup_("index", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def test_a_query_of_a_database_is_indexed() -> None:
    with sqlite3.connect("crm.sqlite") as connection:
        connection.execute("CREATE TABLE customers (id INTEGER, name TEXT)")
        connection.executemany("INSERT INTO customers VALUES (?, ?)", [(7, "Acme Widgets"), (8, None), (9, "Beta")])
    connection.close()
    query = ("index", "--from-sql", "SELECT id, name FROM customers", "--source-url", "sqlite:///crm.sqlite")
    result = dedup_(*query)
    assert result.exit_code == 3
    assert "see .dedup/rejects/crm.jsonl" in result.stderr
    assert sources() == {"Acme Widgets": "crm", "Beta": "crm"}
    assert counts_of(dedup_(*query))["unchanged"] == "2"
    assert dedup_("index", "--from-sql", "SELEC", *query[3:]).exit_code == 4


def test_numbers_and_truth_values_of_json_are_texts() -> None:
    write("values.jsonl", '{"id": 1, "name": "Acme"}\n{"id": 2, "name": 3.14}\n{"id": 3, "name": true, "n": 1.50}\n')
    result = dedup_("index", "values.jsonl")
    assert (result.exit_code, counts_of(result)["added"]) == (0, "3")
    assert set(sources()) == {"Acme", "3.14", "true"}


def test_the_result_as_json() -> None:
    write("good.csv", "id,name\n1,Acme Inc\n2,Beta Ltd\n")
    write("bad.csv", "Firma,Kunden-Nr\nAcme,K1\n,K2\n,K3\nGamma,K4,x\n")
    result = dedup_("index", "good.csv", "bad.csv", "--format", "json", "--quiet")
    assert result.exit_code == 3
    good, bad = json.loads(result.stdout)
    assert (good["source"], good["run_id"], good["rows"], good["added"], good["rejected"]) == ("good", 1, 2, 2, 0)
    assert (good["rejects_file"], good["reasons"]) == (None, [])
    assert (bad["run_id"], bad["text_columns"], bad["id_column"]) == (2, ["Firma"], "Kunden-Nr")
    assert bad["rows"] == sum(bad[name] for name in ("added", "changed", "unchanged", "rejected")) == 4
    assert [(one["error"], one["rows"], one["line"]) for one in bad["reasons"]] == [
        ("E_NAME_EMPTY", 2, 3),
        ("E_EXTRA_CELL", 1, 5),
    ]
    assert len(Path(bad["rejects_file"]).read_text().splitlines()) == bad["rejected"] == 3
    runs = json.loads(dedup_("status", "--format", "json").stdout)["runs"]
    assert {run["run"] for run in runs} == {good["run_id"], bad["run_id"]}


def test_json_of_files_before_one_that_is_refused() -> None:
    result = dedup_("index", write("good.csv", "name\nAcme\n"), "missing.csv", "--format", "json")
    assert result.exit_code == 4
    (good,) = json.loads(result.stdout)
    assert (good["source"], good["id_column"]) == ("good", None)


def test_json_of_several_files_of_one_source() -> None:
    write("a.csv", "id,name\n1,Acme\n2,\n")
    write("b.csv", "id,name\n3,Beta\n")
    result = dedup_("index", "a.csv", "b.csv", "--source", "all", "--format", "json")
    (entry,) = json.loads(result.stdout)
    assert entry["files"] == {"a.csv": {"rows": 2, "rejected": 1}, "b.csv": {"rows": 1, "rejected": 0}}


def test_json_of_an_empty_file_that_is_allowed() -> None:
    result = dedup_("index", write("empty.csv", ""), "--allow-empty", "--format", "json")
    assert result.exit_code == 0
    (entry,) = json.loads(result.stdout)
    assert (entry["run_id"], entry["rows"], entry["added"]) == (None, 0, 0)
