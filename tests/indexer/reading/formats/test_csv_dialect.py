"""How a CSV file is written: delimiter, quotes and lines before the header, found out or as asked."""

from __future__ import annotations

import pytest
from tables import BASIC, errors, names, read, refused, refused_data, write

from dedup.errors import UsageError
from indexer.reading.open import ColumnChoice, open_table

# Delimiters


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_delimiter_is_found(tmp_path, delimiter):
    with open_table(write(tmp_path, BASIC.replace(b",", delimiter.encode()))) as table:
        assert table.delimiter == delimiter
        assert names(table) == ["Acme", "Beta"]


def test_other_delimiters_within_cells(tmp_path):
    data = "id;name;note\n1;Acme, Inc;a|b\n2;Beta, Ltd;c|d\n"
    assert names(read(tmp_path, data)) == ["Acme, Inc", "Beta, Ltd"]
    data = "id;name, legal\n1;Acme\n2;Beta\n"
    assert names(read(tmp_path, data, text_columns=["name, legal"])) == ["Acme", "Beta"]


def test_agreement_decides(tmp_path):
    assert names(read(tmp_path, "id;name;a,b\n1;Acme;x\n2;Beta;y\n")) == ["Acme", "Beta"]


def test_asked_columns_decide(tmp_path):
    assert names(read(tmp_path, "a,b;name\n1,2;Acme\n", text_columns=["name"])) == ["Acme"]


def test_undecided_delimiter_is_refused(tmp_path):
    assert "--delimiter" in refused_data(tmp_path, "a,b;c,d\n", "E_DELIMITER", text_columns=["x"])
    assert "--delimiter" in refused_data(tmp_path, "name,b;city\n1,2;3\n", "E_DELIMITER")


def test_one_column_needs_no_delimiter(tmp_path):
    with open_table(write(tmp_path, 'Firma\nAcme, Inc.\n"Beta; ""B"" | Co"\n')) as table:
        assert table.delimiter is None
        assert table.choice == ColumnChoice(("Firma",), True, None, False)
        assert names(table) == ["Acme, Inc.", 'Beta; "B" | Co']
    assert names(read(tmp_path, "legal, full\nAcme\n", text_columns=["legal, full"])) == ["Acme"]


@pytest.mark.parametrize("line", ["sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_excel_separator_line(tmp_path, line):
    items = read(tmp_path, line + "id;name\n1;Acme, Inc\n")
    assert [(item.line, item.raw) for item in items] == [(3, "Acme, Inc")]


@pytest.mark.parametrize("delimiter", ["\\t", "tab", "\t"])
def test_stated_tab(tmp_path, delimiter):
    assert names(read(tmp_path, "id\tname\n1\tAcme\n", delimiter=delimiter)) == ["Acme"]


def test_any_stated_delimiter(tmp_path):
    assert names(read(tmp_path, "id:name\n1:Acme\n", delimiter=":")) == ["Acme"]


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n"])
def test_impossible_delimiter(tmp_path, delimiter):
    with pytest.raises(UsageError):
        read(tmp_path, BASIC, delimiter=delimiter)


def test_wrong_delimiter_says_which_fits(tmp_path):
    message = refused_data(tmp_path, BASIC, "E_MISSING_COLUMN", delimiter=";", text_columns=["name"])
    assert "--delimiter ','" in message


# Lines before the header


def test_lines_before_the_header_are_skipped(tmp_path):
    data = 'Export "of\ntoday\nid,name\n1,Acme\n2,Beta\n'
    items = read(tmp_path, data, skip_lines=2)
    assert [(item.line, item.byte_offset, item.raw) for item in items] == [(4, 25, "Acme"), (5, 32, "Beta")]
    refused(lambda: read(tmp_path, "name\nAcme\n", skip_lines=9), "E_EMPTY")


@pytest.mark.parametrize("preamble", ["Export of today\n", "\nExport\n\n", "# a\n# b\n"])
def test_a_preamble_is_refused_with_the_remedy(tmp_path, preamble):
    data = f"{preamble}id,name\n1,Acme\n2,Beta\n"
    skip = preamble.count("\n")
    remedy = f"--skip-lines {skip}, or skip_lines={skip} in Python."
    assert remedy in refused(lambda: read(tmp_path, data), "E_HEADER")
    assert remedy in refused(lambda: read(tmp_path, data, text_columns=["name"]), "E_MISSING_COLUMN")
    assert names(read(tmp_path, data, skip_lines=skip)) == ["Acme", "Beta"]


def test_decimal_commas_below_a_title_are_no_delimiter(tmp_path):
    data = "Suppliers\n\nno|supplier|amount\n" + "".join(f"{n}|Harbor Works {n}|{n},50\n" for n in range(20))
    message = refused(lambda: read(tmp_path, data), "E_HEADER")
    assert "delimited by '|'" in message
    assert "--skip-lines 2," in message
    assert len(names(read(tmp_path, data, skip_lines=2))) == 20


def test_a_list_with_some_commas_is_no_preamble(tmp_path):
    assert len(read(tmp_path, "firm\nAcme, Inc\nBeta\nGamma, Ltd\n")) == 3
    assert len(read(tmp_path, "firm\nAcme, Inc\nBeta, Inc\n", delimiter="|")) == 2
    assert names(read(tmp_path, 'name\r\n"\r,"\r\n"\r,"\r\n')) == ["\r,", "\r,"]
    assert names(read(tmp_path, 'name\r\n"a\nb, c"\r\n"d\ne, f"\r\n')) == ["a\nb, c", "d\ne, f"]


# Quotes


@pytest.mark.parametrize(
    ("quote", "line", "expected"),
    [("'", "1,'Acme, Inc'", "Acme, Inc"), ("", '1,"Acme', '"Acme'), ("'", '1,"Acme"', '"Acme"')],
)
def test_another_quote(tmp_path, quote, line, expected):
    assert names(read(tmp_path, f"id,name\n{line}\n", quote=quote)) == [expected]


@pytest.mark.parametrize("quote", ["''", "\n", ","])
def test_an_impossible_quote(tmp_path, quote):
    with pytest.raises(UsageError):
        read(tmp_path, BASIC, quote=quote, delimiter=",")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('"ACME "Best" Ltd"', 'ACME "Best" Ltd'),
        ('"ACME "Best, Good" Ltd"', 'ACME "Best, Good" Ltd'),
        ('"ACME "Best", Good"', None),
        ('"5" pipe"', '5" pipe'),
        ('"a ""b"" "c" d"', 'a "b" "c" d'),
        ('"a"b', None),
        ('"", "x" y"', None),
    ],
)
def test_inner_quotes_are_kept_if_asked(tmp_path, cell, expected):
    data = f'id,name,city\n1,{cell},"Bonn"\n2,"Be""ta","R, o"\n3,"two\nlines",x\n'
    items = read(tmp_path, data, lenient=True)
    assert names(items) == [*([expected] if expected else []), 'Be"ta', "two\nlines"]
    assert len(items) == 3
    if expected:
        assert items[0].fields == {"city": "Bonn"}
        assert errors(read(tmp_path, data)) == [(2, "E_QUOTE")]


def test_a_lenient_reader_still_rejects_an_open_quote(tmp_path):
    items = read(tmp_path, 'id,name\n1,"Acme\n2,"a "b" c"\n3,Beta\n', lenient=True)
    assert errors(items) == [(2, "E_UNCLOSED_QUOTE")]
    assert names(items) == ['a "b" c', "Beta"]
