"""The features of texts that are no names, and how they are put into words.

There is no veto: how much a differing number or word says is learnt from products, titles and citations. Words count
by their rarity in the corpus of the texts (Cohen, Ravikumar, Fienberg, "A comparison of string distance metrics for
name-matching tasks", IIWeb 2003, whose soft TF-IDF is ``cosine``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from dedup.evidence.feature_registry import Feature, Registry
from dedup.evidence.name_pairs import string_similarities
from dedup.evidence.phrases import listed, plural, quoted
from dedup.evidence.texts.rarity import Rarity, rarity_in
from dedup.evidence.texts.text_pairs import TextPair, pair_texts
from dedup.evidence.texts.text_words import COLOURS, is_counter, is_model_number, is_number, is_unit, is_year
from dedup.text.word_weights import WordModel

_HEAD = 5
"""Number of words at the beginning of a text, where the title or brand of most is."""

_LONGEST_PARTIAL = 256
"""Length, in characters, of the longest text searched for within another; the search takes quadratic time."""

_SHORTEST_RECORD = 6
"""Words from which a text may be a record with a price at its end."""

_LONGEST_COUNT = 2
"""Digits of the number of a version or volume; longer ones are amounts and article numbers."""

_MOST_NUMBERS = 3
"""Number of differing numbers from which more say no more."""


@dataclass(frozen=True, slots=True)
class TextBatch:
    """n pairs of texts, their siamese cosines (n,), and how rare words are."""

    pairs: Sequence[TextPair]
    similarities: NDArray[np.float32]
    rarity: Rarity


@dataclass(frozen=True, slots=True)
class ExplainedTexts:
    """What the reasons for a pair of texts are made from, its sides in the order given."""

    pair: TextPair
    values: Mapping[str, float]
    rarity: Rarity

    def named(self, noun: str, words: Sequence[str]) -> str:
        """Put a noun before quoted words."""
        return f"{plural(noun, len(words))} {quoted(words, self.rarity)}"

    def contrasted(self, noun: str, left: Sequence[str], right: Sequence[str]) -> str:
        """Say that words differ, or that only one text has them."""
        if left and right:
            return f"{noun}s {quoted(left, self.rarity)} and {quoted(right, self.rarity)} differ"
        return f"{self.named(noun, left or right)} in one text only"


def batch_of(
    left: Sequence[str], right: Sequence[str], similarities: NDArray[np.float32], word_model: WordModel
) -> TextBatch:
    """Return what the evidence on n pairs of normal forms is computed from."""
    return TextBatch(pair_texts(left, right), similarities, rarity_in(word_model))


def explained(_: tuple[str, str], pair: TextPair, values: Mapping[str, float], word_model: WordModel) -> ExplainedTexts:
    """Return what the reasons for a pair are made from."""
    return ExplainedTexts(pair, values, rarity_in(word_model))


def similarity(batch: TextBatch) -> Mapping[str, NDArray[np.float32]]:
    """Return the cosine of the two vectors."""
    return {"similarity": batch.similarities}


def similarity_label(pair: ExplainedTexts) -> str:
    """Give the cosine."""
    return f"vector similarity {pair.values['similarity']:.2f}"


_WORD_COLUMNS = (
    "cosine", "dice", "contained", "head", "rarest_shared", "rarest_exchanged", "rarest_on_one_side",
    "model_number_shared", "model_numbers_differ", "numbers_equal", "numbers_differ", "only_numbers_differ",
    "only_number_added", "counted_differ", "quantities_equal", "quantities_differ", "years_equal", "years_differ",
    "colours_differ",
)  # fmt: skip


def word_measures(batch: TextBatch) -> Mapping[str, NDArray[np.float32]]:
    """Return the columns that depend on how words pair up; rarities and shares are from 0 to 1."""
    rows = [(*_overlap(pair, batch.rarity), *_numbers(pair, batch.rarity)) for pair in batch.pairs]
    columns = np.array(rows, np.float32).reshape(-1, len(_WORD_COLUMNS)).T
    return dict(zip(_WORD_COLUMNS, columns, strict=True))


def _overlap(pair: TextPair, rarity: Rarity) -> tuple[float, ...]:
    whole = [rarity(word) for word in (*pair.shared, *pair.joined)] + [n.share * rarity(n.number) for n in pair.numbers]
    spelt = [(spelt.ratio, (rarity(spelt.left) + rarity(spelt.right)) / 2) for spelt in pair.respelt]
    left, right = list(map(rarity, pair.left_only)), list(map(rarity, pair.right_only))
    matched = sum(whole) + sum(ratio * weight for ratio, weight in spelt)
    unmatched = sum((1 - ratio) * weight for ratio, weight in spelt)
    of_left, of_right = matched + unmatched + sum(left), matched + unmatched + sum(right)
    squares = sum(weight * weight for weight in whole) + sum(ratio * weight * weight for ratio, weight in spelt)
    rest = sum((1 - ratio) * weight * weight for ratio, weight in spelt)
    norms = [squares + rest + sum(weight * weight for weight in side) for side in (left, right)]
    words = [[w for w in side if not is_number(w)] for side in (pair.left_only, pair.right_only)]
    lower, higher = sorted(max(map(rarity, side), default=0.0) for side in words)
    return (
        squares / math.sqrt(norms[0] * norms[1]) if norms[0] * norms[1] > 0 else 1.0,
        2 * matched / (of_left + of_right) if of_left + of_right > 0 else 1.0,
        matched / min(of_left, of_right) if min(of_left, of_right) > 0 else 1.0,
        min(_head(pair.left.words, pair.left_only, rarity), _head(pair.right.words, pair.right_only, rarity)),
        max(whole, default=0.0),
        lower,
        0.0 if lower else higher,
    )


def _head(words: Sequence[str], unmatched: Iterable[str], rarity: Rarity) -> float:
    """Return the share of the first words of a text, weighted by rarity, that the other has."""
    missing = set(unmatched)
    head = [(rarity(word), word not in missing) for word in words[:_HEAD]]
    total = sum(weight for weight, _ in head)
    return sum(weight for weight, is_matched in head if is_matched) / total if total > 0 else 1.0


def _numbers(pair: TextPair, rarity: Rarity) -> tuple[float, ...]:
    left, right = pair.left_only, pair.right_only
    shared_codes = [rarity(word) for word in (*pair.shared, *pair.joined) if is_model_number(word)]
    shared_codes += [number.share * rarity(number.number) for number in pair.numbers]
    codes = [max((rarity(word) for word in side if is_model_number(word)), default=0.0) for side in (left, right)]
    numbers = [[word for word in side if is_number(word)] for side in (pair.shared, left, right)]
    years = [any(map(is_year, side)) for side in (pair.shared, left, right)]
    equal, different = _quantities(pair)
    n_equal, n_left, n_right = map(len, numbers)
    are_bare = not pair.respelt and _are_numbers([*left, *right])
    colours = [{COLOURS[word] for word in side if word in COLOURS} for side in (left, right)]
    return (
        max(shared_codes, default=0.0),
        0.0 if shared_codes else min(codes),
        n_equal / (n_equal + max(n_left, n_right)) if n_equal else 0.0,
        float(min(_MOST_NUMBERS, n_left, n_right)),
        float(are_bare and bool(left) and bool(right)),
        float(are_bare and bool(left) != bool(right)),
        float(_counted_differ(pair)),
        float(equal),
        float(different),
        float(years[0]),
        float(years[1] and years[2] and not years[0]),
        float(bool(colours[0]) and bool(colours[1]) and colours[0].isdisjoint(colours[1])),
    )


def _are_numbers(words: Sequence[str]) -> bool:
    """Return whether words are nothing but numbers, what they count, and parts of model numbers (``kx tg9343t``)."""
    codes = [word for word in words if is_model_number(word)]
    rest = (word for word in words if not (_is_numeric(word) or is_counter(word)))
    return all(any(word in code for code in codes) for word in rest)


def _is_numeric(word: str) -> bool:
    return not word.isalpha() and word.isascii()


def _quantities(pair: TextPair) -> tuple[bool, bool]:
    """Return whether both texts give an equal number of one unit, and whether they give different ones."""
    of_left, of_right = _measured(pair.left.words), _measured(pair.right.words)
    both = of_left.keys() & of_right.keys()
    return (
        any(of_left[unit] & of_right[unit] for unit in both),
        any(of_left[unit].isdisjoint(of_right[unit]) for unit in both),
    )


def _counted_differ(pair: TextPair) -> bool:
    """Return whether both texts have a number behind the same word, and no such number in common (``elements 5``)."""
    of_left, of_right = _counted(pair.left.words), _counted(pair.right.words)
    return any(of_left[word].isdisjoint(of_right[word]) for word in of_left.keys() & of_right.keys())


def _counted(words: Sequence[str]) -> Mapping[str, set[str]]:
    """Return the numbers behind each word, such as those of versions; amounts of a unit and prices are none.

    A number at the end of a long text, which is a whole record, is its price.
    """
    end = len(words)
    while end > _SHORTEST_RECORD and words[end - 1].isdigit():
        end -= 1
    found: dict[str, set[str]] = {}
    for word, number, after in zip(words[:end], words[1:end], [*words[2:end], ""], strict=False):
        is_counted = len(word) > 1 and word.isalpha() and not is_unit(word)
        is_amount = is_unit(after) or after == "x" or after.isdigit()
        if is_counted and number.isdigit() and len(number) <= _LONGEST_COUNT and not is_amount:
            found.setdefault(word, set()).add(number)
    return found


def _measured(words: Sequence[str]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for number, unit in pairwise(words):
        if is_unit(unit) and number.isdigit():
            found.setdefault(unit, set()).add(number)
        elif unit.isdigit() and number == "cd":
            found.setdefault(number, set()).add(unit)
    return found


def string_measures(batch: TextBatch) -> Mapping[str, NDArray[np.float32]]:
    """Return how alike the texts and their first words are as strings, 0 to 1, and their lengths."""
    left, right = (
        [" ".join(side.words) for side in sides] for sides in zip(*(p[:2] for p in batch.pairs), strict=True)
    )
    heads = [
        [" ".join(side.words[:_HEAD]) for side in sides] for sides in zip(*(p[:2] for p in batch.pairs), strict=True)
    ]
    sizes = np.array([list(map(len, left)), list(map(len, right))], np.float32)
    shorter, longer = sizes.min(axis=0), sizes.max(axis=0)

    def ratios(scorer: Callable[..., float], one: list[str], other: list[str]) -> NDArray[np.float32]:
        return string_similarities(scorer, one, other) / np.float32(100)

    token_set = ratios(fuzz.token_set_ratio, left, right)
    partial, short = token_set.copy(), np.flatnonzero(longer <= _LONGEST_PARTIAL)
    places = short.tolist()
    partial[short] = ratios(fuzz.partial_ratio, [left[at] for at in places], [right[at] for at in places])
    return {
        "ratio": ratios(fuzz.ratio, left, right),
        "token_sort_ratio": ratios(fuzz.token_sort_ratio, left, right),
        "token_set_ratio": token_set,
        "head_ratio": ratios(fuzz.token_set_ratio, *heads),
        "partial_ratio": partial,
        "length": np.log(shorter),
        "size_ratio": np.log(longer / shorter),
    }


def overlap_label(pair: ExplainedTexts) -> str:
    """Say what share of the words both texts have, and which of them is the rarest."""
    both = [*pair.pair.shared, *pair.pair.joined]
    share = f"{pair.values['dice']:.0%} of the words in common, weighted by rarity"
    if pair.values["contained"] == 1 and pair.values["dice"] < 1:
        share = "all words of one text are in the other"
    return f"{share} (rarest: {listed([max(both, key=pair.rarity)], pair.rarity)})" if both else share


def unmatched_label(pair: ExplainedTexts) -> str:
    """Name the words without a counterpart."""
    return pair.contrasted("word", pair.pair.left_only, pair.pair.right_only)


def model_number_label(pair: ExplainedTexts) -> str:
    """Name the model number that both texts have."""
    found = [number.number for number in pair.pair.numbers]
    found += [word for word in (*pair.pair.shared, *pair.pair.joined) if is_model_number(word)]
    return f"same {pair.named('model number', found)}"


def model_numbers_label(pair: ExplainedTexts) -> str:
    """Name the model numbers that differ."""
    sides = ([word for word in side if is_model_number(word)] for side in (pair.pair.left_only, pair.pair.right_only))
    return pair.contrasted("model number", *sides)


def numbers_equal_label(pair: ExplainedTexts) -> str:
    """Name the numbers that both texts have."""
    found = [word for word in pair.pair.shared if word.isdigit()]
    return f"same {pair.named('number', found)}"


def numbers_label(pair: ExplainedTexts) -> str:
    """Name the numbers that differ, and whether nothing else does."""
    left, right = ([w for w in side if _is_numeric(w)] for side in (pair.pair.left_only, pair.pair.right_only))
    alone = pair.values["only_numbers_differ"] or pair.values["only_number_added"]
    return pair.contrasted("number", left, right) + (", and nothing else" if alone and left and right else "")


def quantities_label(pair: ExplainedTexts) -> str:
    """Say whether measures agree."""
    return "measures differ" if pair.values["quantities_differ"] else "same measures"


def colours_label(pair: ExplainedTexts) -> str:
    """Name the colours that differ."""
    return pair.contrasted(
        "colour", *([word for word in side if word in COLOURS] for side in (pair.pair.left_only, pair.pair.right_only))
    )


def years_label(pair: ExplainedTexts) -> str:
    """Say whether years agree."""
    return "years differ" if pair.values["years_differ"] else "same year"


def string_label(pair: ExplainedTexts) -> str:
    """Say how alike the texts are as strings."""
    return f"spelling {pair.values['token_sort_ratio']:.0%} similar"


def head_label(pair: ExplainedTexts) -> str:
    """Say how alike the beginnings are."""
    return f"first words {pair.values['head_ratio']:.0%} similar"


TEXT_FEATURES = Registry((
    Feature("similarity", 1, similarity, similarity_label),
    Feature("cosine", 1, word_measures, overlap_label),
    Feature("dice", 1, word_measures, overlap_label),
    Feature("contained", 1, word_measures, overlap_label),
    Feature("head", 1, word_measures, head_label),
    Feature("rarest_shared", 1, word_measures, overlap_label),
    Feature("rarest_exchanged", -1, word_measures, unmatched_label),
    Feature("rarest_on_one_side", -1, word_measures, unmatched_label),
    Feature("model_number_shared", 1, word_measures, model_number_label),
    Feature("model_numbers_differ", -1, word_measures, model_numbers_label),
    Feature("numbers_equal", 1, word_measures, numbers_equal_label),
    Feature("numbers_differ", -1, word_measures, numbers_label),
    Feature("only_numbers_differ", -1, word_measures, numbers_label, decided_by="generated"),
    Feature("only_number_added", -1, word_measures, numbers_label, decided_by="generated"),
    Feature("counted_differ", -1, word_measures, numbers_label, decided_by="remainder"),
    Feature("quantities_equal", 1, word_measures, quantities_label),
    Feature("quantities_differ", -1, word_measures, quantities_label),
    Feature("years_equal", 1, word_measures, years_label),
    Feature("years_differ", -1, word_measures, years_label),
    Feature("colours_differ", -1, word_measures, colours_label),
    Feature("ratio", 1, string_measures, string_label),
    Feature("token_sort_ratio", 1, string_measures, string_label),
    Feature("token_set_ratio", 1, string_measures, string_label),
    Feature("head_ratio", 1, string_measures, head_label),
    Feature("partial_ratio", 1, string_measures, string_label),
    Feature("length", 0, string_measures, None, neutral=None),
    Feature("size_ratio", 0, string_measures, None, neutral=None),
))  # fmt: skip
"""The features of texts, in the order of their evidence matrix."""
