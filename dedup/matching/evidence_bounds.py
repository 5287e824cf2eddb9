"""Bounds on the evidence of pairs of names, computed on arrays at a fraction of the cost of the evidence itself.

Similarities of strings are bounded by the bag distance, which counts letters: every letter that two strings do
not share is an edit between them (Bartolini, Ciaccia, Patella, "String matching with metric trees using an
approximate distance", SPIRE 2002). Words are bounded one by one: a word that resembles no word of the other
name stays unpaired, however the other words pair up.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.qualifiers import LONGEST_SHORT_NAME
from dedup.evidence.words import ACRONYM_RATIO, MAX_RESPELT, MOST_ADDED
from dedup.matching.acronym_bounds import Acronyms
from dedup.matching.name_table import Bools, Floats, Ints, NameTable
from dedup.matching.token_pairs import SLACK, Side, TokenPairs, respelt_weights
from dedup.text.pairing import KNOWN_SPELLING_RATIO

Bound = tuple[NDArray[np.floating] | Bools, Literal["exactly", "at most", "at least"]]
"""A bound on one feature: values (n,), and how the feature relates to them. Those of a feature of 0 or 1 are bools."""


def bounds_of_names(table: NameTable, first: Ints, second: Ints) -> dict[str, Bound]:
    """Return bounds on the features that do not depend on which parts fit best, for n pairs of names."""
    edits = _bag_distance(table.letters[first], table.letters[second])
    parts = table.parts[first], table.parts[second]
    edits_of_parts = _bag_distance(*(table.core_letters[part] for part in parts))
    length = table.core_length[parts[0]] + table.core_length[parts[1]]
    trade_names = [(table.parts[names + 1] - table.parts[names] > 1).astype(float) for names in (first, second)]
    return {
        "ratio": (1 - edits / (table.size[first] + table.size[second]), "at most"),
        "first_part_ratio": (1 - edits_of_parts / length, "at most"),
        "trade_names": (trade_names[0] + trade_names[1], "exactly"),
    }


def _bag_distance(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the bag distance, (n,), of texts with these letter counts (n, ``BINS``).

    It is a lower bound on the number of insertions and deletions between them. The paper takes the larger of the
    two differences, because its edits include substitutions; the Indel distance allows their sum.
    """
    result: NDArray[np.int32] = (np.maximum(left, right) - np.minimum(left, right)).sum(axis=1, dtype=np.int32)
    return result


def consonant_bounds(table: NameTable, first: Ints, second: Ints) -> Floats:
    """Return upper bounds, 0 to 1, on the similarity of the consonants of n pairs of names."""
    edits = _bag_distance(table.consonants[first], table.consonants[second])
    return 1 - edits / (table.n_consonants[first] + table.n_consonants[second])


def bounds_of_parts(table: NameTable, first: Ints, second: Ints, consonants: Floats) -> dict[str, Bound]:
    """Return bounds on the features of two parts, for m pairs of parts.

    ``consonants`` (m,) are the ``consonant_bounds`` of their names. Both names must be in Latin letters, or
    neither.
    """
    left, right = Side(table, first), Side(table, second)
    token_pairs = TokenPairs(left, right)
    acronyms = Acronyms.between(left, right)
    _mark_joined(left, right, token_pairs)
    _mark_pairable(left, right, token_pairs)
    shortness = _short_names_differ(left, right, left.any(left.may_be_joined) | acronyms.of_wholes)
    consonants_count = (table.forms[first] == 0) & (table.forms[second] == 0) & ~left.has_shared
    return {
        **_letter_bounds(left, right),
        **_form_bounds(table, first, second),
        **_idf_bounds(left, right, token_pairs, acronyms.idf),
        **_rest_bounds(left, right, acronyms.of_wholes),
        "typing_error": (_typing_errors(left, right, token_pairs), "at most"),
        "word_weights": (_word_weights(left, right, token_pairs), "at most"),
        "numbers_equal": (table.has_numbers[first] | table.has_numbers[second], "at most"),
        "acronym": (acronyms.strength, "at most"),
        "short_names_differ": (shortness, "at least"),
        "consonants": (consonants * consonants_count, "at most"),
    }


def _mark_joined(left: Side, right: Side, token_pairs: TokenPairs) -> None:
    """Mark the tokens of compound words and of the two words they are made of, and those that may have equal letters.

    If all unshared words of two parts have equal letters, the first one of them begins another one.
    """
    words = left.words
    sizes, letters = [], []
    for side in (left, right):
        sizes.append(side.sum(side.lengths * side.unshared))
        letters.append(np.bitwise_or.reduceat(side.letters * side.unshared, side.firsts))
    may_be_equal = (sizes[0] == sizes[1]) & (letters[0] == letters[1])
    may_be_equal &= left.any_of(token_pairs.pair[token_pairs.begins])
    for side, other, at, opposite, begins in (
        (left, right, token_pairs.left, token_pairs.right, token_pairs.left_begins),
        (right, left, token_pairs.right, token_pairs.left, token_pairs.right_begins),
    ):
        side.may_be_joined |= side.unshared & may_be_equal[side.pair]
        firsts, wholes = at[begins], opposite[begins]
        seconds = np.minimum(firsts + 1, len(side.tokens) - 1)
        may_be = (seconds > firsts) & side.unshared[seconds] & (side.pair[seconds] == side.pair[firsts])
        may_be &= side.lengths[firsts] + side.lengths[seconds] == other.lengths[wholes]
        for first, whole in zip(firsts[may_be].tolist(), wholes[may_be].tolist(), strict=True):
            one, two = words.spelling[side.tokens[first : first + 2]]
            if one + two == words.spelling[other.tokens[whole]]:
                side.may_be_joined[first : first + 2] = other.may_be_joined[whole] = True


def _mark_pairable(left: Side, right: Side, token_pairs: TokenPairs) -> None:
    """Mark the tokens that may be paired or left out."""
    for side, other, places in ((left, right, token_pairs.left), (right, left, token_pairs.right)):
        initials = side.table.initials[other.parts][side.pair]
        word = side.words.word[side.tokens]
        side.may_be_settled |= side.may_be_joined | side.table.is_redundant[side.places] | (word == initials)
        side.may_be_paired |= side.may_be_settled
        side.may_be_paired[places[token_pairs.may_be_respelt]] = True
    may_be_cut = [side.table.may_be_cut[side.parts] for side in (left, right)]
    if may_be_cut[0].any() or may_be_cut[1].any():
        _mark_cut(left, right, token_pairs, may_be_cut)


def _mark_cut(left: Side, right: Side, token_pairs: TokenPairs, may_be_cut: list[Bools]) -> None:
    """Mark the tokens that a truncated name may have lost, given which left and which right parts (m,) may be such."""
    # The last word of a truncated name is paired with a longer word that it begins.
    begins = token_pairs.left_begins & may_be_cut[0][token_pairs.pair]
    begins |= token_pairs.right_begins & may_be_cut[1][token_pairs.pair]
    for side, places in ((left, token_pairs.left), (right, token_pairs.right)):
        side.may_be_settled[places[begins]] = True
        side.may_be_paired[places[begins]] = True
    # Words that would follow the end of a truncated name are left out.
    left_out = [
        cut & ~side.any(side.unshared & ~side.may_be_paired) & other.rest_may_follow()
        for cut, side, other in zip(may_be_cut, (left, right), (right, left), strict=True)
    ]
    for side, are_left_out in ((left, left_out[1]), (right, left_out[0])):
        side.may_be_settled |= are_left_out[side.pair]
        side.may_be_paired |= are_left_out[side.pair]


def _letter_bounds(left: Side, right: Side) -> dict[str, Bound]:
    table = left.table
    letters = [table.core_letters[side.parts] for side in (left, right)]
    size = [table.core_size[side.parts] for side in (left, right)]
    length = [table.core_length[side.parts] for side in (left, right)]
    edits = _bag_distance(*letters)
    common = (size[0] + size[1] - edits) / 2
    core_ratio = 1 - edits / (length[0] + length[1])
    shorter = np.minimum(*length)
    matching = shorter - np.minimum(*size) + common  # spaces can match, too
    return {
        "core_ratio": (core_ratio, "at most"),
        "joined_ratio": (1 - edits / (size[0] + size[1]), "at most"),
        "partial_ratio": (2 * matching / (shorter + matching), "at most"),
        "first_word": (_first_word_bounds(left, right), "at most"),
        "length": (np.log(shorter), "exactly"),
    }


def _first_word_bounds(left: Side, right: Side) -> Floats:
    """Return upper bounds on the Jaro-Winkler similarity of the first words."""
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
        "forms_differ": (both & (one != other), "exactly"),
        "form_on_one_side": ((one > 0) != (other > 0), "exactly"),
        "forms_equal": (both & (one == other), "exactly"),
    }


def _idf_bounds(left: Side, right: Side, token_pairs: TokenPairs, of_acronyms: Floats) -> dict[str, Bound]:
    unpaired = [side.sum(side.idf * side.is_unpaired) for side in (left, right)]
    mean_idf = (left.idf[token_pairs.left] + right.idf[token_pairs.right]) / 2
    gain = mean_idf * token_pairs.ratio * token_pairs.may_be_respelt
    gains = []
    for side, places in ((left, token_pairs.left), (right, token_pairs.right)):
        best = np.zeros(len(side.tokens))  # a word is paired only once
        np.maximum.at(best, places, gain)
        gains.append(side.sum(best))
    matched = left.sum(left.idf * ~left.unshared) + np.minimum(*gains)
    rarest = left.highest(left.idf * ~left.unshared)
    usual = token_pairs.may_be_respelt & (token_pairs.ratio >= KNOWN_SPELLING_RATIO - SLACK)
    np.maximum.at(
        rarest,
        token_pairs.pair[usual],
        np.minimum(left.idf[token_pairs.left], right.idf[token_pairs.right])[usual],
    )
    for side in (left, right):
        joined = side.idf * side.may_be_joined
        matched += side.sum(joined)
        rarest = np.maximum(rarest, side.highest(joined))
    matched += ACRONYM_RATIO * of_acronyms
    return {
        "shared_words": (_share_of(2 * matched, unpaired[0] + unpaired[1]), "at most"),
        "contained_words": (_share_of(matched, np.minimum(*unpaired)), "at most"),
        "shared_rarity": (matched, "at most"),
        "rarest_shared_word": (rarest, "at most"),
        **_unpaired_bounds(left, right, np.maximum(rarest, _rarest_respelt(left, right, token_pairs))),
    }


def _rarest_respelt(left: Side, right: Side, token_pairs: TokenPairs) -> Floats:
    """Return upper bounds, (m,), on the rarity of the words that are spelt in two ways."""
    rarity = np.minimum(
        (left.idf[token_pairs.left] + right.idf[token_pairs.right]) / 2, MAX_RESPELT * (token_pairs.ratio + SLACK)
    )
    result = np.zeros(left.m)
    np.maximum.at(result, token_pairs.pair, rarity * token_pairs.may_be_respelt)
    return result


def _unpaired_bounds(left: Side, right: Side, rarest_paired: Floats) -> dict[str, Bound]:
    rarest = [side.highest(side.idf * side.is_unpaired) for side in (left, right)]
    are_exchanged = (left.n_unpaired > 0) & (right.n_unpaired > 0)
    are_added = ~(left.has_unshared & right.has_unshared)
    count = left.n_unpaired + right.n_unpaired
    return {
        "rare_words_on_both_sides": (np.minimum(*rarest), "at least"),
        "rare_word_on_one_side": (np.maximum(*rarest) * are_added, "at least"),
        "rarest_exchanged_word": (np.maximum(*rarest) * are_exchanged, "at least"),
        "distinctive_word_shared": (rarest_paired - np.maximum(*rarest), "at most"),
        "words_added": (np.minimum(count, MOST_ADDED) * are_added, "at least"),
    }


def _share_of(part: Floats, rest: Floats) -> Floats:
    whole = part + rest
    return np.divide(part, whole, out=np.ones_like(whole), where=rest > 0)


def _rest_bounds(left: Side, right: Side, are_acronyms: Bools) -> dict[str, Bound]:
    words = left.words
    is_settled = (left.n_unpaired == left.n_unshared) & (right.n_unpaired == right.n_unshared)
    one_each = is_settled & (left.n_unpaired == 1) & (right.n_unpaired == 1)
    of_one_letter = [side.sum(side.lengths * side.is_unpaired) == 1 for side in (left, right)]
    numbers = [side.any(side.is_unpaired & side.table.is_number[side.places]) for side in (left, right)]
    places = [side.any(side.is_unpaired & words.is_place[side.tokens]) for side in (left, right)]
    bodies = [side.any(side.is_unpaired & words.is_body[side.tokens]) for side in (left, right)]
    differ = (numbers[0] & numbers[1]) | (one_each & of_one_letter[0] & of_one_letter[1])
    return {
        "word_exchanged": (one_each, "at least"),
        "numbers_differ": (differ, "at least"),
        "number_on_one_side": (is_settled & (numbers[0] != numbers[1]), "at least"),
        "places_differ": (places[0] & places[1], "at least"),
        "place_on_one_side": (is_settled & (places[0] != places[1]), "at least"),
        "another_body": (is_settled & ~are_acronyms & (bodies[0] != bodies[1]), "at least"),
    }


def _word_weights(left: Side, right: Side, token_pairs: TokenPairs) -> Floats:
    words = left.words
    both_certain = (left.n_unpaired > 0) & (right.n_unpaired > 0)
    both_possible = left.has_unshared & right.has_unshared
    total = np.zeros(left.m)
    for side in (left, right):
        alone, exchanged = words.alone[side.tokens], words.exchanged[side.tokens]
        highest = np.where(both_possible[side.pair], np.maximum(alone, exchanged), alone)
        highest = np.where(both_certain[side.pair], exchanged, highest)
        total += side.sum(highest * side.is_unpaired + np.maximum(highest, 0) * (side.unshared & side.may_be_paired))
    weights = np.maximum(respelt_weights(words, *token_pairs.words), 0) * token_pairs.may_be_respelt
    return total + np.bincount(token_pairs.pair, weights, left.m)


def _typing_errors(left: Side, right: Side, token_pairs: TokenPairs) -> Bools:
    """Return which pairs (m,) may differ in typing errors alone, beside usual spellings."""
    result = left.any_of(token_pairs.pair[token_pairs.may_be_typo])
    is_excused = token_pairs.may_be_respelt & (token_pairs.may_be_typo | token_pairs.may_be_usual)
    for side, places in ((left, token_pairs.left), (right, token_pairs.right)):
        counts_against = side.unshared & ~side.may_be_settled
        counts_against[places[is_excused]] = False
        result &= ~side.any(counts_against)
    return result


def _short_names_differ(left: Side, right: Side, excused: Bools) -> Floats:
    """Return lower bounds on ``short_names_differ``; 0 if the names may have a word in common or be ``excused``."""
    size = np.minimum(*(side.table.core_size[side.parts] for side in (left, right)))
    excused = excused | left.has_shared
    return np.where(excused, 0.0, np.maximum(0.0, 1 - (size - 1) / (LONGEST_SHORT_NAME - 1)))
