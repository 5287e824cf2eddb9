"""Link two lists of texts in memory: find the texts of one that are probably the same as those of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import exact_neighbours
from dedup.matching.batch import BatchComparison
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from indexer.jobs.duplicates import encode_in_blocks, with_words_of
from indexer.jobs.query import CANDIDATES_PER_MATCH, MIN_CANDIDATES
from indexer.store.store import Codes
from indexer.vectors.search import SketchedVectors

SCANNED_PRODUCTS = 1 << 31
"""Up to this many multiplications, the nearest vectors are found by an exact scan; beyond, with sketches."""

_QUERIES_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class LinkedTexts:
    """The links between two lists of texts.

    Attributes:
        pairs: Positions (p, 2) in the left and the right list, by ascending left, then by descending probability.
        probabilities: Probability of each pair (p,).
        similarities: Cosine of each pair (p,).
        exact: Whether both normal forms are equal (p,).
        model: The model that was used, with the word counts of both lists added.

    """

    pairs: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    similarities: NDArray[np.float32]
    exact: NDArray[np.bool_]
    model: Matcher

    def at(self, min_probability: float) -> LinkedTexts:
        """Return the links of at least ``min_probability``, a higher threshold, without a new search."""
        keep = self.probabilities >= min_probability
        return LinkedTexts(
            self.pairs[keep], self.probabilities[keep], self.similarities[keep], self.exact[keep], self.model
        )


def link_texts(
    left: Sequence[str],
    right: Sequence[str],
    model: Matcher,
    *,
    min_probability: float,
    limit: int = 10,
    progress: Progress = no_progress,
) -> LinkedTexts:
    """Link distinct normal forms: find the texts of ``right`` (n) that are probably the same as each of ``left`` (m).

    Each left text gets up to ``limit`` links of at least ``min_probability``. Equal texts have probability 1. Stages
    reported to ``progress``: ``encode``, ``search``, ``names``, ``words``, ``rule out`` and ``compare``.
    """
    texts = list(dict.fromkeys([*right, *left]))
    at = {text: place for place, text in enumerate(texts)}
    codes = encode_in_blocks(model, texts, progress)
    model = with_words_of(model, texts)
    of_left, of_right = (np.array([at[text] for text in side], np.int64) for side in (left, right))
    k = min(max(MIN_CANDIDATES, CANDIDATES_PER_MATCH * limit), len(right))
    found, cosines = _nearest(codes[of_left], codes[of_right], k, progress)
    rows, columns = np.nonzero((found >= 0) & (cosines >= model.min_similarity))
    pairs, similarities = np.column_stack([rows, found[rows, columns]]), cosines[rows, columns]
    places = np.column_stack([of_left[pairs[:, 0]], of_right[pairs[:, 1]]])
    differ = np.flatnonzero(places[:, 0] != places[:, 1])
    with BatchComparison(model, codes, texts) as comparison:
        likely, probabilities = comparison.likely(places[differ], similarities[differ], min_probability, progress)
    chosen = differ[likely]
    equal = np.array([(row, place) for row, place in enumerate(_places(left, right)) if place >= 0], np.int64)
    equal = equal.reshape(-1, 2)
    pairs = np.concatenate([equal, pairs[chosen]])
    probabilities = np.concatenate([np.ones(len(equal)), probabilities])
    similarities = np.concatenate([np.ones(len(equal), np.float32), similarities[chosen]])
    exact = np.arange(len(pairs)) < len(equal)
    order = np.lexsort((pairs[:, 1], -similarities, -probabilities, ~exact, pairs[:, 0]))
    order = order[_rank_within(pairs[order, 0]) < limit]
    return LinkedTexts(pairs[order], probabilities[order], similarities[order], exact[order], model)


def _places(left: Sequence[str], right: Sequence[str]) -> list[int]:
    """Return the position in ``right`` of each text of ``left``, -1 for none."""
    at = {text: place for place, text in enumerate(right)}
    return [at.get(text, -1) for text in left]


def _nearest(
    queries: Codes, corpus: Codes, k: int, progress: Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest rows of ``corpus`` (n, d) and their cosines, both (m, k), nearest first; row -1 for none."""
    if len(queries) * corpus.size <= SCANNED_PRODUCTS or len(corpus) <= k:
        return exact_neighbours(queries, corpus, k, lambda done: progress("search", done, len(queries)))
    sketched = SketchedVectors(np.arange(len(corpus)), corpus)
    rows, cosines = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        block = slice(start, start + _QUERIES_AT_ONCE)
        rows[block], cosines[block] = sketched.nearest(queries[block], k)
        progress("search", min(block.stop, len(queries)), len(queries))
    return rows, cosines


def _rank_within(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many equal values precede each value of ``groups`` (p,), ascending."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups)
