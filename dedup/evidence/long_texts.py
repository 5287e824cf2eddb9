"""Pairs of long texts, compared by cheaper evidence: in time that grows with their length, not with its square.

Equal words are paired wherever they stand. The others are compared only with those between the same two equal words,
and only as many as a text with some corrections has. What is left is compared letter by letter at its beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from dedup.text.names import LONG_TEXT, REMEMBERED_LONG, Name
from dedup.text.pairing import Acronym, Pairing, Respelling, pair_between

_MOST_COMPARED = 256
"""Number of pairs of unequal words that are compared in two texts; beyond, only equal words are paired."""

_WIDEST_GAP = 256
"""Number of letters between two equal words up to which words are compared; a Chinese text may be a single word."""

_LONGEST_REST = 1_024
"""Number of characters at the beginning of what is left of a text that stand for all of it."""

_STEP = np.int64(0x1E37_79B9_7F4A_7C15)
Bools = NDArray[np.bool_]


def are_long(left: Name, right: Name) -> bool:
    """Return whether two names are so long that they are compared by cheaper evidence."""
    return min(len(left.core), len(right.core)) >= LONG_TEXT


def pair_long(left: Name, right: Name, *, are_of_two_alphabets: bool) -> Pairing:
    """Pair up the words of two long texts; ``are_of_two_alphabets``: whether one of them is a transliteration."""
    is_shared, of_other = _shared(left.words, right.words)
    shared = list(compress(left.words, is_shared.tolist()))
    respelt: list[Respelling] = []
    acronyms: list[Acronym] = []
    left_only: list[str] = []
    right_only: list[str] = []
    gaps = _gaps(right.words, of_other)
    rest = _MOST_COMPARED
    for place, words in _gaps(left.words, is_shared).items():
        opposite = gaps.pop(place, [])
        if not opposite or len(words) * len(opposite) > rest or max(_size(words), _size(opposite)) > _WIDEST_GAP:
            left_only += words
            right_only += opposite
            continue
        rest -= len(words) * len(opposite)
        found = pair_between(tuple(words), tuple(opposite), are_of_two_alphabets=are_of_two_alphabets)
        shared += found.shared
        respelt += found.respelt
        acronyms += found.acronyms
        left_only += found.left_only
        right_only += found.right_only
    for words in gaps.values():
        right_only += words
    return Pairing(tuple(shared), tuple(respelt), tuple(left_only), tuple(right_only), False, tuple(acronyms))


def _shared(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[Bools, Bools]:
    """Return which of the n and of the m words both texts have, (n,) and (m,), each as often as the other has it."""
    (keys, places), (others, opposite) = _keys(left), _keys(right)
    at = np.searchsorted(others, keys)
    at[at == len(others)] = 0
    found = others[at] == keys
    result = np.zeros(len(left), np.bool_), np.zeros(len(right), np.bool_)
    result[0][places[found]] = True
    result[1][opposite[at[found]]] = True
    return result


@lru_cache(maxsize=REMEMBERED_LONG)
def _keys(words: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return a key for each of n words in ascending order, (n,), another for each time it occurs, and its place, (n,).

    Equal words have equal keys.
    """
    keys = np.fromiter(map(hash, words), np.int64, len(words))
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    counts = np.arange(len(words))
    counts -= np.maximum.accumulate(np.where(np.diff(keys, prepend=~keys[:1]), counts, 0))
    keys += counts * _STEP
    again = np.argsort(keys)
    return keys[again], order[again].astype(np.int32)


def _gaps(words: Sequence[str], is_shared: Bools) -> dict[tuple[str, str], list[str]]:
    """Return the words that the other text does not have, by the words before and after them that it has, in order."""
    gaps: dict[tuple[str, str], list[str]] = {}
    edges = np.flatnonzero(np.diff(is_shared, prepend=True, append=True))
    for start, end in edges.reshape(-1, 2).tolist():
        place = (words[start - 1] if start else "", words[end] if end < len(words) else "")
        gaps.setdefault(place, []).extend(words[start:end])
    return gaps


def _size(words: Sequence[str]) -> int:
    return sum(map(len, words))


def rest_of(pairing: Pairing) -> tuple[str, str]:
    """Return what is left of two texts without their equal words: the first of the other words of each."""
    return _beginning([*pairing.left_only, *(spelt.left for spelt in pairing.respelt)]), _beginning(
        [*pairing.right_only, *(spelt.right for spelt in pairing.respelt)]
    )


def _beginning(words: Sequence[str]) -> str:
    return " ".join(words[:_LONGEST_REST])[:_LONGEST_REST]


def share_of_equal_words(left: Name, right: Name, pairing: Pairing) -> float:
    """Return the share of the characters of two texts, 0 to 1, that are in words which both have."""
    equal = sum(map(len, pairing.shared)) + len(pairing.shared)
    return min(1.0, 2 * equal / (len(left.core) + len(right.core) + 2))
