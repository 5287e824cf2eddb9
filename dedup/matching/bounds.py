"""Bounds on the evidence of pairs of names, worked out on arrays, each far cheaper than the evidence itself.

Letters that two names do not share are edits between them. A word that resembles no word of the other side
stays without partner, whatever becomes of the rest.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.process import cpdist

from dedup.evidence.qualifiers import LONGEST_SHORT_NAME
from dedup.matching.name_table import Bools, Floats, Ints, NameTable, WordTable
from dedup.runtime.arrays import ranges
from dedup.text.pairing import ABBREVIATION_CREDIT, KNOWN_CREDIT, LEAST_LIKENESS

Bound = tuple[NDArray[np.floating], Literal["exactly", "at most", "at least"]]
"""What is known of one column of evidence: values (n,), and how the evidence relates to them."""

Tokens = NDArray[np.int32]

_SLACK = 1e-6
_PLURAL_OF_Y = np.uint64(sum({1 << (ord(char) & 63) for char in "yies"}))


class _Side:
    """The tokens of one side of m pairs of parts: ``owner`` says of which pair, ``free`` whether not shared.

    A free token is ``unsure`` if it may get a partner or be left out; the others are ``sure`` to stay.
    """

    def __init__(self, table: NameTable, parts: Ints) -> None:
        words = table.words
        self.table, self.words, self.parts = table, words, parts
        self.m = len(parts)
        self.counts = table.starts[parts + 1] - table.starts[parts]
        self.ends = np.cumsum(self.counts)
        self.places = ranges(table.starts[parts], self.counts)
        self.tokens = table.tokens[self.places]
        self.owner = np.repeat(np.arange(self.m), self.counts)
        self.free = np.ones(len(self.tokens), np.bool_)
        self.unsure = np.zeros(len(self.tokens), np.bool_)
        self.rarity = words.rarity[self.tokens]

    @property
    def firsts(self) -> Ints:
        """Return where the tokens of each pair begin."""
        result: Ints = self.ends - self.counts
        return result

    @cached_property
    def sure(self) -> Bools:
        """Whether each token stays without partner; read when all unsure ones are marked."""
        return self.free & ~self.unsure

    def sum(self, values: NDArray[np.generic]) -> Floats:
        """Return the sum over the tokens of each pair, (m,)."""
        return np.bincount(self.owner, values, self.m).astype(np.float64, copy=False)

    def highest(self, values: Floats) -> Floats:
        """Return the maximum over the tokens of each pair, (m,)."""
        result: Floats = np.maximum.reduceat(values, self.firsts)
        return result

    def any(self, which: Bools) -> Bools:
        """Return whether each pair has such a token, (m,)."""
        result = np.zeros(self.m, np.bool_)
        result[self.owner[which]] = True
        return result

    def rest_may_follow(self) -> Bools:
        """Return whether no sure token of a pair comes before its last shared one, (m,)."""
        at = np.arange(len(self.tokens))
        last_shared = self.highest(np.where(self.free, -1, at))
        return ~self.any(self.free & ~self.unsure & (at < last_shared[self.owner]))


class _Meetings:
    """Pairs of a left and a right token of one pair of parts, neither of which is shared: places (k,) of each.

    ``spelt`` tells which may be spellings of one word and ``likeness`` how alike they can be; ``begins``
    whether the shorter word may begin the longer.
    """

    def __init__(self, left: _Side, right: _Side) -> None:
        words = left.words
        first, second = _share(left, right)
        self.left, self.right, self.owner = first, second, left.owner[first]
        one, other = words.word[left.tokens[first]], words.word[right.tokens[second]]
        self.words = (one, other)
        self.lengths = words.length[one], words.length[other]
        self.letters = words.letters[one], words.letters[other]
        missing = self.letters[0] & ~self.letters[1], self.letters[1] & ~self.letters[0]
        same_first = words.first[one] == words.first[other]
        self.left_begins = same_first & (missing[0] == 0) & (self.lengths[0] < self.lengths[1])
        self.right_begins = same_first & (missing[1] == 0) & (self.lengths[1] < self.lengths[0])
        self.begins = self.left_begins | self.right_begins
        edits = np.bitwise_count(missing[0]) + np.bitwise_count(missing[1])
        edits = np.maximum(edits, np.abs(self.lengths[0] - self.lengths[1]))
        is_usual = _known(words, one, other) | (((missing[0] | missing[1]) & ~_PLURAL_OF_Y) == 0)
        self.likeness = self._credited(1 - edits / (self.lengths[0] + self.lengths[1]), is_usual, self.begins)
        self.spelt = (self.likeness >= LEAST_LIKENESS - _SLACK) & words.is_alpha[one] & words.is_alpha[other]
        self.spelt &= ~(words.is_place[one] & words.is_place[other])
        self._look_closer(words, is_usual)

    @staticmethod
    def _credited(likeness: Floats, is_usual: Bools, is_short_form: Bools) -> Floats:
        """Return how alike words are at most of which some may be usual spellings or short forms of one another."""
        likeness = np.where(is_short_form, np.maximum(likeness, ABBREVIATION_CREDIT), likeness)
        return np.where(is_usual, np.maximum(likeness, KNOWN_CREDIT), likeness)

    def _look_closer(self, words: WordTable, is_usual: Bools) -> None:
        """Compare the words that by their letters may be spellings of one; letters in order are a short form's."""
        at = np.flatnonzero(self.spelt)
        spellings = [words.spelling[side[at]].tolist() for side in self.words]
        similarity = cpdist(*spellings, scorer=Indel.normalized_similarity, dtype=np.float32)
        lengths = self.lengths[0][at], self.lengths[1][at]
        in_order = similarity * (lengths[0] + lengths[1]) / 2
        is_short_form = self.begins[at] & (in_order > np.minimum(*lengths) - 0.5)
        self.likeness[at] = self._credited(similarity + _SLACK, is_usual[at], is_short_form)
        self.spelt[at] = self.likeness[at] >= LEAST_LIKENESS


def _share(left: _Side, right: _Side) -> tuple[Ints, Ints]:
    """Take the shared tokens out of ``free``; return the places of all pairs of tokens that are left."""
    fellows = right.counts[left.owner]
    first = np.repeat(np.arange(len(left.tokens)), fellows)
    second = ranges(right.firsts[left.owner], fellows)
    equal = left.tokens[first] == right.tokens[second]
    left.free[first[equal]] = False
    right.free[second[equal]] = False
    rest = left.free[first] & right.free[second]
    return first[rest], second[rest]


def _known(words: WordTable, one: Tokens, other: Tokens) -> Bools:
    result = words.has_known[one] & words.has_known[other]
    result[result] = _find(words.known, words, one[result], other[result])[1]
    return result


def _respelt_weights(words: WordTable, one: Tokens, other: Tokens) -> Floats:
    result = np.zeros(len(one))
    at = np.flatnonzero(words.has_respelt[one] & words.has_respelt[other])
    places, found = _find(words.respelt, words, one[at], other[at])
    result[at[found]] = words.respelt_weights[places[found]]
    return result


def _find(keys: Ints, words: WordTable, one: Tokens, other: Tokens) -> tuple[Ints, Bools]:
    """Return where among the keys each pair of words would be, and whether it is there."""
    wanted = one.astype(np.int64) * len(words.word) + other
    places = np.searchsorted(keys, wanted)
    found = places < len(keys)
    found[found] = keys[places[found]] == wanted[found]
    return places, found


def bounds_of_names(table: NameTable, first: Ints, second: Ints) -> dict[str, Bound]:
    """Return bounds on what does not depend on the parts compared, for pairs of names (n,)."""
    edits = _edits(table.letters[first], table.letters[second])
    parts = table.parts[first], table.parts[second]
    edits_of_parts = _edits(*(table.core_letters[part] for part in parts))
    length = table.core_length[parts[0]] + table.core_length[parts[1]]
    trade_names = [(table.parts[names + 1] - table.parts[names] > 1).astype(float) for names in (first, second)]
    return {
        "ratio": (1 - edits / (table.size[first] + table.size[second]), "at most"),
        "first_part_ratio": (1 - edits_of_parts / length, "at most"),
        "trade_names": (trade_names[0] + trade_names[1], "exactly"),
    }


def _edits(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many insertions and deletions texts with these letters (n, ``BINS``) differ by at least, (n,)."""
    result: Ints = np.abs(left.astype(np.int16) - right).sum(axis=1)
    return result


def likeness_of_consonants(table: NameTable, first: Ints, second: Ints) -> Floats:
    """Return how alike, 0 to 1, the consonants of pairs of names (n,) are at most."""
    edits = _edits(table.consonants[first], table.consonants[second])
    return 1 - edits / (table.n_consonants[first] + table.n_consonants[second])


def bounds_of_parts(table: NameTable, first: Ints, second: Ints, consonants: Floats) -> dict[str, Bound]:
    """Return bounds on what two parts of names show when they are compared, for pairs of parts (m,).

    ``consonants`` (m,) are the ``likeness_of_consonants`` of their names, which are both in Latin letters, or
    both are not.
    """
    left, right = _Side(table, first), _Side(table, second)
    meetings = _Meetings(left, right)
    joined = _mark_unsure(left, right, meetings)
    acronym = _may_be_acronym(left, right)
    shortness = _short_names_differ(left, right, joined | acronym)
    are_telling = (table.forms[first] == 0) & (table.forms[second] == 0) & ~left.any(~left.free)
    return {
        **_letter_bounds(left, right),
        **_form_bounds(table, first, second),
        **_rarity_bounds(left, right, meetings, joined),
        **_rest_bounds(left, right, acronym),
        "word_weights": (_word_weights(left, right, meetings), "at most"),
        "numbers_equal": ((table.has_numbers[first] | table.has_numbers[second]).astype(float), "at most"),
        "acronym": (acronym.astype(float), "at most"),
        "short_names_differ": (shortness, "at least"),
        "consonants": (consonants * are_telling, "at most"),
    }


def _mark_unsure(left: _Side, right: _Side, meetings: _Meetings) -> Bools:
    """Mark the tokens that may get a partner or be left out; return which pairs (m,) may have joined words."""
    joins = _joins(left, right, meetings)
    joined = np.zeros(left.m, np.bool_)
    joined[meetings.owner[joins]] = True
    paired = meetings.spelt | joins
    # A name that may be cut off gives its last word to a longer one that begins with it.
    paired |= meetings.left_begins & left.table.may_be_cut[left.parts][meetings.owner]
    paired |= meetings.right_begins & left.table.may_be_cut[right.parts][meetings.owner]
    for side, other, places in ((left, right, meetings.left), (right, left, meetings.right)):
        side.unsure[places[paired]] = True
        initials = side.table.initials[other.parts][side.owner]
        word = side.words.word[side.tokens]
        side.unsure |= joined[side.owner] | side.table.is_own_initials[side.places] | (word == initials)
    # What follows the end of a name that may be cut off is left out.
    cut = [
        side.table.may_be_cut[side.parts] & ~side.any(side.free & ~side.unsure) & other.rest_may_follow()
        for side, other in ((left, right), (right, left))
    ]
    left.unsure |= cut[1][left.owner]
    right.unsure |= cut[0][right.owner]
    return joined


def _joins(left: _Side, right: _Side, meetings: _Meetings) -> Bools:
    """Return which meetings (k,) may be of a word and the first of those that make it up."""
    letters = [side.sum(side.words.length[side.tokens] * side.free) for side in (left, right)]
    result: Bools = meetings.begins & (letters[0] == letters[1])[meetings.owner]
    for side, at, begins, own, other in (
        (left, meetings.left, meetings.left_begins, 0, 1),
        (right, meetings.right, meetings.right_begins, 1, 0),
    ):
        following = np.minimum(at + 1, len(side.tokens) - 1)
        is_next = (following > at) & (side.owner[following] == meetings.owner) & side.free[following]
        word = side.tokens[following]
        is_made_up = meetings.lengths[own] + side.words.length[word] == meetings.lengths[other]
        is_made_up &= (side.words.letters[word] & ~meetings.letters[other]) == 0
        result |= begins & is_next & is_made_up
    return result


def _may_be_acronym(left: _Side, right: _Side) -> Bools:
    result = np.zeros(left.m, np.bool_)
    for short, long in ((left, right), (right, left)):
        initials = long.table.initials[long.parts]
        result |= (short.counts == 1) & (long.counts > 1) & (short.tokens[short.firsts] == initials)
    return result


def _letter_bounds(left: _Side, right: _Side) -> dict[str, Bound]:
    table = left.table
    letters = [table.core_letters[side.parts] for side in (left, right)]
    size = [table.core_size[side.parts] for side in (left, right)]
    length = [table.core_length[side.parts] for side in (left, right)]
    edits = _edits(*letters)
    common = (size[0] + size[1] - edits) / 2
    of_cores = 1 - edits / (length[0] + length[1])
    shorter = np.minimum(*length)
    matching = shorter - np.minimum(*size) + common  # spaces may match as well
    return {
        "core_ratio": (of_cores, "at most"),
        "joined_ratio": (1 - edits / (size[0] + size[1]), "at most"),
        "partial_ratio": (2 * matching / (shorter + matching), "at most"),
        "first_word": (_likeness_of_first_words(left, right), "at most"),
        "length": (np.log(shorter), "exactly"),
    }


def _likeness_of_first_words(left: _Side, right: _Side) -> Floats:
    """Return the most that the Jaro-Winkler similarity of the first words can be."""
    words = left.words
    first, second = (words.word[side.tokens[side.firsts]] for side in (left, right))
    one, other = words.letters[first], words.letters[second]
    sizes = words.length[first], words.length[second]
    common = np.minimum(sizes[0] - np.bitwise_count(one & ~other), sizes[1] - np.bitwise_count(other & ~one))
    jaro = np.where(common > 0, (common / sizes[0] + common / sizes[1] + 1) / 3, 0.0)
    return np.where(words.first[first] == words.first[second], jaro + 0.4 * (1 - jaro), jaro)


def _form_bounds(table: NameTable, first: Ints, second: Ints) -> dict[str, Bound]:
    one, other = table.forms[first], table.forms[second]
    both = (one > 0) & (other > 0)
    return {
        "forms_differ": ((both & (one != other)).astype(float), "exactly"),
        "form_on_one_side": (((one > 0) != (other > 0)).astype(float), "exactly"),
        "forms_equal": ((both & (one == other)).astype(float), "exactly"),
    }


def _rarity_bounds(left: _Side, right: _Side, meetings: _Meetings, joined: Bools) -> dict[str, Bound]:
    rest = [side.sum(side.rarity * side.sure) for side in (left, right)]
    rarest_left = [side.highest(side.rarity * side.sure) for side in (left, right)]
    gain = (left.rarity[meetings.left] + right.rarity[meetings.right]) / 2 * meetings.likeness * meetings.spelt
    gains = []
    for side, places in ((left, meetings.left), (right, meetings.right)):
        best = np.zeros(len(side.tokens))  # a word has one partner
        np.maximum.at(best, places, gain)
        gains.append(side.sum(best))
    matched = left.sum(left.rarity * ~left.free) + np.minimum(*gains)
    rarest = left.highest(left.rarity * ~left.free)
    for side in (left, right):
        may_be_joined = side.rarity * (side.free & joined[side.owner])
        matched += side.sum(may_be_joined)
        rarest = np.maximum(rarest, side.highest(may_be_joined))
    return {
        "shared_words": (_share_of(2 * matched, rest[0] + rest[1]), "at most"),
        "contained_words": (_share_of(matched, np.minimum(*rest)), "at most"),
        "shared_rarity": (matched, "at most"),
        "rarest_shared_word": (rarest, "at most"),
        "rare_words_on_both_sides": (np.minimum(*rarest_left), "at least"),
        "rare_word_on_one_side": (np.maximum(*rarest_left), "at least"),
    }


def _share_of(part: Floats, rest: Floats) -> Floats:
    whole = part + rest
    return np.divide(part, whole, out=np.ones_like(whole), where=rest > 0)


def _rest_bounds(left: _Side, right: _Side, acronym: Bools) -> dict[str, Bound]:
    words = left.words
    is_settled = ~(left.any(left.free & left.unsure) | right.any(right.free & right.unsure))
    one_each = is_settled & (left.sum(left.sure) == 1) & (right.sum(right.sure) == 1)
    of_one_letter = [side.sum(words.length[side.tokens] * side.sure) == 1 for side in (left, right)]
    numbers = [side.any(side.sure & side.table.is_number[side.places]) for side in (left, right)]
    places = [side.any(side.sure & words.is_place[side.tokens]) for side in (left, right)]
    bodies = [side.any(side.sure & words.is_body[side.tokens]) for side in (left, right)]
    differ = (numbers[0] & numbers[1]) | (one_each & of_one_letter[0] & of_one_letter[1])
    return {
        "word_exchanged": (one_each.astype(float), "at least"),
        "numbers_differ": (differ.astype(float), "at least"),
        "places_differ": ((places[0] & places[1]).astype(float), "at least"),
        "another_body": ((is_settled & ~acronym & (bodies[0] != bodies[1])).astype(float), "at least"),
    }


def _word_weights(left: _Side, right: _Side, meetings: _Meetings) -> Floats:
    words = left.words
    surely = left.any(left.sure) & right.any(right.sure)
    maybe = left.any(left.free) & right.any(right.free)
    total = np.zeros(left.m)
    for side in (left, right):
        alone, exchanged = words.alone[side.tokens], words.exchanged[side.tokens]
        most = np.where(maybe[side.owner], np.maximum(alone, exchanged), alone)
        most = np.where(surely[side.owner], exchanged, most)
        total += side.sum(most * side.sure + np.maximum(most, 0) * (side.free & side.unsure))
    weights = np.maximum(_respelt_weights(words, *meetings.words), 0) * meetings.spelt
    return total + np.bincount(meetings.owner, weights, left.m)


def _short_names_differ(left: _Side, right: _Side, excused: Bools) -> Floats:
    """Return how short two names without a word in common are, 0 if they may be excused."""
    size = np.minimum(*(side.table.core_size[side.parts] for side in (left, right)))
    excused = excused | left.any(~left.free)
    return np.where(excused, 0.0, np.maximum(0.0, 1 - (size - 1) / (LONGEST_SHORT_NAME - 1)))
