"""Which words of many pairs of parts may be acronyms, which words they may stand for, and how much that can say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.qualifiers import CHANCE_ACRONYM, NATS_OF_AN_INITIAL, WELL_KNOWN_ACRONYM
from dedup.matching.name_table import Bools, Floats, Ints, as_bytes
from dedup.matching.token_pairs import Side
from dedup.text.pairing import LONGEST_ACRONYM


@dataclass(frozen=True, slots=True)
class Acronyms:
    """Bounds on the acronyms of m pairs of parts: how much they say at most (m,), 0 for none.

    ``idf`` is the most that the words they stand for sum to, (m,), and ``of_wholes`` tells whether one part may be
    the acronym of the other, (m,).
    """

    strength: Floats
    idf: Floats
    of_wholes: Bools

    @classmethod
    def between(cls, left: Side, right: Side) -> Acronyms:
        """Find them, and mark the words that they may pair."""
        strength, idf = np.zeros(left.m), np.zeros(left.m)
        of_wholes = np.zeros(left.m, np.bool_)
        for short, long in ((left, right), (right, left)):
            acronyms, expanded = _mark_expansions(short, long, _stand_for_words(short, long))
            well_known = short.words.is_well_known[short.tokens[acronyms]]
            _raise(strength, short.pair[acronyms], short.lengths[acronyms], well_known)
            idf += long.sum(long.idf * expanded)
            pairs = np.flatnonzero(_stand_for_wholes(short, long))
            parts = short.parts[pairs]
            _raise(strength, pairs, short.table.core_size[parts], short.table.is_well_known[parts])
            of_wholes[pairs] = True
        return cls(strength, idf, of_wholes)


def _raise(strength: Floats, pairs: Ints, sizes: NDArray[np.int32], well_known: Bools) -> None:
    """Raise the bounds (m,) of these pairs to what acronyms of these sizes say."""
    of_letters = np.maximum(CHANCE_ACRONYM, NATS_OF_AN_INITIAL * sizes)
    np.maximum.at(strength, pairs, np.where(well_known, WELL_KNOWN_ACRONYM, of_letters))


def _stand_for_words(short: Side, long: Side) -> Ints:
    """Return the tokens of ``short`` that have the letters to stand for several words of ``long``."""
    words = short.words
    at = np.flatnonzero(short.unshared & (short.lengths > 1) & (short.lengths <= LONGEST_ACRONYM))
    at = at[words.is_alpha[short.tokens[at]]]
    size, pair = short.lengths[at], short.pair[at]
    fits = (long.n_unshared[pair] >= size) & ((size > 2) | short.has_shared[pair])
    firsts = np.where(long.unshared, np.uint64(1) << (words.first[long.tokens] & 63).astype(np.uint64), np.uint64(0))
    fits &= (short.letters[at] & ~np.bitwise_or.reduceat(firsts, long.firsts)[pair]) == 0
    result: Ints = at[fits]
    return result


def _mark_expansions(short: Side, long: Side, tokens: Ints) -> tuple[Ints, Bools]:
    """Return the acronyms among ``tokens`` and which tokens of ``long`` these may stand for.

    They are consecutive ones that begin with its letters. Both are marked as words that may be paired.
    """
    firsts = np.where(long.unshared, long.words.first[long.tokens], 0).astype(np.uint8).tobytes()
    pairs = short.pair[tokens]
    found, expanded = [], np.zeros(len(long.tokens), np.bool_)
    spellings = short.words.spelling[short.tokens[tokens]].tolist()
    places = zip(tokens.tolist(), spellings, long.firsts[pairs].tolist(), long.ends[pairs].tolist(), strict=True)
    for token, spelling, begin, end in places:
        letters = as_bytes(spelling)
        at = firsts.find(letters, begin, end)
        if at >= 0:
            found.append(token)
        while at >= 0:
            expanded[at : at + len(letters)] = True
            at = firsts.find(letters, at + 1, end)
    short.may_be_paired[found] = True
    long.may_be_paired |= expanded
    return np.array(found, np.int64), expanded


def _stand_for_wholes(short: Side, long: Side) -> Bools:
    """Return which parts (m,) of ``short`` may be the acronym of the whole part of ``long``."""
    table = short.table
    initials = table.initials_code[long.parts]
    fits: Bools = (initials != 0) & (table.core_code[short.parts] == initials)
    fits |= table.is_well_known[short.parts]
    return fits & (long.counts > 1) & (table.core_length[short.parts] <= table.core_length[long.parts])
