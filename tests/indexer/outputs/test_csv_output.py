"""Whatever is written as CSV is read back, and no cell is a formula."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.outputs.csv import csv_line, guard, safe_cell, unguarded
from indexer.outputs.invisible import INVISIBLE

LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
SIGNS = set("=+-@＝＋－＠")
CELL = st.text(st.sampled_from(f"a1é名 ,;\"'=+-@\t.eE＝＋－＠\0{LINE_ENDS}") | st.characters(), max_size=8)
ROW = st.lists(CELL, min_size=1, max_size=5)


def parse(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(ROW, max_size=8))
@example([[""], ["", ""], ["\r"], ["a\rb", "c"], ["'"], ['"'], [" a "]])
def test_rows_are_read_back(rows):
    assert parse("".join(f"{csv_line(row)}\n" for row in rows)) == rows


@given(ROW)
def test_quotes_are_those_of_csv_writer(row):
    """A writer with all line ends as its own quotes each of them, in every version of Python."""
    expected = io.StringIO(newline="")
    csv.writer(expected, lineterminator=LINE_ENDS).writerow(row)
    assert csv_line(row) == expected.getvalue().removesuffix(LINE_ENDS)


@given(st.lists(ROW, max_size=8))
@example([["=1+1", "+x", "\t=1", "\n=1", "\r=1", "＝1", "-1e5", "-2+3"]])
def test_no_cell_is_a_formula(rows):
    written = parse("".join(f"{csv_line(list(map(safe_cell, row)))}\n" for row in rows))
    for row, original in zip(written, rows, strict=True):
        for cell, before in zip(row, original, strict=True):
            assert cell.replace("'", "") == before.replace("'", "")
            if cell[:1] in set("=+-@\t\r\n＝＋－＠"):
                float(cell.replace(",", "."))


@given(CELL)
@example('x;"=1')
@example("x\u2028 =1")
def test_no_part_of_a_cell_is_a_formula_where_semicolons_separate_cells(cell):
    """As in spreadsheets where the comma is the decimal sign; they take no notice of quotes within a cell."""
    for part in re.split(f"[;\t{LINE_ENDS}]", safe_cell(cell)):
        assert re.fullmatch(r"[+-]?[0-9.,eE+-]+", part) or part.lstrip(' "\u200b')[:1] not in SIGNS


@given(CELL, st.sampled_from(";|\t:"))
@example("x,=1", ";")
@example(',"=1', "|")
def test_no_part_of_a_cell_is_a_formula_where_commas_separate_cells(cell, delimiter):
    """A file with another delimiter is opened by a spreadsheet that expects commas."""
    for part in re.split(f"[,;\t{LINE_ENDS}]", guard(raw=False, delimiter=delimiter)(cell)):
        assert re.fullmatch(r"[+-]?[0-9.,eE+-]+", part) or part.lstrip(' "\u200b')[:1] not in SIGNS


@given(CELL, st.sampled_from(",;|\t:"))
@example("'=1", ",")
@example("a,=1", "\t")
@example("a,'=1", ",")
@example("'\tx", ";")
@example("=x\n'\ty", ",")
@example("'-5", ",")
def test_a_cell_gives_its_text_back(cell, delimiter):
    assert unguarded(guard(raw=False, delimiter=delimiter)(cell), delimiter) == cell


@pytest.mark.parametrize("cell", ["Acme", "'s-Hertogenbosch", "=1", "'x", "x;=1", "-5"])
def test_a_cell_without_a_guard_stays_as_it_is(cell):
    assert unguarded(cell) == unguarded(cell, "\t") == cell


@given(ROW)
def test_every_line_end_is_quoted(row):
    line = csv_line(row)
    outside = "".join(line.split('"')[::2])
    assert not set(LINE_ENDS) & set(outside)


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+x", "-2+3", "@sum", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x", "-", "+49 30 1", "-1e5x", " =1"],
)
def test_cells_that_spreadsheets_would_run(text):
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("sign", ["=", "－", "−"])
def test_no_invisible_character_hides_a_formula(sign):
    hidden = [chr(code) for code in range(0x110000) if re.match(f"[{INVISIBLE}\u200c\u200d\ufe00-\ufe0f]", chr(code))]
    assert len(hidden) > 4000
    for start in hidden:
        assert safe_cell(f"{start}{sign}1") == f"'{start}" + ("'" * (start in LINE_ENDS + "\t")) + f"{sign}1"
        assert f"'{sign}1" in safe_cell(f"Acme;{start}{sign}1") or safe_cell(f"Acme;{start}{sign}1")[5] == "'"


@pytest.mark.parametrize("blank", ["\t", "\n", " ", '"', "; ", "\u200b", ";'", ", "])
def test_a_long_cell_of_blanks_takes_work_in_proportion(blank):
    """A million characters took hours."""
    cell = blank * (1_000_000 // len(blank))
    for protect in (safe_cell, guard(raw=False, delimiter=";")):
        assert protect(cell) == ("'" if blank in "\t\n" else "") + cell


@pytest.mark.parametrize(
    "text", ["", "Acme", "-5", "+4930", "-1.25", "-1,25", "-5e-06", "a=b", "'x", "A; B", "Ü & Söhne"]
)
def test_cells_that_are_safe(text):
    assert safe_cell(text) == guard(raw=False, delimiter="\t")(text) == text


@pytest.mark.parametrize(("text", "written"), [("x;=1", "x;'=1"), ("x\r=1", "x\r'=1"), ('x; "@f', "x;' \"@f")])
def test_where_a_semicolon_or_a_line_end_would_begin_another_cell(text, written):
    assert safe_cell(text) == guard(raw=False, delimiter=";")(text) == written


def test_a_comma_begins_another_cell_only_where_it_is_not_the_delimiter():
    assert safe_cell("x,=1") == guard(raw=True, delimiter=";")("x,=1") == "x,=1"
    assert guard(raw=False, delimiter=";")("x,=1, @f,-2") == "x,'=1,' @f,'-2"
