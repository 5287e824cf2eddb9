"""``dedup query`` and ``dedup compare``: answers in every format, one question or many."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invocation import dedup_, rows_of, write
from rapidfuzz import fuzz

from cli.show.text import visible
from indexer.outputs.reasons import rounded


def test_query_as_a_table(indexed: None) -> None:
    lines = dedup_("query", "acme widgets inc", "--min-probability", "0.5").stdout.splitlines()
    assert lines[0].split() == ["probability", "similarity", "exact", "source", "id", "text", "city"]
    assert lines[1].split() == [*("1.000", "1.000", "yes", "companies", "28", "Acme", "Widgets", "Inc", "city", "28")]
    assert len(lines) == 4


def test_query_as_json_and_json_lines(indexed: None) -> None:
    as_json = json.loads(dedup_("query", "acme widgets inc", "--format", "json").stdout)
    lines = dedup_("query", "acme widgets inc", "--format", "jsonl").stdout.splitlines()
    assert as_json == [json.loads(line) for line in lines]
    assert as_json[0]["exact"] is True
    assert "explanation" not in as_json[0]


def test_query_explains(indexed: None) -> None:
    table = dedup_("query", "acme widgets inc", "--limit", "2", "--explain").stdout
    assert "the texts are equal after normalisation" in table
    assert "+2.50 letters in common" in table
    assert "-1.00 starting point" in table
    assert "= +1.51 log-odds in total" in table
    rows = json.loads(dedup_("query", "acme widget", "--limit", "1", "--explain", "--format", "json").stdout)
    assert rows[0]["explanation"][1] == {"label": "letters in common", "log_odds": 2.504}
    assert rows[0]["log_odds"] == 1.512
    [row] = rows_of(dedup_("query", "acme widget", "--limit", "1", "--explain", "--format", "csv"))
    assert row["log_odds"] == "1.512000"
    assert row["explanation"] == "'-1.00 starting point | +2.50 letters in common | +0.01 length"
    [equal, *_] = json.loads(dedup_("query", "acme widgets inc", "--explain", "--format", "json").stdout)
    assert (equal["exact"], equal["log_odds"], len(equal["explanation"])) == (True, None, 1)


@given(st.lists(st.floats(-9, 9)), st.integers(1, 6))
def test_rounded_values_still_add_up(values: list[float], digits: int) -> None:
    found = rounded(values, digits)
    assert sum(found) == pytest.approx(sum(values), abs=0.51 * 10**-digits)
    assert all(abs(a - b) < 1.01 * 10**-digits and a * b >= 0 for a, b in zip(values, found, strict=True))


def test_a_text_with_many_records_is_cut_in_the_table_only() -> None:
    write("many.csv", "id,name\n" + "".join(f"{n},Acme\n" for n in range(8)))
    dedup_("index", "many.csv")
    table = dedup_("query", "acme").stdout.splitlines()
    assert len(table) == 1 + 5 + 1
    assert table[-1].strip() == "… and 3 more"
    assert len(rows_of(dedup_("query", "acme", "--format", "csv"))) == 8


def test_no_match(indexed: None) -> None:
    result = dedup_("query", "zzzz", "--min-probability", "0.95")
    assert (result.exit_code, result.stdout) == (0, "No match with probability 0.95 or more.\n")
    result = dedup_("query", "zzzz", "--min-probability", "0.95", "--format", "json")
    assert (result.exit_code, result.stdout) == (0, "[]\n")


def test_a_column_called_as_one_of_ours_is_renamed() -> None:
    write("clash.csv", "id,name,source,column_source\n1,Acme,h1b,other\n")
    dedup_("index", "clash.csv")
    [row] = json.loads(dedup_("query", "acme", "--format", "json").stdout)
    assert row["source"] == "clash"
    assert sorted(value for name, value in row.items() if name.startswith("column_")) == ["h1b", "other"]


def test_an_empty_query_is_refused(indexed: None) -> None:
    assert dedup_("query", "--", "---").exit_code == 4
    assert dedup_("compare", "...", "acme").exit_code == 4


def test_compare() -> None:
    result = json.loads(dedup_("compare", "Acme Widget", "Acme Widgets", "--format", "json").stdout)
    assert result["exact"] is False
    assert result["probability"] == pytest.approx(fuzz.ratio("acme widget", "acme widgets") / 100, abs=1e-6)
    assert list(result) == ["probability", "similarity", "exact", "log_odds", "explanation"]
    assert result["log_odds"] == 1.512 == round(sum(item["log_odds"] for item in result["explanation"]), 6)
    assert dedup_("compare", "Acme Widget", "Acme Widgets").stdout.splitlines()[3:] == [
        "explanation",
        "  -1.00 starting point",
        "  +2.50 letters in common",
        "  +0.01 length",
        "  = +1.51 log-odds in total",
    ]
    assert json.loads(dedup_("compare", "ACME", "acme.", "--format", "json").stdout)["probability"] == 1.0


# Many queries


def test_many_queries(indexed: None) -> None:
    write("asked.csv", "key,name\nA,Acme Widgets Inc\nB,\nC,qqqq\n")
    arguments = ("query", "--input", "asked.csv", "--text", "name", "--id", "key", "--limit", "1")
    result = dedup_(*arguments, "--min-probability", "0.8", "--output", "matches.csv")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "Rejected 1 row; see .dedup/rejects/queries/asked.jsonl." in result.stderr
    assert "Matched 1 of 2 rows." in result.stderr
    assert json.loads(Path(".dedup/rejects/queries/asked.jsonl").read_text())["error"] == "E_NAME_EMPTY"
    assert Path("matches.csv").read_text().splitlines() == [
        "query_line,query_id,query,rank,probability,similarity,exact,source,id,text,city",
        "2,A,Acme Widgets Inc,1,1.000000,1.000000,true,companies,28,Acme Widgets Inc,city 28",
        '2,A,Acme Widgets Inc,1,1.000000,1.000000,true,companies,29,"ACME WIDGETS, INC.",city 29',
    ]
    assert sorted(path.name for path in Path().iterdir() if path.name.endswith(".tmp")) == []


def test_matches_written_as_csv_are_safe_in_a_spreadsheet() -> None:
    cells = ["=1+1", "Acme Widgets Inc", "\u202e+1\r\n", "-5", "@a\u2028b"]
    quoted = ",".join(f'"{cell}"' for cell in cells)
    write("evil.csv", f"id,name,=cmd,@b,+c\n{quoted}\n")
    dedup_("index", "evil.csv")
    arguments = ("query", "--input", write("asked.csv", "id,name\n-,Acme Widgets Inc\n"))
    assert dedup_(*arguments, "--output", "matches.csv").exit_code == 0
    written = Path("matches.csv").read_bytes()
    assert written == dedup_(*arguments).stdout_bytes == dedup_(*arguments, "--format", "csv").stdout_bytes
    header, cells = csv.reader(io.StringIO(written.decode(), newline=""))
    row = dict(zip(header, cells, strict=True))
    assert (row["query_id"], row["id"]) == ("'-", "'=1+1")
    assert (row["'=cmd"], row["'@b"], row["'+c"]) == ("'\u202e+1\r\n", "-5", "'@a\u2028b")


def test_many_queries_by_name_of_the_output_and_from_standard_input(indexed: None) -> None:
    text = "name\nAcme Widgets Inc\n"
    assert dedup_("query", "--input", "-", "--output", "m.jsonl", input=text).exit_code == 0
    first = json.loads(Path("m.jsonl").read_text().splitlines()[0])
    assert (first["query_line"], first["query_id"], first["rank"], first["id"]) == (2, None, 1, "28")
    assert dedup_("query", "--input", "-", "--output", "m.json", input=text).exit_code == 0
    assert json.loads(Path("m.json").read_text())[0] == first
    assert rows_of(dedup_("query", "--input", "-", input=text))[0]["id"] == "28"
    assert "rank" in dedup_("query", "--input", "-", "--format", "table", input=text).stdout


def test_a_failed_batch_leaves_the_old_output(indexed: None) -> None:
    write("matches.csv", "old")
    write("asked.csv.gz", b"\x1f\x8b broken")
    assert dedup_("query", "--input", "asked.csv.gz", "--output", "matches.csv").exit_code == 4
    assert Path("matches.csv").read_text() == "old"


# What is printed is safe to look at


def test_a_table_shows_control_characters_as_escapes() -> None:
    write("evil.csv", 'id,name\n1,"Acme\x1b[2J \u202eTxt\nInc"\n')
    dedup_("index", "evil.csv")
    table = dedup_("query", "acme 2j txt inc").stdout
    assert "Acme\\u001b[2J \\u202eTxt␤Inc" in table
    [row] = json.loads(dedup_("query", "acme 2j txt inc", "--format", "json").stdout)
    assert row["text"] == "Acme\x1b[2J \u202eTxt\nInc"


@pytest.mark.parametrize("hidden", ["\x7f", "\U000e0041", "\u00ad", "\u3164", "\u2066"], ids=ascii)
def test_what_cannot_be_seen_is_escaped_everywhere(hidden: str) -> None:
    write("tags.csv", f"id,name\n1,Acme {hidden}Works\n")
    dedup_("index", "tags.csv")
    shown = {layout: dedup_("query", "acme works", "--format", layout).stdout for layout in ("table", "json", "jsonl")}
    assert all(hidden not in text and "Works" in text for text in shown.values())
    assert json.loads(shown["json"])[0]["text"] == json.loads(shown["jsonl"])["text"] == f"Acme {hidden}Works"


def test_other_scripts_stay_as_they_are() -> None:
    assert visible("Газпром 株式会社 Müller 🏢") == "Газпром 株式会社 Müller 🏢"
    assert visible("辻\U000e0100 ❤\ufe0f می\u200cخواهم") == "辻\U000e0100 ❤\ufe0f می\u200cخواهم"


def test_the_columns_of_the_input_are_kept_and_rows_without_a_match_listed(indexed: None) -> None:
    write("asked.csv", "id,name,city,line\nA,Acme Widgets Inc,Bonn,9\nC,qqqq,Rome,\n")
    arguments = ("query", "--input", "asked.csv", "--limit", "1", "--min-probability", "0.8")
    rows = rows_of(dedup_(*arguments, "--unmatched"))
    assert [(row["query_id"], row["query_city"], row["query_column_line"]) for row in rows] == [
        *(("A", "Bonn", "9"), ("A", "Bonn", "9")),
        ("C", "Rome", ""),
    ]
    assert [(row["id"], row["probability"]) for row in rows] == [("28", "1.000000"), ("29", "1.000000"), ("", "")]
    assert [row["query_id"] for row in rows_of(dedup_(*arguments))] == ["A", "A"]


def test_a_search_in_one_source_finds_what_lies_behind_others() -> None:
    write("many.csv", "id,name\n" + "".join(f"{n},Acme Widgets Inc {n}\n" for n in range(80)))
    write("few.csv", "id,name\nx,Acme Widgets Company\n")
    for file in ("many.csv", "few.csv"):
        assert dedup_("index", file, "-q").exit_code == 0
    asked = ("query", "acme widgets inc 7", "--format", "csv", "--min-probability", "0.1")
    assert "x" not in {row["id"] for row in rows_of(dedup_(*asked))}
    assert [row["id"] for row in rows_of(dedup_(*asked, "--source", "few"))] == ["x"]
    assert {row["source"] for row in rows_of(dedup_(*asked, "-s", "few", "-s", "many", "-n", "99"))} == {"few", "many"}
    assert dedup_(*asked, "--source", "fw").exit_code == 2


@pytest.mark.parametrize("id", ["id", ""])
def test_a_row_does_not_find_itself(id: str) -> None:
    write("a.csv", "id,name\n1,Acme Widgets Inc\n2,Acme Widgets Inc\n3,Zenith Bank\n")
    write("b.csv", "id,name\n1,Acme Widgets Inc\n")
    for file in ("a.csv", "b.csv"):
        assert dedup_("index", file, "-q", "--id", id).exit_code == 0
    asked = ("--id", id, "--exclude-self", "--min-probability", "0.9")
    found = [
        (row["query_line"], row["source"])
        for row in rows_of(dedup_("query", "--input", "a.csv", *asked, "--unmatched"))
    ]
    assert found == [("2", "a"), ("2", "b"), ("3", "a"), ("3", "b"), ("4", "")]
    Path("a.csv").rename("c.csv")
    result = dedup_("query", "--input", "c.csv", *asked)
    assert (result.exit_code, "name it with --source" in result.stderr) == (2, True)
    assert [row["query_line"] for row in rows_of(dedup_("query", "--input", "c.csv", *asked, "-s", "a"))] == ["2", "3"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("query", "acme", "holdings"), 'Put a text with spaces in quotes: dedup query "acme holdings"'),
        (("query", "-n", "3", "acme", "holdings", "inc"), ' dedup query "acme holdings inc"'),
        (("compare", "Acme", "Inc", "Acme", "Ltd"), "Put a text with spaces in quotes."),
        (("link", "my", "leads.csv", "accounts.csv"), "Put a path with spaces in quotes."),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_words_without_quotes(arguments: tuple[str, ...], hint: str) -> None:
    result = dedup_(*arguments)
    assert result.exit_code == 2
    assert result.stderr.rstrip().endswith(hint)
    assert "quotes" not in dedup_("status", "acme").stderr


def test_a_column_of_the_record_does_not_replace_one_of_the_query() -> None:
    write("index.csv", "id,name,query_city,column_query_city,city\n1,Acme Widgets Inc,A,B,C\n")
    dedup_("index", "index.csv")
    write("asked.csv", "id,name,city,column_line,line\n1,Acme Widgets Inc,D,E,F\n2,NULL,x,y,z\n")
    result = dedup_("query", "--input", "asked.csv")
    [row] = rows_of(result)
    assert result.exit_code == 3
    assert (row["query_city"], row["column_query_city"], row["column_column_query_city"]) == ("D", "B", "A")
    assert (row["query_column_line"], row["query_column_column_line"], row["city"]) == ("E", "F", "C")


def test_an_empty_file_of_queries_is_accepted_by_the_option_that_the_error_names(indexed: None) -> None:
    write("asked.csv", "")
    assert "--allow-empty" in dedup_("query", "--input", "asked.csv").stderr
    accepted = dedup_("query", "--input", "asked.csv", "--allow-empty")
    assert (accepted.exit_code, rows_of(accepted)) == (0, [])
