"""``dedup link``: two files, or a file and a source of the index."""

import csv
import json
from pathlib import Path

import pytest
from invocation import dedup_, rows_of, write

LEADS = "id,name,city\n1,Acme Widgets Inc,Bonn\n2,Acme Widgets Incc,Rome\n3,,\n4,Harbor Granite,\n"
ACCOUNTS = "key,company,city,country\nA,Acme Widgets Inc.,Ulm,DE\nB,ACME WIDGETS INC,Kiel,DE\nC,Zenith,Lyon,FR\n"


@pytest.fixture(autouse=True)
def two_lists() -> None:
    write("leads.csv", LEADS)
    write("accounts.csv", ACCOUNTS)


def linked(*arguments: str) -> list[tuple[str, str, str]]:
    result = dedup_("link", "leads.csv", "accounts.csv", "--right-id", "key", "--min-probability", "0.8", *arguments)
    assert result.exit_code == 3  # row 3 has no text
    return [(row["id_1"], row["id_2"], row["ties"]) for row in rows_of(result)]


def test_the_best_account_of_each_lead_ties_said_and_leads_without_one_listed() -> None:
    assert linked() == [("1", "A", "1"), ("2", "A", "1"), ("4", "", "")]


def test_one_to_one_uses_no_record_twice() -> None:
    assert linked("--keep", "one-to-one") == [("1", "A", "1"), ("2", "B", "1"), ("4", "", "")]


def test_all_lists_every_pair_across_also_for_equal_texts() -> None:
    found = linked("--keep", "all")
    assert sorted(found) == [("1", "A", "1"), ("1", "B", "1"), ("2", "A", "1"), ("2", "B", "1"), ("4", "", "")]


def test_the_columns_of_both_files_are_kept() -> None:
    result = dedup_("link", "leads.csv", "accounts.csv", "--right-id", "key")
    header, first = result.stdout.splitlines()[:2]
    assert header == "id_1,text_1,id_2,text_2,probability,similarity,exact,ties,city_1,city_2,country_2"
    assert first == "1,Acme Widgets Inc,A,Acme Widgets Inc.,1.000000,1.000000,true,1,Bonn,Ulm,DE"
    assert "Linked 2 of 3 rows; 2 have several" in result.stderr


def test_a_column_of_the_first_file_that_the_second_lacks_is_refused_with_the_remedy() -> None:
    result = dedup_("link", "leads.csv", "accounts.csv", "--text", "name")
    assert result.exit_code == 4
    assert "accounts.csv has no column 'name'" in result.stderr
    assert "--right-text" in result.stderr
    assert dedup_("link", "leads.csv", "accounts.csv", "-t", "name", "--right-text", "company").exit_code == 3


def test_a_source_of_the_index() -> None:
    write("others.csv", "id,name\nX,Acme Widgets Inc\n")
    dedup_("index", "accounts.csv", "--id", "key", "-q")
    dedup_("index", "others.csv", "-q")
    result = dedup_("link", "leads.csv", "--against", "accounts", "--keep", "all", "--min-probability", "0.8")
    assert {row["source_2"] for row in rows_of(result)} == {"accounts", ""}
    assert [row["id_2"] for row in rows_of(result)] == ["A", "B", "A", "B", ""]
    result = dedup_("link", "leads.csv", "--against", "accounts", "--against", "others", "--keep", "all", "-q")
    assert sum(row["id_2"] == "X" for row in rows_of(result)) == 2
    result = dedup_("link", "leads.csv", "--against", "acounts")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no source 'acounts'. It has 'accounts', 'others'." in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("accounts.csv", "--against", "x"),
        ("--against", "x", "--right-id", "key"),
        ("accounts.csv", "-o", "accounts.csv"),
        ("accounts.csv", "--rejects", "same.jsonl", "-o", "same.jsonl"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...]) -> None:
    assert dedup_("link", "leads.csv", *arguments).exit_code == 2
    assert Path("accounts.csv").read_text() == ACCOUNTS


def test_links_that_are_cut_off_are_said() -> None:
    write("accounts.csv", "id,name\n" + "".join(f"{n},Acme Widgets Inc {n}\n" for n in range(4)))
    result = dedup_("link", "leads.csv", "accounts.csv", "--keep", "all", "-n", "3", "--min-probability", "0.5")
    assert "2 texts have 3 links, the most that are found for one" in result.stderr


def test_a_report_between_two_sources_has_every_pair_across_and_no_other() -> None:
    write("leads.csv", "id,name\n1,Acme Widgets Inc\n2,Acme Widgets Inc\n3,Harbor Granite\n")
    dedup_("index", "leads.csv", "-q")
    dedup_("index", "accounts.csv", "--id", "key", "-q")
    result = dedup_("report", "--between", "leads", "accounts", "-o", "out", "--summary", "json")
    found = json.loads(result.stdout)
    assert (found["records"], found["pairs"], found["linked"]) == (6, 4, {"leads": 2, "accounts": 2})
    rows = list(csv.DictReader(Path("out/links.csv").read_text().splitlines()))
    assert sorted((row["id_1"], row["id_2"]) for row in rows) == [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B")]
    assert {(row["source_1"], row["source_2"], row["city_2"]) for row in rows} == {
        ("leads", "accounts", "Ulm"),
        ("leads", "accounts", "Kiel"),
    }
    assert dedup_("report", "--between", "leads", "leads").exit_code == 2
    assert dedup_("report", "--between", "leads", "crm").exit_code == 2
    Path("out/links.csv").write_text("mine\n")
    assert dedup_("report", "--between", "leads", "accounts", "-o", "out").exit_code == 2
    assert Path("out/links.csv").read_text() == "mine\n"


def test_words_for_no_name_are_rejected_on_both_sides() -> None:
    write("leads.csv", "id,name\n1,NULL\n2,Acme Widgets Inc\n")
    write("accounts.csv", "id,name\n1,NULL\n2,Acme Widgets Inc\n3,(null)\n")
    result = dedup_("link", "leads.csv", "accounts.csv")
    assert result.exit_code == 3
    assert [row["id_1"] for row in rows_of(result)] == ["2"]
    assert "E_NAME_PLACEHOLDER: 3 rows" in result.stderr


@pytest.mark.parametrize(("empty", "rows"), [("leads.csv", 0), ("accounts.csv", 3)])
def test_an_empty_file_is_accepted_by_the_option_that_the_error_names(empty: str, rows: int) -> None:
    write(empty, "")
    refused = dedup_("link", "leads.csv", "accounts.csv")
    assert (refused.exit_code, "--allow-empty" in refused.stderr) == (4, True)
    accepted = dedup_("link", "leads.csv", "accounts.csv", "--allow-empty", "--allow-rejects")
    assert accepted.exit_code == 0, accepted.stderr
    assert [row["id_2"] for row in rows_of(accepted)] == [""] * rows
    assert "W_EMPTY" in accepted.stderr
