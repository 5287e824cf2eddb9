"""Parquet: values as text, and files that are damaged, too big or the end of the process that reads them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from paths import ROOT
from pyarrow import parquet as pq
from tables import PACK, drain, errors, names, read, refused, warnings, write_parquet

from dedup.errors import UsageError
from indexer.reading import streams
from indexer.reading.formats import parquet, parquet_worker
from indexer.reading.open import ReadOptions, open_table


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
    assert len(drain(open_table(path, ReadOptions(id_column="")))) == 2


def test_nested_columns_are_left_out_or_refused(tmp_path):
    path = write_parquet(tmp_path, tags=[["a"], []], name=["a", "b"], place=[{"x": 1}, None])
    assert warnings(path) == ["W_COLUMN_NESTED"]
    assert [row.fields for row in drain(open_table(path))] == [{}, {}]
    refused(lambda: open_table(path, ReadOptions(text_columns=["tags"])), "E_COLUMN_TYPE")


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
    assert "is encrypted" in refused(lambda: read(tmp_path, data), "E_PARQUET")


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
from indexer.reading.formats import parquet_worker as worker
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


def test_a_parquet_file_that_changes_is_refused(tmp_path):
    path = write_parquet(tmp_path, name=["a", "b"])
    with open_table(path) as table:
        os.utime(path, ns=(1, 1))
        refused(lambda: list(table), "E_CHANGED")
