"""Labels of pairs: 0 and 1 in their usual spellings, classes, and grades from 0 to 5."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from dedup.evaluation.pair_set import HIGHEST_GRADE

Kind = Literal["binary", "classes", "graded"]

NO_CONSENSUS = "-"
"""SNLI's label of a pair on which its annotators did not agree."""
MOST_CLASSES = 100

_SAME = {"1", "true", "t", "yes", "y", "same", "duplicate", "match", "equal", "paraphrase"}
_DIFFERENT = {"0", "false", "f", "no", "different", "distinct", "unique", "nomatch", "not_duplicate", "nonmatch"}
_GRADE = re.compile(r"\d(\.\d+)?")
_CLASSES = {"e": "entailment", "n": "neutral", "c": "contradiction"}
_SAME_CLASSES = {"entailment", "same", "duplicate", "paraphrase", "match", "equivalent"}


def canonical(label: str) -> str:
    """Return a label without spaces, case and the fraction of a whole number: ``1.0`` and ``True`` are ``1``."""
    text = label.strip().casefold()
    number = number_of(text)
    return str(int(number)) if number is not None and number.is_integer() else text


def number_of(label: str) -> float | None:
    """Return the finite number that a label is; None if it is none."""
    try:
        number = float(label)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def is_label(value: str) -> bool:
    """Whether a value could be a label: a small number or a word that is known."""
    if _GRADE.fullmatch(value.strip()):
        return float(value) <= HIGHEST_GRADE
    return canonical(value) in _SAME | _DIFFERENT | _SAME_CLASSES | {*_CLASSES, *_CLASSES.values(), NO_CONSENSUS}


def kind_of(labels: Iterable[str]) -> Kind:
    """Return what labels are, judged by most of them.

    0 and 1, or words for them, are ``binary``; fractions, or whole numbers up to 5 of at least four values,
    ``graded``; everything else is ``classes``.
    """
    counts = Counter(map(canonical, labels))
    numbers = {label: number for label in counts if (number := number_of(label)) is not None}
    if 2 * sum(counts[label] for label in counts if binary_of(label) is not None) > counts.total():
        others = [label for label in counts if binary_of(label) is None]
        if sum(counts[label] for label in others) <= counts.total() / 20:
            return "binary"
    if 2 * sum(counts[label] for label in numbers) > counts.total():
        fits = all(0 <= number <= HIGHEST_GRADE for number in numbers.values())
        if fits and (len(numbers) >= 4 or any(not number.is_integer() for number in numbers.values())):
            return "graded"
    return "classes"


def binary_of(label: str) -> float | None:
    """Return 1 for the same and 0 for different; None for another label."""
    text = canonical(label)
    return 1.0 if text in _SAME else 0.0 if text in _DIFFERENT else None


def grade_of(label: str) -> float | None:
    """Return a grade from 0 to 5 as a share of 5; None for another label."""
    number = number_of(label)
    return number / HIGHEST_GRADE if number is not None and 0 <= number <= HIGHEST_GRADE else None


def class_of(label: str) -> str:
    """Return the name of a class; the letters of ANLI stand for those of SNLI."""
    return _CLASSES.get(canonical(label), canonical(label))


def means_same(name: str) -> bool:
    """Whether the name of a class is known to mean that both texts say the same."""
    return name in _SAME_CLASSES
