"""The input of trained encoders other than the shipped one: the numbers of a text's characters, words or word pieces.

The vocabulary is part of the model. Number 0 is padding and 1 any token that the vocabulary lacks; a vocabulary of
word pieces has numbers of its own, those of BERT, where 0 is padding, too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNITS = ("character", "word", "wordpiece")
UNKNOWN = 1
FIRST = 2
"""Number of the first token of a vocabulary of characters or words."""

_MAX_LENGTH = 100_000
_MAX_WORD = 100
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Scripts that write no spaces between words: Thai, Lao, Burmese, Khmer, kana and Chinese characters."""
_WORD = re.compile(f"[{_UNSPACED}]|[^\\s{_UNSPACED}]+")
_PIECE = re.compile(f"[{_UNSPACED}]|[!-/:-@[-`{{-~]|[^\\s{_UNSPACED}!-/:-@[-`{{-~]+")


def words_of(normal_form: str) -> list[str]:
    """Split a normal form into words; characters of scripts without spaces are words of their own."""
    return normal_form.split() if normal_form.isascii() else _WORD.findall(normal_form)


def characters_of(normal_form: str) -> list[str]:
    """Split a normal form into characters, each with its combining marks."""
    if normal_form.isascii():
        return list(normal_form)
    found: list[str] = []
    for char in normal_form:
        if found and unicodedata.category(char).startswith("M"):
            found[-1] += char
        else:
            found.append(char)
    return found


@dataclass(frozen=True, slots=True)
class TokenReader:
    """Turns normal forms into rows of numbers.

    Attributes:
        unit: ``character``, ``word`` or ``wordpiece``.
        vocabulary: The tokens in the order of their numbers.
        max_length: Tokens of a text that are read; the rest is left out.
        skip_unknown: Leave out tokens that the vocabulary lacks, unless the text has no other.
        strip_accents: Word pieces of an uncased BERT have no accents.

    """

    unit: str
    vocabulary: tuple[str, ...]
    max_length: int
    skip_unknown: bool = False
    strip_accents: bool = False
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.unit not in UNITS or not 1 <= self.max_length <= _MAX_LENGTH:
            raise ValueError(f"tokens of unit {self.unit!r} and length {self.max_length!r}")
        first = 0 if self.unit == "wordpiece" else FIRST
        object.__setattr__(self, "_numbers", {token: at for at, token in enumerate(self.vocabulary, first)})
        if self.unit == "wordpiece" and not {"[PAD]", "[UNK]", "[CLS]", "[SEP]"} <= self._numbers.keys():
            raise ValueError("a vocabulary of word pieces lacks [PAD], [UNK], [CLS] or [SEP]")

    @property
    def size(self) -> int:
        """Numbers that may occur: rows of the table of embeddings."""
        return len(self.vocabulary) + (0 if self.unit == "wordpiece" else FIRST)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TokenReader:
        """Read what ``to_json`` writes; another form raises ``LookupError``, ``TypeError`` or ``ValueError``."""
        flags = (data["skip_unknown"], data["strip_accents"])
        if not all(type(token) is str for token in data["vocabulary"]) or {*map(type, flags)} != {bool}:
            raise TypeError("tokens of another form")
        return cls(data["unit"], tuple(data["vocabulary"]), data["max_length"], *flags)

    def to_json(self) -> dict[str, Any]:
        """Return the reader as plain JSON data."""
        return {
            "unit": self.unit,
            "max_length": self.max_length,
            "skip_unknown": self.skip_unknown,
            "strip_accents": self.strip_accents,
            "vocabulary": list(self.vocabulary),
        }

    def tokens(self, normal_form: str) -> list[str]:
        """Return the characters or words of a normal form, all of them."""
        return (characters_of if self.unit == "character" else words_of)(normal_form)

    def numbers(self, normal_form: str) -> list[int]:
        """Return the numbers of the tokens of a normal form, at least one.

        Raises:
            ValueError: the text is empty.
        """
        if not normal_form:
            raise ValueError("cannot encode an empty text; normalise() and reject empty texts first")
        if self.unit == "wordpiece":
            return self._pieces(normal_form)
        return [self._numbers.get(token, UNKNOWN) for token in self._read(normal_form)]

    def shown(self, normal_form: str) -> list[str]:
        """Return the tokens whose numbers are read, as a person knows them."""
        if self.unit == "wordpiece":
            return [self.vocabulary[number] for number in self._pieces(normal_form)]
        return self._read(normal_form)

    def _read(self, normal_form: str) -> list[str]:
        found = self.tokens(normal_form)
        if self.skip_unknown:
            found = [token for token in found if token in self._numbers] or found
        return found[: self.max_length]

    def windows(self, normal_form: str) -> list[str]:
        """Return the text as the one piece that is encoded at once; what exceeds ``max_length`` is left out."""
        return [normal_form]

    def width(self, normal_form: str) -> int:
        """Return about the number of tokens of a text, by which batches are formed."""
        return min(self.max_length, len(normal_form) if self.unit == "character" else 2 + normal_form.count(" "))

    def read(self, normal_forms: Sequence[str]) -> dict[str, NDArray[np.int32]]:
        """Return the inputs of the encoder: ``tokens``, (n, longest) int32, padded with 0."""
        return {"tokens": padded([self.numbers(text) for text in normal_forms])}

    def _pieces(self, text: str) -> list[int]:
        """Split into word pieces, longest first (Wu et al. 2016), between [CLS] and [SEP]."""
        if self.strip_accents:
            decomposed = unicodedata.normalize("NFD", text)
            text = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
        unknown, found = self._numbers["[UNK]"], []
        for word in _PIECE.findall(text):
            found += self._pieces_of(word) or [unknown]
        kept = found[: max(1, self.max_length - 2)] or [unknown]
        return [self._numbers["[CLS]"], *kept, self._numbers["[SEP]"]]

    def _pieces_of(self, word: str) -> list[int]:
        """Return the pieces of one word; nothing if a part of it has none."""
        found: list[int] = []
        start = 0
        while start < len(word) <= _MAX_WORD:
            stop = len(word)
            while stop > start and ("##" if start else "") + word[start:stop] not in self._numbers:
                stop -= 1
            if stop == start:
                return []
            found.append(self._numbers[("##" if start else "") + word[start:stop]])
            start = stop
        return found


def padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Return rows of numbers as an array, (n, longest) int32, padded with 0 on the right."""
    result = np.zeros((len(rows), max(map(len, rows), default=0)), dtype=np.int32)
    for row, numbers in zip(result, rows, strict=True):
        row[: len(numbers)] = numbers
    return result
