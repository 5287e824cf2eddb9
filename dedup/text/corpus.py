"""What a corpus says about its own names: counts of words and initials, its short forms of words, its field widths.

A word that a corpus shows often tells its names little apart, whatever language it is in; so do words that go
together (``municipal income fund``), and initials that many names have. Where several names occur once with a word
and once with another that can abbreviate it, the corpus abbreviates it so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.text.names import NO_WIDTHS, initials_of, parse
from dedup.text.pairing import abbreviates

SAMPLE = 100_000
"""Number of evenly spaced names of a corpus that are counted."""

SMALLEST = 100
"""Number of names from which a corpus is described."""

_NAMES_PER_STEP = 1_000
"""Names between two progress reports."""

_MIN_WORD_COUNT = 3
_MIN_PAIR_COUNT = 4
_MIN_INITIALS_COUNT = 2
_MAX_WORDS = 16
"""Number of words above which the pairs of words of a name are not counted, as in documents."""

_MIN_SHORT_FORM_COUNT = 3
_MIN_SHORT_FORM_SHARE = 0.05
"""Share of the names with a short form that must occur with the word in full, too."""

_MIN_SAVED = 2
"""Number of letters that a short form saves at least."""

_RARE = 5
"""Number of names with a word up to which two names that share it are probably one."""

_MIN_CUT = 20
"""Number of names with one length, and of names cut off, from which a field width is believed."""

_DROP = 3.0
"""How many times as many names as beyond it have the length of a field width."""

_WIDTH_SAMPLE = 20_000
"""Number of names in which field widths are sought; among more, even the beginnings of words occur often."""

_WIDTHS = range(16, 101)
_BLUR = 3
"""Number of characters that punctuation at most takes off a name in most cases, and thus off the width of its field."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Counts in ``n_names`` names; what is counted rarely is left out.

    Attributes:
        n_names: Number of names counted.
        words: Number of names that contain each core word, from 3.
        word_pairs: Number of names that contain both words of a pair, from 4; a key is two sorted words and a space.
        initials: Number of names with these initials, from 2.
        short_forms: Number of names that occur both with a word and with its short form, from 3; a key is the short
            form, a space and the word.
        widths: Lengths of normal forms, in characters, at which a field of fixed width cuts names off.

    """

    n_names: int = 0
    words: Mapping[str, int] = field(default_factory=dict)
    word_pairs: Mapping[str, int] = field(default_factory=dict)
    initials: Mapping[str, int] = field(default_factory=dict)
    short_forms: Mapping[str, int] = field(default_factory=dict)
    widths: frozenset[int] = NO_WIDTHS

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Corpus:
        """Read a corpus in the form that ``to_json`` writes.

        Raises:
            KeyError: something is missing.
            TypeError: something is of another type.
        """
        counts = {name: data[name] for name in _TABLES}
        for name, value in counts.items():
            if not isinstance(value, dict) or not _are_counts(list(value.values())):
                raise TypeError(f"{name} is no table of counts")
        n_names, widths = data["n_names"], data["widths"]
        if not isinstance(widths, list) or not _are_counts([n_names, *widths]):
            raise TypeError("n_names or widths are no whole numbers")
        return cls(n_names, widths=frozenset(widths), **counts)

    def to_json(self) -> dict[str, Any]:
        """Return the corpus as plain JSON data."""
        counts = {name: dict(getattr(self, name)) for name in _TABLES}
        return {"n_names": self.n_names, **counts, "widths": sorted(self.widths)}


def _are_counts(values: list[Any]) -> bool:
    return set(map(type, values)) <= {int} and (not values or 0 <= min(values) <= max(values) < _ABSURD)


_ABSURD = 2**53
_TABLES = ("words", "word_pairs", "initials", "short_forms")


def describe_corpus(normal_forms: Sequence[str], words_of: Callable[[str], Sequence[str]] | None = None) -> Corpus:
    """Count in at most ``SAMPLE`` evenly spaced ones of the distinct ``normal_forms``; fewer than 100 say nothing.

    ``words_of`` returns the words of a text that is no company name (``describe_sample``).
    """
    step = sampling_step(len(normal_forms))
    sample = normal_forms[step - 1 :: step]
    return describe_sample(sample, words_of=words_of) if len(sample) >= SMALLEST else Corpus()


def sampling_step(n: int) -> int:
    """Return the distance between the names to be counted among ``n``."""
    return max(1, -(-n // SAMPLE))


def describe_sample(
    normal_forms: Sequence[str],
    progress: Callable[[int, int], None] = lambda done, total: None,
    words_of: Callable[[str], Sequence[str]] | None = None,
) -> Corpus:
    """Count in all of the distinct ``normal_forms``; ``progress`` is called with the number counted and the total.

    With ``words_of``, which returns the words of a text, only these are counted.
    """
    if words_of is not None:
        return _count_words(normal_forms, progress, words_of)
    widths = _field_widths(normal_forms)
    words: Counter[str] = Counter()
    initials: Counter[str] = Counter()
    of_names: list[tuple[str, ...]] = []
    for done, normal in enumerate(normal_forms, 1):
        name = parse(normal)
        of_names.append(name.words)
        words.update(set(name.words))
        initials[initials_of(name)] += 1
        if not done % _NAMES_PER_STEP or done == len(normal_forms):
            progress(done, len(normal_forms))
    frequent = {word for word, count in words.items() if count >= _MIN_PAIR_COUNT}
    pairs: Counter[str] = Counter()
    for of_name in of_names:
        known = sorted({word for word in of_name if word in frequent})
        if len(known) <= _MAX_WORDS:
            pairs.update([f"{first} {second}" for first, second in combinations(known, 2)])
    del initials[""]
    return Corpus(
        len(of_names),
        _from(words, _MIN_WORD_COUNT),
        _from(pairs, _MIN_PAIR_COUNT),
        _from(initials, _MIN_INITIALS_COUNT),
        _short_forms(of_names, words),
        widths,
    )


def _count_words(
    normal_forms: Sequence[str], progress: Callable[[int, int], None], words_of: Callable[[str], Sequence[str]]
) -> Corpus:
    words: Counter[str] = Counter()
    for done, normal in enumerate(normal_forms, 1):
        words.update(set(words_of(normal)))
        if not done % _NAMES_PER_STEP or done == len(normal_forms):
            progress(done, len(normal_forms))
    return Corpus(len(normal_forms), _from(words, _MIN_WORD_COUNT))


def _short_forms(names: Sequence[tuple[str, ...]], counts: Mapping[str, int]) -> dict[str, int]:
    """Count the names that occur both with a word and with a word that can abbreviate it, and are equal otherwise.

    The rest of the names must have a rare word; otherwise two of them are equal by chance.
    """
    written: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        if not 1 < len(name) <= _MAX_WORDS:
            continue
        rare = [at for at, word in enumerate(name) if counts[word] <= _RARE]
        for at, word in enumerate(name):
            if counts[word] >= _MIN_SHORT_FORM_COUNT and rare and rare != [at]:
                written.setdefault((*name[:at], "", *name[at + 1 :]), []).append(word)
    found: Counter[tuple[str, str]] = Counter()
    for words in written.values():
        if len(words) > 1:
            found.update(
                pair
                for pair in permutations(set(words), 2)
                if len(pair[1]) - len(pair[0]) >= _MIN_SAVED and abbreviates(*pair)
            )
    return {
        f"{short} {long}": count
        for (short, long), count in sorted(found.items())
        if count >= max(_MIN_SHORT_FORM_COUNT, _MIN_SHORT_FORM_SHARE * counts[short])
    }


def _from(counts: Mapping[str, int], least: int) -> dict[str, int]:
    return dict(sorted((key, count) for key, count in counts.items() if count >= least))


def _field_widths(normal_forms: Sequence[str]) -> frozenset[int]:
    """Return the lengths at which names are cut off, up to the width of a field.

    At a field width many names end, hardly any is longer, and many names end in the middle of a word: in one that the
    corpus does not show elsewhere. A number at the end is no such word.
    """
    normal_forms = normal_forms[:: max(1, -(-len(normal_forms) // _WIDTH_SAMPLE))]
    lengths = np.fromiter(map(len, normal_forms), np.int64, len(normal_forms))
    counts = np.bincount(np.minimum(lengths, _WIDTHS[-1] + _BLUR), minlength=_WIDTHS[-1] + _BLUR + 1)
    spikes = [
        width
        for width in _WIDTHS
        if counts[width] >= _MIN_CUT and counts[width] >= _DROP * counts[width + 1 : width + 1 + _BLUR].mean()
    ]
    if not spikes:
        return NO_WIDTHS
    known = Counter(word for normal in normal_forms for word in set(normal.split()))
    return frozenset(
        length
        for width in spikes
        if _are_cut(_names_of(normal_forms, lengths, width), _names_of(normal_forms, lengths, width - 2 * _BLUR), known)
        for length in range(width - _BLUR + 1, width + 1)
    )


def _names_of(normal_forms: Sequence[str], lengths: NDArray[np.int64], width: int) -> list[str]:
    return [normal_forms[at] for at in np.flatnonzero((lengths > width - _BLUR) & (lengths <= width)).tolist()]


def _are_cut(names: Sequence[str], shorter: Sequence[str], known: Mapping[str, int]) -> bool:
    """Return whether ``names`` end in unknown words much more often than ``shorter`` ones."""
    cut, usual = (sum(known[last] == 1 for last in _last_words(some)) for some in (names, shorter))
    if cut < _MIN_CUT:
        return False
    expected = usual / max(1, len(shorter))
    return cut / len(names) > expected + 3 * math.sqrt(max(expected, 0.02) / len(names)) and cut / len(names) > 0.1


def _last_words(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        last = name.rsplit(" ", 1)[-1]
        if last.isalpha():
            yield last
