"""Pairs of names of persons: which words are one name, in any order, and which have no counterpart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, Self

from rapidfuzz.distance import OSA, Indel

from dedup.evidence.persons.person_names import (
    PersonName,
    are_spellings,
    differ_in_gender,
    is_hangul,
    read,
    sounds_alike,
)

How = Literal["form", "sound", "spelling", "joined", "beginning", "initial", "gender"]
"""How two words are one name: a known form, an equal sound, a similar spelling, a beginning, an initial.

``joined``: one writes in one word what the other writes in two (``Van Dyke``, ``Vandyke``).
``gender``: one is the feminine of the other.
"""

_RATIOS = {"form": 0.95, "joined": 0.95, "sound": 0.9, "beginning": 0.7, "initial": 0.5, "gender": 0.3}
_ALIKE, _SHORTEST_ALIKE = 0.75, 3
_SHORTEST_JOINED = 4
_SHORTEST_BEGINNING = 3
_LONGEST_INITIALS = 3


class Matched(NamedTuple):
    """Two words that may be one name, how, and how alike they are, 0 to 1."""

    left: str
    right: str
    how: How
    ratio: float


class PersonPair(NamedTuple):
    """How the words of two names pair up."""

    left: PersonName
    right: PersonName
    shared: tuple[str, ...]
    matched: tuple[Matched, ...]
    left_only: tuple[str, ...]
    right_only: tuple[str, ...]

    def swapped(self) -> Self:
        """Return the same pair with its sides exchanged."""
        matched = tuple(one._replace(left=one.right, right=one.left) for one in self.matched)
        return self._replace(
            left=self.right,
            right=self.left,
            matched=matched,
            left_only=self.right_only,
            right_only=self.left_only,
        )

    @property
    def is_acronym(self) -> bool:
        """Whether one name is nothing but the initials of the other."""
        short, long = sorted((self.left, self.right), key=lambda name: len(name.joined))
        return len(long.words) > 1 and len(short.joined) > 1 and short.joined == long.initials


def pair_persons(left: Sequence[str], right: Sequence[str]) -> list[PersonPair]:
    """Pair up the words of normal forms; the two sides of a pair are sorted first.

    Two Korean names are compared by their syllables, one beside a Latin name as it is transliterated.
    """
    pairs = zip(left, right, strict=True)
    sides = ((min(one, other), max(one, other), is_hangul(one) and is_hangul(other)) for one, other in pairs)
    return [_pair(read(one, by_sign=both), read(other, by_sign=both)) for one, other, both in sides]


def _pair(left: PersonName, right: PersonName) -> PersonPair:
    counts, others = Counter(left.words), Counter(right.words)
    shared = tuple((counts & others).elements())
    left_only, right_only = list((counts - others).elements()), list((others - counts).elements())
    matched = _initials(left_only, right_only, swapped=False) + _initials(right_only, left_only, swapped=True)
    matched += _joined(left_only, right_only, swapped=False) + _joined(right_only, left_only, swapped=True)
    options = sorted(
        (
            (-found.ratio, i, j, found)
            for i, one in enumerate(left_only)
            for j, other in enumerate(right_only)
            if (found := _match(one, other))
        ),
        key=lambda option: option[:3],
    )
    rows: set[int] = set()
    columns: set[int] = set()
    for _, i, j, found in options:
        if i not in rows and j not in columns:
            rows.add(i)
            columns.add(j)
            matched.append(found)
    return PersonPair(
        left, right, shared, tuple(matched), tuple(_others(left_only, rows)), tuple(_others(right_only, columns))
    )


def _others(words: Sequence[str], taken: Iterable[int]) -> list[str]:
    return [word for place, word in enumerate(words) if place not in taken]


def _initials(short: list[str], long: list[str], *, swapped: bool) -> list[Matched]:
    """Take initials written as one word (``JP``) out of ``short``, and the words they stand for out of ``long``."""
    found = []
    for word in [word for word in short if 1 < len(word) <= _LONGEST_INITIALS]:
        for at in range(len(long) - len(word) + 1):
            words = long[at : at + len(word)]
            if "".join(one[0] for one in words) == word:
                whole = " ".join(words)
                short.remove(word)
                del long[at : at + len(word)]
                found.append(Matched(*((whole, word) if swapped else (word, whole)), "initial", _RATIOS["initial"]))
                break
    return found


def _joined(parts: list[str], wholes: list[str], *, swapped: bool) -> list[Matched]:
    """Take words out of ``wholes`` that are two words of the other name, and these out of ``parts``."""
    found = []
    for whole in [word for word in wholes if len(word) >= _SHORTEST_JOINED]:
        for first, second in list(pairwise(parts)):
            if OSA.distance(first + second, whole, score_cutoff=1) <= 1:
                apart = f"{first} {second}"
                wholes.remove(whole)
                parts.remove(first)
                parts.remove(second)
                found.append(Matched(*((whole, apart) if swapped else (apart, whole)), "joined", _RATIOS["joined"]))
                break
    return found


def _match(one: str, other: str) -> Matched | None:
    """Return how two unequal words may be one name, None if they are two."""
    how, ratio = _how(one, other)
    return Matched(one, other, how, ratio or _RATIOS[how]) if how else None


def _how(one: str, other: str) -> tuple[How | None, float]:
    shorter = min(len(one), len(other))
    if shorter == 1:
        return ("initial" if one[0] == other[0] else None), 0.0
    if sounds_alike(one, other) and not differ_in_gender(one, other):
        return "sound", 0.0
    if are_spellings(one, other):
        return "form", 0.0
    if differ_in_gender(one, other):
        return "gender", 0.0
    ratio = Indel.normalized_similarity(one, other)
    if shorter >= _SHORTEST_ALIKE and (ratio >= _ALIKE or OSA.distance(one, other, score_cutoff=1) <= 1):
        return "spelling", max(ratio, _ALIKE)
    if shorter >= _SHORTEST_BEGINNING and (one.startswith(other) or other.startswith(one)):
        return "beginning", 0.0
    return None, 0.0
