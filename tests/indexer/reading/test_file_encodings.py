"""Encodings of a file: marked, stated or guessed, and bytes that do not fit the encoding."""

from __future__ import annotations

import random

import pytest
from tables import BASIC, drain, errors, names, read, refused, refused_data, warnings, write

from dedup.errors import UsageError
from indexer.reading.open import ReadOptions, open_table
from indexer.reading.rejects import Reject

WORDS = "id,name\n1,Müller\n2,Газпром\n3,株式会社\n"
GERMAN = "id,name\n1,Müller & Söhne\n2,Café Zürich\n"


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
    message = refused_data(tmp_path, data, "E_ENCODING")
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


def test_bad_bytes_behind_the_first_chunk(tmp_path):
    items = read(tmp_path, b"name\n" + b"Acme\n" * 40 + b"M\xfcller\n" * 3 + b"Beta\n", chunk_bytes=64)
    assert errors(items) == [(42, "E_ENCODING_ROW"), (43, "E_ENCODING_ROW"), (44, "E_ENCODING_ROW")]
    assert len(names(items)) == 41


def test_bad_byte_in_a_record_of_several_lines(tmp_path):
    items = read(tmp_path, b'id,name\n1,"Acme\nM\xfcller"\n2,Beta\n')
    assert errors(items) == [(2, "E_ENCODING_ROW")]
    assert names(items) == ["Beta"]


def test_bad_header_is_refused(tmp_path):
    assert "line 1" in refused_data(tmp_path, b"id,name,stra\xdfe\n1,Acme,x\n", "E_ENCODING").lower()


def test_surrogates_in_utf8_are_undecodable(tmp_path):
    assert errors(read(tmp_path, b"name\nA\nB\xed\xa0\x80\n")) == [(3, "E_ENCODING_ROW")]
    items = read(tmp_path, b"name\nA\nB\\ud800\n", encoding="raw_unicode_escape")
    assert errors(items) == [(3, "E_ENCODING_ROW")]


def test_broken_utf16_names_line_and_byte(tmp_path):
    data = "name\nA\n".encode("utf-16") + b"\x00\xd8\x41\x00"
    assert "line 3, byte 17" in refused_data(tmp_path, data, "E_ENCODING")
    refused_data(tmp_path, data[:-3], "E_ENCODING")


# Guesses


def test_a_refusal_names_the_likely_encoding(tmp_path):
    message = refused(lambda: read(tmp_path, GERMAN.encode("cp1252")), "E_ENCODING")
    assert "--encoding cp1252" in message
    japanese = "id,name\n" + "1,株式会社ソニー\n2,トヨタ自動車\n" * 50
    assert "cp932" in refused(lambda: read(tmp_path, japanese.encode("shift_jis")), "E_ENCODING")


def test_a_good_guess_is_taken_if_asked(tmp_path):
    path = write(tmp_path, GERMAN.encode("cp1252"))
    assert names(drain(open_table(path, ReadOptions(encoding="auto")))) == ["Müller & Söhne", "Café Zürich"]
    assert warnings(path, encoding="auto") == ["W_ENCODING"]
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = write(tmp_path, GERMAN.encode(encoding))
        assert names(drain(open_table(path, ReadOptions(encoding="auto")))) == ["Müller & Söhne", "Café Zürich"]
        assert warnings(path, encoding="auto") == []


def test_a_poor_guess_is_not_taken(tmp_path):
    noise = bytes(random.Random(1).choices(range(128, 256), k=400))
    message = refused(lambda: read(tmp_path, b"name\n" + noise + b"\n", encoding="auto"), "E_ENCODING")
    assert "Cannot detect the encoding" in message
