"""Encodings of a file: marked, stated or guessed, and bytes that do not fit the encoding."""

from __future__ import annotations

import random

import pytest
from tables import BASIC, drain, errors, names, read, refused, refused_data, warnings, write

from dedup.errors import InputRefused, UsageError
from indexer.reading.encodings import MIN_CONFIDENCE
from indexer.reading.guessing.detector import guess
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
    assert "cp1252" in message
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


LISTS = {
    "cz": ("Řeznictví Křížek", "Pekařství Dvořák", "Stavební firma Šťastný", "Truhlářství Žižka", "Účetnictví Veselý"),
    "pl": ("Młyn Gospodarczy Wąż Żytnia", "Kwiaciarnia Róża Śledź", "Przedsiębiorstwo Świt", "Biuro Gęś Łódź"),
    "hr": ("Građevinsko poduzeće Đurić", "Prijevoznički obrt Kovačić", "Žumarija Čakovec", "Trgovina Šagar"),
    "fr": ("Café Théâtre Rénée", "Boulangerie Pâtisserie Forêt", "Pêcherie Océane", "Hôtel du Château Français"),
    "de": ("Müller & Söhne GmbH", "Bäckerei Weiß", "Überlandwerk Köln", "Fahrräder Schröder", "Größer Bauen"),
    "ru": ("Общество Вымпел", "Гранит", "Хлебозавод Тверь", "Северная компания", "Берег", "Журавль"),
    "jp": ("株式会社ソニー", "トヨタ自動車株式会社", "日本電気", "有限会社さくら商店", "東京ガス"),
    "cn": ("北京科技有限公司", "上海贸易公司", "广州市电子商务中心", "中国人民银行", "深圳华强集团"),
    "tw": ("台灣積體電路公司", "國際貿易股份有限公司", "中華電信", "臺北市立醫院", "統一企業"),
    "kr": ("삼성전자 주식회사", "한국전력공사", "현대자동차", "서울은행", "대한무역"),
}
KINDS = [
    *(("cz", name) for name in ("cp1250", "iso8859-2", "cp852", "mac_latin2")),
    *(("pl", name) for name in ("cp1250", "iso8859-2", "cp852")),
    *(("hr", name) for name in ("cp1250", "iso8859-2", "cp852")),
    *(("fr", name) for name in ("cp1252", "cp850", "cp437", "mac_roman")),
    *(("de", name) for name in ("cp1252", "iso8859-15", "cp850", "mac_roman")),
    *(("ru", name) for name in ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac_cyrillic")),
    *(("jp", name) for name in ("shift_jis", "euc_jp")),
    *(("cn", "gb18030"), ("tw", "big5"), ("kr", "euc_kr")),
]


@pytest.mark.parametrize(("country", "encoding"), KINDS)
def test_what_is_read_by_a_guess_is_right(tmp_path, country, encoding):
    rows = [f"{LISTS[country][n % len(LISTS[country])]} {n}" for n in range(60)]
    data = "\n".join(["name", *rows]).encode(encoding)
    try:
        items = read(tmp_path, data, encoding="auto")
    except InputRefused as error:
        assert "with confidence" in str(error)
    else:
        assert names(items) == rows


def test_most_files_are_read_by_a_guess(tmp_path):
    sure = 0
    for country, encoding in KINDS:
        data = "\n".join(["name", *LISTS[country] * 4]).encode(encoding)
        found = guess(data)
        assert found is not None
        sure += found.confidence >= MIN_CONFIDENCE
    assert sure >= 0.6 * len(KINDS)


def test_a_short_text_gives_no_confident_guess():
    assert guess("Müller".encode("cp1252")[:3]).confidence < MIN_CONFIDENCE


@pytest.mark.parametrize("encoding", [None, "utf-8", "auto"])
@pytest.mark.parametrize(("good", "bad"), [("Müller", "Köln"), ("Panadería Muñoz", "Compañía"), ("Řezník", "Dvořák")])
def test_a_file_that_is_mostly_utf8_is_utf8(tmp_path, encoding, good, bad):
    lines = [bad.encode("cp1250" if "ř" in bad else "cp1252") if n % 25 == 7 else good.encode() for n in range(500)]
    items = read(tmp_path, b"name\n" + b"\n".join(lines), encoding=encoding)
    assert set(names(items)) == {good}
    assert [code for _, code in errors(items)] == ["E_ENCODING_ROW"] * 20
    assert "mixes encodings" in next(item for item in items if isinstance(item, Reject)).message


def test_a_poor_guess_is_not_taken(tmp_path):
    noise = bytes(random.Random(1).choices(range(128, 256), k=400))
    message = refused(lambda: read(tmp_path, b"name\n" + noise + b"\n", encoding="auto"), "E_ENCODING")
    assert "Cannot detect the encoding" in message
    assert "not certain" in message
