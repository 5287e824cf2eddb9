"""Split an input into decoded lines, with their numbers, byte offsets and errors."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate, chain
from typing import Self

from dedup.errors import InputRefused
from indexer.reading import encodings, streams
from indexer.reading.guessing.detector import Guess, guess
from indexer.reading.rejects import MAX_RAW_BYTES

MAX_LINE_BYTES = 16 << 20
MAX_RECORD_LINES = 200
"""Most lines of one record; a quote that stays open for longer was not meant to open a cell."""
MIN_LOOK_AHEAD = 16
"""Lines that every open quote may take in, whatever became of those before it."""

_OTHER_ENCODING = "If the file has another encoding, set it, e.g. --encoding cp1252, or encoding='cp1252' in Python."
_SET_ENCODING = "Set the encoding with --encoding, or encoding= in Python."


class RecordTooLong(Exception):
    """The current record spans more lines or characters than allowed."""


class ByteLines:
    """The lines of an input as bytes, in UTF-8 if its encoding is wide; ``head`` holds those of the first chunk."""

    def __init__(self, source: streams.ByteSource, encoding: str | None) -> None:
        self.name = source.name
        self.warnings: list[str] = []
        self._other_encoding = _OTHER_ENCODING
        self._source = source
        mark = encodings.from_mark(source.start)
        if encoding == encodings.AUTO:
            self.encoding = mark[0] if mark else self._detected(source.start)
        else:
            self.encoding = encodings.lookup(encoding or (mark[0] if mark else "utf-8"))
        self._offset = mark[1] if mark and self.encoding.startswith(mark[0]) else 0
        is_wide = encodings.is_wide(self.encoding)
        self._wide = codecs.getincrementaldecoder(self.encoding)() if is_wide else None
        self.line_encoding = "utf-8" if is_wide else self.encoding
        self._newlines = self._bytes_taken = 0
        self._first = self._chunk().removeprefix(codecs.BOM_UTF8)
        self.head = self._whole_lines(self._first)
        self._refuse_wrong_encoding()

    def decode(self, line: bytes) -> str:
        """Decode a line strictly; raises ``UnicodeError``."""
        text = line.decode(self.line_encoding)
        text.encode()  # some codecs return lone surrogates
        return text

    def checked(self, number: int, line: bytes, errors: dict[int, tuple[str, str]], quote: str) -> str:
        """Return the text of a line; if it is bad, return a stand-in and add its error and message to ``errors``.

        Quotes are removed from the stand-in for a line that is too long, so that they cannot open a cell.
        """
        text = line[:MAX_LINE_BYTES].decode(self.line_encoding, "backslashreplace")
        if len(line) > MAX_LINE_BYTES:
            errors[number] = "E_FIELD_TOO_LONG", f"Line {number} is longer than {MAX_LINE_BYTES:,} bytes."
            return text.replace(quote or "\0", "")[: MAX_RAW_BYTES + 1] + "\n"
        try:
            self.decode(line)
        except UnicodeError as error:
            message = f"L{self._position(number, line, error)[1:]} is not {self.encoding}. {self._other_encoding}"
            errors[number] = "E_ENCODING_ROW", message
        if "\0" in text:
            errors.setdefault(number, ("E_NUL", f"Line {number} contains a NUL byte."))
        return text

    def blocks(self) -> Iterator[tuple[list[bytes], list[int]]]:
        """Yield lists of lines with their line ends, and the offset of each in the decompressed file.

        A line that is too long is cut to one byte more than the limit.
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
        """A function that returns how many bytes of the file a line takes."""
        if self._wide is None:
            return len
        unmarked = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(self.encoding, self.encoding)
        return lambda line: len(line.decode("utf-8", "replace").encode(unmarked, "replace"))

    def _chunk(self) -> bytes:
        data = self._source.read()
        self._bytes_taken += len(data)
        if self._wide is None:
            return data
        try:
            text = self._wide.decode(data, not data)
            result = text.encode()
        except UnicodeError as error:
            raise self._wide_error(error) from error
        self._newlines += text.count("\n")
        return result or (self._chunk() if data else b"")

    def _detected(self, start: bytes) -> str:
        """Return UTF-8 or a confident guess; raises ``InputRefused``."""
        lines = self._whole_lines(start)
        whole = b"".join(lines)
        if whole.isascii() or encodings.is_mostly_utf8(lines):
            return "utf-8"
        found = guess(whole)
        if found is None or found.confidence < encodings.MIN_CONFIDENCE:
            raise InputRefused(
                f"Cannot detect the encoding of {self.name} with confidence. {_likely(found)}",
                "E_ENCODING",
            )
        self.warnings.append(
            f"W_ENCODING: {self.name} is read as {found.encoding}, a guess (confidence {found.confidence:.2f}). "
            "Check the names."
        )
        return found.encoding

    def _wide_error(self, error: UnicodeError) -> InputRefused:
        line, byte = self._newlines + 1, self._bytes_taken
        if isinstance(error, UnicodeDecodeError):
            before = error.object[: error.start].decode(error.encoding, "ignore")
            line, byte = line + before.count("\n"), byte - len(error.object) + error.start + 1
        message = f"{self.name} is not {self.encoding}: cannot decode line {line}, byte {byte} of the file."
        return InputRefused(f"{message} {_SET_ENCODING}", "E_ENCODING")

    def _position(self, number: int, line: bytes, error: UnicodeError) -> str:
        at = error.start if isinstance(error, UnicodeDecodeError) else 0
        return f"line {number}, byte {at + 1} (0x{line[at : at + 1].hex()})"

    def _refuse_wrong_encoding(self) -> None:
        """Refuse the file if at least two lines, and over 1 %, of the first chunk cannot be decoded.

        A file that is mostly UTF-8 is not refused: the other lines are rejected one by one.
        """
        if self._first.count(0) > 0.3 * len(self._first):
            raise InputRefused(
                f"{self.name} is mostly NUL bytes. If it is UTF-16, use --encoding utf-16-le, or encoding='utf-16-le' "
                "in Python.",
                "E_ENCODING",
            )
        wrong: list[str] = []
        for number, line in enumerate(self.head, 1):
            try:
                self.decode(line)
            except UnicodeError as error:
                wrong.append(self._position(number, line, error))
        total = sum(not line.isspace() for line in self.head)
        if len(wrong) < 2 or len(wrong) <= 0.01 * total:
            return
        if self.line_encoding == "utf-8" and encodings.is_mostly_utf8(self.head):
            self._other_encoding = "The other lines are, so the file mixes encodings. Correct the line."
            return
        raise InputRefused(
            f"{self.name} is not {self.encoding}: cannot decode {len(wrong)} of the first {total} lines, "
            f"the first at {wrong[0]}. {_likely(guess(b''.join(self.head)))}",
            "E_ENCODING",
        )

    def _whole_lines(self, first: bytes) -> list[bytes]:
        """Return the lines of the first chunk, without the last one if it may continue in the next chunk."""
        lines = first.splitlines(True)
        return (lines[:-1] or lines) if len(self._source.start) == self._source.chunk_bytes else lines


class Lines:
    """Decoded lines; those of the current record are held and can be put back.

    Iterating raises ``RecordTooLong`` if a record takes more lines or bytes than allowed.
    """

    def __init__(self, source: ByteLines, quote: str = "") -> None:
        self._source = source
        self._quote = quote
        self._lines = self._decoded()
        self._returned: deque[tuple[str, int]] = deque()
        self.number = 0
        """Number of the last line returned."""
        self.held: list[str] = []
        """The lines of the current record; the caller clears the list when it is done with them."""
        self.offset = 0
        """Offset of the first held line in the decompressed file."""
        self._offsets: list[int] = []
        self._room = 0  # characters that the record may still take
        self._alone_up_to = 0  # a record that begins up to this line is one line
        self.errors: dict[int, tuple[str, str]] = {}
        """Error and message of bad lines by line number; the text of such a line is a stand-in."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        held = self.held
        if held and (len(held) >= MAX_RECORD_LINES or self._room < 0 or self.number <= self._alone_up_to):
            raise RecordTooLong
        text, offset = self._returned.popleft() if self._returned else next(self._lines)
        self.number += 1
        if held:
            self._offsets.append(offset)
        else:
            self.offset = offset
            self._offsets = [offset]
            self._room = MAX_LINE_BYTES
        self._room -= len(text)
        held.append(text)
        return text

    @property
    def first(self) -> int:
        """Number of the first held line."""
        return self.number - len(self.held) + 1

    def put_back(self, keep: int = 1) -> None:
        """Put back all held lines except the first ``keep``."""
        rest = list(zip(self.held, self._offsets, strict=True))[keep:]
        self._returned.extendleft(reversed(rest))
        self.number -= len(rest)
        del self.held[keep:], self._offsets[keep:]

    def give_up(self) -> None:
        """Put back all held lines but the first, whose quote took in the others and was not closed.

        A quote that one of them opens meets the same end, for it is open where the first one was. So in the first half
        of these lines it is not followed again, and what is looked ahead stays proportional to what is read.
        """
        first, looked_at = self.first, len(self.held)
        self.put_back()
        self._alone_up_to = max(self._alone_up_to, first + min(looked_at // 2, looked_at - MIN_LOOK_AHEAD))

    def error(self) -> tuple[str, str] | None:
        """Return the first error among the held lines."""
        numbers = range(self.first, self.number + 1)
        return next((self.errors[number] for number in numbers if number in self.errors), None)

    def _decoded(self) -> Iterator[tuple[str, int]]:
        number = 0
        decode = bytes.decode if self._source.line_encoding == "utf-8" else self._source.decode
        for lines, offsets in self._source.blocks():
            self.errors = {at: error for at, error in self.errors.items() if at > number - MAX_RECORD_LINES}
            try:
                texts = list(map(decode, lines))
                valid = "\0" not in "".join(texts) and max(map(len, lines), default=0) <= MAX_LINE_BYTES
            except UnicodeError:
                valid = False
            if not valid:
                texts = [
                    self._source.checked(at, line, self.errors, self._quote)
                    for at, line in enumerate(lines, number + 1)
                ]
            number += len(lines)
            yield from zip(texts, offsets, strict=True)


def _likely(found: Guess | None) -> str:
    """Return what to do about an encoding: set the likely one, if there is one."""
    if found is None:
        return _SET_ENCODING
    if found.confidence >= encodings.MIN_CONFIDENCE:
        name = found.encoding
        return f"It is probably {name}: use --encoding {name}, or encoding={name!r} in Python."
    rival = f" or {found.rival}" if found.rival else ""
    return f"It may be {found.encoding}{rival}, but that is not certain: look at the names. {_SET_ENCODING}"
