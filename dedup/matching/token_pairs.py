"""The words of pairs of parts as arrays, and all pairs of words that the two parts do not share."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.process import cpdist

from dedup.matching.name_table import Bools, Floats, Ints, NameTable, WordTable
from dedup.runtime.arrays import ranges
from dedup.text.pairing import (
    ABBREVIATION_RATIO,
    KNOWN_SPELLING_RATIO,
    MIN_LENGTH_WITH_TYPO,
    MIN_LENGTH_WITH_UMLAUT,
    MIN_RATIO,
    TYPO_RATIO,
)

Tokens = NDArray[np.int32]

SLACK = 1e-6
_PLURAL_OF_Y = np.uint64(sum({1 << (ord(char) & 63) for char in "yies"}))
_UMLAUT = np.uint64(1 << (ord("e") & 63))


class Side:
    """The tokens of one side of m pairs of parts, in order; ``pair`` is the number of the pair that each belongs to.

    A token is ``unshared`` if the other side does not have it. An unshared token ``may_be_paired`` with another
    word, or left out by the pairing; otherwise it ``is_unpaired`` for certain. It ``may_be_settled`` without being
    respelt: because it ``may_be_joined``, or left out.
    """

    def __init__(self, table: NameTable, parts: Ints) -> None:
        words = table.words
        self.table, self.words, self.parts = table, words, parts
        self.m = len(parts)
        self.counts = table.starts[parts + 1] - table.starts[parts]
        self.ends = np.cumsum(self.counts)
        self.places = ranges(table.starts[parts], self.counts)
        self.tokens = table.tokens[self.places]
        self.pair = np.repeat(np.arange(self.m), self.counts)
        self.unshared = np.ones(len(self.tokens), np.bool_)
        self.may_be_paired = np.zeros(len(self.tokens), np.bool_)
        self.may_be_settled = np.zeros(len(self.tokens), np.bool_)
        self.may_be_joined = np.zeros(len(self.tokens), np.bool_)
        self.idf = words.idf[self.tokens]

    @property
    def firsts(self) -> Ints:
        """Return the position of the first token of each pair, (m,)."""
        result: Ints = self.ends - self.counts
        return result

    @cached_property
    def n_unshared(self) -> Floats:
        """The number of unshared tokens of each pair, (m,); valid once they are marked."""
        return self.sum(self.unshared)

    @cached_property
    def has_unshared(self) -> Bools:
        """Whether each pair has an unshared token, (m,)."""
        return self.n_unshared > 0

    @cached_property
    def has_shared(self) -> Bools:
        """Whether each pair has a shared token, (m,)."""
        return self.n_unshared < self.counts

    @cached_property
    def is_unpaired(self) -> Bools:
        """Whether each token is unpaired for certain; valid once ``may_be_paired`` is complete."""
        return self.unshared & ~self.may_be_paired

    @cached_property
    def n_unpaired(self) -> Floats:
        """The number of tokens of each pair, (m,), that are unpaired for certain."""
        return self.sum(self.is_unpaired)

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """The length of each token in characters."""
        return self.words.length[self.tokens]

    @cached_property
    def letters(self) -> NDArray[np.uint64]:
        """The letters of each token, as bits."""
        return self.words.letters[self.tokens]

    def sum(self, values: NDArray[np.generic]) -> Floats:
        """Return the sum over the tokens of each pair, (m,)."""
        return np.bincount(self.pair, values, self.m).astype(np.float64, copy=False)

    def highest(self, values: Floats) -> Floats:
        """Return the maximum over the tokens of each pair, (m,)."""
        result: Floats = np.maximum.reduceat(values, self.firsts)
        return result

    def any(self, which: Bools) -> Bools:
        """Return whether each pair has a token in ``which``, (m,)."""
        return self.sum(which) > 0

    def any_of(self, pairs: Ints) -> Bools:
        """Return which pairs (m,) are among ``pairs``."""
        result = np.zeros(self.m, np.bool_)
        result[pairs] = True
        return result

    def rest_may_follow(self) -> Bools:
        """Return whether no certainly unpaired token of a pair precedes its last shared one, (m,)."""
        at = np.arange(len(self.tokens))
        last_shared = self.highest(np.where(self.unshared, -1, at))
        return ~self.any(self.unshared & ~self.may_be_paired & (at < last_shared[self.pair]))


class TokenPairs:
    """The k pairs of an unshared left and an unshared right token, of the same parts, with like letters; as positions.

    ``may_be_respelt`` tells whether they may be spellings of one word, ``ratio`` how alike they can be at most,
    ``begins`` whether the shorter word may be the beginning or a short form of the longer, ``may_be_usual`` whether
    they may be usual spellings, and ``may_be_typo`` whether one may be a typing error that hardly anyone makes.
    """

    def __init__(self, left: Side, right: Side) -> None:
        words = left.words
        first, second = _share(left, right)
        alike = _have_like_letters(left, right, first, second)
        first, second = first[alike], second[alike]
        self.left, self.right, self.pair = first, second, left.pair[first]
        one, other = words.word[left.tokens[first]], words.word[right.tokens[second]]
        self.words = (one, other)
        self.lengths = words.length[one], words.length[other]
        letters = words.letters[one], words.letters[other]
        missing = letters[0] & ~letters[1], letters[1] & ~letters[0]
        same_first = words.first[one] == words.first[other]
        self.left_begins = same_first & (missing[0] == 0) & (self.lengths[0] < self.lengths[1])
        self.right_begins = same_first & (missing[1] == 0) & (self.lengths[1] < self.lengths[0])
        self.begins = self.left_begins | self.right_begins
        shorter, added = np.minimum(*self.lengths), np.abs(self.lengths[0] - self.lengths[1])
        edits = np.bitwise_count(missing[0]) + np.bitwise_count(missing[1])
        self.may_be_usual = _known(words, one, other)
        at = np.flatnonzero((edits <= len("yies")) & (added <= len("es")))
        self.may_be_usual[at] |= _may_be_inflected(missing[0][at] | missing[1][at], shorter[at], added[at])
        edits = np.maximum(edits, added)
        is_typo = (edits <= 2) & (shorter >= MIN_LENGTH_WITH_TYPO)
        ratio = 1 - edits / (self.lengths[0] + self.lengths[1])
        self.ratio = self._with_fixed_ratios(ratio, self.may_be_usual, self.begins, is_typo)
        self.may_be_respelt = (self.ratio >= MIN_RATIO - SLACK) & words.is_alpha[one] & words.is_alpha[other]
        self.may_be_respelt &= ~(words.is_place[one] & words.is_place[other])
        self.may_be_typo = np.zeros(len(one), np.bool_)
        self._compare_spellings(words)

    @staticmethod
    def _with_fixed_ratios(ratio: Floats, is_usual: Bools, is_short_form: Bools, is_typo: Bools) -> Floats:
        """Raise the ratios of usual spellings, short forms and typos to those that the pairing of words assigns."""
        ratio = np.where(is_typo, np.maximum(ratio, TYPO_RATIO), ratio)
        ratio = np.where(is_short_form, np.maximum(ratio, ABBREVIATION_RATIO), ratio)
        return np.where(is_usual, np.maximum(ratio, KNOWN_SPELLING_RATIO), ratio)

    def _compare_spellings(self, words: WordTable) -> None:
        """Tighten the bounds of the pairs left by the letter counts; a short form has its letters in order."""
        at = np.flatnonzero(self.may_be_respelt)
        spellings = [words.spelling[side[at]].tolist() for side in self.words]
        similarity = cpdist(*spellings, scorer=Indel.normalized_similarity, dtype=np.float32)
        lengths = self.lengths[0][at], self.lengths[1][at]
        in_order = similarity * (lengths[0] + lengths[1]) / 2
        is_short_form = self.begins[at] & (in_order > np.minimum(*lengths) - 0.5)
        is_typo = (1 - similarity) * (lengths[0] + lengths[1]) < 2.5
        is_typo &= np.minimum(*lengths) >= MIN_LENGTH_WITH_TYPO
        self.ratio[at] = self._with_fixed_ratios(similarity + SLACK, self.may_be_usual[at], is_short_form, is_typo)
        self.may_be_respelt[at] = self.ratio[at] >= MIN_RATIO
        rarer, commoner = np.sort([words.log_count[side[at]] for side in self.words], axis=0)
        self.may_be_typo[at] = is_typo & (rarer <= commoner / 2)


def _share(left: Side, right: Side) -> tuple[Ints, Ints]:
    """Mark the shared tokens; return the positions of all pairs of unshared ones."""
    counts = right.counts[left.pair]
    first = np.repeat(np.arange(len(left.tokens)), counts)
    second = ranges(right.firsts[left.pair], counts)
    equal = left.tokens[first] == right.tokens[second]
    left.unshared[first[equal]] = False
    right.unshared[second[equal]] = False
    rest = left.unshared[first] & right.unshared[second]
    return first[rest], second[rest]


def _have_like_letters(left: Side, right: Side, first: Ints, second: Ints) -> Ints:
    """Return which pairs of tokens may be spellings of one word; most are not, and are left out at once."""
    words = left.words
    one, other = left.letters[first], right.letters[second]
    sizes = left.lengths[first], right.lengths[second]
    different = one ^ other
    edits = np.maximum(np.bitwise_count(different), np.abs(sizes[0] - sizes[1]))
    result = edits <= (1 - MIN_RATIO) * (sizes[0] + sizes[1]) + SLACK
    result |= ((different & one) == 0) | ((different & other) == 0) | ((different & ~_PLURAL_OF_Y) == 0)
    result |= words.has_known[left.tokens[first]] & words.has_known[right.tokens[second]]
    return np.flatnonzero(result)


def _may_be_inflected(different: NDArray[np.uint64], shorter: Tokens, added: Tokens) -> Bools:
    """Return which pairs of words (k,) may differ in an ending of the plural, or in how umlauts are written.

    ``different`` are the letters that only one of them has.
    """
    is_plural = ((different & ~_PLURAL_OF_Y) == 0) & (added > 0)
    has_umlaut = ((different & ~_UMLAUT) == 0) & (shorter >= MIN_LENGTH_WITH_UMLAUT)
    return np.asarray(is_plural | has_umlaut)


def _known(words: WordTable, one: Tokens, other: Tokens) -> Bools:
    result = words.has_known[one] & words.has_known[other]
    result[result] = _find(words.known, words, one[result], other[result])[1]
    return result


def respelt_weights(words: WordTable, one: Tokens, other: Tokens) -> Floats:
    """Return the learnt weights of pairs of words (k,), 0 for pairs without one."""
    result = np.zeros(len(one))
    at = np.flatnonzero(words.has_respelt[one] & words.has_respelt[other])
    places, found = _find(words.respelt, words, one[at], other[at])
    result[at[found]] = words.respelt_weights[places[found]]
    return result


def _find(keys: Ints, words: WordTable, one: Tokens, other: Tokens) -> tuple[Ints, Bools]:
    """Return the position of each pair of words among the sorted keys, and whether it is there."""
    wanted = one.astype(np.int64) * len(words.word) + other
    places = np.searchsorted(keys, wanted)
    found = places < len(keys)
    found[found] = keys[places[found]] == wanted[found]
    return places, found
