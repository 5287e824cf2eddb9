"""Exports as programs write them: comments, short rows, escapes, rare delimiters, nested values, placeholders."""

from __future__ import annotations

import json

import pytest
from invocation import dedup_
from tables import errors, names, read, refused_data, warnings, write

from dedup.errors import UsageError
from indexer.reading.rows import Row

ESCAPED = 'id,name,city\n1,"Harbrook \\"Best\\", Ltd",Leeds\n2,"Dunmere \\"A\\"",York\n3,\\N,Hull\n4,"A ""B""",Rome\n'


@pytest.mark.parametrize("delimiter", ["^", "~", "§", "¦", "\x01", "\x1f"])
def test_a_rare_delimiter_is_detected(tmp_path, delimiter):
    data = "id,name,city\n1,Acme Ltd,Bonn\n2,Beta Inc,Rome\n".replace(",", delimiter)
    assert names(read(tmp_path, data)) == ["Acme Ltd", "Beta Inc"]


def test_a_sign_within_names_is_no_delimiter(tmp_path):
    assert names(read(tmp_path, "name\nAcme ~ Sons\nBeta ^\n")) == ["Acme ~ Sons", "Beta ^"]


@pytest.mark.parametrize("comment", ["# exported 2026-11-02", "# rows: 2, exported today"])
def test_comments_before_a_small_table_are_noticed(tmp_path, comment):
    data = f"{comment}\n# by the register\nid,name,city\n1,Harbrook,Leeds\n# a remark\n2,Dunmere,York\n"
    assert "--skip-lines 2" in refused_data(tmp_path, data, "E_HEADER")


def test_a_header_may_begin_with_the_sign_of_a_comment(tmp_path):
    assert names(read(tmp_path, "#id,name\n1,Acme\n2,Beta\n")) == ["Acme", "Beta"]


def test_short_rows_are_read_on_request(tmp_path):
    data = "id,name,city,phone\n1,Harbrook,Leeds\n2,Dunmere,York,01904\n3,Tresswell\n4\n"
    assert "--short-rows" in read(tmp_path, data)[0].message
    items = read(tmp_path, data, short_rows=True)
    assert names(items) == ["Harbrook", "Dunmere", "Tresswell", ""]
    assert items[0].fields == {"city": "Leeds", "phone": ""}
    assert errors(read(tmp_path, "id,name\n1,A,x\n", short_rows=True)) == [(2, "E_EXTRA_CELL")]


def test_an_escape_character_is_read_on_request(tmp_path):
    rejected = read(tmp_path, ESCAPED)[0]
    assert "--escape" in rejected.message
    items = read(tmp_path, ESCAPED, escape="\\")
    assert names(items) == ['Harbrook "Best", Ltd', 'Dunmere "A"', "\\N", 'A "B"']


@pytest.mark.parametrize("escape", ["ab", '"', "\n"])
def test_an_impossible_escape_character(tmp_path, escape):
    with pytest.raises(UsageError, match="escape"):
        read(tmp_path, ESCAPED, escape=escape)


def test_a_quote_that_begins_a_cell_has_a_hint(tmp_path):
    data = 'id;name\n1;"Вымпел" ООО\n2;ООО "Берег"\n'
    assert "--quote ''" in read(tmp_path, data)[0].message
    assert names(read(tmp_path, data, quote="")) == ['"Вымпел" ООО', 'ООО "Берег"']


def test_nested_values_that_are_not_in_use_are_left_out(tmp_path):
    rows = [{"id": "1", "name": "Acme", "city": {"x": 1}, "tags": []}, {"id": "2", "name": "Beta", "city": "Bonn"}]
    data = "\n".join(map(json.dumps, rows))
    items = read(tmp_path, data)
    assert names(items) == ["Acme", "Beta"]
    assert [item.fields for item in items if isinstance(item, Row)] == [{}, {"city": "Bonn"}]
    assert warnings(write(tmp_path, data)) == ["W_COLUMN_NESTED"]


def test_a_nested_value_in_use_is_rejected(tmp_path):
    assert errors(read(tmp_path, '{"id": 1, "name": "A"}\n{"id": 2, "name": ["B"]}\n')) == [(2, "E_NESTED")]


@pytest.mark.parametrize("options", [{}, {"text_columns": ["firm"]}])
def test_a_nested_name_is_refused_with_the_way_to_flatten_it(tmp_path, options):
    message = refused_data(tmp_path, '{"firm": {"id": 1, "name": "A"}}\n' * 3, "E_COLUMN_TYPE", **options)
    assert "flatten" in message
    assert """jq -c '. + ."firm" | del(."firm")' FILE""" in message


MARKS = ("\\N", "NULL", "(null)", "<NULL>", "[unknown]", "#REF!", "#N/A", "N/A", "n/a", "NaN", "(blank)", "--none--")
WORDS = ("Unknown", "None", "NA", "Test", "TBC", "xxx")
REAL = ("Null & Co", "Test Valley Council", "(N) Power", "NA Beverages", "#1 Cleaners", "Unknown Worlds [UK]")


def test_placeholders_are_no_names(tmp_path):
    lines = [f"{number}\t{name}" for number, name in enumerate((*MARKS, *WORDS, *REAL))]
    path = write(tmp_path, "id\tname\n" + "\n".join(lines) + "\n", "list.tsv")
    result = dedup_("index", path, "--workspace", tmp_path / "w", "--rejects", tmp_path / "bad.jsonl")
    assert result.exit_code == 3, result.output
    rejected = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text("utf-8").splitlines()]
    assert [entry["error"] for entry in rejected] == ["E_NAME_PLACEHOLDER"] * len(MARKS)
    assert [entry["raw"].partition("\t")[2] for entry in rejected] == list(MARKS)
    assert f"W_NAME_NULL: {path} has texts like NA, None or Unknown: {len(WORDS)} " in result.stderr


@pytest.mark.parametrize(("escape", "options"), [(",", {}), (";", {}), ("|", {"delimiter": "|"})])
def test_a_delimiter_is_no_escape_character(tmp_path, escape, options):
    with pytest.raises(UsageError, match="escape character"):
        read(tmp_path, "id,name\n1,Acme\n", escape=escape, **options)
