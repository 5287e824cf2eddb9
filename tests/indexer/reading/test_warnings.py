"""What is worth a warning: damaged ids, names like NULL, mojibake, odd headers, no rows."""

from __future__ import annotations

import pytest
from tables import drain, names, read, warnings, write

from indexer.reading.open import ReadOptions, open_table


def test_sound_rows_give_no_warning(tmp_path):
    assert warnings(write(tmp_path, "id,name\n1,Müller\n2,Ãlvares\n3,Anna\n4,JÍŠA\n")) == []


def test_damaged_ids_are_warned_of_once(tmp_path):
    path = write(tmp_path, 'id,name,x\n1.23E+15,a,\n="00123",b,"=""0"""\n4.5e+10,c,="1"\n')
    with open_table(path) as table:
        assert [row.external_id for row in table] == ["1.23E+15", "00123", "4.5e+10"]
        [sentence] = table.warnings
    assert sentence.startswith("W_ID_SCIENTIFIC")
    assert ": 2 (first on line 2)" in sentence
    assert [row.fields["x"] for row in drain(open_table(path))] == ["", '="0"', '="1"']


def test_names_like_null_are_counted(tmp_path):
    data = "id,name\n1,NA\n2,nil\n3,None\n4,Nan Inc\n"
    assert names(read(tmp_path, data)) == ["NA", "nil", "None", "Nan Inc"]
    with open_table(write(tmp_path, data)) as table:
        list(table)
        assert ": 3 (first on line 2)" in table.warnings[0]


@pytest.mark.parametrize("name", ["MÃ¼ller", "SociÃ©tÃ© GÃ©nÃ©rale", "â€œAcmeâ€\x9d", "ÐŸÑ€Ð¸"])
def test_mojibake_is_kept_or_repaired(tmp_path, name):
    path = write(tmp_path, f"id,name\n1,{name}\n2,Müller\n")
    first, second = drain(open_table(path))
    assert (first.raw, first.fields) == (name, {})
    assert warnings(path) == ["W_MOJIBAKE"]
    first, second = drain(open_table(path, ReadOptions(fix_mojibake=True)))
    assert first.fields == {"name_as_read": name}
    assert first.raw in ("Müller", "Société Générale", "“Acme”", "При")
    assert (second.raw, second.fields) == ("Müller", {})


def test_the_repaired_text_takes_no_other_column_away(tmp_path):
    [row] = read(tmp_path, "name,name_as_read\nMÃ¼ller,x\n", fix_mojibake=True)
    assert row.fields == {"name_as_read": "x", "name_as_read_": "MÃ¼ller"}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("id,name,name_2", []),
        ("id,name,", ["W_COLUMN_NAME"]),
        ("id,name,x,x", ["W_COLUMN_NAME"]),
        ("name,4711", ["W_HEADER_DATA"]),
        ("name,2026-01-31", ["W_HEADER_DATA"]),
        ("name,info@acme.com", ["W_HEADER_DATA"]),
    ],
)
def test_headers_worth_a_warning(tmp_path, header, expected):
    path = write(tmp_path, header + "\n" + ",".join("a" for _ in header.split(",")) + "\n")
    assert warnings(path) == expected


def test_a_header_without_rows_is_warned_of(tmp_path):
    assert warnings(write(tmp_path, "id,name\n")) == ["W_NO_ROWS"]
