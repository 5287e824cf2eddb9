"""Names of persons, read: without titles and degrees, with what given names are also called.

The table ``data/persons.json`` was written for this project: titles, academic degrees and particles, generations
(``Jr.``), and one line for each given name with its short forms and its forms in other languages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

from rapidfuzz.distance import Indel

from dedup.text.han import fold_around_han

_REMEMBERED = 1 << 15
_ARTICLES = frozenset({"the", "of", "and", "&"})
_SOUNDS = (
    ("tch", "c"), ("sch", "s"), ("tsch", "c"), ("kh", "h"), ("ph", "f"), ("gh", "g"), ("sh", "s"), ("ch", "c"),
    ("th", "t"), ("dh", "d"), ("ck", "k"), ("ks", "x"), ("ou", "u"), ("oo", "u"), ("ee", "i"), ("y", "i"), ("j", "i"),
    ("w", "v"), ("q", "k"), ("c", "k"), ("z", "s"),
)  # fmt: skip
_SIGN_OR_WORD = re.compile("[!-~]+|[^ -~]")
_HANGUL = re.compile("[\uac00-\ud7a3 ]+")
_SHORTEST_SOUND, _ALIKE_IN_SOUND = 4, 0.55
"""Letters, and similarity as strings, from which words of one sound are taken for one."""

_FEMININE_ENDINGS = ("ova", "eva", "ina", "ine", "ette", "etta")
"""Endings of feminine forms beside ``a``: ``Novakova``, ``Josefine``, ``Claudette``."""

_VOWELS = frozenset("aeiouh")


class PersonTables(NamedTuple):
    """Words of names: titles, degrees, particles; genders of titles, generations and given names, each by word."""

    titles: frozenset[str]
    degrees: frozenset[str]
    particles: frozenset[str]
    genders: Mapping[str, str]
    generations: Mapping[str, str]
    spellings: Mapping[str, frozenset[int]]


class PersonName(NamedTuple):
    """A name read: its ``words`` without titles, degrees and generation, also ``joined`` without spaces.

    ``generation`` is that of ``Jr.``, ``Sr.`` or ``III``, empty for none; ``gender`` that of a title (``Lady``);
    ``initials`` the first letters of the words.
    """

    words: tuple[str, ...]
    joined: str
    generation: str
    gender: str
    initials: str


@cache
def tables() -> PersonTables:
    """Return the tables of ``data/persons.json``."""
    data = json.loads(resources.files("dedup").joinpath("data/persons.json").read_text(encoding="utf-8"))
    groups: dict[str, set[int]] = {}
    for number, line in enumerate(data["spellings"]):
        for word in line.split():
            groups.setdefault(word, set()).add(number)
    titles, degrees, particles = (frozenset(data[key].split()) for key in ("titles", "degrees", "particles"))
    spellings = {word: frozenset(found) for word, found in groups.items()}
    genders = {word: gender for gender in ("masculine", "feminine") for word in data[gender].split()}
    return PersonTables(titles, degrees, particles, genders, data["generations"], spellings)


def is_hangul(normal_form: str) -> bool:
    """Return whether a normal form is written in Korean letters alone."""
    return _HANGUL.fullmatch(normal_form) is not None


@lru_cache(maxsize=_REMEMBERED)
def read(normal_form: str, *, by_sign: bool = False) -> PersonName:
    """Read a normal form; there is always a word, and a name that is nothing but titles keeps them.

    Each Chinese character is a word, as nothing parts surname and given name (``王秀兰``); ``by_sign`` each Korean
    syllable, too (``김민수``). Titles stand before a name or after a surname (``Smith Dr John``), degrees and
    generations at the end, generations also behind a surname in front (``Ford Jr Henry``).
    """
    known = tables()
    spelt = normal_form if by_sign else fold_around_han(normal_form)
    all_words = [word for word in _SIGN_OR_WORD.findall(spelt) if word not in _ARTICLES] or [normal_form]
    words = list(all_words)
    gender = ""
    while len(words) > 1 and words[0] in known.titles:
        gender = gender or known.genders.get(words[0], "")
        del words[0]
    generation = ""
    while len(words) > 1 and (words[-1] in known.degrees or _is_generation(words) or _is_ph_d(words)):
        if _is_generation(words):
            generation = known.generations[words[-1]]
        del words[-2 if _is_ph_d(words) else -1 :]
    if not generation and len(words) > 2 and len(words[1]) > 1 and words[1] in _CLEAR_GENERATIONS:
        generation = known.generations[words.pop(1)]
    inner = [word for place, word in enumerate(words) if place in (0, len(words) - 1) or word not in _INNER_TITLES]
    words = inner or all_words
    return PersonName(tuple(words), "".join(words), generation, gender, "".join(word[0] for word in words))


_INNER_TITLES = frozenset({"dr", "prof", "mr", "mrs", "ms", "sir", "rev"})


_CLEAR_GENERATIONS = frozenset({"i", "ii", "iii", "iv", "xii", "xiii", "xiv", "xv", "xvi", "jr", "jnr", "junior"})
"""Generations that nobody has as a name: behind a single one (``Elizabeth II``) or a surname they are no initial."""


def _is_generation(words: Sequence[str]) -> bool:
    return words[-1] in (tables().generations if len(words) > 2 else _CLEAR_GENERATIONS)


def _is_ph_d(words: Sequence[str]) -> bool:
    return len(words) > 2 and words[-2:] == ["ph", "d"]


def words_of(normal_form: str) -> tuple[str, ...]:
    """Return the words by which the names of a corpus are counted; of a Korean name, its syllables."""
    return read(normal_form, by_sign=is_hangul(normal_form)).words


def are_spellings(one: str, other: str) -> bool:
    """Return whether two words are known as forms of one given name."""
    known = tables().spellings
    return not known.get(one, frozenset()).isdisjoint(known.get(other, frozenset()))


def differ_in_gender(one: str, other: str) -> bool:
    """Return whether one of two words is the feminine of the other (``Michaela``, ``Olga``, ``Balazikova``).

    The same letters in another order are a typing error.
    """
    if are_spellings(one, other) or sorted(one) == sorted(other):
        return False
    one, other = (word[:-1] if word.endswith("ah") else word for word in (one, other))
    masculine, feminine = sorted((one, other), key=len)
    if any(feminine in (masculine + ending, masculine[:-1] + ending) for ending in _FEMININE_ENDINGS):
        return True
    if one.endswith("a") == other.endswith("a"):
        return False
    feminine, masculine = (one, other) if one.endswith("a") else (other, one)
    stems = (masculine, masculine[:-1], masculine[:-2] if masculine.endswith("s") else masculine)
    return feminine[:-1] in stems or _consonants(feminine) == _consonants(masculine)


def sounds_alike(one: str, other: str) -> bool:
    """Return whether two words may be transliterations of one (``Mohammed``, ``Muhammad``); not ``John``, ``Jane``."""
    return (
        min(len(one), len(other)) >= _SHORTEST_SOUND
        and _sound_of(one) == _sound_of(other)
        and Indel.normalized_similarity(one, other) >= _ALIKE_IN_SOUND
    )


@lru_cache(maxsize=_REMEMBERED)
def _sound_of(word: str) -> str:
    """Return the consonants of a word as they sound in any transliteration, with its first letter."""
    return word[:1].translate(_FIRST) + _consonants(word)


_FIRST = str.maketrans("jcqkyw", "ikkkiv")


def _consonants(word: str) -> str:
    for spelt, sound in _SOUNDS:
        word = word.replace(spelt, sound)
    result = ""
    for letter in word:
        if letter not in _VOWELS and not result.endswith(letter):
            result += letter
    return result
