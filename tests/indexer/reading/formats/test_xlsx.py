"""Excel workbooks: sheets, cells as text, damage and bombs."""

from __future__ import annotations

import datetime
import io
import random
import zipfile

import openpyxl
import pytest
from tables import drain, errors, names, read, refused_data, warnings, write

from dedup.errors import InputRefused
from indexer.reading.open import ReadOptions, Row, open_table


def workbook(**sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


ROWS = [["id", "name", "city"], ["00123", "Müller GmbH", "Köln"], [], [2, "株式会社ソニー", None], [3.0, "Acme", "x"]]


def test_a_workbook_is_read(tmp_path):
    items = read(tmp_path, workbook(Firms=ROWS))
    assert names(items) == ["Müller GmbH", "株式会社ソニー", "Acme"]
    assert [item.external_id for item in items] == ["00123", "2", "3"]
    assert items[1].fields == {"city": ""}


def test_cells_are_text(tmp_path):
    rows = [["id", "name", "zip", "when", "at", "share", "ok"]]
    rows.append(["=1+1", "Acme", 1067, datetime.date(2026, 11, 2), datetime.datetime(2026, 11, 2, 9, 30), 1.5, True])
    book = openpyxl.load_workbook(io.BytesIO(workbook(S=rows)))
    book["S"]["C2"].number_format = "00000"
    book["S"]["A2"].data_type = "s"
    file = io.BytesIO()
    book.save(file)
    [row] = read(tmp_path, file.getvalue())
    assert isinstance(row, Row)
    assert row.external_id == "=1+1"
    when = {"when": "2026-11-02", "at": "2026-11-02T09:30:00"}
    assert row.fields == {"zip": "01067", **when, "share": "1.5", "ok": "true"}


def test_a_sheet_is_chosen_and_the_others_are_named(tmp_path):
    data = workbook(Notes=[["name", "by"], ["Acme", "x"]], Firms=ROWS)
    path = write(tmp_path, data)
    assert names(read(tmp_path, data)) == ["Acme"]
    assert "W_SHEETS" in warnings(path)
    assert len(read(tmp_path, data, sheet="Firms")) == 3
    assert "W_SHEETS" not in warnings(path, sheet="Firms")
    assert "'Notes', 'Firms'" in refused_data(tmp_path, data, "E_SHEET", sheet="Sheet1")


def test_lines_before_the_header_and_no_header(tmp_path):
    data = workbook(S=[["Export of today"], [], *ROWS])
    assert len(names(read(tmp_path, data, skip_lines=2))) == 3
    options = {"header": False, "text_columns": ["column_2"]}
    assert names(read(tmp_path, workbook(S=ROWS), **options))[:2] == ["name", "Müller GmbH"]


def test_a_row_with_too_many_cells_and_an_empty_sheet(tmp_path):
    assert errors(read(tmp_path, workbook(S=[["id", "name"], [1, "A", "x"], [None, "B"]]))) == [
        (2, "E_EXTRA_CELL"),
        (3, "E_ID_EMPTY"),
    ]
    refused_data(tmp_path, workbook(S=[]), "E_EMPTY")
    assert read(tmp_path, workbook(S=[]), allow_empty=True) == []


@pytest.mark.parametrize("above", [[["Export"]], [["Export"], []], [[], ["Export", "2026"], []]])
def test_a_title_above_the_table_is_refused_with_the_rows_to_skip(tmp_path, above):
    message = refused_data(tmp_path, workbook(S=[*above, *ROWS]), "E_HEADER")
    assert f"--skip-lines {len(above)}," in message
    assert len(names(read(tmp_path, workbook(S=[*above, *ROWS]), skip_lines=len(above)))) == 3


def test_rows_with_few_cells_below_a_full_header_are_no_title(tmp_path):
    assert len(read(tmp_path, workbook(S=[["name", "city", "note"], ["Acme"], ["Zenith"]]))) == 2


def test_a_cover_sheet_is_no_table(tmp_path):
    cover = [["Customers of today"], ["by Anna"]]
    message = refused_data(tmp_path, workbook(Cover=cover, Firms=ROWS, List=[["a"]]), "E_SHEET")
    assert message.endswith("'Firms'.")
    assert len(read(tmp_path, workbook(Cover=cover, Firms=ROWS), sheet="Firms")) == 3
    long_list = [["name"], *([f"Firm {number}"] for number in range(20))]
    assert len(read(tmp_path, workbook(Names=long_list, Firms=ROWS))) == 20
    assert names(read(tmp_path, workbook(Cover=cover, List=[["name"]]))) == ["by Anna"]


def test_lines_are_rows_of_the_sheet_and_blank_ones_are_counted(tmp_path):
    data = workbook(S=[[], *ROWS[:3], [], [9, None, "x"], *ROWS[3:], [], [None, " "]])
    with open_table(write(tmp_path, data)) as table:
        assert [item.line for item in table] == [3, 6, 7, 8]
        [warning] = table.warnings
    assert "has rows without any value: 2 (first on line 4)" in warning


def test_a_zip_archive_is_no_workbook(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("table.csv", "id,name\n1,Acme\n")
    assert "zip archive" in refused_data(tmp_path, file.getvalue(), "E_BINARY")


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
def test_a_bomb_is_refused_before_it_is_decompressed(tmp_path, part):
    source, file = zipfile.ZipFile(io.BytesIO(workbook(S=ROWS))), io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            if name != part:
                archive.writestr(name, source.read(name))
        with archive.open(part, "w") as target:
            for _ in range(70):
                target.write(b" " * (1 << 20))
    refused_data(tmp_path, file.getvalue(), "E_COMPRESSION_RATIO")


def test_a_damaged_workbook_is_refused_or_read(tmp_path):
    data, rng, refusals = workbook(S=ROWS), random.Random(3), 0
    for number in range(60):
        damaged = bytearray(data[: rng.randrange(len(data) // 2, len(data))] if number % 3 == 0 else data)
        for _ in range(8):
            damaged[rng.randrange(4, len(damaged))] = rng.randrange(256)
        try:
            drain(open_table(write(tmp_path, bytes(damaged)), ReadOptions()))
        except InputRefused:
            refusals += 1
    assert refusals > 30


def changed(data: bytes, part: str, *changes: tuple[str, str]) -> bytes:
    """Return a workbook of which a part was changed."""
    source, file = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            text = source.read(name).decode()
            for before, after in changes if name == part else ():
                assert before in text
                text = text.replace(before, after)
            archive.writestr(name, text)
    return file.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def test_rows_are_counted_as_the_sheet_counts_them(tmp_path):
    rows = [["Customers of today", None], [], ["id", "name"], [1, "Acme"], [], [2, None]]
    items = read(tmp_path, workbook(S=rows), skip_lines=2)
    assert names(items[:1]) == ["Acme"]
    assert [item.line for item in items] == [4, 6]
    assert read(tmp_path, workbook(S=rows), skip_lines=1) == items


@pytest.mark.parametrize(
    "title", [["Customers of today"], [None, "Customers"], ["As of", datetime.date(2026, 11, 30)], ["id", "name"]]
)
def test_a_title_above_the_table_is_noticed(tmp_path, title):
    data = workbook(S=[title, [], *ROWS])
    assert "row 3 ('id', 'name', 'city' …), use --skip-lines 2" in refused_data(tmp_path, data, "E_HEADER")
    refused_data(tmp_path, data, "E_HEADER", text_columns=["name"])
    assert len(read(tmp_path, data, skip_lines=2)) == 3


def test_a_header_wider_than_some_rows_is_none_to_refuse(tmp_path):
    rows = [["id", "name"], [1, "Acme"], [2, "Beta", "a note"], [3, "Gamma"]]
    assert errors(read(tmp_path, workbook(S=rows))) == [(3, "E_EXTRA_CELL")]
    assert names(read(tmp_path, workbook(S=[["name"], ["Acme"], ["Beta"]]))) == ["Acme", "Beta"]


def test_escaped_characters_are_decoded(tmp_path):
    rows = [["id", "name"], [1, "Acme_x000D_\nWidgets"], [2, "a_x005F_x0041_b"], [3, "_xD83D__xDE00_ Inc"]]
    rows += [[4, "Lone _xD83D_ Ltd"], [5, "Nul _x0000_ Ltd"], [6, "A_xyz_ Ltd"]]
    items = read(tmp_path, workbook(S=rows))
    assert names(items) == ["Acme\r\nWidgets", "a_x0041_b", "😀 Inc", "Lone \ufffd Ltd", "A_xyz_ Ltd"]
    assert errors(items) == [(6, "E_NUL")]


def test_formulas_without_a_result_are_warned_of(tmp_path):
    rows = [["id", "name", "city"], [1, "Acme", "=1&2"], [2, "Beta", "Bonn"]]
    data = workbook(S=rows)
    assert "W_FORMULA" in warnings(write(tmp_path, data))
    for result in ('t="str"><f>1&amp;2</f><v></v>', 't="str"><f>1&amp;2</f><v>12</v>', 't="n"><f>1&amp;2</f><v>12</v>'):
        known = changed(data, SHEET, ("><f>1&amp;2</f><v />", f" {result}"))
        assert "W_FORMULA" not in warnings(write(tmp_path, known))
    assert "W_FORMULA" not in warnings(write(tmp_path, workbook(S=ROWS)))


def test_what_openpyxl_cannot_use_is_refused(tmp_path):
    data = workbook(S=ROWS)
    assert "last possible" in refused_data(tmp_path, changed(data, SHEET, ('r="5"', 'r="99999999999"')), "E_XLSX")
    kind = ("spreadsheetml.sheet.main+xml", "unknown+xml")
    refused_data(tmp_path, changed(data, "[Content_Types].xml", kind), "E_XLSX")
    no_sheet = changed(data, "xl/_rels/workbook.xml.rels", ("worksheets/sheet1.xml", "worksheets/none.xml"))
    assert "no sheet" in refused_data(tmp_path, no_sheet, "E_SHEET")


def test_an_old_or_encrypted_workbook_names_the_remedy(tmp_path):
    message = refused_data(tmp_path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "E_BINARY")
    assert "Save it as .xlsx without a password" in message
