"""The normal form of a text, by which exact duplicates are found, and its ASCII folding.

Two texts with the same normal form are exact duplicates. The normal form keeps letters, marks, digits and
symbols of every script, and drops case, punctuation, invisible characters and spacing. It is never empty for a
text with at least one letter, digit or symbol.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from html import unescape
from html.entities import name2codepoint

from anyascii import anyascii

NORMALISER_VERSION = 3
"""Must be raised whenever a normal form changes; stored in every model manifest and workspace."""

MAX_MARKS_PER_BASE = 4
"""Number of combining marks kept after a base character; further ones are decoration, not spelling."""

_APOSTROPHES = "'’‘ʼ`´＇"
_SINGLE_LETTERS = re.compile(r"(?<!\S)[^\W\d_](?: [^\W\d_])+(?!\S)")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z][A-Za-z\d]{1,7});")
_ENTITIES = frozenset(name2codepoint) | {"apos"}
_ORDINAL_SIGN = re.compile(r"(?<=\d)\.?[ºª°]+")  # NFKC would make "1a" of "1ª", which is a number and a letter
_NUMBER_SIGN = re.compile(r"(?<!\w)[nN]\.?°")
_LONG_VOWEL_MARK = re.compile("(?<=[ぁ-ゖァ-ヺー])(?<![んンっッ])[-‐‑−](?![^\\W_ぁ-ヿ])")
"""A hyphen after kana, as old registers write the long vowel mark; not before a letter or digit of another script."""

_FRACTIONS = {"1⁄2": "half", "1⁄4": "quarter"}
_FIRST_SCRIPT_WITHOUT_SPACES = "\u0e00"  # Thai; the scripts before it write spaces


def _replacement(char: str) -> str:
    """Return what one character becomes: itself, a space, or nothing."""
    category = unicodedata.category(char)
    if char in _APOSTROPHES:
        return ""
    if char == "&":  # "AT&T" and "AT & T" are one spelling
        return " & "
    if char.isspace() or category[0] in "PZ":
        return " "
    if category[0] == "C":  # control, format, surrogate, unassigned, private use
        return ""
    return char


class _Table(dict[int, str]):
    """Translation table that computes each character on first use."""

    def __missing__(self, codepoint: int) -> str:
        result = _replacement(chr(codepoint))
        self[codepoint] = result
        return result


_TABLE = _Table()
# Line ends are control characters, but separate words; so do symbols as in "Ltd|Inc".
_TABLE.update({ord(c): " " for c in "\t\n\r\v\f\x85|^~<>="})

# The same table for ASCII, applied in one pass over the bytes, with lower case; spaces around "&" are added later.
_LOWER = [chr(code).lower() for code in range(128)]
_ASCII = "".join(char if char == "&" else _TABLE[ord(char)] or " " for char in _LOWER).encode().ljust(256)
_ASCII_DROPPED = bytes(code for code in range(128) if not _TABLE[code])


def _decoded(match: re.Match[str]) -> str:
    """Return the character that an HTML entity stands for; names are recognised in capitals too (``&UUML;``)."""
    entity = match.group()
    if entity[1] == "#":
        char = unescape(entity)
        return entity if char == "\ufffd" else char
    name = entity[1:-1]
    if name not in _ENTITIES:
        name = name.lower()
    return unescape(f"&{name};") if name in _ENTITIES else entity


def _decode_entities(text: str) -> str:
    """Decode HTML entities, and entities of entities (``&amp;uuml;``)."""
    while (decoded := _ENTITY.sub(_decoded, text)) != text:
        text = decoded
    return text


def _join_letters(match: re.Match[str]) -> str:
    run = match.group()
    return run if run[0] >= _FIRST_SCRIPT_WITHOUT_SPACES else run.replace(" ", "")


def _once(text: str) -> str:
    text = _NUMBER_SIGN.sub("no ", _ORDINAL_SIGN.sub("", text))
    text = unicodedata.normalize("NFKC", text).casefold().replace("i̇", "i")
    text = _LONG_VOWEL_MARK.sub("ー", unicodedata.normalize("NFKC", text).lower())
    return _spaced(text.translate(_TABLE))


def _spaced(text: str) -> str:
    return _SINGLE_LETTERS.sub(_join_letters, " ".join(text.split()))


def _cap_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= MAX_MARKS_PER_BASE:
            kept.append(char)
    return "".join(kept)


def normalise(text: str) -> str:
    """Return the normal form of ``text``; the empty string if it holds no letter, digit or symbol.

    Unicode NFKC and full case folding (UAX #15, Unicode 3.13), punctuation to spaces except ``&``,
    apostrophes and invisible characters removed, spaces collapsed, runs of single letters joined
    (``J. P. Morgan`` and ``S.A.`` give ``jp morgan`` and ``sa``). HTML entities are decoded; ordinal signs after
    digits are removed (``1º``); a hyphen after kana is the long vowel mark (``センタ-``). Idempotent.
    """
    if "&" in text and ";" in text:
        text = _decode_entities(text)
    if text.isascii():
        return _spaced(text.encode().translate(_ASCII, _ASCII_DROPPED).decode().replace("&", " & "))
    text = _cap_marks(text)
    for _ in range(4):  # one round can leave something to fold; two are almost always enough
        result = _once(text)
        if result == text:
            break
        text = result
    return text


_LOOK_ALIKE = str.maketrans("асеһіјорѕухԁԛԝαορν", "acehijopsyxdqwaopv")
"""Cyrillic and Greek letters that look like Latin ones; beside Latin letters in one word, they are meant as these."""

_LATIN_LETTER = re.compile("[a-z]")


@lru_cache(maxsize=1 << 16)
def _fold_word(word: str) -> str:
    if _LATIN_LETTER.search(word):
        word = word.translate(_LOOK_ALIKE)
    for fraction, name in _FRACTIONS.items():
        word = word.replace(fraction, name)
    folded = re.sub(r"[^a-z0-9&+ ]+", "", anyascii(word).lower()).strip()
    return folded or word


def fold(normal_form: str) -> str:
    """Return a normal form in ASCII letters and digits: accents dropped, other scripts transliterated.

    It complements the normal form and does not replace it; it makes ``Газпром`` and ``Gazprom`` comparable. A word
    that has no ASCII form stays as it is. Never empty for a non-empty text.
    """
    if normal_form.isascii():
        return normal_form
    return " ".join(word if word.isascii() else _fold_word(word) for word in normal_form.split(" "))
