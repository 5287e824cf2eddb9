"""Records of a sound CSV file: cells as they are, lines counted, no more memory for a longer file."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tracemalloc

import pytest
from paths import ROOT
from tables import BASIC, names, read, write

from indexer.reading.open import ColumnChoice, ReadOptions, Row, open_table


def test_rows_come_out_as_they_are(tmp_path):
    with open_table(write(tmp_path, BASIC)) as table:
        assert table.columns == ("id", "name", "city")
        assert table.choice == ColumnChoice(("name",), True, "id", True)
        assert (table.delimiter, table.encoding, table.size) == (",", "utf-8", len(BASIC))
        assert list(table) == [
            Row(2, 1, "1", "Acme", {"city": "Bonn"}, "1,Acme,Bonn\n", 13, table.name),
            Row(3, 2, "2", "Beta", {"city": "Rome"}, "2,Beta,Rome\n", 25, table.name),
        ]
        assert table.bytes_read == len(BASIC)
        assert table.rows_in == 2


def test_nothing_is_inferred_in_cells(tmp_path):
    [row] = read(tmp_path, 'id,name,zip,when\n00123, NULL ,"01234",MAR-10\n')
    assert (row.external_id, row.raw) == ("00123", " NULL ")
    assert row.fields == {"zip": "01234", "when": "MAR-10"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "end"])
def test_line_ends(tmp_path, end, last):
    items = read(tmp_path, end.join(["id,name", "1,Acme", "2,Beta"]) + (end if last else ""))
    assert names(items) == ["Acme", "Beta"]
    assert [item.line for item in items] == [2, 3]


def test_mixed_line_ends(tmp_path):
    items = read(tmp_path, "id,name\r\n1,A\r2,B\n3,C\r\n\r4,D")
    assert [(item.line, item.raw) for item in items] == [(2, "A"), (3, "B"), (4, "C"), (6, "D")]


def test_other_line_separators_of_unicode_stay_in_the_cell(tmp_path):
    assert names(read(tmp_path, "name\nA\u2028B\x0bC\x1cD\x85E\n")) == ["A\u2028B\x0bC\x1cD\x85E"]


def test_blank_lines_are_no_records(tmp_path):
    items = read(tmp_path, "\n  \nid,name\n\n1,Acme\n \t \n\n2,Beta\n\n")
    assert [(item.line, item.record_no, item.raw) for item in items] == [(5, 1, "Acme"), (8, 2, "Beta")]


def test_a_quoted_empty_cell_is_a_record(tmp_path):
    assert names(read(tmp_path, 'name\n""\nAcme\n')) == ["", "Acme"]


def test_embedded_line_ends_are_kept_and_lines_counted(tmp_path):
    items = read(tmp_path, 'id,name\n1,"Acme\r\nLtd\rX\nY"\n2,Beta\n')
    assert [(item.line, item.raw) for item in items] == [(2, "Acme\r\nLtd\rX\nY"), (6, "Beta")]


def test_header_only_gives_no_rows(tmp_path):
    assert read(tmp_path, "id,name") == []


def test_crossing_chunks_changes_nothing(tmp_path):
    data = "id,name\r\n" + "".join(f'{n},"Ünï\r\ncode {n}"\r\n' for n in range(50))
    whole = read(tmp_path, data)
    for size in (200, 201, 202, 203):
        assert read(tmp_path, data, chunk_bytes=size) == whole


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(rows: int) -> int:
        path = write(tmp_path, gzip.compress(b"id,name\n" + b"1,Acme and Sons\n" * rows))
        tracemalloc.start()
        with open_table(path, ReadOptions(chunk_bytes=20_000)) as table:
            count = sum(1 for _ in table)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == rows
        return used

    assert peak(20_000) < 1.2 * peak(2_500)


def test_rare_libraries_are_imported_only_when_they_are_needed(tmp_path):
    path = write(tmp_path, BASIC)
    code = f"""
import sys
from indexer.reading.open import ReadOptions, open_table
with open_table({str(path)!r}) as table:
    assert len(list(table)) == 2
print(*sys.modules)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert not loaded & {"pyarrow", "ftfy", "chardet", "sqlalchemy", "numpy"}
