"""Choose the columns of labelled pairs: two texts and a label, by their names and their values.

The names are those of usual data sets: SNLI, QQP, ANLI, STS, MRPC and our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dedup.errors import InputRefused
from indexer.reading.columns import find
from indexer.reading.detection.header_words import key_of
from indexer.reading.labels import is_label

_PAIRS = (
    ("sentence1", "sentence2"), ("question1", "question2"), ("text1", "text2"), ("name1", "name2"),
    ("string1", "string2"), ("premise", "hypothesis"), ("context", "hypothesis"), ("sentencea", "sentenceb"),
    ("texta", "textb"), ("namea", "nameb"), ("left", "right"), ("leftname", "rightname"), ("first", "second"),
    ("anchor", "positive"), ("query", "match"), ("s1", "s2"), ("q1", "q2"), ("a", "b"),
)  # fmt: skip
_LABELS = (
    "goldlabel", "label", "isduplicate", "duplicate", "quality", "score", "similarity", "relatednessscore", "grade",
    "match", "ismatch", "same", "issame", "entailmentjudgment", "target", "class", "y",
)  # fmt: skip
_MOST_LABELS = 20
_LABELLED = 0.95


@dataclass(slots=True)
class PairColumns:
    """The columns of pairs: those asked for by name; found ones take the place of None.

    An instance is the ``find_text`` of ``ReadOptions``: called with a header, it fills what is missing.
    """

    first: str | None = None
    second: str | None = None
    label: str | None = None
    needs_label: bool = True

    def __call__(self, header: Sequence[str], sample: Sequence[Sequence[str]]) -> Sequence[int]:
        """Return the place of the first text.

        Raises:
            InputRefused: a column is missing, or it is not clear which it is.
        """
        named = [None if name is None else _place(header, name) for name in (self.first, self.second, self.label)]
        first, second, label = named
        free = [at for at in range(len(header)) if at not in named]
        if first is None or second is None:
            first, second = _texts(header, sample, first, second, [at for at in free if at != label])
        if label is None and self.needs_label:
            label = _label(header, sample, [at for at in free if at not in (first, second)])
        self.first, self.second = header[first], header[second]
        self.label = None if label is None else header[label]
        return [first]


def _place(header: Sequence[str], name: str) -> int:
    places = find(header, name)
    if not places:
        listed = ", ".join(map(repr, header))
        raise InputRefused(f"There is no column {name!r}; there are {listed}.", "E_MISSING_COLUMN")
    return places[0]


def _texts(
    header: Sequence[str], sample: Sequence[Sequence[str]], first: int | None, second: int | None, free: Sequence[int]
) -> tuple[int, int]:
    """Return the places of both texts: by their names, else the two columns of the longest and most varied values."""
    if first is None and second is None:
        keys = {key_of(header[at]): at for at in free}
        for pair in _PAIRS:
            if keys.keys() >= set(pair):
                return keys[pair[0]], keys[pair[1]]
    texts = [at for at in free if not _are_labels(sample, at)] or list(free)
    ranked = sorted(texts, key=lambda at: -_letters(sample, at))
    wanted = 2 - sum(at is not None for at in (first, second))
    if len(ranked) < wanted:
        raise InputRefused(
            f"Two columns of texts are needed, and it is not clear which of {', '.join(map(repr, header))} they are; "
            "name them with --first and --second.",
            "E_NO_TEXT_COLUMN",
        )
    chosen = sorted(ranked[:wanted])
    return (chosen.pop(0) if first is None else first), (chosen.pop(0) if second is None else second)


def _label(header: Sequence[str], sample: Sequence[Sequence[str]], free: Sequence[int]) -> int:
    keys = {key_of(header[at]): at for at in reversed(free)}
    for name in _LABELS:
        if name in keys:
            return keys[name]
    found = [at for at in free if _are_labels(sample, at)]
    if len(found) != 1:
        which = f"{', '.join(repr(header[at]) for at in found)} could be it" if found else "no column looks like one"
        raise InputRefused(
            f"A column of labels is needed (0 and 1, classes, or grades from 0 to 5), and {which}; name it with "
            "--label.",
            "E_NO_LABEL_COLUMN",
        )
    return found[0]


def _are_labels(sample: Sequence[Sequence[str]], at: int) -> bool:
    values = [row[at].strip() for row in sample if row[at].strip()]
    few = len(set(values)) <= _MOST_LABELS or all(value.replace(".", "", 1).isdigit() for value in values)
    return bool(values) and few and sum(map(is_label, values)) >= _LABELLED * len(values)


def _letters(sample: Sequence[Sequence[str]], at: int) -> float:
    """Return about how much text a column has: letters of its distinct values, by row."""
    values = {row[at] for row in sample}
    return sum(sum(map(str.isalpha, value)) for value in values) / max(1, len(sample))
