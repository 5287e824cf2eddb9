"""The weight of words: inverse document frequencies, and weights learnt from labelled pairs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from dedup.text.corpus import Corpus
from dedup.text.names import parse
from dedup.text.pairing import Pairing

_MOST_WORDS = 64
"""Number of shared words above which it does not matter which of them go together, as in documents."""

_MIN_JOINT_COUNT = 4
"""Number of names of a corpus that contain two words, from which the words are taken to go together."""


_LARGEST_WEIGHT = 1e6


class InverseDocumentFrequency:
    """How much a shared word says: log(N / number of names that contain it), for N names in all.

    Sparck Jones, "A statistical interpretation of term specificity and its application in retrieval", Journal
    of Documentation 28 (1972). A word that was never seen has log N. Of the frequency in the world's names and that
    in the user's ``corpus`` the higher one counts.
    """

    def __init__(self, counts: Mapping[str, int], n_names: int) -> None:
        self.corpus = Corpus()
        self.unseen = math.log(n_names)
        self._world = {word: math.log(n_names / count) for word, count in counts.items()}
        self._idf = self._world

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> InverseDocumentFrequency:
        """Read the number of names, and of those that contain each word.

        Raises ArithmeticError, AttributeError, LookupError, TypeError or ValueError if the data have another form.
        """
        counts, n_names = data["counts"], data["n_names"]
        if not 1 <= min(counts.values(), default=1) <= max(counts.values(), default=1) <= n_names:
            raise ValueError(f"counts of words that are not between 1 and {n_names!r}")
        return cls(counts, n_names)

    def of(self, word: str) -> float:
        """Return the inverse document frequency of a folded word, in nats."""
        return self._idf.get(word, self.unseen)

    def of_each(self, words: Sequence[str]) -> list[float]:
        """Return the inverse document frequency of each of several folded words, in nats."""
        return list(map(self._idf.get, words, repeat(self.unseen)))

    def of_all(self, words: Sequence[str], rarities: Sequence[float] | None = None) -> float:
        """Return how much several shared words say together, in nats: at most the sum of what each says alone.

        ``rarities`` are what ``of_each`` returns for them, if that is known.

        In the corpus, a word says only log(names with the other / names with both) beside another one with which it
        often goes; the chain begins with the commonest word and each word adds the least it can (Chow and Liu,
        "Approximating discrete probability distributions with dependence trees", IEEE Transactions on Information
        Theory 14, 1968).
        """
        pairs = self.corpus.word_pairs
        if rarities is None:
            rarities = self.of_each(words)
        if not pairs or not 2 <= len(words) <= _MOST_WORDS:
            return sum(rarities)
        ordered = sorted(zip(rarities, words, strict=True))
        total = 0.0
        for at, (idf, word) in enumerate(ordered):
            for _, before in ordered[:at]:
                both = pairs.get(f"{before} {word}" if before < word else f"{word} {before}", 0)
                if both >= _MIN_JOINT_COUNT:
                    idf = min(idf, math.log(self.corpus.words[before] / _beyond_chance(both)))
            total += max(0.0, idf)
        return total

    def with_corpus(self, corpus: Corpus) -> InverseDocumentFrequency:
        """Return the frequencies in these names and in a user's corpus."""
        result = copy(self)
        result.corpus, result._idf = corpus, dict(self._world)
        for word, count in corpus.words.items():
            idf = math.log((corpus.n_names + _CORPUS_PRIOR) / _beyond_chance(count))
            if idf < result.of(word):
                result._idf[word] = idf
        return result


_CORPUS_PRIOR = 300
"""Number of names that a corpus must have for its frequencies to weigh as much as the prior's."""


def _beyond_chance(count: int) -> float:
    """Return a count less what the duplicates of one name add to it."""
    return count * count / (count + 4)


def count_words(names: Iterable[str], *, least: int) -> tuple[dict[str, int], int]:
    """Count the normal forms that contain each core word.

    Returns the counts of at least ``least``, by word, and the number of normal forms.
    """
    counts: Counter[str] = Counter()
    n_names = 0
    for name in names:
        counts.update(set(parse(name).words))
        n_names += 1
    return {word: count for word, count in sorted(counts.items()) if count >= least}, n_names


Clue = tuple[str, str]
"""A word that is not shared and how it appears: (kind, word or words), kind ``alone``, ``exchanged`` or ``respelt``."""


def clues(pairing: Pairing) -> list[Clue]:
    """Return a clue for each word of a pairing that is not shared.

    A word is ``alone`` if only its side has unpaired words, and ``exchanged`` if both sides have some. A
    ``respelt`` clue holds both spellings, in alphabetical order, joined by ``|``.
    """
    kind = "exchanged" if pairing.left_only and pairing.right_only else "alone"
    unpaired = [(kind, word) for word in pairing.left_only + pairing.right_only]
    return unpaired + [("respelt", "|".join(sorted((spelt.left, spelt.right)))) for spelt in pairing.respelt]


@dataclass(frozen=True, slots=True)
class WordWeights:
    """The learnt weight of each clue: what it adds to the log-odds, in nats, beyond its inverse document frequency.

    Clues that were not learnt weigh 0.
    """

    weights: Mapping[Clue, float]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WordWeights:
        """Read weights in the form that ``to_json`` writes.

        Raises ArithmeticError, AttributeError, TypeError or ValueError if the data have another form.
        """
        weights = {(kind, words): weight for kind, table in data.items() for words, weight in table.items()}
        if max(map(abs, weights.values()), default=0.0) > _LARGEST_WEIGHT:
            raise ValueError(f"a weight is over {_LARGEST_WEIGHT:,.0f}")
        return cls(weights)

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
        return sum(map(self.weights.get, clues(pairing), repeat(0.0)), 0.0)


@dataclass(frozen=True, slots=True)
class WordModel:
    """What a model knows about words: their inverse document frequencies and learnt weights."""

    idf: InverseDocumentFrequency
    weights: WordWeights

    @property
    def corpus(self) -> Corpus:
        """What the user's corpus says about its own names."""
        return self.idf.corpus
