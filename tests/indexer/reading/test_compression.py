"""Compressed files: known by their bytes, unpacked as they are read, refused if damaged or a bomb."""

from __future__ import annotations

import gzip
import lzma
import os
import random

import pytest
from tables import BASIC, PACK, names, read, refused, refused_data, write, zstd

from dedup.errors import InputRefused
from indexer.reading import streams
from indexer.reading.open import ReadOptions, open_table


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


# gzip alone


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


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_truncated_gzip_is_refused(tmp_path, keep):
    packed = gzip.compress(os.urandom(3000).hex().encode() + b"\n" + BASIC)
    assert "gzip" in refused_data(tmp_path, packed[: int(len(packed) * keep)], "E_COMPRESSION")


def test_gzip_damaged_behind_the_first_chunk_is_refused_while_reading(tmp_path):
    packed = gzip.compress(b"name\n" + b"".join(b"%s\n" % os.urandom(30).hex().encode() for _ in range(2000)))
    table = open_table(write(tmp_path, packed[:-9]), ReadOptions(chunk_bytes=4096))
    with table, pytest.raises(InputRefused, match="incomplete"):
        list(table)


def test_corrupted_gzip_is_refused(tmp_path):
    packed = bytearray(gzip.compress(BASIC))
    packed[-6] ^= 1
    refused_data(tmp_path, bytes(packed), "E_COMPRESSION")
    refused_data(tmp_path, b"\x1f\x8b\x00\x00nonsense", "E_COMPRESSION")
