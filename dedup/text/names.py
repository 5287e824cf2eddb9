"""Parsed names: the parts of a normal form (``X dba Y``), each with its core words, legal forms and numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from dedup.text.gazetteer import unify
from dedup.text.han import fold_around_han, has_han, has_kana, separate
from dedup.text.legal_forms import split_legal_forms

_ROMAN = re.compile(r"(?=[ivx]{1,5}$)x{0,3}(?:ix|iv|v?i{0,3})$")
_ROMAN_VALUE = {"i": 1, "v": 5, "x": 10}
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_WRITTEN = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5,
    "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "twentieth": 20,
    **_TENS,
}  # fmt: skip
_UNITS = {word: value for word, value in _WRITTEN.items() if value < 10}
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)$")
_NUMBER_AND_LETTER = re.compile(r"\d*[a-z]?\d+$|\d+[a-z]$")
_WORD_AND_NUMBER = re.compile(r"(no|[a-z]{3,})(\d+)$")
_LETTERS_READ_AS_DIGITS = re.compile(r"(?=.{6,}$)[a-z]+[01]{1,2}[a-z]+$")
_DIGIT_AS_LETTER = str.maketrans("01", "ol")
_BEFORE_A_NUMBER = frozenset({"no", "nr", "num", "number"})
_BEFORE_A_LETTER = frozenset(
    {"series", "class", "phase", "group", "unit", "trust", "division", "block", "tier", "section"}
)
_GENERATIONS = frozenset({"junior", "senior"})
_STOP_WORDS = frozenset({"the", "of", "and", "&", "dba", "aka", "fka", "de", "la", "und", "et", "y", "a"})

_MARKER = re.compile(
    r"(?:(?<=\S) ta| (?:doing business as|dbas?|also known as|aka|formerly known as|formerly|fka|now known as|nka"
    r"|trading as|attn|for and on behalf of|on behalf of|acting for|an? division of|division of|a subsidiary of"
    r"|as represented by))(?= |$)"
)
"""Words between two names of one company, or before one; a leading ``ta`` is a name (``TA Associates``)."""

_MARKER_STARTS = frozenset({
    "doing", "dba", "dbas", "also", "aka", "formerly", "fka", "now", "nka", "trading", "ta", "attn", "for", "on",
    "acting", "a", "an", "division", "as",
})  # fmt: skip
"""The first words of the markers."""

_CUT_LENGTHS = range(24, 41)
"""Lengths at which fixed-width fields truncate names (H-1B files at 35, lists of securities at 24 to 30)."""

_TRUNCATED_FORMS = frozenset(
    form[:size]
    for form in ("incorporated", "llc", "corporation", "company", "limited", "ltd", "dba")
    for size in range(1, len(form))
) - {"co", "inc", "corp"}  # fmt: skip


_CONSONANTS = str.maketrans("cgqdpfw", "kkktbvv", "aeiouyh ")
"""Maps consonants that spell the same sound to one letter, and removes vowels and the letters that stand for them."""

_OTHER_LETTER = re.compile(r"[^\W\d_\u0000-\u036f\u1e00-\u1eff]")  # outside the Latin blocks


class Reading(NamedTuple):
    """How names that are not in ASCII are read: ``separate`` splits and folds words, ``fold`` folds a whole name."""

    separate: Callable[[Sequence[str]], list[str]]
    fold: Callable[[str], str]


AS_WRITTEN = Reading(separate, fold_around_han)
"""The usual reading, which keeps Chinese characters."""


class Name(NamedTuple):
    """One parsed name; every string is folded to ASCII, but keeps its Chinese characters.

    ``words``: the unified words of the core, without stop words unless there are no others; a place is one word,
    and numbers are in digits. ``core``: these words as one string. ``forms``: the canonical legal forms.
    ``numbers``: all numbers of the core, whether in digits, roman or words, and series letters. ``initials``: the
    first letters of the core words as written.
    """

    folded: str
    words: tuple[str, ...]
    core: str
    forms: tuple[str, ...]
    numbers: frozenset[str]
    initials: str


class Parts(NamedTuple):
    """A whole name, and the names it consists of: several if it has a marker such as ``dba`` or ``formerly``.

    ``may_be_cut``: whether it has a length at which fixed-width fields truncate names, and no legal form at its
    end. ``consonants``: those of the core of the whole name, without spaces, where ``c g k q``, ``d t``, ``b p``
    and ``f v w`` are one letter each; all its letters if it has no consonants. ``is_latin``: whether it has no
    letter of another script. ``has_han``, ``has_kana``: whether it has Chinese characters and Japanese syllable
    signs.
    """

    whole: Name
    parts: tuple[Name, ...]
    may_be_cut: bool
    consonants: str
    is_latin: bool
    has_han: bool
    has_kana: bool


def number_of(word: str, *, last: bool) -> str | None:
    """Return the number that a word stands for, in digits, or None.

    Digits may come with one letter (``2006a``, but ``o3b`` is a word). Ordinals and number words are converted.
    So are roman numerals, but a single letter only as the ``last`` word: ``i`` and ``v`` are usually initials.
    """
    if not word.isalpha():
        if word.isdigit():
            return word.lstrip("0") or "0"
        ordinal = _ORDINAL.match(word)
        if ordinal:
            return ordinal.group(1)
        return word if _NUMBER_AND_LETTER.match(word) else None
    if word in _WRITTEN:
        return str(_WRITTEN[word])
    if word[-1] in _ROMAN_VALUE and (last or len(word) > 1) and _ROMAN.match(word):
        values = [_ROMAN_VALUE[char] for char in word]
        nexts = [*values[1:], 0]
        return str(sum(-v if v < after else v for v, after in zip(values, nexts, strict=True)))
    return None


def _separate(words: Sequence[str]) -> list[str]:
    """Split ``forever21``, put ``t0ronto`` in letters, and drop ``no`` before a number."""
    if all(map(str.isalpha, words)):
        return list(words)
    result: list[str] = []
    for word in words:
        if not word.isascii() or word.isalpha():
            result.append(word)
        elif together := _WORD_AND_NUMBER.match(word):
            result += [part for part in together.groups() if part != "no"]
        elif _LETTERS_READ_AS_DIGITS.match(word):
            result.append(word.translate(_DIGIT_AS_LETTER))
        else:
            if result and result[-1] in _BEFORE_A_NUMBER and word.isdigit():
                del result[-1]
            result.append(word)
    return result


def _join_tens(words: list[str]) -> list[str]:
    """Replace number words like ``twenty first`` by digits (``21``)."""
    if _TENS.keys().isdisjoint(words):
        return words
    result: list[str] = []
    for word in words:
        if result and result[-1] in _TENS and word in _UNITS:
            result[-1] = str(_TENS[result[-1]] + _UNITS[word])
        else:
            result.append(word)
    return result


def _numbers(words: list[str]) -> frozenset[str]:
    """Put the numbers among ``words`` in digits, in place; return them and any series letter at the end."""
    found = set()
    for i, word in enumerate(words):
        if word[-1] not in _ROMAN_VALUE and word not in _WRITTEN and word not in _TENS and word.isalpha():
            continue  # most words are not numbers; this saves a call
        last = i > 0 and (i == len(words) - 1 or word in ("v", "x"))
        number = number_of(word, last=last)
        if number is not None:
            found.add(number)
            words[i] = number
    if len(words) > 1:
        before, word = words[-2:]
        is_letter = len(word) == 1 and word.isascii() and word.isalpha()
        if (is_letter and (before.isdigit() or before in _BEFORE_A_LETTER)) or word in _GENERATIONS:
            found.add(word)
    return frozenset(found)


def parse(normal_form: str, reading: Reading = AS_WRITTEN) -> Name:
    """Parse a normal form as one name."""
    core_words, forms = split_legal_forms(normal_form)
    written = core_words if normal_form.isascii() else reading.separate(core_words)
    words = folded = unify(_join_tens(_separate(written)))
    if not _STOP_WORDS.isdisjoint(folded):
        words = [w for i, w in enumerate(folded) if w not in _STOP_WORDS or (w == "a" and i)] or folded
    initials = "".join([word[0] for word in written if word not in _STOP_WORDS])
    numbers = _numbers(words)
    return Name(reading.fold(normal_form), tuple(words), " ".join(words), forms, numbers, initials)


@lru_cache(maxsize=1 << 16)
def take_apart(normal_form: str, reading: Reading = AS_WRITTEN) -> Parts:
    """Parse a normal form into the names it contains."""
    whole = parse(normal_form, reading)
    may_be_cut = len(whole.folded) in _CUT_LENGTHS and not whole.forms
    text = normal_form
    if may_be_cut:
        head, _, last = text.rpartition(" ")
        if head and last in _TRUNCATED_FORMS:  # the rest of a legal form or of "dba", not a word of the name
            text = head
    pieces = [text]
    if not _MARKER_STARTS.isdisjoint(text.split(" ")):
        pieces = [piece.strip() for piece in _MARKER.split(" " + text)]
    parts = tuple(whole if piece == normal_form else parse(piece, reading) for piece in pieces if piece)
    consonants = whole.core.translate(_CONSONANTS) or whole.core
    is_latin = normal_form.isascii() or not _OTHER_LETTER.search(normal_form)
    scripts = (True, False, False) if is_latin else (False, has_han(normal_form), has_kana(normal_form))
    return Parts(whole, parts or (whole,), may_be_cut, consonants, *scripts)
