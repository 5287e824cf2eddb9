"""Numbers in names: digits, roman numerals, ordinals and number words of many languages, all put in digits.

The table ``data/numbers.json`` was written for this project. Languages are named by their codes in ISO 639:

- ``cardinals`` and ``ordinals``: the words of each language, in the order of their values, 1 first;
- ``tens``: the words for 20, 30, ... 90, cardinal and ordinal;
- ``own_script_only``: languages whose words are not recognised in plain Latin letters;
- ``names``: words that, in Latin letters without accents, are usually names or words of another language;
- ``beside_a_counted_noun``: words that are numbers only next to one of the ``counted_nouns``;
- ``proper_names``: two words that hold no number.

``segund|o|a`` stands for ``segundo`` and ``segunda``. A differing number sets two names apart, so a word that
may be no number is left out.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from dedup.text.gazetteer import inflected
from dedup.text.normalise import fold

_ROMAN = re.compile(r"(?=[ivx]{1,5}$)x{0,3}(?:ix|iv|v?i{0,3})$")
_ROMAN_VALUE = {"i": 1, "v": 5, "x": 10}
_NUMBER_AND_LETTER = re.compile(r"\d*[a-z]?\d+$|\d+[a-z]$")
_WORD_AND_NUMBER = re.compile(r"(no|nr|[a-z]{3,})(\d+)$")
_LETTERS_READ_AS_DIGITS = re.compile(r"(?=.{6,}$)[a-z]+[01]{1,2}[a-z]+$")
_DIGIT_AS_LETTER = str.maketrans("01", "ol")

_ORDINAL = re.compile(
    r"(\d+)(?:st|nd|rd|th|(?<=[13])(?:r[oa]|er)|(?<=1)(?:ere?|re)|(?<=2)(?:d[oa]|nde|g[ia])|(?<=3)cia"
    r"|(?<=[4569])t[oay]|(?<=[70])m[oay]|(?<=8)(?:v[oa]|m[ay])|(?<=9)n[oa]|(?<=1)sz[ya]"
    r"|i?emes?|ste|te|de|(?<=3)ci|i?nci|u?ncu)$"
)
"""An ordinal in digits, with the end of its word in English, Romance and Germanic languages, Polish or Turkish."""

_ORDINAL_AND_LETTER = re.compile(r"(\d{1,2})([aeo])$")

_ORDINAL_IN_OTHER_SCRIPTS = re.compile(
    r"(\d+)(?:[ыио]?й|[ая]я|[оеь]е|[оеь]го|[оеь]?му|[оеь]й|[яе]|го|ша|ше|га|ге|т[аяеє]|ої|в[аи]|р[аио]|ти|м[аи]|ят|[ыі]"
    r"|ο[συν]?|ησ?)$"
)
"""An ordinal in digits with the end of its Cyrillic or Greek word (``1я``, ``2ος``)."""

_NUMBER_SIGNS = frozenset({"no", "nr", "num", "number", "numero", "nummer", "numer", "nomor", "nomer", "nro", "broj"})
"""Words before a number that say no more than that it is one."""

_SHORT_NUMBER_SIGNS = frozenset({"n", "br"})
"""The same; at the start of a name they are initials."""

_NUMBER_SIGNS_WITH_ACCENTS = frozenset({
    "č", "číslo", "số", "номер", "бр", "број", "αρ", "αριθ", "αριθμ", "αριθμοσ", "رقم", "מס", "מספר",
})  # fmt: skip
"""The same, in accented letters and in other scripts."""

_AFTER_A_NUMBER = frozenset({"sz", "szamu"})

_BEFORE_A_LETTER = frozenset(
    {"series", "class", "phase", "group", "unit", "trust", "division", "block", "tier", "section"}
)
_BESIDE_ORDINALS_IN_E = frozenset({"du", "des", "le", "les", "au", "van", "het", "voor", "der"})
"""French and Dutch words, which make ``3e`` an ordinal."""

_GENERATIONS = frozenset({"junior", "senior"})
_MULTIPLIERS = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
_CONNECTORS = frozenset({"y", "e", "et", "i", "kai", "si"})
"""Words between tens and units (``treinta y tres``)."""

_SHORTEST_FOREIGN_WORD = 4
"""Length of the shortest number word of another language than English that is recognised without its accents."""


class _NumberWords(NamedTuple):
    """The values of number words in ASCII, and what they can be part of.

    ``by_noun``: those that are numbers beside a counted noun only. ``tens``: the value of each, and the words for 1
    to 9 of its languages and of English. ``english``: the English cardinals below 100. ``in_english``: what words with
    accents or in other scripts stand for, as an English cardinal or in digits.
    """

    values: Mapping[str, int]
    by_noun: Mapping[str, int]
    tens: Mapping[str, tuple[int, Mapping[str, int]]]
    english: Mapping[str, int]
    in_english: Mapping[str, str]
    counted_nouns: frozenset[str]
    proper_names: frozenset[tuple[str, ...]]
    possible: frozenset[str]
    parts_of_compounds: frozenset[str]


def _spellings(entry: str) -> Iterator[str]:
    """Yield the normal forms that an entry of the table stands for; Greek also as in capitals, without accents."""
    for word in entry.split():
        for normal in inflected(word):
            yield normal
            if "Ͱ" <= normal[-1] <= "Ͽ":
                bare = unicodedata.normalize("NFD", normal)
                yield "".join(char for char in bare if not unicodedata.combining(char))


def _entries(data: Mapping[str, Mapping[str, Sequence[str]]]) -> Iterator[tuple[str, int, str]]:
    """Yield (language, value, normal form) of each number word of the table."""
    for kind, first, step in (("cardinals", 1, 1), ("ordinals", 1, 1), ("tens", 20, 10)):
        for language, entries in data[kind].items():
            for place, entry in enumerate(entries):
                for word in _spellings(entry):
                    yield language, first + step * place, word


@cache
def _number_words() -> _NumberWords:
    data = json.loads(resources.files("dedup").joinpath("data/numbers.json").read_text(encoding="utf-8"))
    by_noun, own_script, names = (frozenset(data[key]) for key in ("beside_a_counted_noun", "own_script_only", "names"))
    entries = [(language, value, word, fold(word)) for language, value, word in _entries(data)]
    folded = {word: value for _, value, _, word in entries}
    values = {
        word: value
        for language, value, _, word in entries
        if language == "en"
        or (len(word) >= _SHORTEST_FOREIGN_WORD and word not in names | by_noun and language not in own_script)
    }
    english = {entry: place for place, entry in enumerate(data["cardinals"]["en"], 1)}
    english |= {entry.split()[0]: place * 10 for place, entry in enumerate(data["tens"]["en"], 2)}
    spoken = {value: word for word, value in english.items()}
    in_english = {
        word: spoken.get(value, str(value))
        for _, value, word, ascii_word in entries
        if not word.isascii() and ascii_word not in by_noun and values.get(ascii_word) != value
    }
    tens = _tens(entries)
    parts_of_compounds = frozenset(tens) | frozenset(_MULTIPLIERS)
    return _NumberWords(
        values,
        {word: folded[word] for word in by_noun},
        tens,
        english,
        in_english,
        frozenset(data["counted_nouns"]),
        frozenset(tuple(phrase.split()) for phrase in data["proper_names"]),
        frozenset(values) | by_noun,
        parts_of_compounds,
    )


def _tens(entries: Sequence[tuple[str, int, str, str]]) -> Mapping[str, tuple[int, Mapping[str, int]]]:
    """Return the value of each word for tens, and the values of the words for 1 to 9 of its languages.

    The Romance word for tenth is one of them (``decimo primeiro``).
    """
    units: dict[str, dict[str, int]] = {}
    for language, value, _, word in entries:
        if value < 10:
            units.setdefault(language, {})[word] = value
    result: dict[str, tuple[int, Mapping[str, int]]] = {}
    for language, value, _, ascii_word in entries:
        if language in units and ((value >= 20 and value % 10 == 0) or ascii_word in ("decimo", "decima")):
            others = result.get(ascii_word, (value, units["en"]))[1]
            result[ascii_word] = value, {**others, **units[language]}
    return result


def in_english(words: Sequence[str]) -> list[str]:
    """Replace the number words that are not in ASCII by English ones.

    Accents and script make a word certain that would be ambiguous in ASCII (``три`` is no abbreviation). The ends of
    ordinals in digits are dropped (``1-я``, ``2ος``).
    """
    numbers = _number_words().in_english
    result: list[str] = []
    for at, word in enumerate(words):
        if word.isascii():
            result.append(word)
        elif word in numbers:
            result.append(numbers[word])
        elif ordinal := _ORDINAL_IN_OTHER_SCRIPTS.match(word):
            result.append(ordinal.group(1))
        elif word in _NUMBER_SIGNS_WITH_ACCENTS and at + 1 < len(words) and words[at + 1].isdigit():
            result.append("no")
        elif not (at and words[at - 1].isdigit() and _ORDINAL_IN_OTHER_SCRIPTS.match(words[at - 1] + word)):
            result.append(word)
    return result


def in_digits(words: Sequence[str]) -> list[str]:
    """Put the numbers of several words in digits, and prepare the others.

    ``twenty first`` gives ``21``, ``two hundred`` ``200``, and ``forever21`` ``forever 21``; ``t0ronto`` is put in
    letters, and a word for number is dropped before one.
    """
    if not all(map(str.isalpha, words)):
        words = _separate(words)
    if _number_words().parts_of_compounds.isdisjoint(words):
        return list(words)
    result: list[str] = []
    at = 0
    while at < len(words):
        value, end = _compound(words, at)
        if end - at > 1 or (end > at and words[at] in _MULTIPLIERS):
            result.append(str(value))
            at = end
        else:
            result.append(words[at])
            at += 1
    return result


def _separate(words: Sequence[str]) -> list[str]:
    result: list[str] = []
    for word in words:
        if not word.isascii():
            result.append(word)
        elif word.isalpha():
            if not (word in _AFTER_A_NUMBER and result and result[-1].isdigit()):
                result.append(word)
        elif together := _WORD_AND_NUMBER.match(word):
            result += [part for part in together.groups() if part not in _NUMBER_SIGNS]
        elif _LETTERS_READ_AS_DIGITS.match(word):
            result.append(word.translate(_DIGIT_AS_LETTER))
        elif word == "000" and len(result) == 1 and result[0].isdigit():  # "1,000 Islands", but not "at 6.000%"
            result[0] += word
        else:
            sign = result[-1] if result and word.isdigit() else ""
            if sign in _NUMBER_SIGNS or (sign in _SHORT_NUMBER_SIGNS and len(result) > 1):
                del result[-1]
            result.append(word)
    return result


def _compound(words: Sequence[str], at: int) -> tuple[int, int]:
    """Return the value of the number from a position on, and the position after it; 0 and the same if there is none."""
    value, end = _below_hundred(words, at)
    if end == at:
        starts = words[at] in _MULTIPLIERS and at + 1 < len(words) and (not at or words[:at] == ["the"])
        return _multiplied(words, 1, at) if starts else (0, at)
    if end < len(words) and words[end] in _MULTIPLIERS:
        return _multiplied(words, value, end)
    english = _number_words().english
    if words[at] in english and end < len(words) and words[end] in english:
        more, after = _below_hundred(words, end)
        if more >= (10 if value >= 10 else 20):  # a year or a number said in two parts
            return 100 * value + more, after
    return value, end


def _below_hundred(words: Sequence[str], at: int) -> tuple[int, int]:
    """Like ``_compound``, of tens, units and numbers in digits."""
    numbers = _number_words()
    word = words[at] if at < len(words) else ""
    if word not in numbers.tens:
        value = numbers.english.get(word) or (int(word) if word.isdigit() and len(word) <= 3 else 0)
        return value, at + bool(value)
    value, units = numbers.tens[word]
    unit_at = at + 2 if at + 2 < len(words) and words[at + 1] in _CONNECTORS else at + 1
    unit = units.get(words[unit_at], 0) if unit_at < len(words) else 0
    return value + unit, unit_at + 1 if unit else at + 1


def _multiplied(words: Sequence[str], value: int, at: int) -> tuple[int, int]:
    """Return the value of ``value`` times the multiplier at a position, with what follows, and the position after."""
    total = 0
    while at < len(words) and words[at] in _MULTIPLIERS:
        multiplier = _MULTIPLIERS[words[at]]
        at += 1
        value *= multiplier
        if multiplier > 100:
            total, value = total + value, 0
        start = at + 1 if at < len(words) and words[at] in ("and", "&") else at
        more, end = _below_hundred(words, start)
        if end > start and not words[start].isdigit():
            value, at = value + more, end
    return total + value, at


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
    value = _number_words().values.get(word)
    if value is not None:
        return str(value)
    if word[-1] in _ROMAN_VALUE and (last or len(word) > 1) and _ROMAN.match(word):
        values = [_ROMAN_VALUE[char] for char in word]
        nexts = [*values[1:], 0]
        return str(sum(-v if v < after else v for v, after in zip(values, nexts, strict=True)))
    return None


def _number_in_context(words: Sequence[str], at: int) -> str | None:
    """Like ``number_of``, for a word among others, which can tell whether it is an ordinal."""
    table, word = _number_words(), words[at]
    is_last = at + 1 == len(words)
    is_lone_roman = at > 0 and (is_last or word in ("v", "x"))
    if word not in table.by_noun and (word.isdigit() or word[-1] not in "aeo"):
        return number_of(word, last=is_lone_roman)
    before, after = words[at - 1] if at else "", "" if is_last else words[at + 1]
    if (word, after) in table.proper_names or (before, word) in table.proper_names:
        return None
    is_counting = before in table.counted_nouns or after in table.counted_nouns
    if word in table.by_noun and is_counting and not (at and word == "i"):  # "and" in Slavic languages
        return str(table.by_noun[word])
    ordinal = _ORDINAL_AND_LETTER.match(word)
    if ordinal and after and not before.isdigit() and before not in _BEFORE_A_LETTER:
        number, letter = ordinal.groups()
        if letter == "o" or is_counting or (letter == "e" and not _BESIDE_ORDINALS_IN_E.isdisjoint(words)):
            return number
    return number_of(word, last=is_lone_roman)


def find_numbers(words: list[str]) -> frozenset[str]:
    """Put the numbers among ``words`` in digits, in place; return them and any series letter at the end."""
    possible = _number_words().possible
    found = set()
    for i, word in enumerate(words):
        if word[-1] not in _ROMAN_VALUE and word not in possible and word.isalpha():
            continue  # most words are not numbers; this saves a call
        number = _number_in_context(words, i)
        if number is not None:
            found.add(number)
            words[i] = number
    if len(words) > 1:
        before, word = words[-2:]
        is_letter = len(word) == 1 and word.isascii() and word.isalpha()
        if (is_letter and (before.isdigit() or before in _BEFORE_A_LETTER)) or word in _GENERATIONS:
            found.add(word)
    return frozenset(found)
