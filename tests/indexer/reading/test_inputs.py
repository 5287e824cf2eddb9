"""Where the bytes of a table come from, and input that is missing, empty, no text, or written to meanwhile."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from pathlib import Path

import pytest
from tables import BASIC, names, read, refused, refused_data, write

from dedup.errors import EnvironmentFault, InputRefused
from indexer.reading import streams
from indexer.reading.open import ReadOptions, open_table


def feed_stdin(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# Files, pipes and standard input


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


def test_missing_file_and_folder(tmp_path):
    for path, code in [(tmp_path / "no", "E_NO_FILE"), (tmp_path, "E_NOT_A_FILE"), ("a\0b", "E_NO_FILE")]:
        with pytest.raises(InputRefused) as caught:
            open_table(path)
        assert caught.value.code == code
    with pytest.raises(InputRefused):
        open_table(write(tmp_path, BASIC) / "below")


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


# Nothing in it, or no text


@pytest.mark.parametrize("data", [b"", b"\n \r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n", b"\xff\xfe", b"sep=;\n"])
def test_empty(tmp_path, data):
    refused_data(tmp_path, data, "E_EMPTY")
    refused_data(tmp_path, gzip.compress(data), "E_EMPTY")


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xff\xfe", gzip.compress(b"", mtime=0)])
def test_an_empty_file_may_be_allowed(tmp_path, data):
    assert "--allow-empty" in refused(lambda: read(tmp_path, data), "E_EMPTY")
    with open_table(write(tmp_path, data), ReadOptions(allow_empty=True)) as table:
        assert (table.columns, list(table), table.rows_in) == ((), [], 0)
        assert table.warnings[0].startswith("W_EMPTY")


@pytest.mark.parametrize(
    "magic", [b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0", b"SQLite format 3\0", b"%PDF-1.4"]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_binary_files(tmp_path, magic, pack):
    message = refused_data(tmp_path, pack(magic + b"\0" * 20), "E_BINARY")
    assert ("--from-sql" in message) == magic.startswith(b"SQLite")


def test_nul_filled_file(tmp_path):
    assert "utf-16" in refused_data(tmp_path, b"\0" * 5000, "E_ENCODING")
    refused_data(tmp_path, BASIC.decode().encode("utf-16-le"), "E_ENCODING")


# A file that is written to


@pytest.mark.parametrize("change", ["grow", "touch", "replace", "remove"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, change):
    path = write(tmp_path, "name\n" + "Acme\n" * 500)
    with open_table(path, ReadOptions(chunk_bytes=100)) as table:
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
