"""Guess the encoding of a text: the one that gives it the letters of a language.

Every encoding in use is tried. What a text would be in it is judged by how likely its characters are in the best
language (``alphabets``) or, in East Asian encodings, by how common they are in the standards, and by its capitals: none
follows a small letter. ``chardet``, which knows pairs of letters, is the second detector: only what both find is stated
with confidence.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from indexer.reading.guessing.alphabets import FIT_OF_STRANGER, costs

USUAL = (
    *("cp1252", "iso8859-15", "cp1250", "iso8859-2", "cp1251", "koi8-r", "koi8-u", "cp866", "iso8859-5"),
    *("mac_cyrillic", "cp1253", "iso8859-7", "cp737", "cp1254", "iso8859-9", "cp1255", "iso8859-8", "cp1256"),
    *("iso8859-6", "cp1257", "iso8859-13", "cp1258", "cp874", "cp850", "cp437", "cp852", "cp857", "cp775"),
    *("mac_roman", "mac_latin2"),
)
"""Encodings of one byte; the first of those that give the same text is the guess."""
RARE = (
    *("cp855", "cp860", "cp861", "cp862", "cp863", "cp864", "cp865", "cp869", "iso8859-3", "iso8859-4", "iso8859-10"),
    *("iso8859-16", "mac_croatian", "mac_greek", "mac_iceland", "mac_romanian", "mac_turkish"),
)
EAST_ASIAN = {  # to the standard that ranks its characters, and the first bytes of the common ones
    "cp932": ("euc_jp", 0xB0, 0xCF),
    "euc_jp": ("euc_jp", 0xB0, 0xCF),
    "gb18030": ("gb2312", 0xB0, 0xD7),
    "big5": ("big5", 0xA4, 0xC6),
    "cp950": ("big5", 0xA4, 0xC6),
    "big5hkscs": ("big5", 0xA4, 0xC6),
    "cp949": ("euc_kr", 0xB0, 0xC8),
}
SAMPLE_BYTES = 1 << 13
"""At most so much of the lines that are not ASCII is looked at."""

_AGREED, _UNSURE = 0.95, 0.5
_MIN_MARGIN = 3.0
"""How much better than the next one the best encoding must be, as a logarithm of likelihoods."""
_ASCII = math.log(1 / 30)  # what a character of ASCII costs, so that texts of different lengths can be compared
_CASE = math.log(0.03)
_RARE = math.log(0.02)
_COMMON, _KANA, _PUNCTUATION, _NARROW_KANA, _UNCOMMON = (math.log(1 / n) for n in (1_500, 150, 1_000, 2_000, 30_000))
_STUCK = re.compile(r"[a-z][\u3400-\uffdc]|[\u3400-\uffdc][a-z]")
"""A small Latin letter beside a character of East Asia."""


@dataclass(frozen=True, slots=True)
class Guess:
    """An encoding, a confidence from 0 to 1, and the next best encoding, if any can decode the text."""

    encoding: str
    confidence: float
    rival: str | None


def guess(data: bytes) -> Guess | None:
    """Guess the encoding of a text that is not UTF-8; return None if no encoding fits.

    The confidence is 0.95 if both detectors agree and no other encoding is nearly as good, otherwise 0.5.
    """
    sample = _sample(data)
    ranked = _ranked(sample)
    if not ranked:
        return None
    best, score = ranked[0]
    rival, next_score = ranked[1] if len(ranked) > 1 else (None, -math.inf)
    agreed = _decoded(sample, _second_opinion(sample)) == _decoded(sample, best)
    is_sure = agreed and score - next_score >= _MIN_MARGIN and _decoded(data, best) is not None
    return Guess(best, _AGREED if is_sure else _UNSURE, rival)


def _ranked(sample: bytes) -> list[tuple[str, float]]:
    """Return the encodings that give different texts, the best first, with their log-likelihoods."""
    texts: set[str] = set()
    scores: dict[str, float] = {}
    for name in (*USUAL, *EAST_ASIAN, *RARE):
        text = _decoded(sample, name)
        if text is not None and text not in texts:
            texts.add(text)
            score = _east_asian(text, name) if name in EAST_ASIAN else _alphabetic(text)
            scores[name] = score + (_RARE if name in RARE else 0.0)
    return sorted(scores.items(), key=lambda item: -item[1])


def _second_opinion(sample: bytes) -> str | None:
    import chardet

    return chardet.detect(sample)["encoding"]


def _decoded(data: bytes, name: str | None) -> str | None:
    if name is None:
        return None
    try:
        return data.decode(name)
    except (UnicodeError, LookupError):
        return None


def _sample(data: bytes) -> bytes:
    """Return lines that are not ASCII: first those with bytes that no line before them has, then the others."""
    lines = [line for line in dict.fromkeys(data.splitlines(True)) if not line.isascii()]
    seen: set[int] = set()
    telling = []
    for line in lines:
        if not seen.issuperset(line):
            telling.append(line)
            seen.update(line)
    kept, room = [], SAMPLE_BYTES
    for line in dict.fromkeys([*telling, *lines]):
        if room <= 0:
            break
        kept.append(line)
        room -= len(line)
    return b"".join(kept)


def _alphabetic(text: str) -> float:
    counts = Counter(text)
    letters: Counter[str] = Counter()
    for char, times in counts.items():
        if not char.isascii():
            small = char.lower()
            letters[small if len(small) == 1 else char] += times
    stranger = math.log(FIT_OF_STRANGER)
    best = max(sum(times * table.get(char, stranger) for char, times in letters.items()) for table in costs())
    odd = sum(one.islower() and two.isupper() and not (one + two).isascii() for one, two in pairwise(text))
    return best + (len(text) - letters.total()) * _ASCII + odd * _CASE


def _east_asian(text: str, name: str) -> float:
    standard, first, last = EAST_ASIAN[name]

    def cost(char: str) -> float:
        if char.isascii():
            return _ASCII
        if "\uff01" <= char <= "\uff5e" or char in "・（）　":
            return _PUNCTUATION
        if standard == "euc_jp" and ("\u3040" <= char <= "\u30ff" or "\uff61" <= char <= "\uff9f"):
            return _KANA if char <= "\u30ff" else _NARROW_KANA
        code = char.encode(standard, "ignore")
        return _COMMON if code and first <= code[0] <= last else _UNCOMMON

    total = sum(times * cost(char) for char, times in Counter(text).items())
    return total + len(_STUCK.findall(text)) * _CASE
