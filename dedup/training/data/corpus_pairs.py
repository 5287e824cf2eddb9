"""Pairs without any label: variants of the user's own names, and names that are similar but different."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dedup.errors import InputRefused
from dedup.evaluation.pair_set import PairSet
from dedup.text.word_weights import count_words
from dedup.training.data.generated_pairs import Generator

MIN_TEXTS = 20
_MIN_WORD_COUNT = 2


def generated_pairs(texts: Sequence[str], count: int, seed: int) -> PairSet:
    """Return up to ``count`` pairs of each label made of ``texts``.

    Raises:
        InputRefused: there are too few texts.
    """
    if len(texts) < MIN_TEXTS:
        raise InputRefused(f"There are {len(texts)} texts to make pairs of; give at least {MIN_TEXTS}.", "E_LABELS")
    names = list(texts)
    random.Random(seed).shuffle(names)
    counts, _ = count_words(names, least=_MIN_WORD_COUNT)
    made = Generator(names, counts, seed).pairs(count)
    return PairSet(made.left, made.right, np.array(made.labels, dtype=np.float64))


def joined(parts: Sequence[PairSet]) -> PairSet:
    """Return all pairs of several sets; labels of several kinds cannot be joined.

    Raises:
        InputRefused: the labels are of several kinds.
    """
    first, *others = parts
    for other in others:
        if first.labels != other.labels:
            raise InputRefused(
                f"The labels of the pairs are {first.labels}, and those of judgements and of generated pairs are 0 and "
                "1; train on one of them.",
                "E_LABELS",
            )
        first = replace(
            first,
            left=[*first.left, *other.left],
            right=[*first.right, *other.right],
            targets=np.concatenate([first.targets, other.targets]),
        )
    return first
