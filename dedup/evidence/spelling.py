"""Evidence from the names as strings: vector similarity, RapidFuzz measures, consonants."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from dedup.evidence.name_pairs import NamePair, PairBatch, string_similarities
from dedup.evidence.phrases import ExplainedPair
from dedup.evidence.qualifiers import shortness
from dedup.text.names import LONG_TEXT

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

    The ratio of two long cores stands for the other ratios, which take quadratic time as it does.
    """
    pairs = batch.pairs
    cores = [p.left_part.core for p in pairs], [p.right_part.core for p in pairs]
    joined = [core.replace(" ", "") for core in cores[0]], [core.replace(" ", "") for core in cores[1]]
    first_parts = [p.left.parts[0].core for p in pairs], [p.right.parts[0].core for p in pairs]
    first_words = [p.left_part.words[0] for p in pairs], [p.right_part.words[0] for p in pairs]
    whole = [p.left.whole.folded for p in pairs], [p.right.whole.folded for p in pairs]
    shorter = np.array([list(map(len, side)) for side in cores], dtype=np.float32).min(axis=0)
    core_ratios = string_similarities(fuzz.ratio, *cores) / np.float32(100)
    names, short = np.flatnonzero(shorter < LONG_TEXT), np.flatnonzero(shorter <= _MAX_PARTIAL_RATIO)
    return {
        "ratio": _ratios(fuzz.ratio, whole, names, core_ratios),
        "core_ratio": core_ratios,
        "joined_ratio": _ratios(fuzz.ratio, joined, names, core_ratios),
        "partial_ratio": _ratios(fuzz.partial_ratio, cores, short, core_ratios),
        "first_word": string_similarities(JaroWinkler.normalized_similarity, *first_words),
        "first_part_ratio": _ratios(fuzz.token_sort_ratio, first_parts, names, core_ratios),
        "length": np.log(shorter),
    }


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
    if min(len(pair.left_part.core), len(pair.right_part.core)) >= LONG_TEXT:
        return 0.0
    return 1 - shortness(pair)


def consonants_label(pair: ExplainedPair) -> str:
    """Say how alike the names sound."""
    return f"sounds {pair.values['consonants']:.0%} similar"
