"""The features of names of persons, and how they are put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from dedup.evidence.feature_registry import Feature, Registry
from dedup.evidence.name_pairs import string_similarities
from dedup.evidence.persons.person_names import tables
from dedup.evidence.persons.person_pairs import PersonPair, pair_persons
from dedup.evidence.phrases import listed, plural, quote, quoted
from dedup.evidence.texts.rarity import Rarity, rarity_in
from dedup.text.word_weights import WordModel

_OF_PARTICLES = 0.1
"""Rarity of ``de``, ``van`` and the like."""

_MOST_ADDED = 3
"""Number of added names from which more say no more."""

_SPELT = frozenset({"spelling", "sound", "joined", "beginning"})
_COLUMNS = (
    "shared_names", "contained_names", "rarest_shared", "rarest_matched", "names_exchanged", "name_on_one_side",
    "names_added", "first_names_differ", "last_names_differ", "initials", "initials_differ", "other_form",
    "lowest_spelling", "gender_differs", "titles_differ", "generations_differ", "generation_on_one_side",
    "only_generation_added", "acronym", "one_word", "first_name_alone", "rarity_alone",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PersonBatch:
    """n pairs of names, their siamese cosines (n,), and how rare words are."""

    pairs: Sequence[PersonPair]
    similarities: NDArray[np.float32]
    rarity: Rarity


@dataclass(frozen=True, slots=True)
class ExplainedPersons:
    """What the reasons for a pair of names are made from, its sides in the order given."""

    pair: PersonPair
    values: Mapping[str, float]
    rarity: Rarity


def batch_of(
    left: Sequence[str], right: Sequence[str], similarities: NDArray[np.float32], word_model: WordModel
) -> PersonBatch:
    """Return what the evidence on n pairs of normal forms is computed from."""
    return PersonBatch(pair_persons(left, right), similarities, _rarity(word_model))


def explained(
    _: tuple[str, str], pair: PersonPair, values: Mapping[str, float], word_model: WordModel
) -> ExplainedPersons:
    """Return what the reasons for a pair are made from."""
    return ExplainedPersons(pair, values, _rarity(word_model))


def _rarity(word_model: WordModel) -> Rarity:
    rarity, particles = rarity_in(word_model), tables().particles
    return lambda word: _OF_PARTICLES if word in particles else rarity(word)


def similarity(batch: PersonBatch) -> Mapping[str, NDArray[np.float32]]:
    """Return the cosine of the two vectors."""
    return {"similarity": batch.similarities}


def similarity_label(pair: ExplainedPersons) -> str:
    """Give the cosine."""
    return f"vector similarity {pair.values['similarity']:.2f}"


def name_measures(batch: PersonBatch) -> Mapping[str, NDArray[np.float32]]:
    """Return the columns that depend on how names pair up; rarities and shares are from 0 to 1."""
    rows = [_columns_of(pair, batch.rarity) for pair in batch.pairs]
    return dict(zip(_COLUMNS, np.array(rows, np.float32).reshape(-1, len(_COLUMNS)).T, strict=True))


def _columns_of(pair: PersonPair, rarity: Rarity) -> tuple[float, ...]:
    shared = list(map(rarity, pair.shared))
    weights = [(one.ratio, (rarity(one.left) + rarity(one.right)) / 2) for one in pair.matched]
    left, right = list(map(rarity, pair.left_only)), list(map(rarity, pair.right_only))
    matched = sum(shared) + sum(ratio * weight for ratio, weight in weights)
    rest = sum((1 - ratio) * weight for ratio, weight in weights)
    sides = [matched + rest + sum(side) for side in (left, right)]
    lower, higher = sorted((max(left, default=0.0), max(right, default=0.0)))
    how = {one.how for one in pair.matched}
    spellings = [one.ratio for one in pair.matched if one.how in _SPELT]
    generations = {name.generation for name in (pair.left, pair.right)}
    are_initials = [any(len(word) == 1 for word in side) for side in (pair.left_only, pair.right_only)]
    first, last = (pair.left.words[at] in pair.left_only and pair.right.words[at] in pair.right_only for at in (0, -1))
    return (
        2 * matched / sum(sides) if sum(sides) > 0 else 1.0,
        matched / min(sides) if min(sides) > 0 else 1.0,
        max(shared, default=0.0),
        max((ratio * weight for ratio, weight in weights), default=0.0),
        lower,
        0.0 if lower else higher,
        0.0 if lower else float(min(_MOST_ADDED, len(left) + len(right))),
        float(first),
        float(last),
        float(sum(one.how == "initial" for one in pair.matched)),
        float(any(are_initials) and bool(left) and bool(right)),
        float("form" in how),
        min(spellings, default=1.0),
        float("gender" in how),
        float({pair.left.gender, pair.right.gender} == {"masculine", "feminine"}),
        float(len(generations) > 1 and "" not in generations),
        float(len(generations) > 1 and "" in generations),
        float(len(generations) > 1 and "" in generations and not (pair.matched or left or right)),
        float(pair.is_acronym),
        float(min(len(pair.left.words), len(pair.right.words)) == 1),
        *_alone(pair, rarity),
    )


def _alone(pair: PersonPair, rarity: Rarity) -> tuple[float, float]:
    """Return what a name of one word beside a longer one says: many bear a given name, or a common surname."""
    short, long = sorted((pair.left.words, pair.right.words), key=len)
    return (float(long[0] == short[0]), rarity(short[0])) if len(short) == 1 < len(long) else (0.0, 1.0)


def string_measures(batch: PersonBatch) -> Mapping[str, NDArray[np.float32]]:
    """Return how alike the names are as strings, 0 to 1, and the logarithm of the length of the shorter one."""
    left, right = [pair.left for pair in batch.pairs], [pair.right for pair in batch.pairs]

    sides = [[" ".join(name.words) for name in side] for side in (left, right)]
    lengths = [list(map(len, side)) for side in sides]
    return {
        "token_sort_ratio": string_similarities(fuzz.token_sort_ratio, *sides) / np.float32(100),
        "joined_ratio": string_similarities(fuzz.ratio, [name.joined for name in left], [name.joined for name in right])
        / np.float32(100),
        "first_word": string_similarities(
            JaroWinkler.normalized_similarity, [n.words[0] for n in left], [n.words[0] for n in right]
        ),
        "last_word": string_similarities(
            JaroWinkler.normalized_similarity, [n.words[-1] for n in left], [n.words[-1] for n in right]
        ),
        "length": np.log(np.array(lengths, np.float32).min(axis=0)),
    }


def shared_label(pair: ExplainedPersons) -> str:
    """Name the rarest name of both."""
    if not pair.pair.shared:
        return f"names {pair.values['shared_names']:.0%} the same"
    rarest = quote(max(pair.pair.shared, key=lambda word: (pair.rarity(word), word)))
    return f"{pair.values['shared_names']:.0%} of the names match, weighted by rarity (rarest: {rarest})"


def unmatched_label(pair: ExplainedPersons) -> str:
    """Name the names without a counterpart."""
    left, right = pair.pair.left_only, pair.pair.right_only
    if left and right:
        return f"names {quoted(left, pair.rarity)} and {quoted(right, pair.rarity)} differ"
    only = left or right
    return f"{plural('name', len(only))} {quoted(only, pair.rarity)} on one side only"


def initials_label(pair: ExplainedPersons) -> str:
    """Name the initials that fit, or say that some do not."""
    found = [f"{one.left} / {one.right}" for one in pair.pair.matched if one.how == "initial"]
    return f"initials fit: {listed(found, len)}" if found else "initials differ"


def form_label(pair: ExplainedPersons) -> str:
    """Name the forms of one given name."""
    found = [f"{one.left} / {one.right}" for one in pair.pair.matched if one.how == "form"]
    return f"forms of one name: {listed(found, len)}"


def spelling_label(pair: ExplainedPersons) -> str:
    """Name the names that are spelt differently."""
    found = [f"{one.left} / {one.right}" for one in pair.pair.matched if one.how in _SPELT]
    return f"spelt differently: {listed(found, len)}"


def gender_label(pair: ExplainedPersons) -> str:
    """Name the names of which one is the feminine of the other."""
    found = [f"{one.left} / {one.right}" for one in pair.pair.matched if one.how == "gender"]
    return f"names of a woman and a man: {listed(found, len)}"


def titles_label(_: ExplainedPersons) -> str:
    """Say that one title is a woman's and the other a man's (``Lord``, ``Lady``)."""
    return "titles of a woman and a man"


def generation_label(pair: ExplainedPersons) -> str:
    """Say whether generations differ."""
    if pair.values["generations_differ"]:
        return "generations differ"
    alone = ", all else is equal" if pair.values["only_generation_added"] else ""
    return f"generation in one name only{alone}"


def acronym_label(pair: ExplainedPersons) -> str:
    """Name the initials of a whole name."""
    return f"{quote(min(pair.pair.left.joined, pair.pair.right.joined, key=len))} are the initials of the other name"


def alone_label(pair: ExplainedPersons) -> str:
    """Name the only word of a name."""
    return f"{quote(min(pair.pair.left.joined, pair.pair.right.joined, key=len))} alone"


def string_label(pair: ExplainedPersons) -> str:
    """Say how alike the names are as strings."""
    return f"spelling {pair.values['token_sort_ratio']:.0%} similar"


PERSON_FEATURES = Registry((
    Feature("similarity", 1, similarity, similarity_label),
    Feature("shared_names", 1, name_measures, shared_label),
    Feature("contained_names", 1, name_measures, shared_label),
    Feature("rarest_shared", 1, name_measures, shared_label),
    Feature("rarest_matched", 1, name_measures, shared_label),
    Feature("names_exchanged", -1, name_measures, unmatched_label),
    Feature("name_on_one_side", -1, name_measures, unmatched_label),
    Feature("names_added", -1, name_measures, unmatched_label),
    Feature("first_names_differ", -1, name_measures, unmatched_label),
    Feature("last_names_differ", -1, name_measures, unmatched_label),
    Feature("initials", 0, name_measures, initials_label),
    Feature("initials_differ", -1, name_measures, initials_label),
    Feature("other_form", 0, name_measures, form_label),
    Feature("lowest_spelling", 1, name_measures, spelling_label, neutral=1.0),
    Feature("gender_differs", -1, name_measures, gender_label),
    Feature("titles_differ", -1, name_measures, titles_label),
    Feature("generations_differ", -1, name_measures, generation_label),
    Feature("generation_on_one_side", -1, name_measures, generation_label),
    Feature("only_generation_added", -1, name_measures, generation_label, decided_by="generated"),
    Feature("acronym", 1, name_measures, acronym_label),
    Feature("one_word", 0, name_measures, None, neutral=None),
    Feature("token_sort_ratio", 1, string_measures, string_label),
    Feature("joined_ratio", 1, string_measures, string_label),
    Feature("first_word", 1, string_measures, string_label),
    Feature("last_word", 1, string_measures, string_label),
    Feature("length", 0, string_measures, None, neutral=None),
    Feature("first_name_alone", -1, name_measures, alone_label),
    Feature("rarity_alone", 1, name_measures, alone_label, neutral=1.0),
))  # fmt: skip
"""The features of names of persons, in the order of their evidence matrix."""
