"""Legal forms: found at either end of a name, and kept as evidence rather than deleted.

The table ``data/legal_forms.json`` maps each canonical form (``gmbh``) to its spellings, which are normal forms:
abbreviations, full names and transliterations, and the usual English rendering. Forms that one list exchanges for
each other (``ООО`` and ``LLC``) are one; ``status`` holds words that stand beside a form and say nothing. The table
was curated by hand from ISO 20275 (the GLEIF list of entity legal forms, CC0) and the organisation types of
``rigour`` (OpenSanctions, MIT), checked against lists of names of 110 countries. Words that are usually part of a
name (``Foundation``, ``Stiftung``, ``Cooperative``) are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

from rapidfuzz.distance import OSA

from dedup.text.normalise import fold

_ENGLISH = frozenset({"co", "co ltd", "corp", "inc", "llc", "ltd", "plc", "pvt ltd"})
"""Canonical forms that are often one English word, which is no form at the start of a name (``Corporation Street``)."""

_FOREIGN = frozenset({"corp", "gmbh", "inc", "llc", "ltd"})
"""Canonical forms that are part of the name where they are written together with it (``ダイドーリミテッド``)."""

_FIRST_THOUGH_SHORT = frozenset({
    "cjsc", "ctcp", "cty", "cv", "dntn", "doo", "eood", "ese", "eurl", "fgbu", "fgup", "fop", "fsue", "gie", "gmbh",
    "jsc", "kft", "llc", "llp", "mchj", "oao", "ojsc", "ood", "ooo", "osoo", "pao", "pjsc", "prat", "pt",
    "sarl", "shpk", "sia", "tmcp", "tnhh", "too", "tov", "tzov", "uab", "zao", "zrt",
})  # fmt: skip
"""Short Latin spellings that come first in the names of some countries; others are initials (``AB Foods``)."""

_FIRST_BESIDE = {"oy": frozenset({"ab", "oy"}), "sc": frozenset({"sa", "snc", "srl"})}
"""Short spellings that come first if the name also ends with a certain form (``Oy Karl Fazer Ab``)."""

_FIRST_ALONE = frozenset({"ao", "ltd", "sci"})
"""Short spellings that come first if the name ends with no form (``SCI Solutions Inc`` has initials)."""

_NO_FORM_BEFORE = frozenset({"foundation", "smith"})
"""Words before which such a spelling is initials (``A. O. Smith``)."""

_MIN_BESIDE_FIRST = 3
"""Length of the longest word after such a spelling, at least (``SCI E&C`` has initials)."""

_NEVER_FIRST = frozenset({"professional association"})
_NEVER_LAST = frozenset({"cty", "sci"})  # "county" and "science", too

_ONLY_IN_ASCII = frozenset({"pa"})
"""Spellings that are words of languages with accents (``Sa Pa`` in Vietnam)."""

_AT_A_FORM = {"ngân": 2, "ngan": 2}
"""Where the form comes after these first words of a name, and they stay (``Ngân hàng TMCP Á Châu``, a bank)."""

_BEFORE_A_TOWN = frozenset({"dd", "doo", "dooel", "доо", "дооел"})
"""Spellings after which a town may follow (``Solana d.d. Tuzla``)."""

_BEFORE_A_PLACE = frozenset({"&", "and", "da", "de", "do", "e", "in", "of", "und", "y"})
"""Words after which two or three letters are a place (``Dept of SC``)."""

_AND = ("and", "und", "u")

_NOT_MISSPELT = frozenset({"campania", "limites", "イングコーポレーション"})

_INSIDE = re.compile(
    r"(?:株式|有限|合同)会社|カブシキ[カガ]イシ[ヤャ]|ユウゲン[カガ]イシ[ヤャ]|ゴウドウ[カガ]イシ[ヤャ]"
    r"|(?<= )(?:カブ?|株|有|カブシキ [カガ]イシ[ヤャ])(?= )"
)
"""Japanese forms that may stand between a company and its branch (``日本郵便 株式会社 本社``)."""

_UNIFIED_INSIDE = (
    dict.fromkeys("株カ", "株式会社") | dict.fromkeys("有ユ", "有限会社") | dict.fromkeys("合ゴ", "合同会社")
)
"""The usual spelling by the first sign of another."""

FORMS_INSIDE = frozenset(_UNIFIED_INSIDE.values())
"""Words of a core that are legal forms between two names."""

_MAX_SHORT = 4
"""Length up to which a Latin spelling is short."""

_MAX_INITIALS = 3
"""Length up to which a Latin spelling may as well be initials or a place."""

_MIN_FOLDED = 4
"""Minimum length of a word without its accents, for it to be recognised (``pão`` is not ``pao``)."""

_MIN_TRANSLITERATED = 6
"""The same for a word of another script (``ат`` is not ``at``)."""

_MIN_MISSPELT = 6
"""Length from which a word of a legal form is recognised with one letter wrong."""

_MIN_MISSPELT_ALONE = 7
"""The same for a form of one word."""

_INTACT = 3
"""Number of letters at the beginning or the end of a misspelt word that are right."""

_MIN_UNSPACED = 4
"""Length from which a form is recognised that is written together with the name."""

_NO_FORMS: frozenset[str] = frozenset()

_LATIN = re.compile(r"[\u0000-\u036f\u1e00-\u1eff]*$")
_ALPHABET = re.compile(r"[\u0000-\u058f\u10a0-\u10ff\u1e00-\u1eff]*$")  # Latin to Armenian, Georgian
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u109f\u1780-\u17ff\u3040-\ud7ff]")  # Thai to Burmese, Khmer; kana to Hangul


class _Node:
    """A node of a trie of spellings whose edges are words: the form that ends here, and the nodes that follow.

    ``long_words`` maps the first and the last letters of each long word that follows to these words: one wrong
    letter leaves either as they are.
    """

    __slots__ = ("following", "form", "is_inner", "long_words")

    def __init__(self, *, is_inner: bool) -> None:
        self.form: str | None = None
        self.is_inner = is_inner
        self.following: dict[str, _Node] = {}
        self.long_words: dict[str, list[str]] = {}

    def add(self, words: Sequence[str], form: str) -> None:
        node = self
        for word in words:
            following = node.following.get(word)
            if following is None:
                following = node.following[word] = _Node(is_inner=True)
                if len(word) >= _MIN_MISSPELT:
                    node.long_words.setdefault(word[:_INTACT], []).append(word)
                    node.long_words.setdefault(word[-_INTACT:], []).append(word)
            node = following
        node.form = form

    def without_form(self) -> _Node:
        """Return this node as one at which no spelling ends."""
        node = _Node(is_inner=self.is_inner)
        node.following, node.long_words = self.following, self.long_words
        return node

    def next(self, word: str) -> Sequence[_Node]:
        """Return the nodes that follow by ``word``; quick, because most names have no form at one end."""
        if word.isascii():
            found = self.following.get(word)
            if found is not None:
                return (found,)
            if len(word) < _MIN_MISSPELT or not self.long_words:
                return ()
            if word[:_INTACT] not in self.long_words and word[-_INTACT:] not in self.long_words:
                return ()
        return _next_like(self, word)


@lru_cache(maxsize=1 << 16)
def _next_like(node: _Node, word: str) -> Sequence[_Node]:
    """Return the nodes that follow by a word as written or in ASCII; else by the word that it misspells."""
    spellings = [word]
    if not word.isascii():
        spellings.append(fold(word) if node.is_inner else _in_ascii(word))
    nodes = [node.following[spelling] for spelling in spellings if spelling in node.following]
    if nodes:
        return nodes
    for spelling in spellings:
        for right in (*node.long_words.get(spelling[:_INTACT], ()), *node.long_words.get(spelling[-_INTACT:], ())):
            if _is_misspelt(spelling, right):
                found = node.following[right]
                return [found if node.is_inner or len(right) >= _MIN_MISSPELT_ALONE else found.without_form()]
    return ()


def _longest(nodes: Sequence[_Node], words: Sequence[str], at: int = 1) -> tuple[int, str]:
    """Return the size in words of the longest spelling that begins ``words``, and its form; 0 if there is none.

    ``nodes`` follow the first ``at`` words. One word is always left.
    """
    best = 0, ""
    for node in nodes:
        if node.form is not None and at > best[0]:
            best = at, node.form
        if node.following and at < len(words) - 1 and (following := node.next(words[at])):
            longer = _longest(following, words, at + 1)
            if longer[0] > best[0]:
                best = longer
    return best


def _is_misspelt(word: str, right: str) -> bool:
    """Return whether one letter is wrong, missing, extra or swapped; one more at the end makes another word."""
    return OSA.distance(word, right, score_cutoff=1) <= 1 and not word.startswith(right) and word not in _NOT_MISSPELT


class _Table(NamedTuple):
    """The spellings that come first in a name, those that come last, and those that may lack the space, by length."""

    first: Callable[[str], Sequence[_Node]]
    last: Callable[[str], Sequence[_Node]]
    unspaced: dict[int, frozenset[str]]


@cache
def _table() -> _Table:
    first, last = _Node(is_inner=False), _Node(is_inner=False)
    unspaced: dict[int, set[str]] = {}
    for canonical, written in _spellings().items():
        for form in written:
            for words in _ways_to_write(form):
                if form not in _NEVER_LAST:
                    last.add(words[::-1], canonical)
                if _may_come_first(words, canonical):
                    first.add(words, canonical)
            if (
                len(form) >= _MIN_UNSPACED
                and " " not in form
                and canonical not in _FOREIGN
                and _WITHOUT_SPACES.match(form)
            ):
                unspaced.setdefault(len(form), set()).add(form)
    # Names share most of their words, so that a cache saves time even for a million names.
    starts = lru_cache(maxsize=1 << 16)(first.next), lru_cache(maxsize=1 << 16)(last.next)
    return _Table(*starts, {size: frozenset(unspaced[size]) for size in sorted(unspaced, reverse=True)})


def spellings(canonical: str) -> Sequence[str]:
    """Return the spellings of a canonical form, as normal forms."""
    return _spellings()[canonical]


@cache
def _spellings() -> dict[str, list[str]]:
    table: dict[str, list[str]] = json.loads(
        resources.files("dedup").joinpath("data/legal_forms.json").read_text(encoding="utf-8")
    )
    return table


def _ways_to_write(spelling: str) -> list[list[str]]:
    """Return a spelling in the ways it is looked up, as words."""
    words = spelling.split(" ")
    if spelling.isascii():
        return [words] if "&" not in words else [words, *(spelling.replace("&", word).split(" ") for word in _AND)]
    in_ascii = [_in_ascii(word) for word in words]
    ways = [in_ascii] if in_ascii == words or _LATIN.match(spelling) else [words, in_ascii]
    if len(words) > 1 and _LATIN.match(spelling):
        ways.append(fold(spelling).split(" "))
    return ways


def _may_come_first(words: list[str], canonical: str) -> bool:
    if canonical == "status" or " ".join(words) in _NEVER_FIRST:
        return False
    (word,) = words if len(words) == 1 else ("",)
    if not word or not _LATIN.match(word):
        return True
    is_short = word.isascii() and len(word) <= _MAX_SHORT
    return word in _FIRST_THOUGH_SHORT or word in _FIRST_ALONE if is_short else canonical not in _ENGLISH


@lru_cache(maxsize=1 << 14)
def _in_ascii(word: str) -> str:
    """Fold a word, unless it would be too short to be told from another, or has no vowels."""
    if not _ALPHABET.match(word):
        return word
    folded = fold(word)
    return folded if len(folded) >= (_MIN_FOLDED if _LATIN.match(word) else _MIN_TRANSLITERATED) else word


def _split_unspaced(words: list[str]) -> list[str]:
    """Split a legal form off words in scripts without spaces (``日立製作所株式会社``)."""
    unspaced = _table().unspaced
    result: list[str] = []
    for word in words:
        rest = word
        after: list[str] = []
        if _WITHOUT_SPACES.search(word) and word not in unspaced.get(len(word), _NO_FORMS):
            for size, forms in unspaced.items():
                if len(rest) > size and rest[:size] in forms:
                    result.append(rest[:size])
                    rest = rest[size:]
                if len(rest) > size and rest[-size:] in forms:
                    after.insert(0, rest[-size:])
                    rest = rest[:-size]
        result += [rest, *after]
    return result


def split_legal_forms(normal_form: str) -> tuple[list[str], tuple[str, ...]]:
    """Split a normal form into the words of its core and the canonical legal forms at its two ends.

    ``deutsche bank ag`` gives ``(['deutsche', 'bank'], ('ag',))``. The longest spelling wins, with or without
    accents, and with one letter wrong in a long word. Any number of forms is removed from the end (``co ltd``
    after ``mfg``), then from the start (``uab``, ``ооо``). The core is never empty: a name that consists of legal
    forms only (``ag``) is its own core.
    """
    first, last, _ = _table()
    words = normal_form.split()
    if not normal_form.isascii():
        words = _unify_inside(_split_unspaced(words))
    found: list[str] = []
    while len(words) > 1 and (nodes := last(words[-1])):
        size, form = _longest(nodes, words[::-1])
        if not size or (size == 1 and form not in _ENGLISH and _is_initials(words, found)):
            break
        found.append(form)
        del words[-size:]
    start = _AT_A_FORM.get(words[0], 0)
    while len(words) > start + 1 and (nodes := first(words[start])):
        size, form = _longest(nodes, words[start:])
        if not size or _is_part_of_name(words[start], words[start + size :], found):
            break
        found.append(form)
        del words[start : start + size]
    if found:
        if words[0] in _FIRST_BESIDE and len(words) > 1 and not _FIRST_BESIDE[words[0]].isdisjoint(found):
            del words[0]
    elif not _BEFORE_A_TOWN.isdisjoint(words):
        found = _take_before_a_town(words)
    while len(words) > 1 and words[-1] == "&":
        del words[-1]
    return words, _telling(found) if found else ()


def _unify_inside(words: list[str]) -> list[str]:
    """Bring Japanese forms between the words into one spelling; they stay words, because a branch follows them."""
    text = " ".join(words)

    def unified(match: re.Match[str]) -> str:
        is_inside = match.start() and match.end() < len(text)
        return f" {_UNIFIED_INSIDE[match.group()[0]]} " if is_inside else match.group()

    return _INSIDE.sub(unified, text).split() if _INSIDE.search(text) else words


def _take_before_a_town(words: list[str]) -> list[str]:
    """Remove a form that a town of one or two words follows, and return it."""
    for at in (-2, -3):
        if len(words) > -at and words[at] in _BEFORE_A_TOWN:
            return ["dd" if words.pop(at) == "dd" else "doo"]
    return []


def _is_initials(words: list[str], found: list[str]) -> bool:
    """Return whether the last word is rather a place, initials or a word, by what is around it.

    So are two or three letters before another form (``Day Spa LLC``, ``SA Pty Ltd``) or after ``of`` (``Dept of SC``).
    """
    word = words[-1]
    if len(word) > _MAX_INITIALS or not word.isascii():
        return False
    if word in _ONLY_IN_ASCII and not all(map(str.isascii, words)):
        return True
    return bool(_telling(found)) or words[-2] in _BEFORE_A_PLACE


def _is_part_of_name(word: str, rest: list[str], found: list[str]) -> bool:
    """Return whether a short spelling at the start is part of the name, by the words and forms after it."""
    if word == "pt":  # Indonesian, which has no accents; in Vietnamese it is short for "phát triển"
        return not all(map(str.isascii, rest))
    if word not in _FIRST_ALONE:
        return False
    return bool(_telling(found)) or rest[0] in _NO_FORM_BEFORE or max(map(len, rest)) < _MIN_BESIDE_FIRST


def _telling(forms: list[str]) -> tuple[str, ...]:
    """Return the different forms, without what says nothing: a status, and ``company`` beside another form."""
    if len(forms) < 2:
        return tuple(forms) if forms != ["status"] else ()
    different = set(forms) - {"status"}
    return tuple(sorted(different - {"co"} if len(different) > 1 else different))
