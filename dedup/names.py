"""A normal form taken apart: core words, legal forms, numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from dedup.legal_forms import split_legal_forms
from dedup.normalise import fold

_ROMAN = re.compile(r"(?=[ivx]{1,5}$)x{0,3}(?:ix|iv|v?i{0,3})$")
_ROMAN_VALUE = {"i": 1, "v": 5, "x": 10}
_WRITTEN = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
}  # fmt: skip
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)$")
_STOP_WORDS = frozenset({"the", "of", "and", "&", "dba", "aka", "fka", "de", "la", "und", "et", "y", "a"})


@dataclass(frozen=True, slots=True)
class Name:
    """What comparison needs of one text; every string is folded to ASCII where it can be.

    ``words`` are the words of the core without stop words (all of them if nothing else is left),
    ``core`` those words as one string, ``forms`` the canonical legal forms, ``numbers`` every number in
    the core as written, roman or in words, as decimal digits.
    """

    folded: str
    words: tuple[str, ...]
    core: str
    forms: tuple[str, ...]
    numbers: frozenset[str]

    @property
    def initials(self) -> str:
        """First letters of the core words."""
        return "".join(word[0] for word in self.words)


def number_of(word: str, *, last: bool) -> str | None:
    """Return the number that a word stands for, as digits, or None.

    Digits anywhere in the word count (``2006a`` is itself), ordinals and number words count by value,
    roman numerals only as the last word or beyond ``i`` (``i`` and ``v`` alone are mostly initials).
    """
    if word.isdigit():
        return word.lstrip("0") or "0"
    ordinal = _ORDINAL.match(word)
    if ordinal:
        return ordinal.group(1)
    if any("0" <= char <= "9" for char in word):
        return word
    if word in _WRITTEN:
        return str(_WRITTEN[word])
    if (last or len(word) > 1) and _ROMAN.match(word):
        values = [_ROMAN_VALUE[char] for char in word]
        nexts = [*values[1:], 0]
        return str(sum(-v if v < after else v for v, after in zip(values, nexts, strict=True)))
    return None


@lru_cache(maxsize=1 << 19)
def parse(normal_form: str) -> Name:
    """Take a normal form apart."""
    core_words, forms = split_legal_forms(normal_form)
    folded = [fold(word) for word in core_words]
    words = tuple(word for word in folded if word not in _STOP_WORDS) or tuple(folded)
    numbers = frozenset(
        number for i, word in enumerate(words) if (number := number_of(word, last=i == len(words) - 1 and i > 0))
    )
    return Name(fold(normal_form), words, " ".join(words), forms, numbers)
