"""How rare a word is among the texts of a corpus, or of the world: 0 for one in every text, 1 for one never seen."""

from __future__ import annotations

import math
from collections.abc import Callable

from dedup.text.word_weights import WordModel

_UNCOUNTED = 1.5
"""Times that a word occurs which is counted too rarely to be listed."""

Rarity = Callable[[str], float]


def rarity_in(word_model: WordModel) -> Rarity:
    """Return the rarity of words in the corpus of a model; without a corpus, among the names it was trained on.

    It is relative to the rarity of a word never seen, so that corpora of all sizes can be compared.
    """
    corpus, idf = word_model.corpus, word_model.idf
    if not corpus.n_names:
        return lambda word: min(1.0, max(0.0, idf.of(word) / idf.unseen))
    largest, counts = math.log(corpus.n_names + 1), corpus.words

    def rarity(word: str) -> float:
        return max(0.0, 1 - math.log(counts.get(word, _UNCOUNTED)) / largest)

    return rarity
