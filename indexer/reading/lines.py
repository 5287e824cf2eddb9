"""The lines of an input: decoded, counted, with their place in bytes, and with what is wrong with them."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate, chain
from typing import Self

from dedup.errors import InputRefused
from indexer.reading import encodings, streams
from indexer.reading.rejects import MAX_RAW_BYTES

MAX_LINE_BYTES = 16 << 20
MAX_RECORD_LINES = 200
"""Lines that one record may span; a quote that is open for longer was never meant to be."""

_OTHER_ENCODING = "If the file is in another encoding, name it, for example --encoding cp1252."


class RecordTooLong(Exception):
    """The record in hand spans more lines or bytes than a record may."""


class ByteLines:
    """The lines of an input in an encoding that contains ASCII; ``head`` are those of the first chunk."""

    def __init__(self, source: streams.ByteSource, encoding: str | None) -> None:
        self.name = source.name
        self.warnings: list[str] = []
        self._source = source
        mark = encodings.marked(source.start)
        if encoding == encodings.AUTO:
            self.encoding = mark[0] if mark else self._detected(source.start)
        else:
            self.encoding = encodings.lookup(encoding or (mark[0] if mark else "utf-8"))
        self._offset = mark[1] if mark and self.encoding.startswith(mark[0]) else 0
        is_wide = encodings.is_wide(self.encoding)
        self._wide = codecs.getincrementaldecoder(self.encoding)() if is_wide else None
        self.line_encoding = "utf-8" if is_wide else self.encoding
        self._newlines = self._taken = 0
        self._first = self._chunk().removeprefix(codecs.BOM_UTF8)
        self.head = _whole_lines(self._first, len(source.start))
        self._refuse_wrong_encoding()

    def decode(self, line: bytes) -> str:
        """Decode a line strictly; raises UnicodeError."""
        text = line.decode(self.line_encoding)
        text.encode()  # some codecs give lone surrogates
        return text

    def checked(self, number: int, line: bytes, faults: dict[int, tuple[str, str]], quote: str) -> str:
        """Return the text of a line, or a stand-in and an entry in ``faults``: error and message.

        What is left of a line that is too long opens no ``quote``.
        """
        text = line[:MAX_LINE_BYTES].decode(self.line_encoding, "backslashreplace")
        if len(line) > MAX_LINE_BYTES:
            faults[number] = "E_FIELD_TOO_LONG", f"Line {number} is longer than {MAX_LINE_BYTES} bytes."
            return text.replace(quote or "\0", "")[: MAX_RAW_BYTES + 1] + "\n"
        try:
            self.decode(line)
        except UnicodeError as error:
            message = f"L{self._where(number, line, error)[1:]} is not {self.encoding}. {_OTHER_ENCODING}"
            faults[number] = "E_ENCODING_ROW", message
        if "\0" in text:
            faults.setdefault(number, ("E_NUL", f"Line {number} holds a NUL byte."))
        return text

    def blocks(self) -> Iterator[tuple[list[bytes], list[int]]]:
        """Yield lists of lines with their line ends, and where each of them starts in the unpacked file.

        A line over the limit keeps one byte more than it.
        """
        rest, offset, dropped = b"", self._offset, 0
        for chunk in chain([self._first], iter(self._chunk, b"")):
            data = rest + chunk
            lines = data.splitlines(True)
            rest = lines.pop() if lines and not data.endswith(b"\n") else b""
            offsets = list(accumulate(map(self._width, lines), initial=offset))
            if dropped and lines:
                offsets[1:] = [place + dropped for place in offsets[1:]]
                dropped = 0
            offset = offsets.pop()
            if len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\r"):
                dropped += self._width(rest[MAX_LINE_BYTES + 1 :])
                rest = rest[: MAX_LINE_BYTES + 1]
            yield lines, offsets
        if rest:
            yield [rest], [offset]

    @property
    def _width(self) -> Callable[[bytes], int]:
        """How many bytes of the file a line takes."""
        if self._wide is None:
            return len
        unmarked = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(self.encoding, self.encoding)
        return lambda line: len(line.decode("utf-8", "replace").encode(unmarked, "replace"))

    def _chunk(self) -> bytes:
        data = self._source.read()
        self._taken += len(data)
        if self._wide is None:
            return data
        try:
            text = self._wide.decode(data, not data)
            result = text.encode()
        except UnicodeError as error:
            raise self._not_wide(error) from error
        self._newlines += text.count("\n")
        return result or (self._chunk() if data else b"")

    def _detected(self, start: bytes) -> str:
        """Return UTF-8 or a guess to be relied on; raises InputRefused."""
        whole = b"".join(_whole_lines(start, len(start)))
        try:
            whole.decode()
        except UnicodeDecodeError:
            pass
        else:
            return "utf-8"
        name, confidence = encodings.guess(whole) or ("nothing known", 0.0)
        if confidence < encodings.LEAST_CONFIDENCE:
            raise InputRefused(
                f"The encoding of {self.name} cannot be told; the best guess is {name} ({confidence:.2f}). "
                "Name it with --encoding.",
                "E_ENCODING",
            )
        self.warnings.append(f"W_ENCODING: {self.name} is read as {name}, which is a guess ({confidence:.2f}).")
        return name

    def _not_wide(self, error: UnicodeError) -> InputRefused:
        line, byte = self._newlines + 1, self._taken
        if isinstance(error, UnicodeDecodeError):
            before = error.object[: error.start].decode(error.encoding, "ignore")
            line, byte = line + before.count("\n"), byte - len(error.object) + error.start + 1
        message = f"{self.name} is not {self.encoding}: line {line}, byte {byte} of it cannot be decoded."
        return InputRefused(f"{message} Name its encoding with --encoding.", "E_ENCODING")

    def _where(self, number: int, line: bytes, error: UnicodeError) -> str:
        at = error.start if isinstance(error, UnicodeDecodeError) else 0
        return f"line {number}, byte {at + 1} (0x{line[at : at + 1].hex()})"

    def _refuse_wrong_encoding(self) -> None:
        """Refuse a file of another encoding: two lines and over 1 % of the first chunk cannot be decoded."""
        if self._first.count(0) > 0.3 * len(self._first):
            message = f"{self.name} is mostly NUL bytes. If it is UTF-16, say so with --encoding utf-16-le."
            raise InputRefused(message, "E_ENCODING")
        wrong: list[str] = []
        for number, line in enumerate(self.head, 1):
            try:
                self.decode(line)
            except UnicodeError as error:
                wrong.append(self._where(number, line, error))
        total = sum(not line.isspace() for line in self.head)
        if len(wrong) >= 2 and len(wrong) > 0.01 * total:
            guessed = encodings.guess(b"".join(self.head))
            remedy = f"It may be {guessed[0]}: --encoding {guessed[0]}." if guessed else "Name it with --encoding."
            raise InputRefused(
                f"{self.name} is not {self.encoding}: {wrong[0]} cannot be decoded, and so in "
                f"{len(wrong)} of the first {total} lines. {remedy}",
                "E_ENCODING",
            )


def _whole_lines(data: bytes, read: int) -> list[bytes]:
    """Lines of the first chunk, without the last one if it may go on behind what was ``read``."""
    lines = data.splitlines(True)
    return (lines[:-1] or lines) if read == streams.CHUNK_BYTES else lines


class Lines:
    """Decoded lines; those of the record in hand are held and can be put back.

    Iterating raises ``RecordTooLong`` when a record takes more lines or bytes than it may.
    """

    def __init__(self, source: ByteLines, quote: str = "") -> None:
        self._source = source
        self._quote = quote
        self._lines = self._decoded()
        self._back: deque[tuple[str, int]] = deque()
        self.number = 0
        """Number of the line given last."""
        self.held: list[str] = []
        """Lines given since it was last cleared."""
        self.offset = 0
        """Where the first of the held lines starts, in bytes of the unpacked file."""
        self._offsets: list[int] = []
        self.faults: dict[int, tuple[str, str]] = {}
        """Error and message of the lines that cannot be used, by line number; their text is a stand-in."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        held = self.held
        if held and (len(held) >= MAX_RECORD_LINES or sum(map(len, held)) > MAX_LINE_BYTES):
            raise RecordTooLong
        text, offset = self._back.popleft() if self._back else next(self._lines)
        self.number += 1
        if held:
            self._offsets.append(offset)
        else:
            self.offset = offset
            self._offsets = [offset]
        held.append(text)
        return text

    @property
    def first(self) -> int:
        """Number of the first of the held lines."""
        return self.number - len(self.held) + 1

    def put_back(self, keep: int = 1) -> None:
        """Put back all held lines but the first ``keep`` of them."""
        rest = list(zip(self.held, self._offsets, strict=True))[keep:]
        self._back.extendleft(reversed(rest))
        self.number -= len(rest)
        del self.held[keep:], self._offsets[keep:]

    def fault(self) -> tuple[str, str] | None:
        """Return the first fault among the held lines."""
        numbers = range(self.first, self.number + 1)
        return next((self.faults[number] for number in numbers if number in self.faults), None)

    def _decoded(self) -> Iterator[tuple[str, int]]:
        number = 0
        decode = bytes.decode if self._source.line_encoding == "utf-8" else self._source.decode
        for lines, offsets in self._source.blocks():
            self.faults = {at: fault for at, fault in self.faults.items() if at > number - MAX_RECORD_LINES}
            try:
                texts = list(map(decode, lines))
                sound = "\0" not in "".join(texts) and max(map(len, lines), default=0) <= MAX_LINE_BYTES
            except UnicodeError:
                sound = False
            if not sound:
                texts = [
                    self._source.checked(at, line, self.faults, self._quote)
                    for at, line in enumerate(lines, number + 1)
                ]
            number += len(lines)
            yield from zip(texts, offsets, strict=True)
