"""What each format makes of cells."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import workbook
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.errors import UsageError
from indexer.outputs.csv import csv_line
from indexer.outputs.decimal_marks import decimal_mark
from indexer.outputs.destination import check_destination, is_ours
from indexer.outputs.table_files import Column, Style, TableFormat, preparing, style_of, table_writer
from indexer.outputs.xlsx_writer import MAX_CHARACTERS, XlsxWriter

COLUMNS = [Column("id"), Column("probability", float), Column("rank", int), Column("exact", bool), Column("=note")]
ROWS: list[list[Any]] = [
    ["00123", 0.9, 1, True, "plain"],
    ["=1+1", None, None, None, ""],
    ["1e5", 1.0, 20, False, "+49 30"],
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffe\uffff"), max_size=12)


def write(path: Path, layout: TableFormat, rows: list[list[Any]], style: Style, columns: list[Column]) -> None:
    prepare = preparing(layout, style)
    with (
        path.open("w", encoding="utf-8", newline="") as file,
        table_writer(file, layout, columns, style, "found") as table,
    ):
        table.write([prepare(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)


@pytest.mark.parametrize(("layout", "delimiter"), [(TableFormat.csv, ","), (TableFormat.tsv, "\t")])
def test_text_has_fixed_decimals_and_a_guard(layout: TableFormat, delimiter: str, tmp_path: Path) -> None:
    write(tmp_path / "t", layout, ROWS, Style(), COLUMNS)
    found = list(csv.reader((tmp_path / "t").open(newline=""), delimiter=delimiter))
    assert found == [
        ["id", "probability", "rank", "exact", "'=note"],
        ["00123", "0.900000", "1", "true", "plain"],
        ["'=1+1", "", "", "", ""],
        ["1e5", "1.000000", "20", "false", "'+49 30"],
    ]
    write(tmp_path / "t", layout, ROWS, style_of(raw=True, bom=True, locale="de_DE"), COLUMNS)
    content = (tmp_path / "t").read_text("utf-8")
    assert content.startswith("\ufeffid") and "=1+1" in content and "'" not in content
    assert f"00123{';' if delimiter == ',' else delimiter}0,900000" in content


def test_a_workbook_keeps_texts_and_numbers_apart(tmp_path: Path) -> None:
    write(tmp_path / "t.xlsx", TableFormat.xlsx, ROWS, Style(), COLUMNS)
    text = "inlineStr"
    assert workbook.sheets(tmp_path / "t.xlsx") == {
        "found": [
            [(text, "id"), (text, "probability"), (text, "rank"), (text, "exact"), (text, "=note")],
            [(text, "00123"), ("n", "0.9"), ("n", "1"), ("b", "1"), (text, "plain")],
            [(text, "=1+1"), None, None, None, None],
            [(text, "1e5"), ("n", "1"), ("n", "20"), ("b", "0"), (text, "+49 30")],
        ]
    }
    assert is_ours(tmp_path / "t.xlsx")
    check_destination(tmp_path / "t.xlsx", "--output")


@given(st.lists(st.tuples(TEXTS.filter(bool), TEXTS), min_size=1, max_size=5))
@settings(max_examples=60)
def test_a_workbook_gives_every_text_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("x") / "t.xlsx"
    write(path, TableFormat.xlsx, [list(row) for row in rows], Style(), [Column("a"), Column("b")])
    expected = [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in rows]
    found = [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in workbook.rows(path)[1:]]
    assert found == expected


@pytest.mark.parametrize("text", ["<r>x</r>", "<r><t>x</t></r>", "_x0041_", "a\x0bb", " x ", "{=1}", "http://x.y"])
def test_a_workbook_writes_what_its_library_would_interpret(text: str, tmp_path: Path) -> None:
    write(tmp_path / "t.xlsx", TableFormat.xlsx, [[text]], Style(), [Column("a")])
    [cell] = workbook.sheets(tmp_path / "t.xlsx")["found"][1]
    assert cell is not None and cell[0] == "inlineStr"
    assert cell[1] == text


@pytest.mark.parametrize("text", ["x" * (MAX_CHARACTERS + 1), "a\uffff"])
def test_what_a_workbook_cannot_hold_is_refused_by_name(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'notes'.*--columns, or write CSV or Parquet"):
        write(tmp_path / "t.xlsx", TableFormat.xlsx, [[text]], Style(), [Column("notes")])


def test_rows_that_do_not_fit_on_a_sheet_go_on_in_the_next() -> None:
    file = io.BytesIO()
    writer = XlsxWriter(file, [Column("n", int)], "pairs", max_rows=3)
    writer.write([n] for n in range(5))
    writer.close()
    writer.discard()
    found = workbook.sheets(file)  # type: ignore[arg-type]
    assert {name: [row[0] and row[0][1] for row in rows] for name, rows in found.items()} == {
        "pairs": ["n", "0", "1"],
        "pairs 2": ["n", "2", "3"],
        "pairs 3": ["n", "4"],
    }


def test_each_sheet_of_a_workbook_has_a_header_that_stays_and_filters() -> None:
    load_workbook, file = pytest.importorskip("openpyxl").load_workbook, io.BytesIO()
    writer = XlsxWriter(file, [Column("id"), Column("name")], "pairs", max_rows=3)
    writer.write(("1", "Acme") for _ in range(3))
    writer.close()
    writer.discard()
    sheets = load_workbook(file).worksheets
    assert [(sheet.freeze_panes, sheet.auto_filter.ref) for sheet in sheets] == [("A2", "A1:B3"), ("A2", "A1:B2")]


def test_parquet_has_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write(tmp_path / "t.parquet", TableFormat.parquet, ROWS, Style(), COLUMNS)
    table = parquet.read_table(tmp_path / "t.parquet")
    assert [str(kind) for kind in table.schema.types] == ["string", "double", "int64", "bool", "string"]
    assert table.to_pylist()[1] == {"id": "=1+1", "probability": None, "rank": None, "exact": None, "=note": ""}
    assert is_ours(tmp_path / "t.parquet")


def test_a_workbook_of_others_is_not_ours(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    with xlsxwriter.Workbook(tmp_path / "theirs.xlsx") as book:
        book.add_worksheet().write_string(0, 0, "neardup")
    with pytest.raises(UsageError, match="not replaced"):
        check_destination(tmp_path / "theirs.xlsx", "--output")
    (tmp_path / "torn.xlsx").write_bytes((tmp_path / "theirs.xlsx").read_bytes()[:200])
    assert not is_ours(tmp_path / "torn.xlsx")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1\0")
    assert not is_ours(tmp_path / "torn.parquet")


@pytest.mark.parametrize(
    ("name", "module", "extra"), [("xlsx", "xlsxwriter", "xlsx"), ("parquet", "pyarrow", "parquet")]
)
def test_a_missing_library_is_named(name: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.outputs.table_files.find_spec", lambda wanted: None if wanted == module else wanted)
    needed = pytest.raises(UsageError, match=rf"needs {module}; run: pip install 'neardup\[{extra}\]'")
    with needed, table_writer(io.StringIO(), TableFormat(name), COLUMNS, Style(), "x"):
        pass


@pytest.mark.parametrize("delimiter", [";", "|", "\t", "§", "^", "~"])
@given(cells=st.lists(TEXTS, min_size=1, max_size=4))
@settings(max_examples=60)
def test_any_delimiter_gives_the_cells_back(delimiter: str, cells: list[str]) -> None:
    line = csv_line(cells, delimiter)
    assert next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter)) == cells


@pytest.mark.parametrize("delimiter", ["", "ab", "a", "1", '"', "'", "\n", " ", "-", "=", ".", "_"])
def test_what_cannot_delimit(delimiter: str) -> None:
    with pytest.raises(UsageError, match="delimited"):
        style_of(delimiter=delimiter)


def test_decimal_marks() -> None:
    comma = ("de", "de_DE", "DE-at", "fr_CA.UTF-8", "pt_BR", "es", "es_AR", "sr_Latn_RS", "ru", "en_DE", "vi")
    point = ("en", "en_GB", "de_CH", "es_MX", "it_CH", "zh_Hant_TW", "ja", "C", "POSIX")
    assert {decimal_mark(name) for name in comma} == {","}
    assert {decimal_mark(name) for name in point} == {"."}
    for name in ("", "xx", "german", "de_DEU", "1"):
        with pytest.raises(UsageError, match="is not known"):
            decimal_mark(name)


@pytest.mark.parametrize("character", ["\u2028", "\x85", "\x0b", "\x1c", "\ufeff", "\n", "", "ab", "é", "'"], ids=ascii)
def test_what_readers_take_for_a_line_end_or_a_mark_is_no_delimiter(character):
    with pytest.raises(UsageError, match="delimited"):
        style_of(delimiter=character)
    assert style_of(delimiter="§").delimiter == "§"
