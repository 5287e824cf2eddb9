"""Fit the scorers of texts and of persons: each an additive model as that of company names, with features of its own.

Each set of labelled pairs weighs as the root of its size, and both labels alike: in the files the negatives are many
or few by the choice of those who drew them. A set is compared with what its own texts say about words, as in an index,
and once more without, as two texts given by hand.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import Encoder, pair_similarities
from dedup.evidence.feature_registry import Registry
from dedup.evidence.kinds import PERSON, TEXT, Kind
from dedup.evidence.scorer import Curve, Scorer
from dedup.text.corpus import Corpus, describe_corpus
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights
from dedup.training.data.person_sets import PersonPairs, read_person_pairs
from dedup.training.data.sources import LabelledPairs
from dedup.training.data.text_sets import TextSet, generated_of, read_text_sets, versions_of
from dedup.training.scorer_fitting import fit_curves

DEFAULT_PROBABILITY = 0.5
CANDIDATE_SHARE = {"text": 0.5, "person": 0.5}
"""Share of true pairs from which a corpus's own share is counted, for each kind (``dedup.matching.prior``)."""

_WITHOUT_CORPUS = 0.5
"""Weight of a set that is compared without its corpus, relative to the same set with it."""

_GENERATED = 0.4
"""Weight of generated pairs, relative to labelled ones."""

_GENERATED_PERSONS = 12_000
_HEIRS = 1_000
_STRANGERS = 2.0
"""Weight of aliases beside random names, relative to those beside the nearest names of others."""

_PERSONS = 1.5
"""Weight of generated pairs of persons, relative to aliases of well-known ones.

Many aliases are no names, and hardly one has a typing error.
"""

_UNIT = 20.0
_MIN_COUNT = 3

Rows = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]
"""Evidence (n, features), labels and weights (n,)."""


class KindData:
    """Computes the evidence on labelled pairs of one kind."""

    def __init__(self, kind: Kind, encoder: Encoder, texts: Iterable[str]) -> None:
        self._kind, self._encoder = kind, encoder
        counts: Counter[str] = Counter()
        self.n_names = 0
        assert kind.words_of is not None
        for text in texts:
            counts.update(set(kind.words_of(text)))
            self.n_names += 1
        self.counts = {word: count for word, count in sorted(counts.items()) if count >= _MIN_COUNT}
        self._idf = InverseDocumentFrequency(self.counts, max(2, self.n_names))

    def rows(self, pairs: LabelledPairs, corpora: Sequence[tuple[Sequence[str], float]]) -> Rows:
        """Return the evidence on pairs, once for each corpus of texts (none: without one) with its weight."""
        similarities = pair_similarities(self._encoder, pairs.left, pairs.right)
        labels = np.array(pairs.labels, np.float64)
        found = []
        for texts, factor in corpora:
            corpus = describe_corpus(texts, self._kind.words_of) if texts else Corpus()
            model = WordModel(self._idf.with_corpus(corpus), WordWeights({}))
            rows = self._kind.evidence(pairs.left, pairs.right, similarities, model)
            found.append((rows, labels, _balanced(labels) * factor))
        return stacked(found)


def _balanced(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights that give both labels the same total, and the set that of the root of its size."""
    total = _UNIT * len(labels) ** 0.5
    counts = np.bincount(labels.astype(np.int64), minlength=2)
    return np.asarray(total / 2 / np.maximum(1, counts)[labels.astype(np.int64)])


def stacked(sets: Sequence[Rows]) -> Rows:
    """Return several sets as one."""
    rows, labels, weights = zip(*sets, strict=True)
    return np.concatenate(rows), np.concatenate(labels), np.concatenate(weights)


def train_kinds(
    data: Path, encoder: Encoder, seed: int, progress: Callable[[str], None] = lambda line: None
) -> dict[str, dict[str, Any]]:
    """Return what is stored of each kind for which the folder ``data`` has labelled pairs, by its name."""
    found = {}
    sets = read_text_sets(data)
    if sets:
        progress(f"fitting the scorer of texts on {', '.join(some.name for some in sets)}")
        found["text"] = fit_texts(sets, encoder, seed)
    pairs = read_person_pairs(data, encoder, held_back=False)
    if pairs is not None:
        progress("fitting the scorer of persons")
        found["person"] = fit_persons(pairs, encoder, seed)
    return found


def fit_texts(sets: Sequence[TextSet], encoder: Encoder, seed: int) -> dict[str, Any]:
    """Fit the scorer of texts on labelled files."""
    every = KindData(TEXT, encoder, (text for some in sets for text in some.pairs.texts))
    rows = [every.rows(some.pairs, [(some.pairs.texts, 1.0), ((), _WITHOUT_CORPUS)]) for some in sets]
    generated = [every.rows(generated_of(some, seed), [(some.pairs.texts, _GENERATED)]) for some in sets]
    versions = [every.rows(versions_of(some, seed), [(some.pairs.texts, _GENERATED)]) for some in sets]
    return _stored(TEXT, every, stacked(rows), generated, versions)


def fit_persons(pairs: LabelledPairs, encoder: Encoder, seed: int) -> dict[str, Any]:
    """Fit the scorer of persons on aliases and on generated pairs of their full names."""
    full = list(dict.fromkeys(one for one, label in zip(pairs.left, pairs.labels, strict=True) if label))
    every = KindData(PERSON, encoder, full)
    makers = PersonPairs(full, random.Random(seed))
    generated = makers.pairs(min(_GENERATED_PERSONS, 4 * len(full)))
    sets = ((pairs, 1.0), (with_strangers(pairs, seed), _STRANGERS), (generated, _PERSONS))
    rows = [every.rows(some, [((), weight), (some.texts, weight)]) for some, weight in sets]
    return _stored(PERSON, every, stacked(rows), [every.rows(makers.heirs(_HEIRS), [((), _PERSONS)])])


def with_strangers(pairs: LabelledPairs, seed: int) -> LabelledPairs:
    """Return the true pairs, and the left name of each with the right one of another at random, labelled 0."""
    left, right = zip(
        *((a, b) for a, b, label in zip(pairs.left, pairs.right, pairs.labels, strict=True) if label), strict=True
    )
    others = random.Random(seed).sample(right, len(right))
    labels = [1] * len(left) + [int(one == other) for one, other in zip(right, others, strict=True)]
    return LabelledPairs([*left, *left], [*right, *others], labels)


def _stored(
    kind: Kind, data: KindData, rows: Rows, generated: Sequence[Rows], last_rows: Sequence[Rows] = ()
) -> dict[str, Any]:
    """Fit the curves to ``rows``, then those that are ``decided_by`` generated pairs again to both.

    Generated pairs would distort the other curves: best F1 on Amazon-Google fell from 0.86 to 0.84. Curves decided by
    the ``remainder`` are fitted last, to ``rows`` and ``last_rows``; all others stay as they are.
    """
    registry = kind.registry
    last = [feature.name for feature in registry if feature.decided_by == "remainder"]
    others = [name for name in registry.names if name not in last]
    scorer = fit_curves(_flat(registry), others, *rows, registry=registry)
    if decided := [feature.name for feature in registry if feature.decided_by == "generated"]:
        scorer = fit_curves(scorer, decided, *stacked([rows, *generated]), (0.0, 0.0), registry)
    if last:
        scorer = fit_curves(scorer, last, *stacked([rows, *last_rows]), (0.0, 0.0), registry)
    return {
        **scorer.to_json(kind.registry.names),
        "default_probability": DEFAULT_PROBABILITY,
        "candidate_share": CANDIDATE_SHARE[kind.name],
        "n_names": max(2, data.n_names),
        "counts": data.counts,
    }


def _flat(registry: Registry) -> Scorer:
    return Scorer(0.0, tuple(Curve((0.0, 1.0), (0.0, 0.0)) for _ in registry))
