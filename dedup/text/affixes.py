"""Words of scripts as they are read: vowel signs dropped, and kinds of bodies told from the names bound to them.

- Arabic and Hebrew vowel signs are hardly ever written; Romanian ``î`` inside a word is the old spelling of ``â``;
  Bulgarian ``ъ`` is a vowel.
- Thai has no spaces: the kind of body is split off the name that follows, and its usual short form written out.
- Korean schools are shortened to one syllable (``서울대`` for ``서울대학교``), and a number may be bound to a noun.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_HAS_AFFIXES = re.compile("[\u0e01-\u0e2e\uac00-\ud7a3]")
_THAI = re.compile("[\u0e01-\u0e2e]")

_VOWEL_SIGNS = re.compile("[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u0640\u064b-\u0652\u0670]")
_BULGARIAN_VOWEL = re.compile(r"ъ(?=[^\Wяеёюії])")
_OLD_ROMANIAN = re.compile(r"(?<=\w)î(?=\w)")
_ROMANIAN = re.compile("[ășț]")

_THAI_SHORT_FORMS = {
    "รพ": "โรงพยาบาล", "รร": "โรงเรียน", "อบต": "องค์การบริหารส่วนตำบล", "อบจ": "องค์การบริหารส่วนจังหวัด",
    "ทต": "เทศบาลตำบล", "ทม": "เทศบาลเมือง", "ทน": "เทศบาลนคร", "มรภ": "มหาวิทยาลัยราชภัฏ", "สภ": "สถานีตำรวจภูธร",
    "สนง": "สำนักงาน", "ธ": "ธนาคาร",
}  # fmt: skip
_THAI_HEADS = (
    "มหาวิทยาลัย", "วิทยาลัย", "ธนาคาร", "โรงแรม", "ร้านอาหาร", "ร้านขายยา", "สหกรณ์ออมทรัพย์", "มูลนิธิ", "ประกันภัยต่อ", "ประกันภัย",
    "สมาคมศิษย์เก่า", "สมาคมผู้ปกครองและครู", "สมาคมผู้ปกครอง", "สมาคม", "ชมรม",
)  # fmt: skip
_THAI_DIRECTIONS = ("ภาคเหนือ", "ภาคใต้", "ภาคกลาง", "ภาคตะวันออก", "ภาคตะวันตก", "ภาคตะวันออกเฉียงเหนือ")


def _as_normal(word: str) -> str:
    return unicodedata.normalize("NFKC", word)


_IN_FULL = {short: _as_normal(word) for short, word in _THAI_SHORT_FORMS.items()}
_HEAD = re.compile(
    f"({'|'.join(sorted(map(_as_normal, {*_THAI_SHORT_FORMS.values(), *_THAI_HEADS}), key=len, reverse=True))})"
    "(?=[\u0e01-\u0e2e\u0e40-\u0e44]{2}|[\u0e01-\u0e2e\u0e40-\u0e44].{2})"
)
"""A kind of body with a name behind it, which starts with a consonant or the vowel written before one."""
_TAIL = re.compile(f"(?<=..)({'|'.join(sorted(map(_as_normal, _THAI_DIRECTIONS), key=len, reverse=True))})$")

_KOREAN_SCHOOL = re.compile("(?<=[가-힣]{2})(?:(대)학교(?=(?:병원)?$)|([초고])등학교$|(중)학교$)")
_KOREAN_NUMBER = re.compile(
    r"제(\d+|[이삼사오육칠팔구십](?=은행|어린이집|유치원|초$|중$|고$|공장|병원|교회|지점|사단|연대|대대))(.*)"
)
_KOREAN_VALUES = {char: str(value) for value, char in enumerate("이삼사오육칠팔구십", 2)}


def as_read(normal_form: str) -> str:
    """Return a normal form without signs that are usually not written, and in the spelling of today."""
    text = _VOWEL_SIGNS.sub("", normal_form)
    text = _BULGARIAN_VOWEL.sub("а", text)
    if "î" in text and _ROMANIAN.search(text):
        text = _OLD_ROMANIAN.sub("â", text)
    return " ".join(text.split()) or normal_form


def split_affixes(words: Sequence[str]) -> list[str]:
    """Split the kind of body off Thai words and the number off Korean ones; bring short forms of both into one."""
    result: list[str] = []
    for word in words:
        if word.isascii() or not _HAS_AFFIXES.search(word):
            result.append(word)
        else:
            result += _split(word)
    return result


@lru_cache(maxsize=1 << 16)
def _split(word: str) -> tuple[str, ...]:
    if _THAI.search(word):
        head = _HEAD.match(word)
        start = head.end() if head else 0
        tail = _TAIL.search(word, start)
        end = tail.start() if tail else len(word)
        pieces = word[:start], word[start:end], word[end:]
        return tuple(_IN_FULL.get(piece, piece) for piece in pieces if piece)
    word = _KOREAN_SCHOOL.sub(lambda match: match[1] or match[2] or match[3], word)
    number = _KOREAN_NUMBER.match(word)
    if not number:
        return (word,)
    value, rest = number.groups()
    return tuple(filter(None, (_KOREAN_VALUES.get(value, value), rest)))
