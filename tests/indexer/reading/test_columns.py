"""Which columns of a table are its text and its id, and what a header may be."""

from __future__ import annotations

import pytest
from tables import BASIC, names, read, refused, refused_data, write

from indexer.reading.open import ColumnChoice, ReadOptions, open_table


@pytest.mark.parametrize(
    ("header", "text", "id_"),
    [
        ("id,name", "name", "id"),
        ("title,Company Name,UUID", "Company Name", "UUID"),
        ("Record_ID, NAME ,x", "NAME", "Record_ID"),
        ("x,y,organisation", "organisation", None),
        ("id,firma", "firma", "id"),
        ("id", "id", None),
        ("wort", "wort", None),
        ("employer,title", "employer", None),
        ("LegalName;entity", "LegalName", None),
    ],
)
def test_columns_are_found(tmp_path, header, text, id_):
    with open_table(write(tmp_path, header + "\n")) as table:
        assert table.choice == ColumnChoice((text,), True, id_, id_ is not None)


def test_no_sensible_text_column(tmp_path):
    message = refused_data(tmp_path, "id,foo,bar\n1,a,b\n", "E_NO_TEXT_COLUMN")
    assert "'id', 'foo', 'bar'" in message
    assert "--text" in message


def test_asked_columns(tmp_path):
    data = "id,name,street,city,key\n1,Acme,, Bonn,k1\n2,Beta,Via 1,Rome,k2\n"
    with open_table(
        write(tmp_path, data), ReadOptions(text_columns=["name", "Street", "city"], id_column="KEY")
    ) as table:
        assert table.choice == ColumnChoice(("name", "street", "city"), False, "key", False)
        assert [(row.external_id, row.raw, row.fields) for row in table] == [
            ("k1", "Acme  Bonn", {"id": "1"}),
            ("k2", "Beta Via 1 Rome", {"id": "2"}),
        ]


def test_a_column_asked_for_twice_counts_once(tmp_path):
    assert names(read(tmp_path, BASIC, text_columns=["name", "NAME"])) == ["Acme", "Beta"]


def test_the_text_is_not_also_taken_for_the_id(tmp_path):
    with open_table(write(tmp_path, BASIC), ReadOptions(text_columns=["ID"])) as table:
        assert table.choice == ColumnChoice(("id",), False, None, False)
    with open_table(write(tmp_path, BASIC), ReadOptions(text_columns=["id"], id_column="id")) as table:
        assert [(row.external_id, row.raw) for row in table] == [("1", "1"), ("2", "2")]


@pytest.mark.parametrize("options", [{"text_columns": ["firm"]}, {"id_column": "firm"}])
def test_missing_column_lists_those_found(tmp_path, options):
    message = refused_data(tmp_path, BASIC, "E_MISSING_COLUMN", **options)
    assert "'firm'" in message
    assert "'id', 'name', 'city'" in message
    assert ("--id" in message) == ("id_column" in options)


def test_long_column_lists_are_cut(tmp_path):
    header = ",".join(f"c{n}" for n in range(100))
    message = refused_data(tmp_path, header + "\n", "E_MISSING_COLUMN", text_columns=["x"])
    assert "70 more" in message
    assert "'c31'" not in message


def test_a_used_column_that_is_there_twice_is_refused(tmp_path):
    assert "2 columns" in refused_data(tmp_path, "id,name,name\n1,a,b\n", "E_DUPLICATE_COLUMN")
    refused_data(tmp_path, "id,id,name\n1,a,b\n", "E_DUPLICATE_COLUMN")
    refused_data(tmp_path, "x,NAME,Name\n1,a,b\n", "E_DUPLICATE_COLUMN", text_columns=["name"])


def test_case_decides_where_it_can(tmp_path):
    assert names(read(tmp_path, "NAME,name\na,b\n", text_columns=["name"])) == ["b"]


def test_unused_twins_and_blank_names_are_told_apart(tmp_path):
    with open_table(write(tmp_path, "id,name,tag,tag,,tag_2\n1,Acme,a,b,c,d\n")) as table:
        assert table.columns == ("id", "name", "tag", "tag_2", "column_5", "tag_2_2")
        [row] = table
        assert row.fields == {"tag": "a", "tag_2": "b", "column_5": "c", "tag_2_2": "d"}


def test_header_with_a_line_end(tmp_path):
    items = read(tmp_path, 'id,"company\n name"\n1,Acme\n', text_columns=["Company Name"])
    assert [(item.line, item.raw) for item in items] == [(3, "Acme")]


def test_too_many_columns(tmp_path):
    assert "4096" in refused_data(tmp_path, "name" + "," * 5000 + "\n", "E_HEADER")


def test_unreadable_header(tmp_path):
    refused_data(tmp_path, 'id,"name\n1,Acme\n', "E_HEADER")


def test_without_a_header_columns_are_numbered(tmp_path):
    items = read(tmp_path, "\n1,Acme\n2,Beta\n", header=False, text_columns=["column_2"], id_column="column_1")
    assert [(item.line, item.external_id, item.raw) for item in items] == [(2, "1", "Acme"), (3, "2", "Beta")]
    assert names(read(tmp_path, "Acme\nBeta\n", header=False)) == ["Acme", "Beta"]
    message = refused(lambda: read(tmp_path, "1,Acme\n2,Beta\n", header=False), "E_NO_TEXT_COLUMN")
    assert "'column_1', 'column_2'" in message
