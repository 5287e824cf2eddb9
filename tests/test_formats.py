"""Formats other than plain CSV, compressions, several inputs, databases, and what is worth a warning."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq
from sqlalchemy import create_engine
from sqlalchemy import text as sql

from dedup.errors import DedupError, EnvironmentFault, InputRefused, UsageError
from indexer.identity import with_identity
from indexer.readers import Options, Row, Table, default_source, open_query, open_table, open_tables
from indexer.reading import parquet, parquet_worker, streams
from indexer.rejects import Reject

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ROOT = Path(__file__).resolve().parent.parent
BASIC = b"id,name,city\n1,Acme,Bonn\n2,Beta,Rome\n"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
QUIET = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(tmp_path: Path, data: bytes | str, name: str = "t") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def write_parquet(tmp_path: Path, file: str = "t.parquet", /, *, options: dict | None = None, **columns) -> Path:
    pq.write_table(pa.table(columns), tmp_path / file, **(options or {}))
    return tmp_path / file


def drain(table: Table) -> list[Row | Reject]:
    with table:
        items = list(table)
        assert table.rows_in == len(items)
    return items


def read(tmp_path: Path, data: bytes | str, **options) -> list[Row | Reject]:
    return drain(open_table(write(tmp_path, data), Options(**options)))


def warnings(source: Path, **options) -> list[str]:
    with open_table(source, Options(**options)) as table:
        list(table)
        return [sentence.partition(":")[0] for sentence in table.warnings]


def names(items) -> list[str]:
    return [item.raw for item in items if isinstance(item, Row)]


def errors(items) -> list[tuple[int, str]]:
    return [(item.line, item.error) for item in items if isinstance(item, Reject)]


def refused(make: Callable[[], object], code: str) -> str:
    with pytest.raises(InputRefused) as caught:
        make()
    assert caught.value.code == code
    return str(caught.value)


# ---- compression --------------------------------------------------------------------------------


@pytest.mark.parametrize("packing", PACK)
def test_compression_is_known_by_its_bytes(tmp_path, packing):
    pack = PACK[packing]
    for data, expected in ((BASIC, ["Acme", "Beta"]), (b'{"name": "Acme"}\n', ["Acme"])):
        path = write(tmp_path, pack(data), "t.csv")
        with open_table(path) as table:
            assert names(table) == expected
            assert table.bytes_read == table.size == len(pack(data))


@pytest.mark.parametrize("packing", PACK)
def test_members_in_a_row(tmp_path, packing):
    pack = PACK[packing]
    packed = pack(BASIC) + pack(b"") + pack(b"3,Gamma,Oslo\n")
    assert names(read(tmp_path, packed)) == ["Acme", "Beta", "Gamma"]
    assert names(read(tmp_path, packed + b"\0" * 8)) == ["Acme", "Beta", "Gamma"]


def test_a_skippable_frame_is_no_data(tmp_path):
    frame = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    assert names(read(tmp_path, frame + zstd.compress(BASIC) + frame)) == ["Acme", "Beta"]


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("fault", ["cut", "end", "junk", "flip"])
def test_a_damaged_stream_is_refused(tmp_path, packing, fault):
    lines = b"".join(b"%d,%s,x\n" % (n, os.urandom(20).hex().encode()) for n in range(300))
    packed = {"zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})}.get(
        packing, PACK[packing]
    )(BASIC + lines)
    middle = len(packed) // 2
    damaged = {
        "cut": packed[:middle],
        "end": packed[:-3],
        "junk": packed + b"no member",
        "flip": packed[:middle] + bytes([packed[middle] ^ 4]) + packed[middle + 1 :],
    }[fault]
    assert packing in refused(lambda: read(tmp_path, damaged), "E_COMPRESSION")


@pytest.mark.parametrize("outer", PACK)
@pytest.mark.parametrize("inner", PACK)
def test_what_is_packed_twice_is_refused(tmp_path, outer, inner):
    packed = PACK[outer](PACK[inner](BASIC))
    assert f"{inner} file inside a {outer} file" in refused(lambda: read(tmp_path, packed), "E_BINARY")


@pytest.mark.parametrize("packing", PACK)
def test_a_bomb_is_refused(tmp_path, monkeypatch, packing):
    monkeypatch.setattr(streams, "RATIO_FLOOR_BYTES", 1 << 21)
    bomb = PACK[packing](b"name\n" + b"\n" * (1 << 23))
    assert "200 times" in refused(lambda: read(tmp_path, bomb), "E_COMPRESSION_RATIO")


def test_what_is_small_or_sound_is_no_bomb(tmp_path, monkeypatch):
    assert len(read(tmp_path, gzip.compress(b"name\n" + b"aaaaaaaaaaaaaaa\n" * 50_000))) == 50_000
    monkeypatch.setattr(streams, "RATIO_FLOOR_BYTES", 1 << 12)
    lines = "".join(f"{random.Random(n).random()}\n" for n in range(5000))
    assert len(read(tmp_path, gzip.compress(f"name\n{lines}".encode()))) == 5000


def test_a_chunk_is_filled_from_many_small_members(tmp_path):
    packed = zstd.compress(b"name\n") + zstd.compress(b"x") * 3000
    source = streams.ByteSource(write(tmp_path, packed))
    assert (len(source.start), len(source.read()), source.read()) == (3005, 3005, b"")
    source.close()


def test_an_xz_file_that_wants_too_much_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MAX_XZ_MEMORY", 1 << 20)
    refused(lambda: read(tmp_path, lzma.compress(BASIC, preset=9)), "E_COMPRESSION")


# ---- a file that is written to ------------------------------------------------------------------


@pytest.mark.parametrize("change", ["grow", "touch", "replace", "remove"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, change):
    monkeypatch.setattr(streams, "CHUNK_BYTES", 100)
    path = write(tmp_path, "name\n" + "Acme\n" * 500)
    with open_table(path) as table:
        rows = iter(table)
        next(rows)
        if change == "grow":
            with path.open("ab") as file:
                file.write(b"Beta\n")
        elif change == "touch":
            os.utime(path, ns=(1, 1))
        elif change == "replace":
            os.utime(write(tmp_path, path.read_bytes(), "new"), ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
            os.replace(tmp_path / "new", path)
        else:
            path.unlink()
        assert "copy" in refused(lambda: list(rows), "E_CHANGED")


def test_a_parquet_file_that_changes_is_refused(tmp_path):
    path = write_parquet(tmp_path, name=["a", "b"])
    with open_table(path) as table:
        os.utime(path, ns=(1, 1))
        refused(lambda: list(table), "E_CHANGED")


# ---- JSON Lines ---------------------------------------------------------------------------------


def test_json_lines(tmp_path):
    data = '\n{"id": 123456789012345678901234567890, "name": "Acme \\u00fc", "city": null, "ok": true, "n": 1.50}\n'
    with open_table(write(tmp_path, data)) as table:
        assert table.columns == ("id", "name", "city", "ok", "n")
        [row] = table
    assert row == Row(
        2,
        1,
        "123456789012345678901234567890",
        "Acme ü",
        {"city": "", "ok": "true", "n": "1.50"},
        data.lstrip(),
        1,
        table.name,
    )
    assert row.reject("E_NAME_EMPTY", None, "No.").raw == data.strip()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("no json", "E_JSON"),
        ('{"id": "1", "name": "a"', "E_JSON"),
        ('{"id": "1", "name": "a"} x', "E_JSON"),
        ('["1", "a"]', "E_JSON"),
        ('"text"', "E_JSON"),
        ('{"id": "1", "name": NaN}', "E_JSON"),
        ('{"id": "1", "name": -Infinity}', "E_JSON"),
        ('{"id": "1", "name": {"a": "b"}}', "E_NESTED"),
        ('{"id": "1", "name": "a", "more": [1]}', "E_NESTED"),
        ('{"id": "1", "name": ' + "[" * 100_000, "E_NESTED"),
        ('{"id": "1", "name": ' + '{"a":' * 100_000, "E_NESTED"),
        ('{"id": "1", "name": "a", "name": "b"}', "E_JSON_DUPLICATE_KEY"),
        ("{" + ", ".join(f'"k{n}": ""' for n in range(300_000)) + ', "k299999": ""}', "E_JSON_DUPLICATE_KEY"),
        ('{"id": 1.0, "name": "a"}', "E_ID_TYPE"),
        ('{"id": 1e400, "name": "a"}', "E_ID_TYPE"),
        ('{"id": true, "name": "a"}', "E_ID_TYPE"),
        ('{"id": null, "name": "a"}', "E_ID_EMPTY"),
        ('{"name": "a"}', "E_ID_EMPTY"),
        ('{"id": "1", "name": "\\ud800"}', "E_ENCODING_ROW"),
        ('{"id": "1", "name": "a", "\\udfff": ""}', "E_ENCODING_ROW"),
        ('{"id": "1", "name": "a\\u0000"}', "E_NUL"),
        ('{"id": "1", "name": "' + "x" * (1 << 20) + 'y"}', "E_FIELD_TOO_LONG"),
        ('{"id": "1", "name": "' + "x" * (1 << 24) + '"}', "E_FIELD_TOO_LONG"),
        ("{" + ",".join(f'"{n}": 1' for n in range(5000)) + "}", "E_EXTRA_CELL"),
    ],
    ids=lambda value: value[:40],
)
def test_a_fault_of_a_line_rejects_it(tmp_path, line, code):
    items = read(tmp_path, f'{{"id": 1, "name": "Acme"}}\n{line}\n{{"id": 2, "name": "Beta"}}\n')
    assert errors(items) == [(2, code)]
    assert names(items) == ["Acme", "Beta"]
    assert items[1].byte_offset == 26
    assert items[1].raw.startswith(line[:4000])


def test_numbers_are_taken_as_written(tmp_path):
    items = read(tmp_path, '{"id": -0, "name": 1e400, "x": 1.10}\n{"id": 00, "name": 5}\n')
    assert items[0][2:5] == ("-0", "1e400", {"x": "1.10"})
    assert errors(items) == [(2, "E_JSON")]


def test_a_first_line_longer_than_a_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "CHUNK_BYTES", 30)
    line = json.dumps({"id": "1", "name": "Acme", "note": "x" * 100})
    assert [row.external_id for row in read(tmp_path, f"{line}\n{line}\n")] == ["1", "1"]


def test_bytes_of_another_encoding_in_json_lines(tmp_path):
    items = read(tmp_path, b'{"name": "a"}\n{"name": "M\xfcller"}\n{"name": "b"}\n')
    assert errors(items) == [(2, "E_ENCODING_ROW")]
    assert names(read(tmp_path, '{"name": "Müller"}\n'.encode("utf-16"))) == ["Müller"]


def test_keys_that_come_up_later_are_columns_too(tmp_path):
    items = read(tmp_path, '{"Name": "a"}\n{"Name": "b", "city": "Rome"}\n{}\n', text_columns=["NAME"])
    assert [(item.raw, item.fields) for item in items] == [("a", {}), ("b", {"city": "Rome"}), ("", {})]


@pytest.mark.parametrize("data", ['[{"id": 1}]', '  [\n{"id": 1}\n]', "[ {"])
def test_an_array_of_objects_is_refused_with_the_remedy(tmp_path, data):
    assert "jq -c '.[]'" in refused(lambda: read(tmp_path, data), "E_JSON_ARRAY")


@pytest.mark.parametrize("data", ['{\n"id": 1\n}\n', "{", "{}\n{}\n", '{"name": "' + "x" * (1 << 24)])
def test_what_only_begins_like_json_lines_is_refused(tmp_path, data):
    assert "one object a line" in refused(lambda: read(tmp_path, data), "E_JSON")


def test_columns_of_json_lines_are_chosen_as_those_of_csv(tmp_path):
    data = '{"id": 1, "foo": "a", "bar": "b"}\n'
    assert "--text" in refused(lambda: read(tmp_path, data), "E_NO_TEXT_COLUMN")
    assert "'bar'" in refused(lambda: read(tmp_path, data, text_columns=["x"]), "E_MISSING_COLUMN")
    [row] = read(tmp_path, data, text_columns=["bar", "foo"], id_column="id")
    assert (row.raw, row.fields) == ("b a", {})
    data = '{"a b": 1, "a  b": 2, "name": "x"}\n' + "\n" * 300 + '{"name": "y", "a b_2": 3, "a  b": 4}\n'
    assert [row.fields for row in read(tmp_path, data)] == [
        {"a b": "1", "a b_2": "2"},
        {"a b_2": "3", "a b_2_": "4"},
    ]


# ---- Parquet ------------------------------------------------------------------------------------


def test_parquet(tmp_path):
    path = write_parquet(
        tmp_path,
        id=pa.array([1, 2**63], "uint64"),
        name=pa.array(["Acme", None]).dictionary_encode(),
        share=[0.1, 2.0],
        day=[date(2026, 1, 2), None],
        at=[datetime(2026, 1, 2, 3, 4, 5), None],
        price=[Decimal("1.10"), Decimal("-0.05")],
        ok=[True, False],
        data=[b"ab", b"cd"],
    )
    with open_table(path) as table:
        assert table.size == path.stat().st_size
        first, second = table
        assert table.bytes_read == table.size
        assert table.warnings == []
    expected = {"share": "0.1", "day": "2026-01-02", "at": "2026-01-02 03:04:05.000000", "price": "1.10"}
    assert first[:5] == (1, 1, "1", "Acme", {**expected, "ok": "true", "data": "ab"})
    assert (second.external_id, second.raw, second.fields["day"]) == (str(2**63), "", "")
    assert second.reject("E_NAME_EMPTY", None, "No.").raw == f"{2**63},,2,,,-0.05,false,cd"
    assert (second.byte_offset, second.file) == (None, str(path))


@pytest.mark.parametrize("values", [[1.0, 2.0], [True, False]])
def test_fractions_and_truth_values_are_no_ids(tmp_path, values):
    path = write_parquet(tmp_path, id=values, name=["a", "b"])
    assert "strings or whole numbers" in refused(lambda: open_table(path), "E_ID_TYPE")
    assert len(drain(open_table(path, Options(id_column="")))) == 2


def test_nested_columns_are_left_out_or_refused(tmp_path):
    path = write_parquet(tmp_path, tags=[["a"], []], name=["a", "b"], place=[{"x": 1}, None])
    assert warnings(path) == ["W_COLUMN_NESTED"]
    assert [row.fields for row in drain(open_table(path))] == [{}, {}]
    refused(lambda: open_table(path, Options(text_columns=["tags"])), "E_COLUMN_TYPE")


def test_a_binary_value_that_is_no_text_costs_its_row(tmp_path):
    items = drain(open_table(write_parquet(tmp_path, name=[b"a", b"M\xfcller", b"b\0"])))
    assert names(items) == ["a"]
    assert errors(items) == [(2, "E_ENCODING_ROW"), (3, "E_NUL")]
    assert items[1].raw == "M\\xfcller"


def test_long_values_of_parquet_cost_their_row(tmp_path):
    items = drain(open_table(write_parquet(tmp_path, name=["a", "x" * ((1 << 20) + 1), "b"])))
    assert errors(items) == [(2, "E_FIELD_TOO_LONG")]
    columns = {f"c{n}": ["y" * (1 << 20), "z"] for n in range(17)}
    items = drain(open_table(write_parquet(tmp_path, name=["a", "b"], **columns)))
    assert errors(items) == [(1, "E_FIELD_TOO_LONG")]
    assert names(items) == ["b"]


def test_empty_ids_and_no_rows_in_parquet(tmp_path):
    assert errors(drain(open_table(write_parquet(tmp_path, id=["1", None, " "], name=["a", "b", "c"])))) == [
        (2, "E_ID_EMPTY"),
        (3, "E_ID_EMPTY"),
    ]
    for name, rows in (("none", 0), ("one", 1)):
        table = pa.table({"name": ["a"]}).slice(0, rows)
        with pq.ParquetWriter(tmp_path / name, table.schema) as writer:
            if rows:
                writer.write_table(table.slice(0, 0))
        assert warnings(tmp_path / name) == ["W_NO_ROWS"]


def test_many_batches_and_row_groups(tmp_path):
    path = write_parquet(tmp_path, id=list(range(30_000)), name=["x"] * 30_000, options={"row_group_size": 7000})
    assert [row.external_id for row in drain(open_table(path))] == list(map(str, range(30_000)))


def test_parquet_on_standard_input(tmp_path, monkeypatch):
    data = write_parquet(tmp_path, name=["a", "b"]).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    with open_table("-") as table:
        assert table.size is None
        assert names(table) == ["a", "b"]


@pytest.mark.parametrize("packing", PACK)
def test_compressed_parquet_is_refused(tmp_path, packing):
    data = PACK[packing](write_parquet(tmp_path, name=["a"]).read_bytes())
    assert "Parquet file inside" in refused(lambda: read(tmp_path, data), "E_BINARY")


def test_damaged_parquet_is_refused(tmp_path):
    data = write_parquet(
        tmp_path, name=[f"n{n}" for n in range(1000)], options={"write_page_checksum": True}
    ).read_bytes()
    for damaged in (data[:-20], data[: len(data) // 2], data[:60] + b"\xff" + data[61:], data[:12]):
        refused(lambda: read(tmp_path, damaged), "E_PARQUET")  # noqa: B023


def test_encrypted_parquet_is_refused(tmp_path):
    data = b"PARE" + write_parquet(tmp_path, name=["a"]).read_bytes()[4:-4] + b"PARE"
    assert "decrypted" in refused(lambda: read(tmp_path, data), "E_PARQUET")


def _child(program: str) -> Callable[[int], subprocess.Popen[bytes]]:
    return lambda file: subprocess.Popen([sys.executable, "-c", program], stdin=file, stdout=subprocess.PIPE)


@pytest.mark.parametrize(
    "end",
    [
        f"os.kill(os.getpid(), {int(signal.SIGSEGV)})",
        "os._exit(0)",
        "print('{\"end\": 1}')",
        'print(\'{"error": "x"}\')',
    ],
)
def test_a_reader_of_parquet_that_dies_refuses_the_file(tmp_path, monkeypatch, end):
    start = (
        'import os, sys; print(\'{"columns": [["name", "text"]], "rows": 9}\'); print(\'[["a"]]\'); sys.stdout.flush()'
    )
    monkeypatch.setattr(parquet, "start", _child(f"{start}; {end}"))
    with open_table(write_parquet(tmp_path, name=["a"])) as table:
        rows = iter(table)
        assert next(rows).raw == "a"
        refused(lambda: list(rows), "E_PARQUET")


def test_the_reader_of_parquet_ends_with_the_table(tmp_path):
    table = open_table(write_parquet(tmp_path, name=["a"] * 100_000))
    next(iter(table))
    table.close()
    assert table._process.returncode is not None


def test_too_much_memory_refuses_the_file(tmp_path, monkeypatch):
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from indexer.reading import parquet_worker as worker
worker.MEMORY_BYTES = 200 << 20
worker.BATCH_CELLS = 1 << 13
worker.confine()
worker.serve(open(0, "rb"), sys.stdout.buffer)
"""
    monkeypatch.setattr(parquet, "start", _child(program))
    path = write_parquet(tmp_path, name=pa.array(["x" * 100_000] * 5000).dictionary_encode())
    refused(lambda: drain(open_table(path)), "E_PARQUET")


def test_parquet_that_grows_out_of_proportion_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "RATIO_FLOOR_BYTES", 1 << 16)
    path = write_parquet(tmp_path, name=["a very common name"] * 500_000)
    refused(lambda: drain(open_table(path)), "E_COMPRESSION_RATIO")


def test_a_batch_that_never_comes_ends_the_child(monkeypatch):
    monkeypatch.setattr(parquet_worker, "SECONDS", 1)
    pid = os.fork()
    if not pid:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            parquet_worker._lines = lambda file: iter(lambda: signal.pause(), None)
            parquet_worker.serve(io.BytesIO(), io.BytesIO())
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGALRM


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    path = write_parquet(tmp_path, name=["a"])
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"neardup\[parquet\]"):
        open_table(path)


def test_text_that_begins_like_parquet_is_text(tmp_path):
    assert names(read(tmp_path, "PAR1,name\nx,Acme\n")) == ["Acme"]


# ---- what comes out of every format --------------------------------------------------------------

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


def _as_csv(rows: list[list[str]], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["name", "city"], *rows])
    return text.getvalue().encode()


def _as_jsonl(rows: list[list[str]], ascii_: bool) -> bytes:
    lines = [json.dumps({"name": name, "city": city}, ensure_ascii=ascii_) for name, city in rows]
    return "\n".join(lines).encode()


def _as_parquet(rows: list[list[str]]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"name": [row[0] for row in rows], "city": [row[1] for row in rows]}), file)
    return file.getvalue()


@QUIET
@given(
    rows=st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=8),
    format_=st.sampled_from(["csv", "tsv", "jsonl", "ascii"]),
    packing=st.sampled_from(["", *PACK]),
    chunk=st.integers(40, 300),
)
def test_what_was_written_comes_back(tmp_path, rows, format_, packing, chunk):
    make = {
        "csv": _as_csv,
        "tsv": lambda rows: _as_csv(rows, "\t"),
        "jsonl": lambda rows: _as_jsonl(rows, False),
        "ascii": lambda rows: _as_jsonl(rows, True),
    }[format_]
    data = make(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK_BYTES", chunk)
        items = read(tmp_path, PACK[packing](data) if packing else data, delimiter="\t" if format_ == "tsv" else None)
    assert [[item.raw, *item.fields.values()] for item in items] == rows
    for item in items:
        assert data[item.byte_offset :].startswith(item.record.encode())


@settings(QUIET, max_examples=6)
@given(rows=st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=8))
def test_what_parquet_holds_comes_back(tmp_path, rows):
    assert [[item.raw, *item.fields.values()] for item in read(tmp_path, _as_parquet(rows))] == rows


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp037", "gb18030"])
def test_byte_offsets_are_those_of_the_file(tmp_path, encoding):
    lines = ["id,name\r\n", "1,Müller\n", '2,"株式会社\nx"\r', "3,\n", "4,a,b\n", "5,\U0001f3e2\n", "6,z"]
    if encoding == "cp037":
        lines = [line.encode(encoding, "ignore").decode(encoding) for line in lines]
    data = "".join(lines).encode(encoding)
    stated = None if encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32") else encoding
    items = read(tmp_path, data, encoding=stated)
    inside = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    assert len(items) == 6
    for item, line in zip(items, lines[1:], strict=True):
        assert data[item.byte_offset :].startswith(line.encode(inside))


# ---- options of CSV -----------------------------------------------------------------------------


def test_without_a_header_columns_are_numbered(tmp_path):
    items = read(tmp_path, "\n1,Acme\n2,Beta\n", header=False, text_columns=["column_2"], id_column="column_1")
    assert [(item.line, item.external_id, item.raw) for item in items] == [(2, "1", "Acme"), (3, "2", "Beta")]
    assert names(read(tmp_path, "Acme\nBeta\n", header=False)) == ["Acme", "Beta"]
    message = refused(lambda: read(tmp_path, "1,Acme\n2,Beta\n", header=False), "E_NO_TEXT_COLUMN")
    assert "'column_1', 'column_2'" in message


def test_lines_before_the_header_are_skipped(tmp_path):
    data = 'Export "of\ntoday\nid,name\n1,Acme\n2,Beta\n'
    items = read(tmp_path, data, skip_lines=2)
    assert [(item.line, item.byte_offset, item.raw) for item in items] == [(4, 25, "Acme"), (5, 32, "Beta")]
    refused(lambda: read(tmp_path, "name\nAcme\n", skip_lines=9), "E_EMPTY")


@pytest.mark.parametrize("preamble", ["Export of today\n", "\nExport\n\n", "# a\n# b\n"])
def test_a_preamble_is_refused_with_the_remedy(tmp_path, preamble):
    data = f"{preamble}id,name\n1,Acme\n2,Beta\n"
    skip = preamble.count("\n")
    assert f"--skip-lines {skip}." in refused(lambda: read(tmp_path, data), "E_HEADER")
    assert f"--skip-lines {skip}." in refused(lambda: read(tmp_path, data, text_columns=["name"]), "E_MISSING_COLUMN")
    assert names(read(tmp_path, data, skip_lines=skip)) == ["Acme", "Beta"]


def test_a_list_with_some_commas_is_no_preamble(tmp_path):
    assert len(read(tmp_path, "firm\nAcme, Inc\nBeta\nGamma, Ltd\n")) == 3
    assert len(read(tmp_path, "firm\nAcme, Inc\nBeta, Inc\n", delimiter="|")) == 2


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


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xff\xfe", gzip.compress(b"")])
def test_an_empty_file_may_be_allowed(tmp_path, data):
    assert "--allow-empty" in refused(lambda: read(tmp_path, data), "E_EMPTY")
    with open_table(write(tmp_path, data), Options(allow_empty=True)) as table:
        assert (table.columns, list(table), table.rows_in) == ((), [], 0)
        assert table.warnings[0].startswith("W_EMPTY")


# ---- encodings ----------------------------------------------------------------------------------

GERMAN = "id,name\n1,Müller & Söhne\n2,Café Zürich\n"


def test_a_refusal_names_the_likely_encoding(tmp_path):
    message = refused(lambda: read(tmp_path, GERMAN.encode("cp1252")), "E_ENCODING")
    assert "--encoding cp1252" in message
    japanese = "id,name\n" + "1,株式会社ソニー\n2,トヨタ自動車\n" * 50
    assert "cp932" in refused(lambda: read(tmp_path, japanese.encode("shift_jis")), "E_ENCODING")


def test_a_good_guess_is_taken_if_asked(tmp_path):
    path = write(tmp_path, GERMAN.encode("cp1252"))
    assert names(drain(open_table(path, Options(encoding="auto")))) == ["Müller & Söhne", "Café Zürich"]
    assert warnings(path, encoding="auto") == ["W_ENCODING"]
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = write(tmp_path, GERMAN.encode(encoding))
        assert names(drain(open_table(path, Options(encoding="auto")))) == ["Müller & Söhne", "Café Zürich"]
        assert warnings(path, encoding="auto") == []


def test_a_poor_guess_is_not_taken(tmp_path):
    noise = bytes(random.Random(1).choices(range(128, 256), k=400))
    message = refused(lambda: read(tmp_path, b"name\n" + noise + b"\n", encoding="auto"), "E_ENCODING")
    assert "cannot be told" in message


# ---- warnings -----------------------------------------------------------------------------------


def test_sound_rows_give_no_warning(tmp_path):
    assert warnings(write(tmp_path, "id,name\n1,Müller\n2,Ãlvares\n3,Anna\n")) == []


def test_damaged_ids_are_warned_of_once(tmp_path):
    path = write(tmp_path, 'id,name,x\n1.23E+15,a,\n="00123",b,"=""0"""\n4.5e+10,c,="1"\n')
    with open_table(path) as table:
        assert [row.external_id for row in table] == ["1.23E+15", "00123", "4.5e+10"]
        [sentence] = table.warnings
    assert sentence.startswith("W_ID_SCIENTIFIC")
    assert ": 2, the first on line 2" in sentence
    assert [row.fields["x"] for row in drain(open_table(path))] == ["", '="0"', '="1"']


def test_names_like_null_are_counted(tmp_path):
    data = "id,name\n1,NULL\n2,n/a\n3,None\n4,Nan Inc\n"
    assert names(read(tmp_path, data)) == ["NULL", "n/a", "None", "Nan Inc"]
    with open_table(write(tmp_path, data)) as table:
        list(table)
        assert ": 3, the first on line 2" in table.warnings[0]


@pytest.mark.parametrize("name", ["MÃ¼ller", "SociÃ©tÃ© GÃ©nÃ©rale", "â€œAcmeâ€\x9d", "ÐŸÑ€Ð¸"])
def test_mojibake_is_kept_or_repaired(tmp_path, name):
    path = write(tmp_path, f"id,name\n1,{name}\n2,Müller\n")
    first, second = drain(open_table(path))
    assert (first.raw, first.fields) == (name, {})
    assert warnings(path) == ["W_MOJIBAKE"]
    first, second = drain(open_table(path, Options(fix_mojibake=True)))
    assert first.fields == {"name_as_read": name}
    assert first.raw in ("Müller", "Société Générale", "“Acme”", "При")
    assert (second.raw, second.fields) == ("Müller", {})


def test_the_repaired_text_takes_no_other_column_away(tmp_path):
    [row] = read(tmp_path, "name,name_as_read\nMÃ¼ller,x\n", fix_mojibake=True)
    assert row.fields == {"name_as_read": "x", "name_as_read_": "MÃ¼ller"}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("id,name,name_2", []),
        ("id,name,", ["W_COLUMN_NAME"]),
        ("id,name,x,x", ["W_COLUMN_NAME"]),
        ("name,4711", ["W_HEADER_DATA"]),
        ("name,2026-01-31", ["W_HEADER_DATA"]),
        ("name,info@acme.com", ["W_HEADER_DATA"]),
    ],
)
def test_headers_worth_a_warning(tmp_path, header, expected):
    path = write(tmp_path, header + "\n" + ",".join("a" for _ in header.split(",")) + "\n")
    assert warnings(path) == expected


def test_a_header_without_rows_is_warned_of(tmp_path):
    assert warnings(write(tmp_path, "id,name\n")) == ["W_NO_ROWS"]


# ---- several inputs -----------------------------------------------------------------------------


def test_several_files_are_one_table(tmp_path):
    files = [
        write(tmp_path, "id,name,city\n1,Acme,Bonn\n2,Beta\n", "a.csv"),
        write(tmp_path, gzip.compress(b'{"ID": 3, "Name": "Gamma", "city": "Rome"}\n'), "b.jsonl.gz"),
        write_parquet(tmp_path, "c.parquet", id=[4], name=["Delta"], land=["NO"]),
    ]
    with open_tables(files) as table:
        assert table.size == sum(file.stat().st_size for file in files)
        items = list(table)
        assert table.bytes_read == table.size
        assert table.rows_in == 4
        assert table.rows_of == {str(files[0]): 2, str(files[1]): 1, str(files[2]): 1}
        codes = [sentence.partition(":")[0] for sentence in table.warnings]
    assert [(item.file, item.line) for item in items] == [
        (str(files[0]), 2),
        (str(files[0]), 3),
        (str(files[1]), 1),
        (str(files[2]), 1),
    ]
    assert [item.external_id for item in items if isinstance(item, Row)] == ["1", "3", "4"]
    assert names(items) == ["Acme", "Gamma", "Delta"]
    assert codes == ["W_COLUMNS_DIFFER", "W_COLUMNS_DIFFER"]


def test_the_columns_of_the_first_file_are_asked_of_the_others(tmp_path):
    first = write(tmp_path, "firm,key\nAcme,1\n", "a.csv")
    second = write(tmp_path, "name,key\nBeta,2\n", "b.csv")
    table = open_tables([first, second], Options(text_columns=["firm"], id_column="key"))
    assert "b.csv" in refused(lambda: drain(table), "E_MISSING_COLUMN")
    without = write(tmp_path, "name\nBeta\n", "c.csv")
    with_id = write(tmp_path, "name,id\nBeta,2\n", "d.csv")
    refused(lambda: drain(open_tables([with_id, without])), "E_MISSING_COLUMN")
    assert [row.external_id for row in drain(open_tables([without, with_id]))] == [None, None]


def test_a_float_id_in_a_later_file_is_refused(tmp_path):
    files = [
        write_parquet(tmp_path, "a", id=[1], name=["a"]),
        write_parquet(tmp_path, "b", id=[2.0], name=["b"]),
    ]
    refused(lambda: drain(open_tables(files)), "E_ID_TYPE")


def test_empty_files_among_several(tmp_path):
    empty, full = write(tmp_path, b"", "empty"), write(tmp_path, BASIC, "full")
    refused(lambda: drain(open_tables([full, empty])), "E_EMPTY")
    for files in ([empty, full, empty], [full, empty, empty]):
        with open_tables(files, Options(allow_empty=True)) as table:
            assert names(table) == ["Acme", "Beta"]
            assert [sentence[:7] for sentence in table.warnings] == ["W_EMPTY", "W_EMPTY"]
    with open_tables([empty, empty], Options(allow_empty=True)) as table:
        assert (table.columns, list(table)) == ((), [])


def test_a_guessed_id_is_judged_over_all_files(tmp_path):
    rows = "".join(f"{n},Company {n}\n" for n in range(60))
    files = [write(tmp_path, "id,name\n" + rows, name) for name in ("a.csv", "b.csv")]

    def opener(options: Options) -> Table:
        return open_tables(files, options)

    table, note = with_identity(opener(Options()), opener, Options(), None)
    assert table.choice.id is None
    assert "50.0%" in note
    assert len(drain(table)) == 120
    table, note = with_identity(opener(Options()), opener, Options(), "column")
    assert (table.choice.id, note) == ("id", None)
    table.close()


def test_a_missing_file_is_refused_before_it_is_looked_for_twice(tmp_path):
    refused(lambda: open_tables([tmp_path / "no", tmp_path / "nor"]), "E_NO_FILE")


# ---- databases ----------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path) -> str:
    path = tmp_path / "crm.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (id, name, extra)")
        rows = [
            ("00123", "Acme 100%", None),
            (2**62, "Müller", 1.5),
            (3, b"M\xfcller", "x"),
            (None, "Beta", b"blob"),
            (5, "NU\0L", None),
        ]
        connection.executemany("INSERT INTO customers VALUES (?, ?, ?)", rows)
    connection.close()
    return f"sqlite:///{path}"


def test_rows_of_a_query(database):
    with open_query("SELECT id, name, extra AS more FROM customers ORDER BY rowid", database) as table:
        assert (table.size, table.columns) == (None, ("id", "name", "more"))
        items = list(table)
        assert table.rows_in == 5
    assert items[0] == Row(1, 1, "00123", "Acme 100%", {"more": ""}, ["00123", "Acme 100%", ""], None, database)
    assert items[1][2:5] == (str(2**62), "Müller", {"more": "1.5"})
    assert errors(items) == [(3, "E_ENCODING_ROW"), (4, "E_ID_EMPTY"), (5, "E_NUL")]
    assert items[2].raw == "3,M\\xfcller,x"
    assert default_source(database) == "crm"


def test_percent_signs_and_colons_in_a_query(database):
    table = open_query("SELECT name FROM customers WHERE name LIKE '%100%' AND name <> ':x'", database)
    assert names(drain(table)) == ["Acme 100%"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT nothing FROM customers",
        "SELEKT",
        "",
        "DELETE FROM customers RETURNING id, name",
        "CREATE TABLE x (name)",
        "INSERT INTO customers VALUES (1, 2, 3)",
        "SELECT 1; SELECT 2",
    ],
)
def test_a_wrong_query_is_refused_and_writes_nothing(database, query):
    refused(lambda: drain(open_query(query, database, Options(text_columns=["name"]))), "E_SQL")
    path = database.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (5,)
    connection.close()


def test_a_fraction_is_no_id_of_a_query(database):
    table = open_query("SELECT 1.5 AS id, name FROM customers", database)
    assert "Cast" in refused(lambda: drain(table), "E_ID_TYPE")


def test_columns_of_a_query(database):
    refused(lambda: open_query("SELECT id, id, name FROM customers", database), "E_DUPLICATE_COLUMN")
    refused(lambda: open_query("SELECT name FROM customers", database, Options(id_column="id")), "E_MISSING_COLUMN")
    table = open_query("SELECT name FROM customers WHERE 0", database)
    assert drain(table) == []
    assert table.warnings[0].startswith("W_NO_ROWS")


def test_a_long_value_of_a_query_costs_its_row(database):
    items = drain(open_query("SELECT printf('%.*c', 1048577, 'x') AS name UNION ALL SELECT 'a'", database))
    assert errors(items) == [(1, "E_FIELD_TOO_LONG")]


def test_addresses_that_are_none(tmp_path):
    for url in ("nonsense", "", "oracle+unheard://x", "nosuch://x"):
        with pytest.raises(UsageError) as caught:
            open_query("SELECT 1", url)
        assert "secret" not in str(caught.value)
    for url in ("sqlite://", "sqlite:///:memory:", f"sqlite:///{tmp_path}/none.sqlite"):
        refused(lambda: open_query("SELECT 1", url), "E_NO_FILE")  # noqa: B023
    assert not (tmp_path / "none.sqlite").exists()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = write(tmp_path, "id,name\n" * 200)
    refused(lambda: open_query("SELECT name FROM x", f"sqlite:///{path}"), "E_SQL")


def test_a_database_that_is_not_there(tmp_path):
    url = f"postgresql://me:secret@/crm?host={tmp_path}&password=hidden"
    with pytest.raises(EnvironmentFault) as caught:
        open_query("SELECT 1", url)
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_query_on_postgresql(postgresql):
    query = """
        SELECT * FROM (VALUES
            (1::bigint, 'Acme 100%', 1.10::numeric(10, 2), true, DATE '2026-01-02', 0.1::float8, '{}'::text[]),
            (2, NULL, 1e3, false, NULL, NULL, NULL)
        ) AS t (id, name, price, ok, day, share, tags) ORDER BY id"""
    items = drain(open_query(query, postgresql))
    assert errors(items) == [(1, "E_NESTED")]
    assert items[1][2:5] == ("2", "", {"price": "1000.00", "ok": "false", "day": "", "share": "", "tags": ""}) or (
        items[1].fields["price"] in ("1000", "1000.00")
    )
    table = open_query("SELECT n AS id, 'Company ' || n AS name FROM generate_series(1, 20000) n", postgresql)
    assert len(drain(table)) == 20_000
    assert "***" in table.name or "@" in table.name


@pytest.mark.parametrize("query", ["CREATE TABLE x ()", "CREATE TEMP TABLE x AS SELECT 1", "SELEC", "SELECT x"])
def test_a_wrong_query_on_postgresql(postgresql, query):
    refused(lambda: drain(open_query(query, postgresql)), "E_SQL")


def test_postgresql_is_only_read(postgresql):
    engine = create_engine(postgresql.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sql("CREATE TABLE IF NOT EXISTS kept (id int, name text)"))
        connection.execute(sql("INSERT INTO kept VALUES (1, 'a')"))
    query = "WITH gone AS (DELETE FROM kept RETURNING id, name) SELECT * FROM gone"
    refused(lambda: drain(open_query(query, postgresql)), "E_SQL")
    with engine.begin() as connection:
        assert connection.execute(sql("SELECT count(*) FROM kept")).scalar() == 1
        connection.execute(sql("DROP TABLE kept"))
    engine.dispose()


# ---- everything else ----------------------------------------------------------------------------


def test_rare_libraries_are_imported_only_when_they_are_needed(tmp_path):
    path = write(tmp_path, BASIC)
    code = f"""
import sys
from indexer.readers import Options, open_table
with open_table({str(path)!r}) as table:
    assert len(list(table)) == 2
print(*sys.modules)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert not loaded & {"pyarrow", "ftfy", "charset_normalizer", "sqlalchemy", "numpy"}


@QUIET
@given(
    st.binary(max_size=400),
    st.sampled_from(["", *PACK]),
    st.sampled_from([b"", b"{", b'{"name": "a"}\n', b"PAR1\x15\x04"]),
)
def test_any_bytes_give_rows_or_a_stated_error(tmp_path, data, packing, start):
    if start.startswith(b"PAR1") and packing == "":
        packing = "gzip"  # a child process for each example takes too long
    data = start + data
    try:
        read(tmp_path, PACK[packing](data) if packing else data)
    except DedupError as error:
        assert str(error)
