"""Labelled and generated pairs of names of persons, from which their scorer learns."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rapidfuzz import fuzz

from dedup.encoder.cosine import exact_neighbours
from dedup.encoder.onnx import Encoder
from dedup.evidence.persons.person_names import read, sounds_alike, tables
from dedup.training.data.sources import LabelledPairs, is_one_in, read_pairs

_NEIGHBOURS = 12
_UNLIKE = 2
"""Names of others that a name is paired with: the nearest ones, so they are hard to tell apart."""

_TITLES = ("dr", "prof", "mr", "mrs", "ms", "sir", "the honorable", "rev", "hon", "prof dr", "capt")
_DEGREES = ("md", "phd", "mba", "jd", "esq", "dds", "rn", "cpa", "ph d", "pe", "obe", "msc")

_GENERATIONS = ("jr", "junior", "sr", "ii", "iii")
_SAME_HEIRS = 1 / 3


def is_held_back(name: str) -> bool:
    """Return whether the aliases of this full name are kept for measuring; one in five, by hash."""
    return is_one_in(5, name)


def read_person_pairs(data: Path, encoder: Encoder, *, held_back: bool) -> LabelledPairs | None:
    """Return aliases of well-known persons, and pairs of the nearest names of different persons; None without a file.

    ``held_back``: those of the persons that the scorer does not learn from, instead of the others.
    """
    path = data / "pairs" / "person_aliases_train.csv.gz"
    if not path.is_file():
        return None
    pairs = read_pairs(path)
    known: defaultdict[str, set[str]] = defaultdict(set)
    for full, alias in zip(pairs.left, pairs.right, strict=True):
        known[full].add(alias)
        known[alias].add(full)
    rows = [
        (full, alias)
        for full, alias in zip(pairs.left, pairs.right, strict=True)
        if full != alias and is_held_back(full) == held_back
    ]
    left, right = [full for full, _ in rows], [alias for _, alias in rows]
    others = _unlike(list(dict.fromkeys(left)), right, known, encoder)
    labels = [1] * len(left) + [0] * len(others)
    return LabelledPairs(left + [one for one, _ in others], right + [other for _, other in others], labels)


def _unlike(
    full: Sequence[str], aliases: Sequence[str], known: defaultdict[str, set[str]], encoder: Encoder
) -> list[tuple[str, str]]:
    """Return each full name with the nearest names of other persons: full ones and aliases."""
    names = list(dict.fromkeys([*full, *aliases]))
    places = {name: at for at, name in enumerate(names)}
    codes = encoder.encode(names)
    neighbours, _ = exact_neighbours(codes[[places[name] for name in full]], codes, _NEIGHBOURS)
    found = []
    for name, near in zip(full, neighbours.tolist(), strict=True):
        relatives = {name, *known[name]}
        relatives |= {other for alias in known[name] for other in known[alias]}
        strangers = [names[at] for at in near if at >= 0 and relatives.isdisjoint({names[at], *known[names[at]]})]
        found += [(name, stranger) for stranger in strangers[:_UNLIKE]]
    return found


_FEMININE_TITLES = ("mrs", "ms", "lady")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_COMMON, _NAMESAKES = 8, 0.6
_ERRORS = (0.5, 0.35, 0.15)
_SWAPPED, _SPACED, _SHORTEST, _DRAWN = 0.15, 0.3, 4, 30


Maker = Callable[[tuple[str, ...]], list[str]]
"""Takes the words of a name and returns those of another one."""


class PersonPairs:
    """Generates pairs of names of persons: written otherwise, and of others with a part of the name in common."""

    def __init__(self, names: Sequence[str], rng: random.Random) -> None:
        self._names = [words for name in names if 2 <= len(words := read(name).words) <= 4]
        self._rng = rng
        surnames = Counter(words[-1] for words in self._names)
        common = [words for words in self._names if surnames[words[-1]] >= _COMMON and words[0] in tables().spellings]
        self._common = common or self._names
        groups: defaultdict[int, list[str]] = defaultdict(list)
        for word, numbers in tables().spellings.items():
            for number in numbers:
                groups[number].append(word)
        self._forms = groups
        self._same: tuple[Maker, ...] = (
            self._titled, self._reordered, self._initial, self._shorter, self._misspelt, self._misspelt,
            self._other_form,
        )  # fmt: skip
        self._different: tuple[Maker, ...] = (
            self._other_given, self._other_surname, self._other_given, self._feminine, self._other_initial,
            self._other_generation, self._other_title, self._alone, self._namesake,
        )  # fmt: skip

    def pairs(self, number: int) -> LabelledPairs:
        """Return so many pairs of each label."""
        left, right, labels = [], [], []
        for label, makers in ((1, self._same), (0, self._different)):
            for _ in range(number):
                maker = self._rng.choice(makers)
                words = self._rng.choice(self._common if maker in (self._namesake, self._alone) else self._names)
                made = maker(words)
                right.append(" ".join(made))
                left.append(" ".join(self._opposite(maker, words, made)))
                labels.append(label)
        return LabelledPairs(left, right, labels)

    def heirs(self, number: int) -> LabelledPairs:
        """Return names with a generation on one side and nothing else that differs.

        Father and son have one name, and many leave a generation out; so of these pairs a third is the same.
        """
        left, right, labels = [], [], []
        for _ in range(number):
            words = self._rng.choice(self._names)
            left.append(" ".join(words))
            right.append(" ".join((*words, self._rng.choice(_GENERATIONS))))
            labels.append(int(self._rng.random() < _SAME_HEIRS))
        return LabelledPairs(left, right, labels)

    def _opposite(self, maker: Maker, words: tuple[str, ...], made: Sequence[str]) -> Sequence[str]:
        """Return the name beside the one made."""
        if maker == self._other_title:
            return ("mr", *made[1:])
        return (*words, "sr") if maker == self._other_generation else words

    def _titled(self, words: tuple[str, ...]) -> list[str]:
        title, degree = self._rng.choice(_TITLES), self._rng.choice(_DEGREES)
        shape = self._rng.randrange(3)
        return [*([title] if shape != 1 else []), *words, *([degree] if shape else [])]

    def _reordered(self, words: tuple[str, ...]) -> list[str]:
        return [words[-1], *words[:-1]]

    def _namesake(self, words: tuple[str, ...]) -> list[str]:
        """Return the name of another person who bears a common surname, and a form of the given name or its initial."""
        return self._other_form(words) if self._rng.random() < _NAMESAKES else [words[0][0], words[-1]]

    def _initial(self, words: tuple[str, ...]) -> list[str]:
        if len(words) > 2 and self._rng.random() < 0.6:
            return [words[0], *(word[0] for word in words[1:-1]), words[-1]]
        return [*(word[0] for word in words[:-1]), words[-1]]

    def _shorter(self, words: tuple[str, ...]) -> list[str]:
        return [words[0], words[-1]] if len(words) > 2 else self._reordered(words)

    def _misspelt(self, words: tuple[str, ...]) -> list[str]:
        """Return a name with one to three typing errors; a letter, or the space of an error, in any word."""
        spelt = list(" ".join(self._reordered(words) if self._rng.random() < _SWAPPED else words))
        for _ in range(self._rng.choices((1, 2, 3), _ERRORS)[0]):
            at, letter = self._rng.randrange(len(spelt)), self._rng.choice(_LETTERS)
            error = self._rng.randrange(5)
            if error == 0:
                spelt.insert(at, letter)
            elif error == 1 and len(spelt) > _SHORTEST:
                del spelt[at]
            elif error == 2 and at + 1 < len(spelt):
                spelt[at : at + 2] = spelt[at + 1], spelt[at]
            elif error == 3 and self._rng.random() < _SPACED:
                spelt.insert(at, " ")
            else:
                spelt[at] = letter
        return "".join(spelt).split()

    def _other_form(self, words: tuple[str, ...]) -> list[str]:
        numbers = sorted(tables().spellings.get(words[0], ()))
        forms = [form for number in numbers for form in self._forms[number] if not sounds_alike(form, words[0])]
        return [self._rng.choice(forms), *words[1:]] if forms else self._titled(words)

    def _other_given(self, words: tuple[str, ...]) -> list[str]:
        given = self._other(words[0], 0)
        return [given, *words[1:]] if self._rng.random() < 0.7 else [given, words[-1]]

    def _other_surname(self, words: tuple[str, ...]) -> list[str]:
        return [*words[:-1], self._other(words[-1], -1)]

    def _other(self, word: str, place: int) -> str:
        """Return the name of another person, half the time the most alike of several."""
        drawn = self._rng.choices(self._names, k=_DRAWN if self._rng.random() < 0.5 else 1)
        return max((name[place] for name in drawn if name[place] != word), key=partial(fuzz.ratio, word), default="x")

    def _feminine(self, words: tuple[str, ...]) -> list[str]:
        first = words[0]
        if first.endswith("a"):
            return [first[:-1] + self._rng.choice(("", "o")), *words[1:]]
        return [(first[:-1] if first.endswith("o") else first) + "a", *words[1:]]

    def _other_initial(self, words: tuple[str, ...]) -> list[str]:
        return [self._rng.choice("abcdefghijklmnoprstw".replace(words[0][0], "")), *words[1:]]

    def _other_generation(self, words: tuple[str, ...]) -> list[str]:
        return [*words, "jr"]

    def _other_title(self, words: tuple[str, ...]) -> list[str]:
        return [self._rng.choice(_FEMININE_TITLES), *(words if self._rng.random() < 0.5 else words[-1:])]

    def _alone(self, words: tuple[str, ...]) -> list[str]:
        """Return a given name, or a surname, alone."""
        return [words[0] if self._rng.random() < 0.5 else words[-1]]
