"""The words of a text that is no name: nothing is dropped, and numbers are kept apart from their units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from dedup.text.normalise import fold

_SYNONYMS = {
    "in": "inch inches", "ft": "foot feet", "cm": "centimeter centimetre", "mm": "millimeter millimetre",
    "oz": "ounce ounces", "lb": "lbs pound pounds", "kg": "kilogram kilograms", "g": "gram grams gr",
    "ml": "milliliter millilitre", "l": "liter litre liters litres ltr", "gb": "gig gigabyte", "mb": "megabyte",
    "tb": "terabyte", "ghz": "", "mhz": "", "hz": "hertz", "w": "watt watts", "v": "volt volts", "mah": "",
    "mp": "megapixel megapixels", "pk": "pack packs", "ct": "count", "pc": "pcs piece pieces", "btu": "", "dpi": "",
    "hr": "hour hours hrs", "min": "minute minutes mins", "yr": "year years yrs", "qt": "quart quarts",
    "gal": "gallon gallons", "mg": "milligram milligrams", "cd": "disc disk",
}  # fmt: skip
_UNIT_OF = {word: unit for unit, words in _SYNONYMS.items() for word in (unit, *words.split())}
"""Units and what else they are called; a numbered disc is counted likewise."""

COLOURS = {
    **{short: colour for colour, shorts in {
        "black": "blk bk", "white": "wht wh", "blue": "blu bl", "pink": "pnk", "red": "rd", "green": "grn gn",
        "grey": "gray gry", "silver": "slv slvr", "purple": "pur prp", "yellow": "yel ylw", "orange": "org orng",
        "brown": "brn", "clear": "clr",
    }.items() for short in shorts.split()},
    **{colour: colour for colour in (
        "black", "white", "blue", "pink", "red", "green", "grey", "silver", "purple", "yellow", "orange", "brown",
        "clear", "gold", "beige", "ivory", "bronze", "navy", "turquoise", "violet", "platinum", "titanium", "bisque",
        "schwarz", "weiss", "blau", "rot", "grun", "silber", "noir", "blanc", "bleu", "rouge", "vert",
    )},
}  # fmt: skip
"""Colours by how they are written; variants of a product often differ in nothing else."""

_ROMAN = {
    roman: str(number)
    for number, roman in enumerate(["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"], 1)
}
_NUMBERED = frozenset({
    "vol", "volume", "part", "pt", "book", "chapter", "no", "nr", "number", "version", "series", "season", "episode",
    "cd", "level", "grade", "phase", "stage", "type", "class", "mark", "act", "band", "teil", "tome", "tomo",
})  # fmt: skip
"""Words before a roman numeral; elsewhere it may be an initial."""

_COUNTERS = _NUMBERED | {"vol", "disc", "disk"}
_SAME = {"volume": "vol", "volumes": "vol", "ii": "2", "iii": "3"}
"""Words written in several ways; the other roman numerals mean numbers behind some words only."""

_MOJIBAKE = frozenset("ãâ")
_NUMBER_AND_UNIT = re.compile(r"(\d+)([a-z]+)$")
_WORD_AND_NUMBER = re.compile(r"(vol|volume|part|pt|cd|disc|disk|no|nr|chapter|book)(\d{1,3})$")
_WITHOUT_SPACES = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_IGNORED = frozenset({"&", "and"})
_YEAR = re.compile(r"(?:19|20)\d\d$")
_REMEMBERED = 1 << 14


class TextWords(NamedTuple):
    """A text read: its ``words``, folded to ASCII, and all of them ``joined`` without spaces."""

    words: tuple[str, ...]
    joined: str


@lru_cache(maxsize=_REMEMBERED)
def read(normal_form: str) -> TextWords:
    """Read a normal form; there is always a word.

    ``10in``, ``10 inches`` and ``10 in`` give the same two words, ``vol 2`` and ``volume ii`` too; ``7.0`` is ``7``.
    Texts without spaces are read sign by sign.
    """
    words: list[str] = []
    for word in _spelt(normal_form):
        before = words[-1] if words else ""
        if (apart := _NUMBER_AND_UNIT.match(word)) and apart[2] in _UNIT_OF:
            words += [apart[1], _UNIT_OF[apart[2]]]
        elif apart := _WORD_AND_NUMBER.match(word):
            words += [_SAME.get(apart[1]) or _UNIT_OF.get(apart[1], apart[1]), apart[2]]
        elif word in _ROMAN and before in _NUMBERED:
            words.append(_ROMAN[word])
        elif word == "in" and not before.isdigit():
            words.append("_in")  # the preposition is no inch
        elif word not in _IGNORED and not (word == "0" and before.isdigit()):
            words.append(_SAME.get(word) or _UNIT_OF.get(word, word))
    words = words or [normal_form]
    return TextWords(tuple(words), "".join(words))


def _spelt(normal_form: str) -> Iterator[str]:
    """Yield words folded to ASCII; the remains of UTF-8 read as Latin-1 (``ãã``) are all alike, and left out."""
    for word in normal_form.split():
        if word.isascii():
            yield word
        elif sum(char in _MOJIBAKE for char in word) * 2 < len(word):
            yield from (part if stands_alone(part) else fold(part) for part in _WITHOUT_SPACES.findall(word))


def stands_alone(word: str) -> bool:
    """Return whether a word is a single sign of a script without spaces."""
    return len(word) == 1 and word >= "\u3040"


def words_of(normal_form: str) -> tuple[str, ...]:
    """Return the words by which the texts of a corpus are counted."""
    return read(normal_form).words


def is_unit(word: str) -> bool:
    """Return whether a word is a unit, by the name under which ``read`` gives it."""
    return word in _SYNONYMS


def is_counter(word: str) -> bool:
    """Return whether a word says what a number beside it counts (``vol``, ``part``)."""
    return word in _COUNTERS


def is_year(word: str) -> bool:
    """Return whether a word is a year from 1900 to 2099."""
    return _YEAR.match(word) is not None


def is_number(word: str) -> bool:
    """Return whether a word is a number, and no year."""
    return word.isdigit() and not is_year(word)


def is_model_number(word: str) -> bool:
    """Return whether a word is rather a model number: letters and digits, or five digits and more."""
    if len(word) < _SHORTEST_MODEL_NUMBER or word.isalpha() or not word.isascii():
        return False
    return not word.isdigit() or len(word) > _LONGEST_NUMBER


_SHORTEST_MODEL_NUMBER = 3
_LONGEST_NUMBER = 4
