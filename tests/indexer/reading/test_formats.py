"""What comes out of every format: the rows that were written, at their offsets, or a stated error."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq
from tables import PACK, read

from dedup.errors import DedupError

QUIET = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
ROW = st.lists(CELL, min_size=2, max_size=2).filter(lambda row: any(map(str.strip, row)))  # blank ones are no records


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
    rows=st.lists(ROW, min_size=1, max_size=8),
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
    delimiter = "\t" if format_ == "tsv" else None
    items = read(tmp_path, PACK[packing](data) if packing else data, delimiter=delimiter, chunk_bytes=chunk)
    assert [[item.raw, *item.fields.values()] for item in items] == rows
    for item in items:
        assert data[item.byte_offset :].startswith(item.record.encode())


@settings(QUIET, max_examples=6)
@given(rows=st.lists(ROW, min_size=1, max_size=8))
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
