"""What is known of words: short forms, spellings and places, and the one form under which they are compared.

The table ``data/words.json`` holds facts written for this project: ``abbreviations`` (a word and its short
forms), ``spellings`` (British to American, and short forms that stand for one word only) and ``places``
(states, countries, big cities and compass words, with their short forms); ``bodies`` are words that make of
a name another body (the pension fund of a company is not the company). All are folded.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

_WORDS_OF_THEIR_OWN = frozenset({
    "am", "bus", "cap", "ch", "co", "cr", "dist", "ed", "exp", "fd", "found", "hi", "imp", "int", "log", "mar", "min",
    "ne", "no", "par", "prep", "re", "rest", "sec", "so", "st", "trans", "us", "usa",
})  # fmt: skip
"""Short forms that are as often a word or the short form of another; only the words beside them can tell."""


@dataclass(frozen=True, slots=True)
class _Table:
    abbreviations: Mapping[str, tuple[str, ...]]
    spellings: Mapping[str, str]
    places: Mapping[str, tuple[str, ...]]
    bodies: frozenset[str]


@cache
def _table() -> _Table:
    data = json.loads(resources.files("dedup").joinpath("data/words.json").read_text(encoding="utf-8"))
    short_forms = {
        key: {word: tuple(shorts) for word, shorts in data[key].items()} for key in ("abbreviations", "places")
    }
    return _Table(short_forms["abbreviations"], data["spellings"], short_forms["places"], frozenset(data["bodies"]))


def abbreviations() -> Mapping[str, tuple[str, ...]]:
    """Return the usual short forms of each word."""
    return _table().abbreviations


def places() -> Mapping[str, tuple[str, ...]]:
    """Return the places and compass words, each with its short forms."""
    return _table().places


@cache
def _spellings() -> Mapping[str, str]:
    """Map each spelling that can stand for one word only to that word."""
    uses = Counter(short for shorts in abbreviations().values() for short in shorts)
    result = {
        short: word
        for word, shorts in abbreviations().items()
        for short in shorts
        if uses[short] == 1 and len(short) > 1 and " " not in short + word and short not in _WORDS_OF_THEIR_OWN
    }
    return result | dict(_table().spellings)


@cache
def _phrases() -> tuple[Mapping[tuple[str, ...], str], Mapping[str, int], frozenset[str]]:
    """Map the words of each place to the place, and the first of them to the most words that can follow.

    The set has every word that begins a place or has another spelling.
    """
    phrases = {tuple(spelling.split()): place for place, shorts in places().items() for spelling in (place, *shorts)}
    longest: dict[str, int] = {}
    for words in phrases:
        longest[words[0]] = max(longest.get(words[0], 0), len(words))
    return phrases, longest, frozenset(longest) | frozenset(_spellings())


def unify(words: Sequence[str]) -> list[str]:
    """Return folded words with each place as one word (``new york`` for ``ny``) and other words in one spelling."""
    phrases, longest, special = _phrases()
    if special.isdisjoint(words):
        return list(words)
    spellings = _spellings()
    result: list[str] = []
    at = 0
    while at < len(words):
        for size in range(min(longest.get(words[at], 0), len(words) - at), 0, -1):
            place = phrases.get(tuple(words[at : at + size]))
            if place is not None:
                result.append(place)
                at += size
                break
        else:
            result.append(spellings.get(words[at], words[at]))
            at += 1
    return result


def is_place(word: str) -> bool:
    """Return whether a unified word is a place or a compass word."""
    return word in places()


def any_place(words: Sequence[str]) -> bool:
    """Return whether one of unified words is a place or a compass word."""
    return not places().keys().isdisjoint(words)


def any_other_body(words: Sequence[str]) -> bool:
    """Return whether one of unified words makes another body."""
    return not _table().bodies.isdisjoint(words)


def makes_another_body(word: str) -> bool:
    """Return whether a unified word, added to a name, mostly names another body than the name alone."""
    return word in _table().bodies


@cache
def known_spellings() -> frozenset[tuple[str, str]]:
    """Return the pairs of a usual short form and the word it stands for."""
    return frozenset((short, word) for word, shorts in abbreviations().items() for short in shorts)


def is_known_spelling(short: str, long: str) -> bool:
    """Return whether ``short`` is a usual short form of ``long``, or its singular."""
    if (short, long) in known_spellings():
        return True
    return 0 < len(long) - len(short) < 3 and (
        long in (short + "s", short + "es") or (short.endswith("y") and long == short[:-1] + "ies")
    )
