"""The labelled pairs that the scorer learns from: US employers and assignees, and lists of the world.

Each pair is compared with what its own corpus says about names, as in an index, and some once more without a corpus,
as two names given by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import Encoder, pair_similarities
from dedup.evidence.features import evidence_of
from dedup.evidence.name_pairs import NamePair, pair_names
from dedup.text.corpus import Corpus, describe_corpus
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights, count_words
from dedup.training.data.sources import Entity, LabelledPairs, is_held_back, is_one_in, read_pairs
from dedup.training.data.world import (
    HELD_OUT,
    Pair,
    candidates,
    exchanged,
    read_judged_pairs,
    read_lists,
    read_world_aliases,
    strangers,
)

COMPANY_SOURCES = ("h1b_employers", "nber_assignees", "irs_nonprofits", "securities")
_UPWEIGHTED_SOURCE = ("nber_assignees", 3.0)
"""A source whose few labelled pairs are unlike the others, and the factor of their weights."""

CANDIDATE_SHARE = 0.07
"""Share of true pairs from which a corpus's own share is counted (``dedup.matching.prior``).

Of those tried (0.014, 0.06, 0.07, 0.09, 0.1), the scale on which the probabilities of the reported pairs add up to
about the true ones in the countries held out; ``docs/notes/world.md`` has the figures.
"""

_SHARES = {"judged": 0.5, "alias": 0.08, "stranger": 0.06, "candidate": 0.03, "exchanged": 0.1}
"""Total weight of each set, relative to the pairs of US companies."""

_WITHOUT_CORPUS = 0.3
"""Weight of a pair that is compared without its corpus, relative to the same pair with it."""

_ALIAS_WITHOUT_CORPUS = 0.9
"""The same for two names of one entity: beside the names with an exchanged word, which belong to no corpus."""

_MAX_JUDGED_WEIGHT = 40.0
_TABLE_SIZE = 1_000_000
_LIST_PRIOR = 1_000
"""Number of names of an imagined list without the words of a real one, to which it is added."""

_MIN_WORD_COUNT = 3


@dataclass(frozen=True, slots=True)
class ScorerPairs:
    """Labelled pairs of one corpus, by its key ("" for none), with weights (n,)."""

    corpus: str
    pairs: LabelledPairs
    weights: NDArray[np.float64]


@dataclass
class ScorerData:
    """Pairs that the word weights are fitted on, pairs that the curves are fitted on, and the names of each corpus."""

    for_words: list[ScorerPairs] = field(default_factory=list)
    for_curves: list[ScorerPairs] = field(default_factory=list)
    corpora: dict[str, Sequence[str]] = field(default_factory=dict)

    def add_curves(self, some: ScorerPairs, without_corpus: float) -> None:
        """Add pairs to fit the curves on, and once more without their corpus, with a weight relative to the first."""
        self.for_curves += [some, ScorerPairs("", some.pairs, some.weights * without_corpus)]


def read_scorer_data(
    data: Path, entities: Mapping[str, list[Entity]], encoder: Encoder, held_out: frozenset[str], seed: int
) -> ScorerData:
    """Return the labelled pairs of the folder ``data``; ``held_out`` are cores that may not occur."""
    result = ScorerData(corpora=dict(read_lists(data)))
    _add_us(result, data, entities, held_out)
    unit = sum(float(pairs.weights.sum()) for pairs in result.for_curves if pairs.corpus)
    lists = result.corpora
    if not lists.keys() - {*COMPANY_SOURCES}:
        return result
    pairs_of = {key: exchanged(names, seed) for key, names in lists.items() if key not in HELD_OUT}
    if any(pairs_of.values()):
        result.for_curves.append(_alone(pairs_of, _SHARES["exchanged"] * unit))
    judged: dict[str, list[tuple[Pair, int, float]]] = {}
    for row in read_judged_pairs():
        if row.country in lists:
            weight = min(row.weight, _MAX_JUDGED_WEIGHT) ** 0.5
            judged.setdefault(row.country, []).append(((row.left, row.right), int(row.is_same), weight))
    _add(result, judged, _SHARES["judged"] * unit)
    alias: dict[str, list[tuple[Pair, int, float]]] = {}
    known: dict[str, list[Entity]] = {}
    for country, entity, pairs in read_world_aliases(data, seed):
        lists[country] = [*lists.get(country, ()), *entity.names]
        known.setdefault(country, []).append(entity)
        alias.setdefault(country, []).extend((pair, 1, 1.0) for pair in pairs)
    lists.update({country: list(dict.fromkeys(names)) for country, names in lists.items()})
    _add(result, alias, _SHARES["alias"] * unit, _ALIAS_WITHOUT_CORPUS)
    unlike = {country: [(pair, 0, 1.0) for pair in strangers(some, encoder, seed)] for country, some in known.items()}
    _add(result, unlike, _SHARES["stranger"] * unit)
    found = {
        country: [(pair, 0, 1.0) for pair in pairs]
        for country, pairs in candidates({c: lists[c] for c in lists if c not in COMPANY_SOURCES}, encoder, seed)
    }
    _add(result, found, _SHARES["candidate"] * unit)
    return result


def _add_us(result: ScorerData, data: Path, entities: Mapping[str, list[Entity]], held_out: frozenset[str]) -> None:
    """Add the pairs of US companies: those with an entity held back from the encoder to fit the curves on.

    Negatives with one held-back side are twice as likely to be kept as positives, so they get half the weight.
    """
    source_of = {name: source for source in COMPANY_SOURCES for entity in entities[source] for name in entity.names}
    held_back = {
        name for s in COMPANY_SOURCES for entity in entities[s] if is_held_back(entity) for name in entity.names
    }
    names: dict[str, list[str]] = {source: [] for source in COMPANY_SOURCES}
    for name, source in source_of.items():
        names[source].append(name)
    result.corpora.update(names)
    labelled = read_pairs(data / "pairs" / "company_train.csv.gz", held_out)
    sides = np.array([(a in held_back) + (b in held_back) for a, b in zip(labelled.left, labelled.right, strict=True)])
    sources = [
        source_of.get(a) or source_of.get(b) or COMPANY_SOURCES[0]
        for a, b in zip(labelled.left, labelled.right, strict=True)
    ]
    for source in COMPANY_SOURCES:
        of_source = np.array([each == source for each in sources])
        factor = _UPWEIGHTED_SOURCE[1] if source == _UPWEIGHTED_SOURCE[0] else 1.0
        for_words, for_curves = of_source & (sides == 0), of_source & (sides > 0)
        if for_words.any():
            ones = np.full(np.count_nonzero(for_words), factor)
            result.for_words.append(ScorerPairs(source, labelled.select(for_words.tolist()), ones))
        if for_curves.any():
            weights = np.where(sides[for_curves] == 1, 0.5, 1.0) * factor
            result.add_curves(ScorerPairs(source, labelled.select(for_curves.tolist()), weights), _WITHOUT_CORPUS)


def _add(
    result: ScorerData,
    by_country: Mapping[str, list[tuple[Pair, int, float]]],
    total: float,
    without_corpus: float = _WITHOUT_CORPUS,
) -> None:
    """Add pairs of the world; half of them, by hash, to fit word weights on.

    ``total`` is the weight of the others with their corpus, ``without_corpus`` that without it relative to ``total``.
    """
    if not any(by_country.values()):
        return
    sum_of_weights = sum(weight for rows in by_country.values() for pair, _, weight in rows if not _is_for_words(pair))
    for country, rows in by_country.items():
        for_words = [row for row in rows if _is_for_words(row[0])]
        for_curves = [row for row in rows if not _is_for_words(row[0])]
        if for_words:
            result.for_words.append(_of(country, for_words, 1.0))
        if for_curves:
            result.add_curves(_of(country, for_curves, total / sum_of_weights), without_corpus)


def _of(corpus: str, rows: Sequence[tuple[Pair, int, float]], factor: float) -> ScorerPairs:
    (left, right), labels = zip(*(pair for pair, _, _ in rows), strict=True), [label for _, label, _ in rows]
    weights = np.array([weight for _, _, weight in rows]) * factor
    return ScorerPairs(corpus, LabelledPairs(list(left), list(right), labels), weights)


def _is_for_words(pair: Pair) -> bool:
    return is_one_in(2, min(pair))


def _alone(pairs_of: Mapping[str, list[Pair]], total: float) -> ScorerPairs:
    """Return pairs of different names, compared without a corpus, with this weight in all."""
    left, right = zip(*(pair for pairs in pairs_of.values() for pair in pairs), strict=True)
    pairs = LabelledPairs(list(left), list(right), [0] * len(left))
    return ScorerPairs("", pairs, np.full(len(left), total / len(left)))


def count_world_words(names: Sequence[str], lists: Iterable[Sequence[str]]) -> tuple[dict[str, int], int]:
    """Count words so that one that is common in any list counts as common.

    Returns the number of names in an imagined million that contain each word, and a million. ``names`` are the large
    list of mostly US names; of the other ``lists``, small ones and words that occur by chance count less.
    """
    counts, n_names = count_words(names, least=_MIN_WORD_COUNT)
    shares = {word: count / n_names for word, count in counts.items()}
    for some in lists:
        counts, n_names = count_words(some, least=_MIN_WORD_COUNT)
        for word, count in counts.items():
            share = count * count / (count + 4) / (n_names + _LIST_PRIOR)
            shares[word] = max(shares.get(word, 0.0), share)
    table = {word: round(share * _TABLE_SIZE) for word, share in sorted(shares.items())}
    return {word: count for word, count in table.items() if count > 1}, _TABLE_SIZE


class Evidence:
    """Computes the evidence on labelled pairs, each with what its corpus says about names."""

    def __init__(self, encoder: Encoder, idf: InverseDocumentFrequency, corpora: Mapping[str, Sequence[str]]) -> None:
        self._encoder, self._idf, self._names = encoder, idf, corpora
        self._described: dict[str, Corpus] = {"": Corpus()}

    def compared(self, some: ScorerPairs) -> list[NamePair]:
        """Return the pairs as pairs of parsed names."""
        return pair_names(some.pairs.left, some.pairs.right, self._corpus(some.corpus).widths)

    def rows(self, some: ScorerPairs, weights: WordWeights, compared: Sequence[NamePair]) -> NDArray[np.float32]:
        """Return the evidence, (n, features) float32."""
        similarities = pair_similarities(self._encoder, some.pairs.left, some.pairs.right)
        word_model = WordModel(self._idf.with_corpus(self._corpus(some.corpus)), weights)
        return evidence_of(compared, similarities, word_model)

    def _corpus(self, key: str) -> Corpus:
        if key not in self._described:
            self._described[key] = describe_corpus(self._names[key])
        return self._described[key]
