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
