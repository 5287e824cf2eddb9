"""What words weigh: how rare each is, and how much it has been seen to speak for or against a pair."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dedup.text.names import parse
from dedup.text.pairing import Pairing

CORPUS_SAMPLE = 100_000
"""Texts of a corpus, evenly spread, that are enough to count its words in."""

LEAST_CORPUS = 10_000
"""Texts that a corpus has at least, for what its words say to be more than chance."""


class Rarity:
    """How much it says that two names share a word: the logarithm of how few names have it.

    Rarity of a word is log(N / number of names with it), N names in all; a word never seen has log N.
    """

    def __init__(self, counts: Mapping[str, int], n_names: int) -> None:
        self._counts = counts
        self._n_names = n_names
        self.unseen = math.log(n_names)
        self._rarity = {word: math.log(n_names / count) for word, count in counts.items()}

    def of(self, word: str) -> float:
        """Return the rarity of a folded word, in nats."""
        return self._rarity.get(word, self.unseen)

    def with_corpus(self, counts: Mapping[str, int], n_names: int) -> Rarity:
        """Return the rarity in these names and the corpus of a user together.

        ``counts`` says in how many of the corpus's ``n_names`` names each word occurs; of fewer than
        ``LEAST_CORPUS`` names nothing is learnt. One as large as the names behind this table counts as much as they do.
        """
        if n_names < LEAST_CORPUS:
            return self
        together = dict(self._counts)
        for word, count in counts.items():
            together[word] = together.get(word, 0) + count
        return Rarity(together, self._n_names + n_names)


def count_words(names: Iterable[str], *, least: int) -> tuple[dict[str, int], int]:
    """Return in how many of the normal forms each core word occurs, if in at least ``least``, and their number."""
    counts: Counter[str] = Counter()
    n_names = 0
    for name in names:
        counts.update(set(parse(name).words))
        n_names += 1
    return {word: count for word, count in sorted(counts.items()) if count >= least}, n_names


Clue = tuple[str, str]
"""What a pairing shows of a word: (kind, word or words), kind ``alone``, ``exchanged`` or ``respelt``."""


def clues(pairing: Pairing) -> Iterator[Clue]:
    """Yield what a pairing shows of each word that is not shared.

    A word is ``alone`` if the other side lacks nothing but words of this side, ``exchanged`` if both
    sides have words of their own, ``respelt`` with its partner, in alphabetical order.
    """
    kind = "exchanged" if pairing.left_only and pairing.right_only else "alone"
    for word in pairing.left_only + pairing.right_only:
        yield kind, word
    for spelt in pairing.respelt:
        yield "respelt", "|".join(sorted((spelt.left, spelt.right)))


@dataclass(frozen=True, slots=True)
class WordWeights:
    """What each clue adds to the log-odds, in nats, beyond what its rarity says; 0 for clues never learnt."""

    weights: Mapping[Clue, float]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WordWeights:
        """Read weights as ``to_json`` wrote them."""
        return cls({(kind, words): weight for kind, table in data.items() for words, weight in table.items()})

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return the weights as plain JSON data: by kind of clue, then by word."""
        result: dict[str, dict[str, float]] = {}
        for (kind, words), weight in sorted(self.weights.items()):
            result.setdefault(kind, {})[words] = weight
        return result

    def of(self, clue: Clue) -> float:
        """Return the weight of a clue."""
        return self.weights.get(clue, 0.0)

    def total(self, pairing: Pairing) -> float:
        """Return the sum of the weights of a pairing's clues."""
        return sum((self.weights.get(clue, 0.0) for clue in clues(pairing)), 0.0)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Rarity and weights of words, as a model ships them."""

    rarity: Rarity
    weights: WordWeights
