"""Pairs of names: which of their parts fit best, and how the words of these parts pair up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist

from dedup.evidence.long_texts import are_long, pair_long
from dedup.runtime import threads
from dedup.text.gazetteer import well_known_words
from dedup.text.names import NO_WIDTHS, Name, Parts, initials_of, take_apart
from dedup.text.pairing import LONGEST_ACRONYM, Pairing, pair_parts
from dedup.text.sound import are_compared_in_kana, by_sound, in_kana
from dedup.text.transliteration import written_out
from dedup.text.word_weights import WordModel

_MIN_PAIRS_FOR_THREADS = 2_000
"""Starting a thread takes as long as comparing some hundred pairs."""


class NamePair(NamedTuple):
    """Two names, the part of each that fits the other best, and how the words of these parts pair up."""

    left: Parts
    right: Parts
    left_part: Name
    right_part: Name
    pairing: Pairing

    @property
    def are_of_two_scripts(self) -> bool:
        """Whether they are compared by sound, or one is in Latin letters and the other does not spell its sounds."""
        if are_compared_in_kana(self.left, self.right):
            return False
        if self.left.is_latin != self.right.is_latin:
            return not (self.left.is_spelt and self.right.is_spelt)
        return self.left.has_han != self.right.has_han and not (self.left.has_kana and self.right.has_kana)

    def swapped(self) -> NamePair:
        """Return the same pair with its sides exchanged."""
        pairing = self.pairing
        respelt = tuple(spelt._replace(left=spelt.right, right=spelt.left) for spelt in pairing.respelt)
        swapped = pairing._replace(respelt=respelt, left_only=pairing.right_only, right_only=pairing.left_only)
        return NamePair(self.right, self.left, self.right_part, self.left_part, swapped)

    @property
    def is_acronym(self) -> bool:
        """Whether the letters of one name are the initials of the other: 3 to 6, or fewer if they are well known."""
        short, long = self.left_part, self.right_part
        if len(short.core) >= len(long.core):
            short, long = long, short
        letters = short.core.replace(" ", "")
        if len(long.words) == 1 or len(letters) > LONGEST_ACRONYM:
            return False
        known = well_known_words(letters)
        return (bool(known) and known.issubset(long.words)) or letters == initials_of(long)


@dataclass(frozen=True, slots=True)
class PairBatch:
    """What evidence is computed from: n name pairs, their siamese cosines (n,), and what is known about words."""

    pairs: Sequence[NamePair]
    similarities: NDArray[np.float32]
    word_model: WordModel


def pair_names(left: Sequence[str], right: Sequence[str], widths: frozenset[int] = NO_WIDTHS) -> list[NamePair]:
    """Parse pairs of normal forms and pair up their best fitting parts.

    ``widths`` are the lengths at which the corpus of the names cuts them off. The two names of a pair are sorted
    first, because some measures are not quite symmetric.
    """
    ordered = [(b, a) if b < a else (a, b) for a, b in zip(left, right, strict=True)]
    names = [_comparable(a, b, widths) for a, b in ordered]
    return [
        NamePair(a, b, left_part, right_part, _pairing(a, b, left_part, right_part))
        for (a, b), (left_part, right_part) in zip(names, _best_parts(names), strict=True)
    ]


def _pairing(left: Parts, right: Parts, first: Name, second: Name) -> Pairing:
    """Pair up the words of two parts, ``first`` and ``second``, of two names."""
    if are_long(first, second):
        return pair_long(first, second, are_of_two_alphabets=left.is_latin != right.is_latin)
    return pair_parts(left, right, first, second)


def _comparable(a: str, b: str, widths: frozenset[int]) -> tuple[Parts, Parts]:
    """Parse two normal forms; by sound, if one is in kana, or only one in Latin letters or with Chinese characters.

    Umlauts are read as the other name writes them.
    """
    left, right = take_apart(a, widths), take_apart(b, widths)
    if left.is_latin and right.is_latin:
        if left.has_umlaut and right.may_be_written_out:
            left = take_apart(written_out(a, b), widths)
        if right.has_umlaut and left.may_be_written_out:
            right = take_apart(written_out(b, a), widths)
        return left, right
    if are_compared_in_kana(left, right):
        return in_kana(a, b)
    if left.is_latin == right.is_latin and left.has_han == right.has_han:
        return left, right
    if right.has_han:
        left = by_sound(a, right)
        return left, by_sound(b, left)
    right = by_sound(b, left)
    return by_sound(a, right), right


def _best_parts(names: list[tuple[Parts, Parts]]) -> list[tuple[Name, Name]]:
    """Return the two parts of each pair of names whose sorted words are most alike, the first in case of a tie."""
    best = [(a.parts[0], b.parts[0]) for a, b in names]
    options = [
        (row, left_part, right_part)
        for row, (a, b) in enumerate(names)
        if len(a.parts) + len(b.parts) > 2
        for left_part in a.parts
        for right_part in b.parts
    ]
    if options:
        ratios = string_similarities(
            fuzz.token_sort_ratio, [left.core for _, left, _ in options], [right.core for _, _, right in options]
        )
        highest: dict[int, float] = {}
        for (row, left_part, right_part), ratio in zip(options, ratios.tolist(), strict=True):
            if ratio > highest.get(row, -1.0):
                highest[row], best[row] = ratio, (left_part, right_part)
    return best


def named_columns(names: Sequence[str], rows: Sequence[tuple[float, ...]]) -> Mapping[str, NDArray[np.float32]]:
    """Return the columns (n,) of n rows by name."""
    columns = np.array(rows, dtype=np.float32).reshape(-1, len(names)).T
    return dict(zip(names, columns, strict=True))


def string_similarities(scorer: Callable[..., float], left: list[str], right: list[str]) -> NDArray[np.float32]:
    """Apply a RapidFuzz scorer to each pair of strings, (n,); large batches use several threads."""
    workers = threads.count() if len(left) > _MIN_PAIRS_FOR_THREADS else 1
    return cpdist(left, right, scorer=scorer, workers=workers, dtype=np.float32)
