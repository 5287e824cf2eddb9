"""The kinds of texts: what evidence there is on a pair of each, and how it is worded.

All kinds have one encoder and one form of scorer, an additive model; features, curves and thresholds are their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.errors import UsageError
from dedup.evidence import features
from dedup.evidence.feature_registry import Batch, Registry
from dedup.evidence.persons import person_features
from dedup.evidence.persons.person_names import words_of as words_of_person
from dedup.evidence.phrases import ExplainedPair
from dedup.evidence.texts import text_features
from dedup.evidence.texts.text_words import words_of as words_of_text
from dedup.text.word_weights import WordModel


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of texts is compared by.

    Attributes:
        name: Its name, as users give it.
        noun: What its texts are called in explanations.
        registry: Its features.
        batch_of: Returns what the evidence on n pairs of normal forms is computed from, given their cosines.
        explained: Returns what the reasons for a pair are made from, given its texts and the values of its features.
        length_of: Returns the length that the starting point of a pair depends on.
        words_of: Returns the words of a normal form that a corpus counts; None: those of names.

    """

    name: str
    noun: str
    registry: Registry
    batch_of: Callable[[Sequence[str], Sequence[str], NDArray[np.float32], WordModel], Batch]
    explained: Callable[[tuple[str, str], Any, Mapping[str, float], WordModel], Any]
    length_of: Callable[[Any], int]
    words_of: Callable[[str], Sequence[str]] | None = None

    def evidence(
        self, left: Sequence[str], right: Sequence[str], similarities: NDArray[np.float32], word_model: WordModel
    ) -> NDArray[np.float32]:
        """Return the evidence on n pairs of normal forms, (n, features); the order of the sides is irrelevant."""
        return self.registry.evidence(self.batch_of(left, right, similarities, word_model))


COMPANY = Kind(
    "company",
    "names",
    features.REGISTRY,
    features.batch_of,
    ExplainedPair,
    lambda pair: min(len(pair.left_part.core), len(pair.right_part.core)),
)
PERSON = Kind(
    "person",
    "names",
    person_features.PERSON_FEATURES,
    person_features.batch_of,
    person_features.explained,
    lambda pair: min(len(pair.left.joined), len(pair.right.joined)),
    words_of_person,
)
TEXT = Kind(
    "text",
    "texts",
    text_features.TEXT_FEATURES,
    text_features.batch_of,
    text_features.explained,
    lambda pair: min(len(" ".join(pair.left.words)), len(" ".join(pair.right.words))),
    words_of_text,
)

KINDS = {kind.name: kind for kind in (COMPANY, PERSON, TEXT)}
"""All kinds by name; the first is what a text is unless something else is known."""


def kind_of(name: str) -> Kind:
    """Return the kind of this name. Raises ``UsageError`` if there is none."""
    if name not in KINDS:
        raise UsageError(f"There is no kind of text {name!r}; the kinds are {', '.join(KINDS)}.")
    return KINDS[name]
