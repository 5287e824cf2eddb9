"""What the name of a column says of it.

Words of up to three letters must be words of the name or follow the word for a company or customer (``kundnr``); longer
ones, and all in scripts without spaces, may be part of a compound (``Kundennummer``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from indexer.reading.detection.header_words import (
    CITY,
    COUNTRY,
    FAIR_TEXT,
    FIRST_NAME,
    GIVEN_OR_FULL,
    ID,
    LAST_NAME,
    NAME,
    OTHER,
    OWN_ID,
    OWNER,
    POSTCODE,
    REGISTERED,
    TAX,
    TEXT,
    WEAK_TEXT,
    key_of,
    words_of,
)

_ADDITION = re.compile(r"\s*[(\[（][^()\[\]（）]*[)\]）]\s*$")
"""What stands in brackets at the end of a name, such as ``(18)`` or ``(EUR)``."""
_SHORT = 3
_LINKS = ("", "s", "n", "en", "es", "er", "e", "i", "record", "ref")
_HEAD_FIRST = re.compile("[\u0e00-\u0eff\u1780-\u17ff]")
"""Scripts without spaces whose compounds begin with their head, such as Thai."""
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name says of its column: how far it is the text or the id (-1 to 1), and whether it is of another kind."""

    text: float = 0.0
    id: float = 0.0
    kind: str | None = None


@cache
def meaning_of(name: str) -> Meaning:
    """Return what the name of a column says."""
    bare = _ADDITION.sub("", name.removeprefix("*")) or name
    key = key_of(bare)
    for kind, words in _KINDS.items():
        if key in words:
            return Meaning(-1, -1, kind)
    if key in OWN_ID:
        return Meaning(-1, 1.0)
    if key in TEXT:
        return Meaning(1.0, -1)
    if key in REGISTERED:
        return Meaning(-1, 0.7)
    if key in TAX:
        return Meaning(-1, 0.4)
    if key in FAIR_TEXT:
        return Meaning(0.5, -1)
    if key in WEAK_TEXT:
        return Meaning(0.3, -1)
    return _of_parts(_Parts(bare))


def may_be_half_of_a_name(name: str) -> bool:
    """Return whether a column of this name may hold given names only, or surnames."""
    return key_of(name) in GIVEN_OR_FULL


_KINDS = {
    "city": CITY,
    "postcode": POSTCODE,
    "country": COUNTRY,
    "first name": FIRST_NAME,
    "last name": LAST_NAME,
    "other": OTHER,
}


class _Parts:
    """The words of a name, and which vocabulary is in them."""

    def __init__(self, name: str) -> None:
        self.words = words_of(name)
        self._key = "".join(self.words)

    def has(self, vocabulary: frozenset[str]) -> bool:
        """Return whether a word, two neighbouring words or a part of a compound is in a vocabulary."""
        return any(word in vocabulary for word in _neighbours(self.words)) or any(
            part in self._key for part in _parts_of_compounds(vocabulary)
        )

    def ends(self, vocabulary: frozenset[str]) -> bool:
        """Return whether the first or last word, or the end of the last one, is in a vocabulary."""
        if not self.words:
            return False
        parts = _parts_of_compounds(vocabulary)
        starts = tuple(part for part in parts if _HEAD_FIRST.match(part))
        is_word = self.words[-1] in vocabulary or self.words[0] in vocabulary
        return is_word or self._key.endswith(tuple(parts)) or self._key.startswith(starts)

    def follows_owner(self, vocabulary: frozenset[str]) -> bool:
        """Return whether a word is that for a company or customer and one of a vocabulary, such as ``kundnr``."""
        return any(
            rest.removeprefix(link) in vocabulary
            for word in self.words
            for owner in OWNER
            if (len(owner) >= _SHORT or _WITHOUT_SPACES.match(owner))
            and word.startswith(owner)
            and (rest := word[len(owner) :])
            for link in _LINKS
        )


@cache
def _parts_of_compounds(vocabulary: frozenset[str]) -> list[str]:
    return [word for word in vocabulary if len(word) > _SHORT + 1 or _WITHOUT_SPACES.search(word)]


def _of_parts(parts: _Parts) -> Meaning:
    is_ours, is_other = parts.has(OWNER), any(word in OTHER for word in parts.words)
    for kind in ("postcode", "city", "country", "first name", "last name"):
        if any(len(word) > 2 and word in _KINDS[kind] for word in _neighbours(parts.words)):
            return Meaning(-1, -1, kind)
    if parts.has(TEXT - NAME) and not is_other and not parts.ends(ID):
        return Meaning(0.9, -1)
    if parts.ends(ID) or parts.follows_owner(ID):
        return Meaning(-1, -1, "other") if is_other else Meaning(-1, 0.9 if is_ours or not parts.words[1:] else 0.6)
    if is_other:
        return Meaning(-1, -1, "other")
    if any(word in REGISTERED for word in parts.words):
        return Meaning(-1, 0.6)
    if parts.ends(NAME):
        return Meaning(0.95 if is_ours else 0.6, -1)
    if is_ours:
        return Meaning(0.8, 0)
    return Meaning(-1, -1, "other") if parts.has(OTHER) else Meaning()


def _neighbours(words: list[str]) -> list[str]:
    """Return the words, and each two that follow one another as one."""
    return [*words, *(first + second for first, second in pairwise(words))]
