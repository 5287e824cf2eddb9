"""Evidence from what qualifies a name: numbers, places, legal forms, separate bodies, acronyms, trade names, length."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.name_pairs import NamePair, PairBatch, named_columns
from dedup.evidence.phrases import MAX_WORDS, ExplainedPair, listed, quote
from dedup.text import gazetteer
from dedup.text.legal_forms import split_legal_forms
from dedup.text.names import Name, Parts

NATS_OF_AN_INITIAL = 2.0
"""How unlikely it is, in nats, that an initial is a given letter."""

WELL_KNOWN_ACRONYM = 20.0
CHANCE_ACRONYM = 0.5

LONGEST_SHORT_NAME = 8
"""Number of letters from which a name no longer counts as short."""

Columns = Mapping[str, NDArray[Any]]


def numbers(batch: PairBatch) -> Columns:
    """Return whether numbers differ, occur in one name only, or are equal: 0 or 1 each.

    Numbers in paired words are equal (``3 d``, ``3d``). Names that differ in one letter standing alone, or in
    how often it is repeated, differ like numbers (series a and b, two initials, ``aa`` and ``aaa``).
    """
    names = "numbers_differ", "number_on_one_side", "numbers_equal"
    return named_columns(names, [_numbers_of(pair) for pair in batch.pairs])


def _numbers_of(pair: NamePair) -> tuple[bool, bool, bool]:
    """Return (differ, on one side only, equal)."""
    left_only, right_only = pair.pairing.left_only, pair.pairing.right_only
    left = not pair.left_part.numbers.isdisjoint(left_only)
    right = not pair.right_part.numbers.isdisjoint(right_only)
    letters = len(left_only) == len(right_only) == 1 and len(set(left_only[0])) == len(set(right_only[0])) == 1
    return (left and right) or letters, left != right, bool(pair.left_part.numbers) and not left and not right


def numbers_differ_label(pair: ExplainedPair) -> str:
    """Name the numbers, or the single letters, that differ."""
    left, right = _unpaired_numbers(pair)
    if not (left and right):
        are_letters = all(word.isalpha() for side in pair.unpaired for word in side)
        return pair.contrasted("letter" if are_letters else "character", pair.unpaired)
    whole = _numbers_in(pair.names.left_part), _numbers_in(pair.names.right_part)
    shown = whole if max(map(len, whole)) <= MAX_WORDS else (left, right)
    return pair.contrasted(_noun(shown), shown)


def number_on_one_side_label(pair: ExplainedPair) -> str:
    """Name the numbers that only one name has."""
    sides = _unpaired_numbers(pair)
    return pair.contrasted(_noun(sides), sides)


def numbers_equal_label(pair: ExplainedPair) -> str:
    """Name the numbers that both names have."""
    found = _numbers_in(pair.names.left_part) or _numbers_in(pair.names.right_part)
    return f"{pair.named(_noun((found,)), found)} in both names"


def _numbers_in(name: Name) -> Sequence[str]:
    return [word for word in name.words if word in name.numbers]


def _unpaired_numbers(pair: ExplainedPair) -> tuple[Sequence[str], Sequence[str]]:
    left, right = pair.unpaired
    return (
        [word for word in left if word in pair.names.left_part.numbers],
        [word for word in right if word in pair.names.right_part.numbers],
    )


def _noun(sides: Iterable[Sequence[str]]) -> str:
    """Return what words that count as numbers are: numbers, series letters or generations (``junior``)."""
    words = [word for side in sides for word in side]
    if not all(map(str.isalpha, words)):
        return "number"
    return "letter" if max(map(len, words)) == 1 else "generation"


def places(batch: PairBatch) -> Columns:
    """Return whether places differ or occur in one name only: 0 or 1 each."""
    left, right = _unpaired_words_among(gazetteer.places().keys(), batch)
    return {"places_differ": left & right, "place_on_one_side": left ^ right}


def _unpaired_words_among(words: Set[str], batch: PairBatch) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether some unpaired word of each left name, (n,), and of each right name, (n,), is among ``words``."""
    left = [not words.isdisjoint(pair.pairing.left_only) for pair in batch.pairs]
    right = [not words.isdisjoint(pair.pairing.right_only) for pair in batch.pairs]
    return np.array(left, np.bool_), np.array(right, np.bool_)


def places_label(pair: ExplainedPair) -> str:
    """Name the places that differ."""
    left, right = ([word for word in side if gazetteer.is_place(word)] for side in pair.unpaired)
    return pair.contrasted("place", (left, right))


def opposites(batch: PairBatch) -> Columns:
    """Return whether the names exchange words of contrary meaning (``employers``, ``employees``): 0 or 1."""
    return {"opposites": np.array([bool(_opposites_of(pair)) for pair in batch.pairs], np.bool_)}


def _opposites_of(pair: NamePair) -> tuple[str, str] | None:
    known = gazetteer.opposites()
    of_group: dict[int, list[str]] = {}
    for word in dict.fromkeys(pair.pairing.left_only):
        for group, _ in known.get(word, ()):
            of_group.setdefault(group, []).append(word)
    if of_group:
        for other in pair.pairing.right_only:
            for group, _ in known.get(other, ()):
                for word in of_group.get(group, ()):
                    if gazetteer.are_opposites(word, other):
                        return word, other
    return None


def opposites_label(pair: ExplainedPair) -> str:
    """Name the two words of contrary meaning."""
    left, right = _opposites_of(pair.names) or ("", "")
    return f"{quote(left)} and {quote(right)} exclude each other"


def legal_forms(batch: PairBatch) -> Columns:
    """Return whether legal forms differ, occur in one name only, or are equal: 0 or 1 each.

    Forms of names in two scripts never differ.
    """
    names = "forms_differ", "form_on_one_side", "forms_equal"
    return named_columns(names, [_forms_of(pair) for pair in batch.pairs])


def _forms_of(pair: NamePair) -> tuple[bool, bool, bool]:
    """Return (differ, on one side only, equal)."""
    left, right = pair.left_part.forms, pair.right_part.forms
    if left and right:
        return left != right and not pair.are_of_two_scripts, False, left == right
    return False, bool(left or right), False


def legal_forms_label(pair: ExplainedPair) -> str:
    """Name the legal forms as they are written in the names."""
    left = _written_forms(pair.texts[0], pair.names.left, pair.names.left_part)
    right = _written_forms(pair.texts[1], pair.names.right, pair.names.right_part)
    if pair.values["forms_differ"]:
        return f"legal forms {quote(left)} and {quote(right)} differ"
    if not pair.values["forms_equal"]:
        return f"legal form {quote(left or right)} in one name"
    if left == right:
        return f"legal form {quote(left)} in both names"
    return f"legal forms {quote(left)} and {quote(right)} are equivalent"


def _written_forms(text: str, parts: Parts, name: Name) -> str:
    """Return the legal forms of a part of ``text`` as written, or in canonical form if that is unclear."""
    written = text if name == parts.whole else name.folded
    core, forms = split_legal_forms(written)
    rest = Counter(core)
    found = []
    for word in written.split():
        if rest[word]:
            rest[word] -= 1
        else:
            found.append(word)
    for piece in rest.elements():  # a word and its legal form, in a script without spaces
        found = [word.removeprefix(piece).removesuffix(piece) for word in found]
    return " ".join(found if forms == name.forms and all(found) else name.forms).removeprefix("& ")


def another_body(batch: PairBatch) -> Columns:
    """Return whether one name has a word for a separate organisation (``pension``): 0 or 1.

    0 if one name is the acronym of the other, which leaves such a word out.
    """
    left, right = _unpaired_words_among(gazetteer.bodies(), batch)
    result = left ^ right
    for row in np.flatnonzero(result).tolist():
        result[row] = not batch.pairs[row].is_acronym
    return {"another_body": result}


def another_body_label(pair: ExplainedPair) -> str:
    """Name the words for a separate organisation."""
    words = [word for side in pair.unpaired for word in side if gazetteer.is_body(word)]
    return f"{listed(words, pair.rarity)} {'suggests' if len(words) == 1 else 'suggest'} a separate organisation"


def acronym(batch: PairBatch) -> Columns:
    """Return how much it says that a word of one name has the initials of words of the other, in nats.

    Two more for each letter, less for initials that many names of the corpus have; 0 if there is no such word. A
    well-known acronym says most beside its own name, and least beside another. An acronym of a part of a name is
    chance if other words differ and none is shared.
    """
    initials = batch.word_model.corpus.initials
    return {"acronym": np.array([_acronym_of(pair, initials) for pair in batch.pairs], np.float32)}


def _acronym_of(pair: NamePair, initials: Mapping[str, int]) -> float:
    pairing = pair.pairing
    is_part = bool(pairing.left_only or pairing.right_only) and not pairing.shared
    found = [_strength(each.word, each.words, initials, is_part=is_part) for each in pairing.acronyms]
    if pair.is_acronym:
        short, long = sorted((pair.left_part, pair.right_part), key=lambda part: len(part.core))
        found.append(_strength(short.core.replace(" ", ""), long.words, initials))
    return max(found, default=0.0)


def _strength(acronym: str, words: Sequence[str], initials: Mapping[str, int], *, is_part: bool = False) -> float:
    """Return how much an acronym of ``words`` says, where so many names of the corpus have these ``initials``."""
    known = gazetteer.well_known_words(acronym)
    if known:
        return WELL_KNOWN_ACRONYM if known.issubset(words) else CHANCE_ACRONYM
    if is_part or gazetteer.is_term(acronym):
        return CHANCE_ACRONYM
    return max(CHANCE_ACRONYM, NATS_OF_AN_INITIAL * len(acronym) - math.log(initials.get(acronym, 1)))


def acronym_label(pair: ExplainedPair) -> str:
    """Name the acronym."""
    if pair.names.is_acronym:
        return (
            f"{quote(min(pair.names.left_part.core, pair.names.right_part.core, key=len))} is the other name's acronym"
        )
    found = [f"{quote(word)} for {quote(' '.join(words))}" for word, words in pair.names.pairing.acronyms]
    return f"acronym {', '.join(found)}"


def trade_names(batch: PairBatch) -> Columns:
    """Return how many of the two texts hold several names (``X dba Y``): 0 to 2."""
    several = [(len(pair.left.parts) > 1) + (len(pair.right.parts) > 1) for pair in batch.pairs]
    return {"trade_names": np.array(several, np.float32)}


def trade_names_label(pair: ExplainedPair) -> str:
    """Name the two parts that were compared."""
    left, right = pair.names.left_part.core, pair.names.right_part.core
    if left == right:
        return f"several names given; both texts contain {quote(left)}"
    return f"several names given; compared {quote(left)} with {quote(right)}"


def short_names(batch: PairBatch) -> Columns:
    """Return how short, 0 to 1, names are that differ, share no word, and are not an acronym and its expansion."""
    values = [0.0 if pair.pairing.shared or pair.is_acronym else shortness(pair) for pair in batch.pairs]
    return {"short_names_differ": np.array(values, np.float32)}


def short_names_label(pair: ExplainedPair) -> str:
    """Name the two short names."""
    return f"short names {quote(pair.names.left_part.core)} and {quote(pair.names.right_part.core)} differ"


def shortness(pair: NamePair) -> float:
    """Return how short, 0 to 1, the shorter of two different cores is.

    0 if it has 8 letters or more, or if the cores are equal.
    """
    left, right = pair.left_part.core.replace(" ", ""), pair.right_part.core.replace(" ", "")
    return 0.0 if left == right else max(0.0, 1 - (min(len(left), len(right)) - 1) / (LONGEST_SHORT_NAME - 1))
