"""One skeleton for the usual ways of writing a word of another alphabet in Latin letters.

``Moskovskaya``, ``Moskovskaja`` and ``Moskowskaia`` have one skeleton. The rules cover what differs between the
transliterations in use: ISO 9, BGN/PCGN, the German and French ones and those of passports; ``щ`` is ``sht`` in
Bulgarian.

An umlaut may be written as two letters: ``Müller`` is ``Mueller``, but ``Muller`` is another name. So may the
Scandinavian ``ø`` (``oe``) and ``å`` (``aa``). A name with such a letter is read as the other name of its pair
writes it.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WRITTEN_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa"})
_UMLAUT = re.compile("[äöüøå]")
_TWO_LETTERS = re.compile("[aou]e|aa")

_UNSPELT = re.compile(
    "[\u0590-\u08ff\u0900-\u0e7f\u1000-\u109f\u1780-\u17ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
)
"""Letters of scripts that do not write all vowels, or that spell words unlike a Latin transliteration."""

_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        ("shch|sht|sch|sh", "s"), ("tsch|tch|cz|ch(?=.)", "c"), ("ts|tz", "c"), ("dzh|dj", "j"), ("zh", "z"),
        ("kh", "h"), ("gh", "g"), ("ck|q|c(?=[aoulrkt]|$)", "k"), ("ks", "x"), ("ph", "f"), ("th", "t"), ("ou|oo", "u"),
        ("w", "v"), ("au(?=[bcdfgklmnprstvxz])", "av"), ("eu(?=[bcdfgklmnprstvxz])", "ev"), ("[yj]", "i"), ("ii+", "i"),
        ("ai", "e"), ("ie", "e"), (r"(.)\1", r"\1"), ("i$", ""),
    )
)  # fmt: skip


def is_spelt(normal_form: str) -> bool:
    """Return whether the letters of a normal form spell its sounds, as Latin, Cyrillic, Greek and kana do."""
    return normal_form.isascii() or not _UNSPELT.search(normal_form)


@lru_cache(maxsize=1 << 16)
def skeleton(word: str) -> str:
    """Return the skeleton of a folded word; equal for spellings that differ only in the way of transliteration."""
    for pattern, replacement in _RULES:
        word = pattern.sub(replacement, word)
    return word


def has_umlaut(normal_form: str) -> bool:
    """Return whether a normal form has a letter that may be written as two."""
    return not normal_form.isascii() and _UMLAUT.search(normal_form) is not None


def may_be_written_out(normal_form: str) -> bool:
    """Return whether a normal form has two letters that may stand for one with an umlaut."""
    return _TWO_LETTERS.search(normal_form) is not None


def written_out(normal_form: str, other: str) -> str:
    """Return a normal form with the words that another one writes without umlauts written likewise."""
    words = other.split()
    as_other = ((word, word.translate(_WRITTEN_OUT)) for word in normal_form.split())
    return " ".join([two if two in words else word for word, two in as_other])
