"""The CSV reader and the rejects file, through their public surface."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.errors import DedupError, EnvironmentFault, InputRefused, UsageError
from indexer.readers import Choice, Options, Row, open_table
from indexer.reading import dialect, lines, streams
from indexer.reading.lines import MAX_RECORD_LINES
from indexer.rejects import CUT_MARK, MAX_RAW_BYTES, Reject, RejectsFile

BASIC = b"id,name,city\n1,Acme,Bonn\n2,Beta,Rome\n"


def write(tmp_path: Path, data: bytes | str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def read(tmp_path: Path, data: bytes | str, **options) -> list[Row | Reject]:
    with open_table(write(tmp_path, data), Options(**options)) as table:
        items = list(table)
        assert table.rows_in == len(items)
    assert [item.record_no for item in items] == list(range(1, len(items) + 1))
    return items


def names(items) -> list[str]:
    return [item.raw for item in items if isinstance(item, Row)]


def errors(items) -> list[tuple[int, str]]:
    return [(item.line, item.error) for item in items if isinstance(item, Reject)]


def refused(tmp_path: Path, data: bytes | str, code: str, **options) -> str:
    with pytest.raises(InputRefused) as caught:
        read(tmp_path, data, **options)
    assert caught.value.code == code
    return str(caught.value)


def feed_stdin(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# ---- the plain way ------------------------------------------------------------------------------


def test_rows_come_out_as_they_are(tmp_path):
    with open_table(write(tmp_path, BASIC)) as table:
        assert table.columns == ("id", "name", "city")
        assert table.choice == Choice(("name",), True, "id", True)
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


def test_crossing_chunks_changes_nothing(tmp_path, monkeypatch):
    data = "id,name\r\n" + "".join(f'{n},"Ünï\r\ncode {n}"\r\n' for n in range(50))
    whole = read(tmp_path, data)
    for size in (200, 201, 202, 203):
        monkeypatch.setattr(streams, "CHUNK_BYTES", size)
        assert read(tmp_path, data) == whole


# ---- where the bytes come from ------------------------------------------------------------------


def test_gzip_is_known_by_its_bytes(tmp_path):
    packed = gzip.compress(BASIC)
    with open_table(write(tmp_path, packed, "t.csv")) as table:
        assert names(table) == ["Acme", "Beta"]
        assert table.bytes_read == table.size == len(packed)
    assert names(open_table(write(tmp_path, BASIC, "t.csv.gz"))) == ["Acme", "Beta"]


def test_concatenated_gzip_members(tmp_path):
    assert names(read(tmp_path, gzip.compress(BASIC) + gzip.compress(b"3,Gamma,Oslo\n"))) == [
        *("Acme", "Beta", "Gamma")
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input(monkeypatch, pack):
    feed_stdin(monkeypatch, pack(BASIC))
    with open_table("-") as table:
        assert (table.name, table.size) == ("standard input", None)
        assert names(table) == ["Acme", "Beta"]
        assert table.bytes_read == len(pack(BASIC))
    assert not sys.stdin.buffer.closed


def test_closed_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputRefused):
        open_table(Path("-"))


def test_a_pipe_has_no_size(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[BASIC])
    writer.start()
    with open_table(path) as table:
        assert table.size is None
        assert names(table) == ["Acme", "Beta"]
    writer.join()


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_truncated_gzip_is_refused(tmp_path, keep):
    packed = gzip.compress(os.urandom(3000).hex().encode() + b"\n" + BASIC)
    assert "gzip" in refused(tmp_path, packed[: int(len(packed) * keep)], "E_COMPRESSION")


def test_gzip_damaged_behind_the_first_chunk_is_refused_while_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "CHUNK_BYTES", 4096)
    packed = gzip.compress(b"name\n" + b"".join(b"%s\n" % os.urandom(30).hex().encode() for _ in range(2000)))
    with open_table(write(tmp_path, packed[:-9])) as table, pytest.raises(InputRefused, match="incomplete"):
        list(table)


def test_corrupted_gzip_is_refused(tmp_path):
    packed = bytearray(gzip.compress(BASIC))
    packed[-6] ^= 1
    refused(tmp_path, bytes(packed), "E_COMPRESSION")
    refused(tmp_path, b"\x1f\x8b\x00\x00nonsense", "E_COMPRESSION")


def test_missing_file_and_folder(tmp_path):
    for path, code in [(tmp_path / "no", "E_NO_FILE"), (tmp_path, "E_NOT_A_FILE"), ("a\0b", "E_NO_FILE")]:
        with pytest.raises(InputRefused) as caught:
            open_table(path)
        assert caught.value.code == code
    write(tmp_path, BASIC)
    with pytest.raises(InputRefused):
        open_table(tmp_path / "t.csv" / "below")


def test_unreadable_file(tmp_path, monkeypatch):
    path = write(tmp_path, BASIC)
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser reads everything

        def deny(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(streams.io, "FileIO", deny)
    with pytest.raises(EnvironmentFault, match="Permission denied"):
        open_table(path)


def test_read_error_is_a_fault_of_the_environment(monkeypatch):
    class Broken:
        def read(self, size):
            raise OSError(5, "Input/output error")

    class Stdin:
        buffer = Broken()

    monkeypatch.setattr(sys, "stdin", Stdin())
    with pytest.raises(EnvironmentFault, match="Input/output error"):
        open_table("-")


@pytest.mark.parametrize("data", [b"", b"\n \r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n", b"\xff\xfe", b"sep=;\n"])
def test_empty(tmp_path, data):
    refused(tmp_path, data, "E_EMPTY")
    refused(tmp_path, gzip.compress(data), "E_EMPTY")


@pytest.mark.parametrize(
    "magic", [b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0", b"SQLite format 3\0", b"%PDF-1.4"]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_binary_files(tmp_path, magic, pack):
    message = refused(tmp_path, pack(magic + b"\0" * 20), "E_BINARY")
    assert ("--from-sql" in message) == magic.startswith(b"SQLite")


def test_nul_filled_file(tmp_path):
    assert "utf-16" in refused(tmp_path, b"\0" * 5000, "E_ENCODING")
    refused(tmp_path, BASIC.decode().encode("utf-16-le"), "E_ENCODING")


# ---- encodings ----------------------------------------------------------------------------------

WORDS = "id,name\n1,Müller\n2,Газпром\n3,株式会社\n"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(tmp_path, encoding):
    assert names(read(tmp_path, WORDS.encode(encoding))) == ["Müller", "Газпром", "株式会社"]


def test_big_endian_mark_and_quoted_header(tmp_path):
    assert len(read(tmp_path, b"\xfe\xff" + WORDS.encode("utf-16-be"))) == 3
    assert names(read(tmp_path, b'\xef\xbb\xbf"name"\nAcme\n')) == ["Acme"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "gb18030", "UTF8"])
def test_a_stated_encoding(tmp_path, encoding):
    assert names(read(tmp_path, WORDS.encode(encoding), encoding=encoding)) == [
        "Müller",
        "Газпром",
        "株式会社",
    ]


@pytest.mark.parametrize(("encoding", "name"), [("cp1252", "Müller €"), ("shift_jis", "ソ表十|A"), ("cp037", "A;B")])
def test_one_byte_and_japanese_and_mainframe_encodings(tmp_path, encoding, name):
    assert names(read(tmp_path, f"id,name\n1,{name}\n".encode(encoding), encoding=encoding)) == [name]


@pytest.mark.parametrize("encoding", ["no-such", "hex", "idna", "undefined", "a\0b", ""])
def test_unknown_encoding(tmp_path, encoding):
    if encoding == "":
        assert read(tmp_path, BASIC, encoding=encoding)
        return
    with pytest.raises(UsageError, match="utf-8"):
        read(tmp_path, BASIC, encoding=encoding)


def test_another_encoding_throughout_is_refused(tmp_path):
    data = "id,name\n1,Acme\n2,Müller\n3,Café\n".encode("cp1252")
    message = refused(tmp_path, data, "E_ENCODING")
    assert "line 3, byte 4 (0xfc)" in message
    assert "--encoding cp1252" in message
    assert names(read(tmp_path, data, encoding="cp1252")) == ["Acme", "Müller", "Café"]


def test_one_bad_row_is_rejected(tmp_path):
    items = read(tmp_path, b"id,name\n1,Acme\n2,M\xfcller\n3,Caf\xc3\xa9\n")
    assert names(items) == ["Acme", "Café"]
    [reject] = [item for item in items if isinstance(item, Reject)]
    assert (reject.line, reject.record_no, reject.error) == (3, 2, "E_ENCODING_ROW")
    assert "Line 3, byte 4 (0xfc)" in reject.message
    assert "--encoding cp1252" in reject.message
    assert reject.raw == "2,M\\xfcller"


def test_few_bad_rows_among_many_are_rejected(tmp_path):
    lines = [b"name", *(b"M\xfcller" if n % 150 == 0 else b"Acme" for n in range(600))]
    items = read(tmp_path, b"\n".join(lines))
    assert len(items) == 600
    assert [code for _, code in errors(items)] == ["E_ENCODING_ROW"] * 4


def test_bad_bytes_behind_the_first_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "CHUNK_BYTES", 64)
    items = read(tmp_path, b"name\n" + b"Acme\n" * 40 + b"M\xfcller\n" * 3 + b"Beta\n")
    assert errors(items) == [(42, "E_ENCODING_ROW"), (43, "E_ENCODING_ROW"), (44, "E_ENCODING_ROW")]
    assert len(names(items)) == 41


def test_bad_byte_in_a_record_of_several_lines(tmp_path):
    items = read(tmp_path, b'id,name\n1,"Acme\nM\xfcller"\n2,Beta\n')
    assert errors(items) == [(2, "E_ENCODING_ROW")]
    assert names(items) == ["Beta"]


def test_bad_header_is_refused(tmp_path):
    assert "line 1" in refused(tmp_path, b"id,name,stra\xdfe\n1,Acme,x\n", "E_ENCODING").lower()


def test_surrogates_in_utf8_are_undecodable(tmp_path):
    assert errors(read(tmp_path, b"name\nA\nB\xed\xa0\x80\n")) == [(3, "E_ENCODING_ROW")]
    items = read(tmp_path, b"name\nA\nB\\ud800\n", encoding="raw_unicode_escape")
    assert errors(items) == [(3, "E_ENCODING_ROW")]


def test_broken_utf16_names_line_and_byte(tmp_path):
    data = "name\nA\n".encode("utf-16") + b"\x00\xd8\x41\x00"
    assert "line 3, byte 17" in refused(tmp_path, data, "E_ENCODING")
    refused(tmp_path, data[:-3], "E_ENCODING")


def test_nul_in_a_row(tmp_path):
    items = read(tmp_path, b"id,name\n1,Ac\0me\n2,Beta\n")
    assert errors(items) == [(2, "E_NUL")]
    assert names(items) == ["Beta"]
    refused(tmp_path, b"id,na\0me\n1,Acme\n", "E_NUL")


# ---- delimiters ---------------------------------------------------------------------------------


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
    assert "--delimiter" in refused(tmp_path, "a,b;c,d\n", "E_DELIMITER", text_columns=["x"])
    assert "--delimiter" in refused(tmp_path, "name,b;city\n1,2;3\n", "E_DELIMITER")


def test_one_column_needs_no_delimiter(tmp_path):
    with open_table(write(tmp_path, 'Firma\nAcme, Inc.\n"Beta; ""B"" | Co"\n')) as table:
        assert table.delimiter is None
        assert table.choice == Choice(("Firma",), True, None, False)
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
    message = refused(tmp_path, BASIC, "E_MISSING_COLUMN", delimiter=";", text_columns=["name"])
    assert "--delimiter ','" in message


# ---- columns ------------------------------------------------------------------------------------


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
        assert table.choice == Choice((text,), True, id_, id_ is not None)


def test_no_sensible_text_column(tmp_path):
    message = refused(tmp_path, "id,foo,bar\n1,a,b\n", "E_NO_TEXT_COLUMN")
    assert "'id', 'foo', 'bar'" in message
    assert "--text" in message


def test_asked_columns(tmp_path):
    data = "id,name,street,city,key\n1,Acme,, Bonn,k1\n2,Beta,Via 1,Rome,k2\n"
    with open_table(write(tmp_path, data), Options(text_columns=["name", "Street", "city"], id_column="KEY")) as table:
        assert table.choice == Choice(("name", "street", "city"), False, "key", False)
        assert [(row.external_id, row.raw, row.fields) for row in table] == [
            ("k1", "Acme  Bonn", {"id": "1"}),
            ("k2", "Beta Via 1 Rome", {"id": "2"}),
        ]


def test_a_column_asked_for_twice_counts_once(tmp_path):
    assert names(read(tmp_path, BASIC, text_columns=["name", "NAME"])) == ["Acme", "Beta"]


def test_the_text_is_not_also_taken_for_the_id(tmp_path):
    with open_table(write(tmp_path, BASIC), Options(text_columns=["ID"])) as table:
        assert table.choice == Choice(("id",), False, None, False)
    with open_table(write(tmp_path, BASIC), Options(text_columns=["id"], id_column="id")) as table:
        assert [(row.external_id, row.raw) for row in table] == [("1", "1"), ("2", "2")]


@pytest.mark.parametrize("options", [{"text_columns": ["firm"]}, {"id_column": "firm"}])
def test_missing_column_lists_those_found(tmp_path, options):
    message = refused(tmp_path, BASIC, "E_MISSING_COLUMN", **options)
    assert "'firm'" in message
    assert "'id', 'name', 'city'" in message
    assert ("--id" in message) == ("id_column" in options)


def test_long_column_lists_are_cut(tmp_path):
    header = ",".join(f"c{n}" for n in range(100))
    message = refused(tmp_path, header + "\n", "E_MISSING_COLUMN", text_columns=["x"])
    assert "70 more" in message
    assert "'c31'" not in message


def test_a_used_column_that_is_there_twice_is_refused(tmp_path):
    assert "2 columns" in refused(tmp_path, "id,name,name\n1,a,b\n", "E_DUPLICATE_COLUMN")
    refused(tmp_path, "id,id,name\n1,a,b\n", "E_DUPLICATE_COLUMN")
    refused(tmp_path, "x,NAME,Name\n1,a,b\n", "E_DUPLICATE_COLUMN", text_columns=["name"])


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
    assert "4096" in refused(tmp_path, "name" + "," * 5000 + "\n", "E_HEADER")


def test_unreadable_header(tmp_path):
    refused(tmp_path, 'id,"name\n1,Acme\n', "E_HEADER")


# ---- faults of one record -----------------------------------------------------------------------


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


def test_long_cells_and_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(dialect, "MAX_CELL_CHARACTERS", 3000)
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 8000)
    for quote in ("", '"'):
        rows = [f"{n},{quote}{'x' * size}{quote}" for n, size in enumerate((3000, 3001, 7500, 9000, 80000, 1))]
        items = read(tmp_path, "id,name\n" + "\n".join(rows))
        assert errors(items) == [(line, "E_FIELD_TOO_LONG") for line in (3, 4, 5, 6)]
        assert [len(name) for name in names(items)] == [3000, 1]
        cut = [item.raw.endswith(CUT_MARK) for item in items if isinstance(item, Reject)]
        assert cut == [False, True, True, True]
    items = read(tmp_path, 'id,name\n1,"' + "x" * 90000 + "\n2,Beta\n")
    assert errors(items) == [(2, "E_FIELD_TOO_LONG")]
    refused(tmp_path, "id," + "x" * 5000 + "\n", "E_HEADER")


def test_what_is_left_of_a_long_line_opens_no_quote(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 200)
    for quote in ("'", '"'):
        data = f"id,name\n1,{quote}" + "x" * 300 + f"\n2,Beta\n3,{quote}Gamma{quote}\n"
        items = read(tmp_path, data, quote=quote)
        assert errors(items) == [(2, "E_FIELD_TOO_LONG")]
        assert names(items) == ["Beta", "Gamma"]


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "CHUNK_BYTES", 20_000)

    def peak(rows: int) -> int:
        path = write(tmp_path, gzip.compress(b"id,name\n" + b"1,Acme and Sons\n" * rows))
        tracemalloc.start()
        with open_table(path) as table:
            count = sum(1 for _ in table)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == rows
        return used

    assert peak(20_000) < 1.2 * peak(2_500)


def test_a_row_can_be_rejected_by_the_caller(tmp_path):
    [row] = read(tmp_path, 'id,name,city\n1,"Acme, ""A""\n",Bonn\n')
    reject = row.reject("E_NAME_EMPTY", "name", "No.")
    assert reject == Reject(2, 1, "E_NAME_EMPTY", "name", "No.", '1,"Acme, ""A""\n",Bonn', 13, row.file)


# ---- properties ---------------------------------------------------------------------------------

QUIET = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@QUIET
@given(
    width=st.integers(2, 4),
    data=st.data(),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"]),
    chunk=st.integers(40, 200),
)
def test_what_csv_writes_comes_back(tmp_path, width, data, delimiter, end, quoting, encoding, chunk):
    rows = data.draw(st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=12))
    header = ["name", "a", "b", "c"][:width]
    text = io.StringIO(newline="")
    if end != "\r\n":  # the writer quotes a line end in a cell only if it is one of its own
        quoting = csv.QUOTE_ALL
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([header, *rows])
    stated = encoding if encoding == "gb18030" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK_BYTES", chunk)
        items = read(tmp_path, text.getvalue().encode(encoding), delimiter=delimiter, encoding=stated)
    for item, row in zip(items, rows, strict=True):
        assert item.raw == row[0]
        assert list(item.fields.values()) == row[1:]


@QUIET
@given(
    st.lists(CELL.filter(str.strip).map(lambda cell: re.sub(r"[;|\t]", "-", cell))),  # else it may look like a preamble
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_one_column_comes_back(tmp_path, cells, quoting):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting).writerows([["name"], *([cell] for cell in cells)])
    assert names(read(tmp_path, text.getvalue())) == cells


SEED = (
    'id,name,city\r\n1,"Acme, Inc",Bonn\n2,Müller,Köln\n\n3,"two\nlines ""x""",Rome\r4,株式会社,東京\n'
    '5,"open,x\n6,Beta,\n7,Gam\0ma,Oslo\n'
).encode()
EDIT = st.tuples(
    st.integers(0, len(SEED)),
    st.integers(0, 4),
    st.sampled_from([b'"', b"\n", b"\r", b",", b"\0", b"\xff", b"\xc3", b"", b";", b"\xef\xbb\xbf"])
    | st.binary(max_size=3),
)


@settings(QUIET, max_examples=400)
@given(st.lists(EDIT, max_size=6), st.integers(0, 3), st.integers(10, 200))
def test_mutated_input_is_accounted_for(tmp_path, edits, wrapping, chunk):
    data = SEED
    for at, drop, insert in edits:
        data = data[:at] + insert + data[at + drop :]
    if wrapping == 1:
        data = gzip.compress(data)
    elif wrapping == 2:
        data = gzip.compress(data)[:-4] + data[:3]
    elif wrapping == 3:
        data = b"\xff\xfe" + data
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK_BYTES", chunk)
        try:
            items = read(tmp_path, data)
        except DedupError as error:
            assert str(error)
            return
    lines = [item.line for item in items]
    assert lines == sorted(set(lines))
    for item in items:
        assert isinstance(item, Reject) or "\0" not in "".join(
            [item.external_id or "", item.raw, *item.fields.values()]
        )


@QUIET
@given(st.lists(st.text(st.sampled_from("ab,; é"), max_size=8), max_size=20))
def test_without_quotes_each_line_is_one_record(tmp_path, lines):
    items = read(tmp_path, "\n".join(["id,name", *lines]), delimiter=",")
    assert [item.line for item in items] == [at for at, line in enumerate(lines, 2) if line.strip()]


@QUIET
@given(st.binary(max_size=300))
def test_any_bytes_give_rows_or_a_stated_error(tmp_path, data):
    for body in (data, b"name\n" + data):
        try:
            read(tmp_path, body)
        except DedupError as error:
            assert str(error)


# ---- the rejects file ---------------------------------------------------------------------------


def test_rejects_file(tmp_path):
    path = tmp_path / "t.rejects.jsonl"
    with RejectsFile(path) as rejects:
        rejects.add(Reject(2, 1, "E_NUL", None, "No.", "Ü\0\n", 12, "t.csv"))
        rejects.add(Reject(3, 2, "E_ID_EMPTY", "id", "No.", "lone \ud800"))
        assert not path.exists()
        assert rejects.commit() == path
        assert rejects.count == 2
    assert list(tmp_path.iterdir()) == [path]
    first, second = map(json.loads, path.read_text("utf-8").splitlines())
    assert first == {
        **{"file": "t.csv", "line": 2, "byte_offset": 12, "record_no": 1, "error": "E_NUL", "column": None},
        **{"message": "No.", "raw": "Ü\0\n"},
    }
    assert second["raw"] == "lone \\ud800"


def test_lone_surrogates_anywhere_do_not_crash_it(tmp_path):
    with RejectsFile(tmp_path / "r") as rejects:
        rejects.add(Reject(1, 1, "E", "c\udcff", "m\udfff", "\ud800" * 5000))
        path = rejects.commit()
    assert json.loads(path.read_bytes())["column"] == "c\udcff"


def test_without_rejects_nothing_is_left(tmp_path):
    path = tmp_path / "r.jsonl"
    with RejectsFile(path) as rejects:
        rejects.add(Reject(1, 1, "E", None, "No.", "x"))
        assert rejects.commit() == path
    with RejectsFile(path) as rejects:
        assert rejects.commit() is None
    assert list(tmp_path.iterdir()) == []
    with RejectsFile(path) as rejects:
        assert rejects.commit() is None


def test_without_commit_the_old_file_stays(tmp_path):
    path = write(tmp_path, "old", "r.jsonl")
    with pytest.raises(KeyError), RejectsFile(path) as rejects:
        rejects.add(Reject(1, 1, "E", None, "", ""))
        raise KeyError
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_unwritable_rejects_file(tmp_path):
    with (
        RejectsFile(tmp_path / "missing" / "r") as rejects,
        pytest.raises(EnvironmentFault, match="rejects file"),
    ):
        rejects.add(Reject(1, 1, "E", None, "", ""))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk(tmp_path):
    path = tmp_path / "r"
    (tmp_path / f"r.{os.getpid()}.tmp").symlink_to("/dev/full")
    with RejectsFile(path) as rejects:
        rejects.add(Reject(1, 1, "E", None, "", ""))
        with pytest.raises(EnvironmentFault, match="space"):
            rejects.commit()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("char", ["a", "é", "漢"])
def test_raw_is_cut(char):
    short = Reject(1, 1, "E", None, "", char * (MAX_RAW_BYTES // len(char.encode())))
    assert not short.raw.endswith(CUT_MARK)
    raw = Reject(1, 1, "E", None, "", char * 5000).raw
    assert raw.endswith(CUT_MARK)
    assert MAX_RAW_BYTES - 4 < len(raw.encode()) - len(CUT_MARK) <= MAX_RAW_BYTES
