"""Evidence from the names as strings: vector similarity, RapidFuzz measures, consonants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from dedup.evidence.long_texts import are_long, rest_of, share_of_equal_words
from dedup.evidence.name_pairs import NamePair, PairBatch, string_similarities
from dedup.evidence.phrases import ExplainedPair
from dedup.evidence.qualifiers import shortness

Ratios = NDArray[np.float32]

_MAX_PARTIAL_RATIO = 256
"""Length, in characters, of the longest core searched for within another; the search takes quadratic time."""


def similarity(batch: PairBatch) -> Mapping[str, NDArray[np.float32]]:
    """Return the cosine of the two vectors."""
    return {"similarity": batch.similarities}


def similarity_label(pair: ExplainedPair) -> str:
    """Give the cosine."""
    return f"vector similarity {pair.values['similarity']:.2f}"


def string_measures(batch: PairBatch) -> Mapping[str, NDArray[np.float32]]:
    """Return how alike the names, their cores and their first words are, 0 to 1, and the log of the shorter length.

    An estimate of the ratio of two long cores stands for all ratios, which take quadratic time.
    """
    pairs = batch.pairs
    cores = [p.left_part.core for p in pairs], [p.right_part.core for p in pairs]
    joined = [core.replace(" ", "") for core in cores[0]], [core.replace(" ", "") for core in cores[1]]
    first_parts = [p.left.parts[0].core for p in pairs], [p.right.parts[0].core for p in pairs]
    first_words = [p.left_part.words[0] for p in pairs], [p.right_part.words[0] for p in pairs]
    whole = [p.left.whole.folded for p in pairs], [p.right.whole.folded for p in pairs]
    shorter = np.array([list(map(len, side)) for side in cores], dtype=np.float32).min(axis=0)
    is_long = np.array([are_long(p.left_part, p.right_part) for p in pairs], np.bool_)
    names, short = np.flatnonzero(~is_long), np.flatnonzero(shorter <= _MAX_PARTIAL_RATIO)
    core_ratios = _ratios(fuzz.ratio, cores, names, _ratios_of_long(pairs, is_long))
    return {
        "ratio": _ratios(fuzz.ratio, whole, names, core_ratios),
        "core_ratio": core_ratios,
        "joined_ratio": _ratios(fuzz.ratio, joined, names, core_ratios),
        "partial_ratio": _ratios(fuzz.partial_ratio, cores, short, core_ratios),
        "first_word": string_similarities(JaroWinkler.normalized_similarity, *first_words),
        "first_part_ratio": _ratios(fuzz.token_sort_ratio, first_parts, names, core_ratios),
        "length": np.log(shorter),
    }


def _ratios_of_long(pairs: Sequence[NamePair], is_long: NDArray[np.bool_]) -> Ratios:
    """Return about how alike the cores of the pairs (n,) are that are long; 0 for the others.

    Equal words count wherever they stand, and what is left is as alike as it is at its beginning.
    """
    result = np.zeros(len(pairs), np.float32)
    rows = np.flatnonzero(is_long)
    if len(rows):
        chosen = [pairs[row] for row in rows.tolist()]
        left, right = zip(*(rest_of(pair.pairing) for pair in chosen), strict=True)
        equal = [share_of_equal_words(pair.left_part, pair.right_part, pair.pairing) for pair in chosen]
        shares = np.array(equal, np.float32)
        result[rows] = shares + (1 - shares) * string_similarities(fuzz.ratio, list(left), list(right)) / 100
    return result


def string_label(pair: ExplainedPair) -> str:
    """Say how alike the two cores are."""
    return f"spelling {pair.values['core_ratio']:.0%} similar"


def _ratios(
    scorer: Callable[..., float], sides: tuple[list[str], list[str]], rows: NDArray[np.intp], core_ratios: Ratios
) -> Ratios:
    """Return the ratios, 0 to 1, of the strings on both ``sides`` in ``rows``, and the ``core_ratios`` in others."""
    if len(rows) == len(core_ratios):
        return string_similarities(scorer, *sides) / np.float32(100)
    result, at = core_ratios.copy(), rows.tolist()
    result[rows] = string_similarities(scorer, *([side[row] for row in at] for side in sides)) / np.float32(100)
    return result


def consonants(batch: PairBatch) -> Mapping[str, NDArray[np.float32]]:
    """Return how alike, 0 to 1, the consonants of names are that have no other evidence in common.

    These are names in two scripts, and names in Latin letters that share no word and have no legal form; for
    short ones the value is scaled down. All other pairs have 0, and so have long texts in Latin letters.
    """
    weights = np.array([_consonant_weight(pair) for pair in batch.pairs], dtype=np.float32)
    chosen = [pair for pair, weight in zip(batch.pairs, weights.tolist(), strict=True) if weight]
    left, right = [pair.left.consonants for pair in chosen], [pair.right.consonants for pair in chosen]
    weights[weights > 0] *= string_similarities(fuzz.ratio, left, right) / 100
    return {"consonants": weights}


def _consonant_weight(pair: NamePair) -> float:
    if pair.are_of_two_scripts:
        return 1.0
    if pair.pairing.shared or pair.left_part.forms or pair.right_part.forms or not pair.left.is_latin:
        return 0.0
    if are_long(pair.left_part, pair.right_part):
        return 0.0
    return 1 - shortness(pair)


def consonants_label(pair: ExplainedPair) -> str:
    """Say how alike the names sound."""
    return f"sounds {pair.values['consonants']:.0%} similar"
