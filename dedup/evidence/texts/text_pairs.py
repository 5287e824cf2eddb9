"""Pairs of texts: which words both have, which are spelt in two ways, and which have no counterpart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple, Self

from rapidfuzz.distance import Indel

from dedup.evidence.texts.text_words import TextWords, is_model_number, read

_MOST_COMPARED = 400
"""Number of pairs of unequal words that are compared; beyond, as in documents, only equal words are paired."""

_ALIKE = 0.75
"""Indel similarity from which two words are taken for spellings of one."""

_SHORTEST_ALIKE = 4
_BEGINNING = 0.8
"""How much of a word its beginning stands for (``prof``, ``professional``), and its first letter alone:"""
_INITIAL = 0.5

_SHORTEST_PART = 4
_LEAST_PART = 0.6
"""Length of the beginning of a model number, and its share, that stands for the whole number."""


class Spelt(NamedTuple):
    """A word in two spellings, and how alike they are, 0 to 1."""

    left: str
    right: str
    ratio: float


class ModelNumber(NamedTuple):
    """A model number, and how much of it the other text has, 0 to 1."""

    number: str
    share: float


class TextPair(NamedTuple):
    """How the words of two texts pair up.

    ``joined`` are words that one text writes in two, ``numbers`` model numbers that the other text has in part or
    written apart.
    """

    left: TextWords
    right: TextWords
    shared: tuple[str, ...]
    joined: tuple[str, ...]
    respelt: tuple[Spelt, ...]
    numbers: tuple[ModelNumber, ...]
    left_only: tuple[str, ...]
    right_only: tuple[str, ...]

    def swapped(self) -> Self:
        """Return the same pair with its sides exchanged."""
        respelt = tuple(Spelt(spelt.right, spelt.left, spelt.ratio) for spelt in self.respelt)
        return self._replace(
            left=self.right,
            right=self.left,
            respelt=respelt,
            left_only=self.right_only,
            right_only=self.left_only,
        )


def pair_texts(left: Sequence[str], right: Sequence[str]) -> list[TextPair]:
    """Pair up the words of normal forms; the two sides of a pair are sorted first."""
    return [_pair(read(min(one, other)), read(max(one, other))) for one, other in zip(left, right, strict=True)]


def _pair(left: TextWords, right: TextWords) -> TextPair:
    counts, others = Counter(left.words), Counter(right.words)
    shared = tuple((counts & others).elements())
    left_only, right_only = list((counts - others).elements()), list((others - counts).elements())
    joined: list[str] = []
    numbers: list[ModelNumber] = []
    respelt: list[Spelt] = []
    if left_only and right_only:
        joined = _joined(left_only, right_only, right.words) + _joined(right_only, left_only, left.words)
        numbers = _numbers(left_only, right_only, right) + _numbers(right_only, left_only, left)
        respelt, left_only, right_only = _respelt(left_only, right_only)
    return TextPair(
        *(left, right, shared, tuple(joined), tuple(respelt), tuple(numbers), tuple(left_only), tuple(right_only))
    )


def _joined(wholes: list[str], parts: list[str], words: Sequence[str]) -> list[str]:
    """Take the words out of ``wholes`` that are two words of the other text, and these out of ``parts``."""
    found = []
    for whole in [word for word in wholes if len(word) > 2]:
        for first, second in pairwise(words):
            if first + second == whole and first in parts and second in parts:
                parts.remove(first)
                if second in parts:
                    parts.remove(second)
                wholes.remove(whole)
                found.append(whole)
                break
    return found


def _numbers(words: list[str], opposite: list[str], other: TextWords) -> list[ModelNumber]:
    """Take the model numbers out of ``words`` that the other text has in one or several words, or their beginning.

    A number that goes on otherwise is another one (``kxtg9341t``, ``kxtg9343t``). The words of the other text that
    make up the number are taken out of ``opposite``.
    """
    found = []
    ends = frozenset(accumulate(map(len, other.words)))
    for word in [word for word in words if is_model_number(word)]:
        least = max(_SHORTEST_PART, round(_LEAST_PART * len(word)))
        for size in range(len(word), least - 1, -1):
            part = word[:size]
            if not part.isalpha() and any(
                match.start() + size in ends for match in re.finditer(f"(?={re.escape(part)})", other.joined)
            ):
                words.remove(word)
                found.append(ModelNumber(word, size / len(word)))
                for piece in [o for o in opposite if (len(o) > 1 and o in word) or o.startswith(part)]:
                    opposite.remove(piece)
                break
    return found


def _respelt(left: list[str], right: list[str]) -> tuple[list[Spelt], list[str], list[str]]:
    """Pair up words that may be spellings of one, the most alike first; return them, and the other words."""
    if not left or not right or len(left) * len(right) > _MOST_COMPARED:
        return [], left, right
    options = sorted(
        (-ratio, i, j) for i, one in enumerate(left) for j, other in enumerate(right) if (ratio := _ratio(one, other))
    )
    of_left: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for ratio, i, j in options:
        if i not in of_left and j not in taken:
            of_left[i] = j, -ratio
            taken.add(j)
    return (
        [Spelt(left[i], right[j], ratio) for i, (j, ratio) in sorted(of_left.items())],
        [word for i, word in enumerate(left) if i not in of_left],
        [word for j, word in enumerate(right) if j not in taken],
    )


def _ratio(one: str, other: str) -> float:
    """Return how alike two words are that may be one, else 0; a number is no spelling of another."""
    if one[0] != other[0] or not (one.isalpha() and other.isalpha()):
        return 0.0
    if min(len(one), len(other)) == 1:
        return _INITIAL
    if one.startswith(other) or other.startswith(one):
        return _BEGINNING
    if min(len(one), len(other)) < _SHORTEST_ALIKE:
        return 0.0
    ratio = Indel.normalized_similarity(one, other)
    return ratio if ratio >= _ALIKE else 0.0
