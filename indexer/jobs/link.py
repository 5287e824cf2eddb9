"""Link two lists of texts: find the texts of one that are probably the same as those of the other.

A list is given, or it is what the index holds of some sources; then its vectors need not be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import exact_neighbours
from dedup.errors import UsageError, VersionMismatch
from dedup.matching.batch import BatchComparison
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from indexer.jobs.duplicates import encode_in_blocks, with_words_of
from indexer.jobs.query import CANDIDATES_PER_MATCH, MIN_CANDIDATES
from indexer.store.store import Codes, Record, Store, check_sources
from indexer.vectors.search import SketchedVectors, check_model

SCANNED_PRODUCTS = 1 << 31
"""Up to this many multiplications, the nearest vectors are found by an exact scan; beyond, with sketches."""

LINKS_OF_A_TEXT = 100
"""Most links of a text between two sources of an index, by default."""
_QUERIES_AT_ONCE = 2_000


class TextVectors(NamedTuple):
    """Distinct normal forms (n) and their vectors (n, d)."""

    normals: Sequence[str]
    codes: Codes


@dataclass(frozen=True, slots=True)
class LinkedTexts:
    """The links between two lists of texts.

    Attributes:
        pairs: Positions (p, 2) in the left and the right list, by ascending left, then by descending probability.
        probabilities: Probability of each pair (p,).
        similarities: Cosine of each pair (p,).
        exact: Whether both normal forms are equal (p,).
        model: The model that was used, with the word counts of both lists or of the index added.
        limit: Most links of a left text.

    """

    pairs: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    similarities: NDArray[np.float32]
    exact: NDArray[np.bool_]
    model: Matcher
    limit: int

    def at(self, min_probability: float) -> LinkedTexts:
        """Return the links of at least ``min_probability``, a higher threshold, without a new search."""
        keep = self.probabilities >= min_probability
        of_pairs = self.pairs[keep], self.probabilities[keep], self.similarities[keep], self.exact[keep]
        return LinkedTexts(*of_pairs, self.model, self.limit)


def link_texts(
    left: Sequence[str],
    right: Sequence[str],
    model: Matcher,
    *,
    min_probability: float,
    limit: int = 10,
    progress: Progress = no_progress,
) -> LinkedTexts:
    """Link distinct normal forms in memory, as ``link_vectors`` does.

    Stages reported to ``progress``: ``encode`` and those of ``link_vectors``.
    """
    texts = list(dict.fromkeys([*right, *left]))
    at = {text: place for place, text in enumerate(texts)}
    codes = encode_in_blocks(model, texts, progress)
    first, second = (
        TextVectors(side, codes[np.array([at[text] for text in side], np.int64)]) for side in (left, right)
    )
    return link_vectors(
        first, second, with_words_of(model, texts), min_probability=min_probability, limit=limit, progress=progress
    )


def texts_of_sources(
    store: Store, sources: Sequence[str], model: Matcher, progress: Progress = no_progress
) -> tuple[TextVectors, list[list[Record]]]:
    """Return the texts of these sources of a store, in the order of their ids, and the records of each.

    Stages reported to ``progress``: ``read records`` and ``read vectors``.

    Raises:
        UsageError: there is no such source, or it has no records.
        VersionMismatch: the model has not encoded every text.
    """
    check_sources(store, sources)
    records: dict[int, list[Record]] = {}
    for text_id, group in groupby(store.iter_records(sources=sources), attrgetter("text_id")):
        records[text_id] = list(group)
    if not records:
        raise UsageError(f"The index has no record of {' or '.join(map(repr, sources))}.")
    ids, codes = store.load_vectors(model.model_id, progress=progress)
    wanted = np.isin(ids, np.fromiter(records, np.int64, len(records)))
    normals = store.normals(records)
    if wanted.sum() < len(records) or len(normals) < len(records):
        check_model(store, model.model_id)
        raise VersionMismatch(
            f"Model {model.model_id[:12]} has not encoded every text yet; index an input again to finish "
            "(`dedup index`, or `Index.add` in Python)."
        )
    found = ids[wanted].tolist()
    return TextVectors([normals[one] for one in found], codes[wanted]), [records[one] for one in found]


def link_vectors(
    left: TextVectors,
    right: TextVectors,
    model: Matcher,
    *,
    min_probability: float,
    limit: int = 10,
    progress: Progress = no_progress,
) -> LinkedTexts:
    """Find the texts of ``right`` (n) that are probably the same as each of ``left`` (m).

    Each left text gets up to ``limit`` links of at least ``min_probability``. Equal texts have probability 1. Stages
    reported to ``progress``: ``search``, ``names``, ``words``, ``rule out`` and ``compare``.
    """
    k = min(max(MIN_CANDIDATES, CANDIDATES_PER_MATCH * limit), len(right.normals))
    if left.normals and right.normals:
        found, cosines = _nearest(left.codes, right.codes, k, progress)
    else:
        found, cosines = np.empty((len(left.normals), 0), np.int64), np.empty((len(left.normals), 0), np.float32)
    rows, columns = np.nonzero((found >= 0) & (cosines >= model.min_similarity))
    pairs, similarities = np.column_stack([rows, found[rows, columns]]), cosines[rows, columns]
    equals = np.array(_places(left.normals, right.normals), np.int64)
    differ = np.flatnonzero(equals[pairs[:, 0]] != pairs[:, 1])
    codes, normals = np.concatenate([left.codes, right.codes]), [*left.normals, *right.normals]
    with BatchComparison(model, codes, normals) as comparison:
        places = pairs[differ] + [0, len(left.normals)]
        likely, probabilities = comparison.likely(places, similarities[differ], min_probability, progress)
    chosen = differ[likely]
    has_equal = np.flatnonzero(equals >= 0)
    pairs = np.concatenate([np.column_stack([has_equal, equals[has_equal]]), pairs[chosen]])
    probabilities = np.concatenate([np.ones(len(has_equal)), probabilities])
    similarities = np.concatenate([np.ones(len(has_equal), np.float32), similarities[chosen]])
    exact = np.arange(len(pairs)) < len(has_equal)
    order = np.lexsort((pairs[:, 1], -similarities, -probabilities, ~exact, pairs[:, 0]))
    order = order[_rank_within(pairs[order, 0]) < limit]
    return LinkedTexts(pairs[order], probabilities[order], similarities[order], exact[order], model, limit)


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
