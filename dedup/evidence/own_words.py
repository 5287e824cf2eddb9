"""Words that begin longer words and are words of their own: ``Jack`` is no short form of ``Jackson``."""

from __future__ import annotations

from dedup.evidence.name_pairs import NamePair
from dedup.text.gazetteer import is_usual_short_form
from dedup.text.pairing import Respelling
from dedup.text.word_weights import WordModel

_SHORTEST = 4
"""Length of the shortest such word; shorter ones are initials and short forms as often."""

_MIN_REST = 3
"""Number of letters from which what follows is more than an inflection (``Bank``, ``Banka``).

If it is longer than the word, the word is rather short for a compound (``Abfall``, ``Abfallwirtschaft``).
"""

_MAX_RARITY = 9.0
"""Inverse document frequency, in nats, up to which a word is known as one of its own."""

_DERIVED = frozenset({
    "ation", "ations", "ceutical", "ceuticals", "ical", "ing", "ings", "ion", "ional", "ions", "ity", "ment", "mental",
    "ments", "nics", "nology", "nologies", "ological", "ologies", "ology",
})  # fmt: skip
"""What follows in words that mean the same (``Develop``, ``Development``)."""


def tell_apart(pair: NamePair, word_model: WordModel) -> NamePair:
    """Return the pair with its own words, and the longer words they begin, exchanged instead of respelt.

    In a name that may be cut off, a word is rather cut off, too.
    """
    respelt = pair.pairing.respelt
    if not respelt or pair.left.may_be_cut or pair.right.may_be_cut:
        return pair
    exchanged = [spelt for spelt in respelt if _is_own_word(spelt, word_model)]
    if not exchanged:
        return pair
    pairing = pair.pairing._replace(
        respelt=tuple(spelt for spelt in respelt if spelt not in exchanged),
        left_only=(*pair.pairing.left_only, *(spelt.left for spelt in exchanged)),
        right_only=(*pair.pairing.right_only, *(spelt.right for spelt in exchanged)),
    )
    return pair._replace(pairing=pairing)


def _is_own_word(spelt: Respelling, word_model: WordModel) -> bool:
    if spelt.is_usual:
        return False
    short, long = sorted((spelt.left, spelt.right), key=len)
    rest = long[len(short) :]
    if not long.startswith(short) or rest in _DERIVED:
        return False
    if len(short) < _SHORTEST or not _MIN_REST <= len(rest) <= len(short):
        return False
    if word_model.idf.of(short) > _MAX_RARITY or is_usual_short_form(short):
        return False
    return word_model.weights.of(("respelt", "|".join(sorted((short, long))))) <= 0
