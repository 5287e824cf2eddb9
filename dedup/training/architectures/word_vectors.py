"""Read pretrained vectors: word2vec text and binary, GloVe and fastText text, each also gzipped.

The formats are told apart by the content. word2vec (Mikolov et al. 2013) and fastText (Bojanowski et al. 2017) begin
with a line of two numbers, words and dimensions; GloVe (Pennington et al. 2014) has no such line. In the binary format
each word is followed by a space and its numbers as little-endian float32.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dedup.errors import InputRefused
from dedup.text.normalise import normalise

MAX_DIMENSION = 4_096
_MAX_WORD_BYTES = 2_000
_LINE_BYTES = 1 << 20
_REMEDY = "give a file of word2vec, GloVe or fastText vectors, as text or binary, also gzipped"

Vectors = dict[str, NDArray[np.float32]]


def read_word_vectors(path: Path, wanted: frozenset[str] | None, most: int) -> tuple[Vectors, int]:
    """Return the vectors by normalised word, and their dimension.

    Words are normalised as texts are; of several words with one normal form, the first is kept, and words that are not
    one word when normalised are left out. ``wanted`` (None for all) are the words to keep, ``most`` the number of them.

    Raises:
        InputRefused: the file cannot be read, or is of another format.
    """
    found: Vectors = {}
    try:
        with _opened(path) as file:
            dimension, rows = _rows(file, path)
            for word, vector in rows:
                normal = normalise(word)
                if normal and " " not in normal and normal not in found and (wanted is None or normal in wanted):
                    found[normal] = vector
                    if len(found) == most:
                        break
    except (OSError, EOFError, zlib.error) as error:
        raise InputRefused(f"The vectors {path} cannot be read ({error}); {_REMEDY}.", "E_VECTORS") from error
    return found, dimension


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not is_packed:
            yield raw
        else:
            with gzip.open(raw) as unpacked:
                yield unpacked  # type: ignore[misc]


def _rows(file: IO[bytes], path: Path) -> tuple[int, Iterator[tuple[str, NDArray[np.float32]]]]:
    """Return the dimension and the words with their vectors."""
    first = file.readline(_LINE_BYTES)
    header = first.split()
    if len(header) == 2 and all(part.isdigit() for part in header):
        words, dimension = int(header[0]), int(header[1])
        _check_dimension(dimension, path)
        start = file.read(_MAX_WORD_BYTES)
        rest = _Buffered(file, start)
        if _is_text(start, dimension):
            return dimension, _text_rows(rest, dimension, path, words)
        return dimension, _binary_rows(rest, words, dimension, path)
    dimension = len(_fields(first)) - 1
    _check_dimension(dimension, path)
    return dimension, _text_rows(_Buffered(file, first), dimension, path, None)


def _check_dimension(dimension: int, path: Path) -> None:
    if not 1 <= dimension <= MAX_DIMENSION:
        raise InputRefused(f"{path} does not hold word vectors (dimension {dimension}); {_REMEDY}.", "E_VECTORS")


def _fields(line: bytes) -> list[bytes]:
    return line.rstrip(b" \r\n").split(b" ")


def _is_text(start: bytes, dimension: int) -> bool:
    """Whether what follows the header is a line of a word and numbers, as far as it was read."""
    parts = _fields(start.split(b"\n")[0])[1 : dimension + 1]
    whole = parts if b"\n" in start else parts[:-1]
    return bool(whole) and all(_as_number(part) is not None for part in whole)


def _as_number(part: bytes) -> float | None:
    try:
        return float(part)
    except ValueError:
        return None


class _Buffered:
    """A file of which the beginning was read already."""

    def __init__(self, file: IO[bytes], start: bytes) -> None:
        self._file, self._rest = file, start

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (more := self._file.read(max(1 << 16, size))):
            self._rest += more
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def until(self, end: bytes, most: int) -> bytes:
        """Return the bytes before the next ``end``, which is left out; all of the rest if there is none."""
        while end not in self._rest and len(self._rest) < most and (more := self._file.read(1 << 16)):
            self._rest += more
        found, _, self._rest = self._rest.partition(end)
        return found

    def is_at_end(self) -> bool:
        self._rest = self._rest or self._file.read(1 << 16)
        return not self._rest


def _text_rows(
    file: _Buffered, dimension: int, path: Path, words: int | None
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the lines; ``words`` is their number if the file has a header that says it."""
    found = 0
    number = 0 if words is None else 1
    while not file.is_at_end():
        line, number = file.until(b"\n", _LINE_BYTES), number + 1
        if not line.strip():
            continue
        parts = _fields(line)
        values = [_as_number(part) for part in parts[-dimension:]]
        if len(parts) <= dimension or None in values or not np.isfinite(np.array(values, np.float64)).all():
            message = f"Line {number} of {path} is not a word and {dimension} numbers; {_REMEDY}."
            raise InputRefused(message, "E_VECTORS")
        found += 1
        # A word of GloVe may itself contain spaces.
        yield b" ".join(parts[:-dimension]).decode(errors="replace"), np.array(values, dtype=np.float32)
    if words is not None and found < words:
        raise InputRefused(f"{path} ends after {found} of {words} words; download it again.", "E_VECTORS")


def _binary_rows(file: _Buffered, words: int, dimension: int, path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number in range(1, words + 1):
        word = file.until(b" ", _MAX_WORD_BYTES)
        content = file.read(4 * dimension)
        vector = np.frombuffer(content[: len(content) // 4 * 4], dtype="<f4").astype(np.float32)
        if len(vector) != dimension or len(word) > _MAX_WORD_BYTES or not np.isfinite(vector).all():
            raise InputRefused(f"Word {number} of {words} in {path} is cut short or damaged; {_REMEDY}.", "E_VECTORS")
        yield word.lstrip(b"\n").decode(errors="replace"), vector
