"""Generated pairs for the scorer: variants of real names, and similar but different names.

They cover funds, branches, places and one-word names, which are rare in the labelled files.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from dedup.text.gazetteer import are_opposites, is_known_spelling, opposites, places
from dedup.text.names import parse
from dedup.training.data.sources import LabelledPairs
from dedup.training.data.variants import misspelt, sibling, variant

Pair = tuple[str, str]

_NUMBERED = (
    ("i", "ii"), ("ii", "iii"), ("iii", "iv"), ("v", "vi"), ("1", "2"), ("2", "3"), ("7", "8"), ("5", "15"),
    ("12", "21"), ("101", "102"), ("118", "181"), ("0417", "0471"), ("2006", "2007"), ("2019", "2020"),
    ("2006 1", "2006 2"), ("2003 a", "2003 b"), ("2003 a", "2004 a"), ("series a", "series b"), ("class a", "class b"),
    ("jr", "sr"), ("one", "two"), ("two", "three"),
)  # fmt: skip
_ORDINALS = (("first", "second"), ("first", "third"), ("second", "third"), ("1st", "2nd"), ("third", "fourth"))
_BODIES = (
    "scholarship fund", "retirement plan", "booster club", "parent teacher association", "federal credit union",
    "homeowners association", "historical society", "employee benefit trust", "volunteer fire company",
    "school foundation", "workers union", "supporters club", "veterans group", "savings plan", "charity trust",
)  # fmt: skip
_FORMS = ("inc", "llc", "ltd", "corp", "company", "gmbh", "ag", "sa", "plc", "co ltd", "limited")
_MIN_COUNT = 100
_MIN_BEGUN_COUNT = 20
_MIN_BEGINNING = 2
_MIN_MISSPELT = 7
_MAX_COUNT_RATIO = 50
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_SHORT_LENGTHS = range(2, 6)
_SHARE_WITHOUT_NUMBER = 0.15


class Generator:
    """Generates pairs from real ``names``; ``counts`` maps each word to the number of names that contain it."""

    def __init__(self, names: Sequence[str], counts: Mapping[str, int], seed: int) -> None:
        self._names = names
        self._counts = counts
        self._long_words = sorted(
            word for word in counts if len(word) > _MIN_MISSPELT and word.isalpha() and word.isascii()
        )
        self._rng = random.Random(seed)
        self._common = sorted(word for word, count in counts.items() if count >= _MIN_COUNT and word.isalpha())
        self._near = _near_words(self._common, counts)
        self._words_with_near = sorted(self._near)
        self._short_words = [word for word in self._common if len(word) in _SHORT_LENGTHS]
        self._last_words = sorted(
            {w for name in names[:50_000] if (w := parse(name).words[-1]) in counts and len(w) > 3}
        )
        self._vocabulary = list(dict.fromkeys(w for name in names[:50_000] for w in name.split() if len(w) > 3))
        self._with_opposites = sorted(word for word in opposites() if word in counts and word.isascii())
        self._begun = _begun_words(counts)
        self._places = [place for place in places() if len(place) > 2 and place.isascii()]

    def pairs(self, count: int) -> LabelledPairs:
        """Return up to ``count`` pairs of the same name (label 1) and up to ``count`` of different names (label 0)."""
        same: list[tuple[Callable[[str], Pair | None], float]] = [
            (self._variant, 16), (self._with_form, 2), (self._short_with_form, 2), (self._initials, 0.6),
            (self._misspelt, 3),
        ]  # fmt: skip
        different: list[tuple[Callable[[str], Pair | None], float]] = [
            (self._sibling, 3), (self._numbered, 12), (self._ordinal, 1), (self._placed, 8), (self._opposite, 3),
            (self._with_place, 5), (self._beginning_of_a_word, 9), (self._other_last_word, 2),
            (self._other_first_word, 2), (self._near_word, 8), (self._short_names, 7), (self._dependent_body, 4),
        ]  # fmt: skip
        result = LabelledPairs([], [], [])
        for label, kinds in ((1, same), (0, different)):
            makers, weights = zip(*kinds, strict=True)
            for make in self._rng.choices(makers, weights=weights, k=count):
                pair = make(self._rng.choice(self._names))
                if pair is not None and pair[0] != pair[1]:
                    result.left.append(pair[0])
                    result.right.append(pair[1])
                    result.labels.append(label)
        return result

    def _variant(self, name: str) -> Pair | None:
        other = variant(name, self._rng, is_sure=True)
        return None if self._shortens_a_rare_word(name, other) else (name, other)

    def _shortens_a_rare_word(self, left: str, right: str) -> bool:
        """Return whether one name begins a word of the other that is no common one: rarely a usual abbreviation."""
        words = set(left.split()), set(right.split())
        return any(
            len(long) - len(short) > 1 and long.startswith(short) and self._counts.get(long, 0) < _MIN_COUNT
            for short in words[0] ^ words[1]
            for long in words[0] ^ words[1]
        )

    def _misspelt(self, _: str) -> Pair | None:
        if not self._long_words:
            return None
        word = self._rng.choice(self._long_words)
        form = self._rng.choice(("", *_FORMS))
        return f"{word} {form}".strip(), f"{misspelt(word, self._rng)} {form}".strip()

    def _with_form(self, name: str) -> Pair:
        core = parse(name).core
        return core, f"{core} {self._rng.choice(_FORMS)}"

    def _short_with_form(self, _: str) -> Pair | None:
        if not self._short_words:
            return None
        word = self._rng.choice(self._short_words)
        return word, f"{word} {self._rng.choice(_FORMS)}"

    def _initials(self, name: str) -> Pair | None:
        initials = parse(name).initials
        return (initials, name) if 3 <= len(initials) <= 6 and initials.isalpha() else None

    def _sibling(self, name: str) -> Pair | None:
        other = sibling(name, self._rng, self._vocabulary)
        return None if other is None else (name, other)

    def _numbered(self, name: str) -> Pair:
        first, second = self._rng.choice(_NUMBERED)
        core = parse(name).core
        form = self._rng.choice(("", "", " lp", " llc", " inc"))
        is_bare = self._rng.random() < _SHARE_WITHOUT_NUMBER
        return core + form if is_bare else f"{core} {first}{form}", f"{core} {second}{form}"

    def _ordinal(self, name: str) -> Pair:
        first, second = self._rng.choice(_ORDINALS)
        core = parse(name).core
        return f"{first} {core}", f"{second} {core}"

    def _placed(self, name: str) -> Pair:
        first, second = self._rng.sample(self._places, 2)
        words = parse(name).words
        joint = self._rng.choice((" ", " ", " of "))
        if self._rng.random() < 0.3:
            return f"{first} {' '.join(words[1:] or words)}", f"{second} {' '.join(words[1:] or words)}"
        core = " ".join(words[: self._rng.randint(1, 4)])
        return core + joint + first, core + joint + second

    def _opposite(self, name: str) -> Pair | None:
        if not self._with_opposites:
            return None
        first = self._rng.choice(self._with_opposites)
        others = [word for word in self._with_opposites if are_opposites(first, word)]
        words = list(parse(name).words[: self._rng.randint(1, 4)])
        if not others:
            return None
        at = self._rng.randint(0, len(words))
        second = self._rng.choice(others)
        return " ".join([*words[:at], first, *words[at:]]), " ".join([*words[:at], second, *words[at:]])

    def _with_place(self, name: str) -> Pair:
        core = " ".join(parse(name).words[: self._rng.randint(2, 5)])
        return core, core + self._rng.choice((" ", " ", " of ")) + self._rng.choice(self._places)

    def _beginning_of_a_word(self, name: str) -> Pair | None:
        if not self._begun:
            return None
        short, long = self._rng.choice(self._begun)
        words = list(parse(name).words[: self._rng.randint(1, 4)])
        at = self._rng.choice((0, len(words), len(words)))
        return " ".join([*words[:at], short, *words[at:]]), " ".join([*words[:at], long, *words[at:]])

    def _other_last_word(self, name: str) -> Pair | None:
        if len(self._last_words) < 2:
            return None
        words = parse(name).words
        first, second = self._rng.sample(self._last_words, 2)
        start = " ".join(words[: self._rng.randint(1, 2)])
        return None if is_alike(first, second) else (f"{start} {first}", f"{start} {second}")

    def _other_first_word(self, name: str) -> Pair | None:
        words, others = parse(name).words, parse(self._rng.choice(self._names)).words
        if len(words) < 2 or is_alike(words[0], others[0]):
            return None
        return " ".join(words), " ".join((others[0], *words[1:]))

    def _near_word(self, name: str) -> Pair | None:
        if not self._words_with_near:
            return None
        words = list(parse(name).words[: self._rng.randint(1, 3)])
        first = self._rng.choice(self._words_with_near)
        second = self._rng.choice(self._near[first])
        at = self._rng.randint(0, len(words)) if self._rng.random() < 0.7 else 0
        left, right = ([*words[:at], new, *words[at:]] for new in (first, second))
        return (" ".join(left), " ".join(right)) if self._rng.random() < 0.8 else (first, second)

    def _short_names(self, _: str) -> Pair | None:
        if not self._short_words:
            return None
        word = self._rng.choice(self._short_words)
        at, letter = self._rng.randrange(len(word)), self._rng.choice(_ALPHABET)
        edits = (
            word[:at] + letter + word[at + 1 :],
            word[:at] + letter + word[at:],
            self._rng.choice(self._short_words),
        )
        other = self._rng.choice(edits)
        return None if is_known_spelling(*sorted((word, other), key=len)) else (word, other)

    def _dependent_body(self, name: str) -> Pair:
        words = parse(name).words
        owner = " ".join(words[: self._rng.randint(1, 3)]) if self._rng.random() < 0.5 else name
        return owner, f"{owner} {self._rng.choice(_BODIES)}"


def is_alike(first: str, second: str) -> bool:
    """Return whether two words may be forms of the same word: a known spelling, or the same first three letters."""
    return first[:3] == second[:3] or is_known_spelling(*sorted((first, second), key=len))


def _begun_words(counts: Mapping[str, int]) -> list[Pair]:
    """Return pairs of known words, the first of which begins the second and is no usual short form of it."""
    frequent = (word for word, count in counts.items() if count >= _MIN_BEGUN_COUNT)
    known = sorted(word for word in frequent if word.isalpha() and word.isascii())
    result = []
    for at, short in enumerate(known):
        if len(short) < _MIN_BEGINNING:
            continue
        for long in known[at + 1 :]:
            if not long.startswith(short):
                break
            if len(long) - len(short) > 1 and not is_known_spelling(short, long):
                result.append((short, long))
    return result


def _near_words(words: Sequence[str], counts: Mapping[str, int]) -> dict[str, list[str]]:
    """Map each common word of four letters or more to the common words one or two edits away.

    Words much rarer than their neighbour are left out: they may be frequent typos.
    """
    by_rest: dict[str, list[str]] = defaultdict(list)
    for word in words:
        if len(word) > 3:
            for rest in {word[:i] + word[i + 1 :] for i in range(len(word))}:
                by_rest[rest].append(word)
    near: dict[str, list[str]] = defaultdict(list)
    for group in by_rest.values():
        for first in group:
            for second in group:
                low, high = sorted((counts[first], counts[second]))
                is_known = is_known_spelling(*sorted((first, second), key=len))
                if first != second and high < low * _MAX_COUNT_RATIO and not is_known:
                    near[first].append(second)
    return {word: sorted(set(others)) for word, others in near.items()}
