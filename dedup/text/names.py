"""Parsed names: the parts of a normal form (``X dba Y``), each with its core words, legal forms and numbers."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Container, Sequence
from functools import lru_cache
from typing import NamedTuple

from dedup.text.affixes import as_read, split_affixes
from dedup.text.gazetteer import is_implied, is_place, unify
from dedup.text.han import fold_around_han, has_han, has_kana, separate
from dedup.text.legal_forms import FORMS_INSIDE, split_legal_forms
from dedup.text.normalise import fold
from dedup.text.numbers import find_numbers, in_digits, in_english
from dedup.text.transliteration import has_umlaut, is_spelt, may_be_written_out

_STOP_WORDS = frozenset({"the", "of", "and", "&", "dba", "aka", "fka", "de", "la", "und", "et", "y", "a"})
_INNER_STOP_WORDS = frozenset({"e", "en", "i", "im", "imeni", "ja", "kai", "och", "og", "va", "ve"})
"""Words for *and*, and others that say as little; at an end of a name they are part of it (``JA Solar``)."""

_ONLY_BESIDE_ACCENTS = frozenset({"im", "kai", "va"})
"""Those that are places or names in ASCII, unlike ``và`` and ``им.``."""

_SLAVIC = re.compile("[\u0400-\u04ffąćčđęěłńřśšźżž]")
_MIN_GIVEN_TWICE = 7
"""Number of letters of a name, from which it may be given twice."""

_SHORTEST_JOINED = 3
_ROMANCE_END = re.compile("[aeio]s?$")

_MARKER = re.compile(
    r"(?:(?<=\S) ta| (?:doing business as|dbas?|also known as|aka|formerly known as|formerly|fka|now known as|nka"
    r"|trading as|attn|for and on behalf of|on behalf of|acting for|an? division of|division of|a subsidiary of"
    r"|as represented by|бывш(?:ий|ая|ее)|колишн(?:ій|я|є)|бивш(?:и|а|о|ий)))(?= |$)"
)
"""Words between two names of one company, or before one; a leading ``ta`` is a name (``TA Associates``)."""

_MARKER_STARTS = frozenset({
    "doing", "dba", "dbas", "also", "aka", "formerly", "fka", "now", "nka", "trading", "ta", "attn", "for", "on",
    "acting", "a", "an", "division", "as", "бывший", "бывшая", "бывшее", "колишній", "колишня", "колишнє", "бивши",
    "бивша", "бившо", "бивший",
})  # fmt: skip
"""The first words of the markers."""

_TWO_IN_HAN = re.compile(
    r"(\S{4,}(?:中学|小学|学校|公司)) (?:原名?)?(?![附原]|第[一二三四五六七八九十])(\S{3,}(?:中学|小学|学校|公司))$"
)
"""Two whole names in Chinese characters, the second in brackets or after a stroke in the text."""

NO_WIDTHS: frozenset[int] = frozenset()
"""No lengths at which names are cut off: the field widths of a corpus that shows none."""

_ACRONYM_LENGTHS = range(3, 7)

_TRUNCATED_FORMS = frozenset(
    form[:size]
    for form in ("incorporated", "llc", "corporation", "company", "limited", "ltd", "dba")
    for size in range(1, len(form))
) - {"co", "inc", "corp"}  # fmt: skip


_CONSONANTS = str.maketrans("cgqdpfw", "kkktbvv", "aeiouyh ")
"""Maps consonants that spell the same sound to one letter, and removes vowels and the letters that stand for them."""

LONG_TEXT = 1_024
"""Length, in characters, from which a text is prose, and is compared by cheaper evidence."""

REMEMBERED_LONG = 1 << 13
"""Number of long texts that a process remembers parsed."""

_MOST_PARTS = 8
"""Number of names in one text, above which the text is prose, too."""

_OTHER_LETTER = re.compile(r"[^\W\d_\u0000-\u036f\u1e00-\u1eff]")  # outside the Latin blocks

_ALPHABET = re.compile("[\u0370-\u058f]")  # Greek, Cyrillic and Armenian, whose letters may be two in Latin


class Reading(NamedTuple):
    """How names that are not in ASCII are read: ``separate`` splits and folds words, ``fold`` folds a whole name."""

    separate: Callable[[Sequence[str]], list[str]]
    fold: Callable[[str], str]


AS_WRITTEN = Reading(separate, fold_around_han)
"""The usual reading, which keeps Chinese characters."""


class Name(NamedTuple):
    """One parsed name; every string is folded to ASCII, but keeps its Chinese characters.

    ``words``: the unified words of the core, without stop words unless there are no others; a place is one word,
    and numbers are in digits. ``core``: these words as one string, without places that others imply. ``forms``: the
    canonical legal forms. ``numbers``: all numbers of the core, whether in digits, roman or words, and series letters.
    ``initials``: the first letters of the core words as written, transliterated.
    """

    folded: str
    words: tuple[str, ...]
    core: str
    forms: tuple[str, ...]
    numbers: frozenset[str]
    initials: str


class Parts(NamedTuple):
    """A whole name, and the names it consists of: several if it has a marker such as ``dba`` or ``formerly``.

    ``may_be_cut``: whether it has a length at which its corpus cuts names off, and no legal form or number at its
    end. ``consonants``: those of the core of the whole name, without spaces, where ``c g k q``, ``d t``, ``b p``
    and ``f v w`` are one letter each; all its letters if it has no consonants. ``is_latin``: whether it has no
    letter of another script. ``is_spelt``: whether its letters spell its sounds (``transliteration``).
    ``has_han``, ``has_kana``: whether it has Chinese characters and Japanese syllable signs. ``is_in_kana``: whether it
    has syllable signs and no Chinese characters but for its legal forms. ``has_umlaut``: whether it
    has a letter that others write as two; ``may_be_written_out``: whether it has two that may stand for such a letter.
    """

    whole: Name
    parts: tuple[Name, ...]
    may_be_cut: bool
    consonants: str
    is_latin: bool
    is_spelt: bool
    has_han: bool
    has_kana: bool
    is_in_kana: bool
    has_umlaut: bool
    may_be_written_out: bool


def initials_of(name: Name) -> str:
    """Return the initials that may serve as the acronym of a name: 3 to 6 letters, or none."""
    return name.initials if len(name.initials) in _ACRONYM_LENGTHS and name.initials.isalpha() else ""


def parse(normal_form: str, reading: Reading = AS_WRITTEN) -> Name:
    """Parse a normal form as one name."""
    is_ascii = normal_form.isascii()
    if not is_ascii:
        normal_form = as_read(normal_form)
    core_words, forms = split_legal_forms(normal_form)
    if core_words[-1] == "of" and len(core_words) > 2:  # "Texas, University of", as in an alphabetical list
        core_words = core_words[-2:] + core_words[:-2]
    spelt = core_words if is_ascii else in_english(split_affixes(core_words))
    written = spelt if is_ascii else reading.separate(spelt)
    words = in_digits(written)
    letters = _first_letters(spelt, written)
    if not _STOP_WORDS.isdisjoint(words):
        words = [w for i, w in enumerate(words) if w not in _STOP_WORDS or (w == "a" and i)] or words
    if not _INNER_STOP_WORDS.isdisjoint(words):
        words = _without(words, _small_words(words, normal_form))
        letters = _without(letters, _small_words(written, normal_form))
    words = _once(unify(words))
    if len(normal_form) >= LONG_TEXT:  # equal words of many long texts are one object, which is found in less time
        words = list(map(sys.intern, words))
    numbers = find_numbers(words)
    initials = "".join(letters)
    essential = words if normal_form.isascii() else [w for i, w in enumerate(words) if not is_implied(words, i)]
    return Name(reading.fold(normal_form), tuple(words), " ".join(essential), forms, numbers, initials)


def _once(words: list[str]) -> list[str]:
    """Return the words of a name that is given twice (``Turborus (Turborus)``) once; ``Baden-Baden`` is a place."""
    half, odd = divmod(len(words), 2)
    if odd or words[0] != words[half] or words[:half] != words[half:] or is_place(words[0]):
        return words
    return words[:half] if sum(map(len, words[:half])) >= _MIN_GIVEN_TWICE else words


def _small_words(words: Sequence[str], normal_form: str) -> set[int]:
    """Return the positions of the small words between others, of folded words."""
    is_ascii = normal_form.isascii()
    small = set()
    for i, word in enumerate(words[1:-1], 1):
        if word not in _INNER_STOP_WORDS:
            is_small = False
        elif word == "e":
            is_small = _joins(words[i - 1], words[i + 1], is_ascii=is_ascii)
        elif word == "i":
            is_small = _SLAVIC.search(normal_form) is not None
        else:
            is_small = not is_ascii or word not in _ONLY_BESIDE_ACCENTS
        if is_small:
            small.add(i)
    return small


def _without(items: Sequence[str], positions: Container[int]) -> list[str]:
    return [item for i, item in enumerate(items) if i not in positions]


def _joins(left: str, right: str, *, is_ascii: bool) -> bool:
    """Return whether ``e`` between two words is *and*: in a name without accents, they must look Portuguese or Italian.

    Otherwise it may be an initial.
    """
    if min(len(left), len(right)) < _SHORTEST_JOINED:
        return False
    return not is_ascii or bool(_ROMANCE_END.search(left) and _ROMANCE_END.search(right))


def _pieces(text: str) -> list[str]:
    """Return the names that a text consists of."""
    if not _MARKER_STARTS.isdisjoint(text.split(" ")):
        return [piece.strip() for piece in _MARKER.split(" " + text)]
    two_names = None if text.isascii() else _TWO_IN_HAN.match(text)
    return list(two_names.groups()) if two_names else [text]


def _first_letters(spelt: Sequence[str], folded: Sequence[str]) -> list[str]:
    """Return the first letters of words, as an acronym has them: those of ``железные`` are ``zh``; none of stop words.

    ``spelt``: the words before they were folded; they count where they are as many.
    """
    letters = ["" if word in _STOP_WORDS else word[0] for word in folded]
    if spelt is folded or len(spelt) != len(folded):
        return letters
    return [
        fold(word[0]) if letter and _ALPHABET.match(word) else letter
        for word, letter in zip(spelt, letters, strict=True)
    ]


def take_apart(normal_form: str, widths: frozenset[int] = NO_WIDTHS, reading: Reading = AS_WRITTEN) -> Parts:
    """Parse a normal form into the names it contains; ``widths`` are the lengths at which its corpus cuts names off."""
    remembered = _remembered_long if len(normal_form) >= LONG_TEXT else _remembered
    return remembered(normal_form, widths, reading)


def _take_apart(normal_form: str, widths: frozenset[int], reading: Reading) -> Parts:
    whole = parse(normal_form, reading)
    may_be_cut = len(normal_form) in widths and not whole.forms and whole.words[-1] not in whole.numbers
    text = normal_form
    if may_be_cut:
        head, _, last = text.rpartition(" ")
        if head and last in _TRUNCATED_FORMS:  # the rest of a legal form or of "dba", not a word of the name
            text = head
    pieces = _pieces(text)
    if len(pieces) > _MOST_PARTS or len(text) >= LONG_TEXT:
        pieces = [normal_form]
    parts: tuple[Name, ...] = (whole,)
    if pieces != [normal_form]:
        parts = tuple(whole if piece == normal_form else parse(piece, reading) for piece in pieces if piece) or parts
    consonants = whole.core.translate(_CONSONANTS) or whole.core
    is_latin = normal_form.isascii() or not _OTHER_LETTER.search(normal_form)
    scripts = (True, True, False, False)
    is_in_kana = False
    if not is_latin:
        scripts = False, is_spelt(normal_form), has_han(normal_form), has_kana(normal_form)
        if scripts[-1]:
            written = "".join([word for word in split_legal_forms(normal_form)[0] if word not in FORMS_INSIDE])
            is_in_kana = has_kana(written) and not has_han(written)
    umlauts = has_umlaut(normal_form), may_be_written_out(normal_form)
    return Parts(whole, parts, may_be_cut, consonants, *scripts, is_in_kana, *umlauts)


_remembered = lru_cache(maxsize=1 << 16)(_take_apart)
_remembered_long = lru_cache(maxsize=REMEMBERED_LONG)(_take_apart)
