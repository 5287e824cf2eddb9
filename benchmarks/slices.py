"""Groups of texts and pairs, to see where a model is right and where it is not."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from dedup.text.names import parse

LENGTHS = (8, 16, 28)
GROUPS = {
    "length of the shorter name": ("at most 8 characters", "9 to 16", "17 to 28", "more than 28"),
    "legal forms": ("neither name has one", "one name has one", "both names have one"),
    "numbers": ("no number", "the same numbers", "different numbers"),
}

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


def scripts_of_pair(left: str, right: str) -> tuple[str, str]:
    """Return the group of a pair by its two scripts, and whether they are one script; Latin is one."""
    scripts = sorted({script_of(left), script_of(right)})
    scripts_apart = {script.partition(",")[0] for script in scripts}
    return " and ".join(scripts), "one script" if len(scripts_apart) == 1 else "two scripts"


def slices_of(left: Sequence[str], right: Sequence[str]) -> dict[str, list[str]]:
    """Return the group of each pair of normal forms by each property of ``GROUPS``.

    Length counts the characters of the shorter normal form; legal forms and numbers are those of ``dedup.text.names``.
    """
    lengths, forms, numbers = GROUPS.values()
    found: dict[str, list[str]] = {kind: [] for kind in GROUPS}
    for texts in zip(left, right, strict=True):
        first, second = map(parse, texts)
        same = 1 if first.numbers == second.numbers else 2
        found["length of the shorter name"].append(lengths[bisect_left(LENGTHS, min(map(len, texts)))])
        found["legal forms"].append(forms[bool(first.forms) + bool(second.forms)])
        found["numbers"].append(numbers[same if first.numbers or second.numbers else 0])
    return found
