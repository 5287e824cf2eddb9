"""JSON Lines: values as they are written, faults of a line, and what only looks like it."""

from __future__ import annotations

import json

import pytest
from tables import errors, names, read, refused, write

from indexer.reading.open import Row, open_table


def test_json_lines(tmp_path):
    data = '\n{"id": 123456789012345678901234567890, "name": "Acme \\u00fc", "city": null, "ok": true, "n": 1.50}\n'
    with open_table(write(tmp_path, data)) as table:
        assert table.columns == ("id", "name", "city", "ok", "n")
        [row] = table
    assert row == Row(
        2,
        1,
        "123456789012345678901234567890",
        "Acme ü",
        {"city": "", "ok": "true", "n": "1.50"},
        data.lstrip(),
        1,
        table.name,
    )
    assert row.reject("E_NAME_EMPTY", None, "No.").raw == data.strip()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("no json", "E_JSON"),
        ('{"id": "1", "name": "a"', "E_JSON"),
        ('{"id": "1", "name": "a"} x', "E_JSON"),
        ('["1", "a"]', "E_JSON"),
        ('"text"', "E_JSON"),
        ('{"id": "1", "name": NaN}', "E_JSON"),
        ('{"id": "1", "name": -Infinity}', "E_JSON"),
        ('{"id": "1", "name": {"a": "b"}}', "E_NESTED"),
        ('{"id": "1", "name": ' + "[" * 100_000, "E_NESTED"),
        ('{"id": "1", "name": ' + '{"a":' * 100_000, "E_NESTED"),
        ('{"id": "1", "name": "a", "name": "b"}', "E_JSON_DUPLICATE_KEY"),
        ("{" + ", ".join(f'"k{n}": ""' for n in range(300_000)) + ', "k299999": ""}', "E_JSON_DUPLICATE_KEY"),
        ('{"id": 1.0, "name": "a"}', "E_ID_TYPE"),
        ('{"id": 1e400, "name": "a"}', "E_ID_TYPE"),
        ('{"id": true, "name": "a"}', "E_ID_TYPE"),
        ('{"id": null, "name": "a"}', "E_ID_EMPTY"),
        ('{"name": "a"}', "E_ID_EMPTY"),
        ('{"id": "1", "name": "\\ud800"}', "E_ENCODING_ROW"),
        ('{"id": "1", "name": "a", "\\udfff": ""}', "E_ENCODING_ROW"),
        ('{"id": "1", "name": "a\\u0000"}', "E_NUL"),
        ('{"id": "1", "name": "' + "x" * (1 << 20) + 'y"}', "E_FIELD_TOO_LONG"),
        ('{"id": "1", "name": "' + "x" * (1 << 24) + '"}', "E_FIELD_TOO_LONG"),
        ("{" + ",".join(f'"{n}": 1' for n in range(5000)) + "}", "E_EXTRA_CELL"),
    ],
    ids=lambda value: value[:40],
)
def test_a_fault_of_a_line_rejects_it(tmp_path, line, code):
    items = read(tmp_path, f'{{"id": 1, "name": "Acme"}}\n{line}\n{{"id": 2, "name": "Beta"}}\n')
    assert errors(items) == [(2, code)]
    assert names(items) == ["Acme", "Beta"]
    assert items[1].byte_offset == 26
    assert items[1].raw.startswith(line[:4000])


def test_numbers_are_taken_as_written(tmp_path):
    items = read(tmp_path, '{"id": -0, "name": 1e400, "x": 1.10}\n{"id": 00, "name": 5}\n')
    assert items[0][2:5] == ("-0", "1e400", {"x": "1.10"})
    assert errors(items) == [(2, "E_JSON")]


@pytest.mark.parametrize("value", ["3.14", "-1e5", "true", "false", "7"])
def test_a_number_or_a_truth_value_is_a_plain_string(tmp_path, value):
    [item] = read(tmp_path, f'{{"id": "1", "name": {value}, "more": {value}}}\n')
    assert (item.raw, item.fields) == (value, {"more": value})
    assert type(item.raw) is type(item.fields["more"]) is str


def test_a_first_line_longer_than_a_chunk(tmp_path):
    line = json.dumps({"id": "1", "name": "Acme", "note": "x" * 100})
    assert [row.external_id for row in read(tmp_path, f"{line}\n{line}\n", chunk_bytes=30)] == ["1", "1"]


def test_bytes_of_another_encoding_in_json_lines(tmp_path):
    items = read(tmp_path, b'{"name": "a"}\n{"name": "M\xfcller"}\n{"name": "b"}\n')
    assert errors(items) == [(2, "E_ENCODING_ROW")]
    assert names(read(tmp_path, '{"name": "Müller"}\n'.encode("utf-16"))) == ["Müller"]


def test_keys_that_come_up_later_are_columns_too(tmp_path):
    items = read(tmp_path, '{"Name": "a"}\n{"Name": "b", "city": "Rome"}\n{}\n', text_columns=["NAME"])
    assert [(item.raw, item.fields) for item in items] == [("a", {}), ("b", {"city": "Rome"}), ("", {})]


@pytest.mark.parametrize("data", ['[{"id": 1}]', '  [\n{"id": 1}\n]', "[ {"])
def test_an_array_of_objects_is_refused_with_the_remedy(tmp_path, data):
    assert "jq -c '.[]'" in refused(lambda: read(tmp_path, data), "E_JSON_ARRAY")


@pytest.mark.parametrize("data", ['{\n"id": 1\n}\n', "{", "{}\n{}\n", '{"name": "' + "x" * (1 << 24)])
def test_what_only_begins_like_json_lines_is_refused(tmp_path, data):
    assert "one object per line" in refused(lambda: read(tmp_path, data), "E_JSON")


def test_columns_of_json_lines_are_chosen_as_those_of_csv(tmp_path):
    data = '{"id": 1, "foo": "a", "bar": "b"}\n'
    assert "--text" in refused(lambda: read(tmp_path, data), "E_NO_TEXT_COLUMN")
    assert "'bar'" in refused(lambda: read(tmp_path, data, text_columns=["x"]), "E_MISSING_COLUMN")
    [row] = read(tmp_path, data, text_columns=["bar", "foo"], id_column="id")
    assert (row.raw, row.fields) == ("b a", {})
    data = '{"a b": 1, "a  b": 2, "name": "x"}\n' + "\n" * 300 + '{"name": "y", "a b_2": 3, "a  b": 4}\n'
    assert [row.fields for row in read(tmp_path, data)] == [
        {"a b": "1", "a b_2": "2"},
        {"a b_2": "3", "a b_2_": "4"},
    ]
