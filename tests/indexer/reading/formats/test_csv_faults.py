"""Faults of one record of a CSV file: that record is rejected, and those after it are read."""

from __future__ import annotations

import pytest
from tables import errors, names, read, refused_data

from indexer.reading import lines
from indexer.reading.formats import dialect
from indexer.reading.lines import MAX_RECORD_LINES
from indexer.reading.rejects import CUT_MARK, Reject


def test_ragged_rows(tmp_path):
    items = read(tmp_path, "id,name,city\n1,Acme\n2,Beta,Rome,x\n3,Gamma,Oslo,, \n4,Delta,Bern\n")
    assert errors(items) == [(2, "E_MISSING_CELL"), (3, "E_EXTRA_CELL")]
    assert names(items) == ["Gamma", "Delta"]
    assert items[0].column == "city"
    assert items[0].raw == "1,Acme"
    assert items[2].fields == {"city": "Oslo"}


@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_id(tmp_path, empty):
    items = read(tmp_path, f"id,name\n{empty},Acme\n2,Beta\n")
    assert errors(items) == [(2, "E_ID_EMPTY")]
    assert items[0].column == "id"


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_unclosed_quote_costs_one_row(tmp_path, end):
    lines = ["id,name", "1,Acme", '2,"Beta', *(f"{n},N{n}" for n in range(3, 400))]
    items = read(tmp_path, end.join(lines))
    assert errors(items) == [(3, "E_UNCLOSED_QUOTE")]
    assert "line 3" in items[1].message
    assert items[1].raw == '2,"Beta'
    assert len(names(items)) == 398
    assert items[-1].line == 400


@pytest.mark.parametrize("after", ['4,"Gamma, Inc"', '"4","Gamma, Inc"'])
def test_unclosed_quote_before_quoted_cells(tmp_path, after):
    items = read(tmp_path, f'id,name\n1,"Acme\n2,Beta\n{after}\n5,Delta\n')
    assert errors(items) == [(2, "E_UNCLOSED_QUOTE")]
    assert names(items) == ["Beta", "Gamma, Inc", "Delta"]


def test_unclosed_quote_on_the_last_line(tmp_path):
    items = read(tmp_path, 'id,name\n1,Acme\n2,"Beta')
    assert errors(items) == [(3, "E_UNCLOSED_QUOTE")]
    assert names(items) == ["Acme"]


def test_swallowed_rows_of_the_wrong_width_come_back(tmp_path):
    items = read(tmp_path, 'id,name,city\n1,"Acme,Bonn\n2,Beta,Rome\n3,5",x,y\n4,Delta,Bern\n')
    assert errors(items) == [(2, "E_UNCLOSED_QUOTE"), (4, "E_EXTRA_CELL")]
    assert names(items) == ["Beta", "Delta"]


def test_every_line_with_an_unclosed_quote(tmp_path):
    items = read(tmp_path, "id,name\n" + '"x""\n' * 1500 + "1,Acme\n")
    assert names(items) == ["Acme"]
    assert len(items) == 1501


def test_a_record_of_too_many_lines(tmp_path):
    most = 'id,name\n1,"' + "a\n" * (MAX_RECORD_LINES - 1) + '"\n'
    assert len(names(read(tmp_path, most))) == 1
    items = read(tmp_path, most.replace('1,"', '1,"\n') + "2,Beta\n")
    assert errors(items)[0] == (2, "E_UNCLOSED_QUOTE")
    assert names(items)[-1] == "Beta"


def test_text_after_a_quote(tmp_path):
    items = read(tmp_path, 'id,name\n1,"Acme "Best" Ltd"\n2,Beta 5" pipe\n')
    assert errors(items) == [(2, "E_QUOTE")]
    assert names(items) == ['Beta 5" pipe']


def test_nul_in_a_row(tmp_path):
    items = read(tmp_path, b"id,name\n1,Ac\0me\n2,Beta\n")
    assert errors(items) == [(2, "E_NUL")]
    assert names(items) == ["Beta"]
    refused_data(tmp_path, b"id,na\0me\n1,Acme\n", "E_NUL")


def test_long_cells_and_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(dialect, "MAX_CELL_CHARACTERS", 3000)
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 8000)
    for quote in ("", '"'):
        rows = [f"{n},{quote}{'x' * size}{quote}" for n, size in enumerate((3000, 3001, 7500, 9000, 80000, 1))]
        items = read(tmp_path, "id,name\n" + "\n".join(rows), chunk_bytes=1000)
        assert errors(items) == [(line, "E_FIELD_TOO_LONG") for line in (3, 4, 5, 6)]
        assert [len(name) for name in names(items)] == [3000, 1]
        cut = [item.raw.endswith(CUT_MARK) for item in items if isinstance(item, Reject)]
        assert cut == [False, True, True, True]
    items = read(tmp_path, 'id,name\n1,"' + "x" * 90000 + "\n2,Beta\n", chunk_bytes=1000)
    assert errors(items) == [(2, "E_FIELD_TOO_LONG")]
    refused_data(tmp_path, "id," + "x" * 5000 + "\n", "E_HEADER", chunk_bytes=1000)


def test_what_is_left_of_a_long_line_opens_no_quote(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 200)
    for quote in ("'", '"'):
        data = f"id,name\n1,{quote}" + "x" * 300 + f"\n2,Beta\n3,{quote}Gamma{quote}\n"
        items = read(tmp_path, data, quote=quote)
        assert errors(items) == [(2, "E_FIELD_TOO_LONG")]
        assert names(items) == ["Beta", "Gamma"]


def test_a_row_can_be_rejected_by_the_caller(tmp_path):
    [row] = read(tmp_path, 'id,name,city\n1,"Acme, ""A""\n",Bonn\n')
    reject = row.reject("E_NAME_EMPTY", "name", "No.")
    assert reject == Reject(2, 1, "E_NAME_EMPTY", "name", "No.", '1,"Acme, ""A""\n",Bonn', 13, row.file)
