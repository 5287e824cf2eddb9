"""Files as tests write them, and what reading one gives: rows, rejects, warnings or a refusal."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from dedup.errors import InputRefused
from indexer.reading.open import ReadOptions, Row, Table, open_table
from indexer.reading.rejects import Reject

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BASIC = b"id,name,city\n1,Acme,Bonn\n2,Beta,Rome\n"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}


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
    items = drain(open_table(write(tmp_path, data), ReadOptions(**options)))
    assert [item.record_no for item in items] == list(range(1, len(items) + 1))
    return items


def warnings(source: Path, **options) -> list[str]:
    with open_table(source, ReadOptions(**options)) as table:
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


def refused_data(tmp_path: Path, data: bytes | str, code: str, **options) -> str:
    return refused(lambda: read(tmp_path, data, **options), code)
