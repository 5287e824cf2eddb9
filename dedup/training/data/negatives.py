"""Pairs of different texts that nobody labelled: random ones, and those that the model itself finds similar."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import exact_neighbours
from dedup.encoder.onnx import quantise
from dedup.evaluation.pair_set import PairSet
from dedup.training.data.splitting import entity_of_text

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
Pair = tuple[str, str]

_TRIES = 20
_NEIGHBOURS = 20
_POOL = 20_000
"""Texts among which hard negatives are looked for; more are sampled."""


def random_negatives(pairs: PairSet, each: int, seed: int | Sequence[int], entity: Mapping[str, int]) -> list[Pair]:
    """Return, for each positive pair, its left text with ``each`` right texts of other entities.

    ``entity`` is that of each text; pairs of a whole set have those of ``entity_of_text``.
    """
    rows = np.flatnonzero(pairs.positive).tolist()
    rights = list(pairs.right)
    rng = np.random.default_rng(seed)
    found: dict[Pair, None] = {}
    for row in np.repeat(rows, each).tolist():
        left = pairs.left[row]
        for drawn in rng.integers(0, len(rights), _TRIES).tolist():
            other = rights[drawn]
            if entity[other] != entity[left] and (left, other) not in found:
                found[left, other] = None
                break
    return list(found)


def hard_negatives(pairs: PairSet, each: int, seed: int, encode: Encode) -> list[Pair]:
    """Return, for each positive pair, its left text with the ``each`` most similar texts of other entities.

    ``encode`` returns the unit vectors (n, d) of texts. Pairs that were labelled are left out: they are learnt anyway.
    """
    entity = entity_of_text(pairs)
    known = {frozenset(pair) for pair in zip(pairs.left, pairs.right, strict=True)}
    texts = list(entity)
    if len(texts) > _POOL:
        texts = [texts[at] for at in np.random.default_rng(seed).permutation(len(texts))[:_POOL]]
    codes = quantise(encode(texts))
    anchors = dict.fromkeys(pairs.left[row] for row in np.flatnonzero(pairs.positive).tolist())
    rows = [at for at, text in enumerate(texts) if text in anchors]
    neighbours, _ = exact_neighbours(codes[rows], codes, min(_NEIGHBOURS, len(texts)))
    found: list[Pair] = []
    for row, near in zip(rows, neighbours.tolist(), strict=True):
        left = texts[row]
        others = (texts[at] for at in near if at >= 0)
        fitting = [one for one in others if entity[one] != entity[left] and frozenset((left, one)) not in known]
        found += [(left, other) for other in fitting[:each]]
    return found
