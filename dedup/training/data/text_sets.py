"""Labelled pairs of products, citations, beers and songs, from which the scorer of texts learns."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.training.data.sources import LabelledPairs, read_pairs

SETS = {
    "amazon_google": "Apache-2.0 (repository); Magellan benchmark data, research use",
    "walmart_amazon": "Apache-2.0 (repository); Magellan benchmark data, research use",
    "dblp_scholar": "Apache-2.0 (repository); Magellan benchmark data, research use",
    "beer": "Apache-2.0 (repository); Magellan benchmark data, research use",
    "itunes_amazon": "Apache-2.0 (repository); Magellan benchmark data, research use",
}
"""The labelled files and their licences."""

_COUNTED = ("vol", "volume", "part", "disc", "cd", "version", "series", "no", "chapter", "book", "season")
_MODEL_NUMBER = re.compile(r"(?=\w*\d)(?=\w*[a-z])\w{4,}$")
_GENERATED = 300
"""Texts of each set, at most, from which pairs are generated."""

_CHANGES = 2
_SHORTEST_MISSPELT = 5


@dataclass(frozen=True, slots=True)
class TextSet:
    """A labelled file: its name and its pairs."""

    name: str
    pairs: LabelledPairs


def read_text_sets(data: Path) -> list[TextSet]:
    """Return the labelled files that the folder ``data`` has."""
    paths = {name: data / "pairs" / f"{name}_train.csv.gz" for name in SETS}
    return [TextSet(name, read_pairs(path)) for name, path in paths.items() if path.is_file()]


def generated_of(some: TextSet, seed: int) -> LabelledPairs:
    """Return pairs made of single texts: with another number they are different, misspelt or reordered the same.

    Labelled pairs seldom differ in a number alone.
    """
    rng = random.Random(f"{seed} {some.name}")
    texts = some.pairs.texts
    left, right, labels = [], [], []
    for text in rng.sample(texts, min(_GENERATED, len(texts))):
        words = text.split()
        for changed, label in ((_renumbered(words, rng), 0), (_rewritten(words, rng), 1)):
            left.append(" ".join(changed[0]))
            right.append(" ".join(changed[1]))
            labels.append(label)
    return LabelledPairs(left, right, labels)


def versions_of(some: TextSet, seed: int) -> LabelledPairs:
    """Return pairs that differ in the number of a version and in a word: different."""
    rng = random.Random(f"{seed} {some.name} versions")
    texts = rng.sample(some.pairs.texts, min(_GENERATED, len(some.pairs.texts)))
    left, right = zip(*(_other_version(text.split(), rng) for text in texts), strict=True)
    return LabelledPairs([" ".join(one) for one in left], [" ".join(one) for one in right], [0] * len(texts))


def _renumbered(words: Sequence[str], rng: random.Random) -> tuple[list[str], list[str]]:
    """Return a text that counts something, or has a model number, with two different numbers."""
    places = [at for at, word in enumerate(words) if _MODEL_NUMBER.match(word)]
    if places and rng.random() < 0.5:
        at = rng.choice(places)
        digits = [place for place, char in enumerate(words[at]) if char.isdigit()]
        place = rng.choice(digits)
        other = rng.choice([digit for digit in "0123456789" if digit != words[at][place]])
        return list(words), [*words[:at], words[at][:place] + other + words[at][place + 1 :], *words[at + 1 :]]
    counted, (one, other_number) = rng.choice(_COUNTED), rng.sample(range(1, 40), 2)
    at = rng.randint(min(2, len(words)), len(words))
    left = [*words[:at], counted, str(one), *words[at:]]
    right = [*words[:at], counted, str(other_number), *words[at:]]
    return left, right if rng.random() < 0.7 else [*words]


def _other_version(words: Sequence[str], rng: random.Random) -> tuple[list[str], list[str]]:
    """Return a text with the number of a version and the same with another one and without one of its words."""
    at, (one, other) = rng.randint(1, len(words)), rng.sample(range(2, 30), 2)
    left_out = rng.randrange(len(words))
    before = [word for place, word in enumerate(words[:at]) if place != left_out or place == at - 1]
    after = [word for place, word in enumerate(words[at:], at) if place != left_out]
    return [*words[:at], str(one), *words[at:]], [*before, str(other), *after]


def _rewritten(words: Sequence[str], rng: random.Random) -> tuple[list[str], list[str]]:
    """Return a text and the same with a misspelt word, some words in another place, or one left out."""
    changed = list(words)
    for _ in range(rng.randint(1, _CHANGES)):
        at, kind = rng.randrange(len(changed)), rng.randrange(3)
        word = changed[at]
        if kind == 0 and len(word) >= _SHORTEST_MISSPELT and word.isalpha():
            place = rng.randrange(1, len(word) - 1)
            changed[at] = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        elif kind == 1 and len(changed) > 3:
            changed = changed[at:] + changed[:at]
        elif word.isalpha() and len(changed) > 3:
            del changed[at]
    return list(words), changed
