"""Link two lists of texts: find the texts of one that are probably the same as those of the other.

A list is given, or it is what the index holds of some sources; then its vectors need not be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import exact_neighbours
from dedup.errors import UsageError, VersionMismatch
from dedup.evidence.fields.field_model import FieldModel
from dedup.matching.batch import BatchComparison
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from indexer.jobs.duplicates import encode_in_blocks, with_words_of
from indexer.jobs.fielding.field_candidates import Items
from indexer.jobs.fielding.field_evidence import NEAR, FieldEvidence, compare_across
from indexer.jobs.fielding.field_records import FieldRecords
from indexer.jobs.query import CANDIDATES_PER_MATCH, MIN_CANDIDATES
from indexer.jobs.reviewing.judged_items import Pairs
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


class LinkedFields(NamedTuple):
    """The records of the left texts, then those of the right ones, with their fields; weights, unless to be learnt."""

    records: FieldRecords
    model: FieldModel | None = None


@dataclass(frozen=True, slots=True)
class LinkedTexts:
    """The links between two lists of texts; or, with fields, of items, which are numbered across both lists.

    Attributes:
        pairs: Positions (p, 2) in the left and the right list, by ascending left, then by descending probability.
        probabilities: Probability of each pair (p,).
        similarities: Cosine of each pair (p,).
        exact: Whether both normal forms are equal (p,).
        model: The model that was used, with the word counts of both lists or of the index added.
        limit: Most links of a left text.
        evidence: What fields say of the items; None if there are none.

    """

    pairs: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    similarities: NDArray[np.float32]
    exact: NDArray[np.bool_]
    model: Matcher
    limit: int
    evidence: FieldEvidence | None = None

    @property
    def outranks(self) -> NDArray[np.bool_]:
        """Which pairs count more than any others, since their texts are equal and nothing else tells (p,)."""
        return self.exact if self.evidence is None else np.zeros(len(self.pairs), np.bool_)

    def at(self, min_probability: float) -> LinkedTexts:
        """Return the links of at least ``min_probability``, a higher threshold, without a new search."""
        keep = self.probabilities >= min_probability
        of_pairs = self.pairs[keep], self.probabilities[keep], self.similarities[keep], self.exact[keep]
        return LinkedTexts(*of_pairs, self.model, self.limit, self.evidence)


def link_texts(
    left: Sequence[str],
    right: Sequence[str],
    model: Matcher,
    *,
    min_probability: float,
    limit: int = 10,
    fields: LinkedFields | None = None,
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
    adapted = with_words_of(model, texts)
    return link_vectors(
        *(first, second, adapted), min_probability=min_probability, limit=limit, fields=fields, progress=progress
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
    fields: LinkedFields | None = None,
    progress: Progress = no_progress,
) -> LinkedTexts:
    """Find the texts of ``right`` (n) that are probably the same as each of ``left`` (m).

    Each left text gets up to ``limit`` links of at least ``min_probability``. Equal texts have probability 1, unless
    their records have ``fields``: then items are linked, by names and fields. Stages reported to ``progress``:
    ``search``, ``names``, ``words``, ``rule out`` and ``compare``.
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
        least = min_probability if fields is None else min(min_probability, NEAR)
        likely, probabilities = comparison.likely(places, similarities[differ], least, progress)
        chosen = differ[likely]
        has_equal = np.flatnonzero(equals >= 0)
        pairs = np.concatenate([np.column_stack([has_equal, equals[has_equal]]), pairs[chosen]])
        probabilities = np.concatenate([np.ones(len(has_equal)), probabilities])
        similarities = np.concatenate([np.ones(len(has_equal), np.float32), similarities[chosen]])
        if fields is None:
            exact = np.arange(len(pairs)) < len(has_equal)
            return _ranked(LinkedTexts(pairs, probabilities, similarities, exact, model, limit))
        of_texts = Pairs(pairs + np.array([0, len(left.normals)]), probabilities, similarities)
        return _ranked(_by_fields(of_texts, comparison, fields, equals, min_probability, model, limit))


def _by_fields(
    found: Pairs,
    texts: BatchComparison,
    fields: LinkedFields,
    equals: NDArray[np.int64],
    min_probability: float,
    model: Matcher,
    limit: int,
) -> LinkedTexts:
    """Return the links of items, given those of texts; ``equals`` are the positions of equal right texts, or -1."""
    records, model_of_fields = fields
    items = Items(records.text_of, records.row_of, records.n_texts)
    at_left = np.flatnonzero(equals >= 0)
    one_of = np.arange(items.n_texts)
    one_of[len(equals) + equals[at_left]] = at_left
    evidence = replace(FieldEvidence.of(records, model_of_fields), text_of=one_of[items.text_of])
    is_left = items.text_of < len(equals)
    (pairs, probabilities, similarities), comparison, _ = compare_across(
        found, texts, evidence, items, is_left, min_probability
    )
    exact = comparison.evidence.have_one_text(pairs)
    return LinkedTexts(pairs, probabilities, similarities, exact, model, limit, comparison.evidence)


def _ranked(found: LinkedTexts) -> LinkedTexts:
    """Return the best links of each left text, in their order."""
    pairs = found.pairs
    order = np.lexsort((pairs[:, 1], -found.similarities, -found.probabilities, ~found.outranks, pairs[:, 0]))
    order = order[_rank_within(pairs[order, 0]) < found.limit]
    of_pairs = found.probabilities[order], found.similarities[order], found.exact[order]
    return LinkedTexts(pairs[order], *of_pairs, found.model, found.limit, found.evidence)


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
