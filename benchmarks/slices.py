"""Groups of texts and pairs, to see where a model is right and where it is not."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from dedup.names import parse

LENGTHS = (8, 16, 28)
LENGTH_NAMES = ("a: at most 8 characters", "b: 9 to 16", "c: 17 to 28", "d: more than 28")
FORM_NAMES = ("neither name has one", "one name has one", "both names have one")

_KANA = "Hiragana, Katakana"
_SCRIPTS = {
    "CYRILLIC": "Cyrillic",
    "GREEK": "Greek",
    "ARABIC": "Arabic",
    "HEBREW": "Hebrew",
    "CJK": "Han",
    "HIRAGANA": _KANA,
    "KATAKANA": _KANA,
    "HANGUL": "Hangul",
    "THAI": "Thai",
}  # by the first word of a letter's Unicode name


def script_of(text: str) -> str:
    """Return the script of most letters of a text.

    Japanese is known by its kana, of which one is enough; Latin is split by whether every Latin letter is ASCII.
    Texts without letters and scripts without a name here are "other".
    """
    letters = [char for char in text if unicodedata.category(char)[0] == "L"]
    words = [unicodedata.name(char, "").partition(" ")[0] for char in letters]
    scripts = Counter("Latin" if word == "LATIN" else _SCRIPTS.get(word, "other") for word in words)
    if not scripts:
        return "other"
    most = _KANA if _KANA in scripts else scripts.most_common(1)[0][0]
    if most != "Latin":
        return most
    plain = all(char.isascii() for char, word in zip(letters, words, strict=True) if word == "LATIN")
    return "Latin, ASCII" if plain else "Latin, diacritics"


def slices_of(left: Sequence[str], right: Sequence[str]) -> dict[str, list[str]]:
    """Return the group of each pair of normal forms, by several properties.

    Length counts the characters of the shorter normal form; legal forms and numbers are those of ``dedup.names``.
    """
    names = [(parse(first), parse(second)) for first, second in zip(left, right, strict=True)]
    shorter = (min(len(first), len(second)) for first, second in zip(left, right, strict=True))
    return {
        "length of the shorter name": [LENGTH_NAMES[bisect_left(LENGTHS, length)] for length in shorter],
        "legal forms": [FORM_NAMES[bool(first.forms) + bool(second.forms)] for first, second in names],
        "numbers": [_numbers(first.numbers, second.numbers) for first, second in names],
    }


def _numbers(first: frozenset[str], second: frozenset[str]) -> str:
    if not first and not second:
        return "no number"
    return "the same numbers" if first == second else "different numbers"
