"""Whatever is written as CSV comes back, and whatever is read is accounted for."""

from __future__ import annotations

import csv
import gzip
import io
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables import names, read

from dedup.errors import DedupError
from indexer.reading.rejects import Reject

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
    data = text.getvalue().encode(encoding)
    items = read(tmp_path, data, delimiter=delimiter, encoding=stated, chunk_bytes=chunk)
    for item, row in zip(items, (row for row in rows if any(map(str.strip, row))), strict=True):
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
    try:
        items = read(tmp_path, data, chunk_bytes=chunk)
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
    assert [item.line for item in items] == [at for at, line in enumerate(lines, 2) if line.strip(" ,")]


@QUIET
@given(st.binary(max_size=300))
def test_any_bytes_give_rows_or_a_stated_error(tmp_path, data):
    for body in (data, b"name\n" + data):
        try:
            read(tmp_path, body)
        except DedupError as error:
            assert str(error)
