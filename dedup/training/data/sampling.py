"""Batches of positive pairs that are hard negatives for each other.

A batch consists of neighbourhoods: a seed entity and its nearest entities under the current encoder. Each pair's
negatives are the other members of the batch, most of which look similar. One pair in six is of texts other than
names.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import exact_neighbours
from dedup.training.data.other_texts import OtherTexts
from dedup.training.data.sources import Entity, core_of
from dedup.training.data.variants import sibling, variant

NEIGHBOURS = 7
_SEARCHED_TOGETHER = 20_000
_OTHER_TEXTS = 1 / 6
_VARIANT_OF_ALIAS = 0.15
_TRADING_AS = 0.03
_SIBLINGS = 0.10


@dataclass(frozen=True, slots=True)
class Batch:
    """``left[i]`` and ``right[i]`` are the same entity; the rest of ``right`` are additional negatives.

    ``same`` is (len(left), len(right)) bool: pairs that must not count as negatives, including the diagonal.
    """

    left: list[str]
    right: list[str]
    same: NDArray[np.bool_]


class Sampler:
    """Draws batches from entities (weighted by source), generated variants of names, and other texts."""

    def __init__(self, entities: list[Entity], weights: NDArray[np.float64], names: list[str], seed: int) -> None:
        """Pool ``entities`` and one entity for each of ``names``; ``weights`` are those of the pool, in order."""
        self._pool = entities + [Entity("", (name,)) for name in names]
        self._cumulative = np.cumsum(weights / weights.sum())
        self._names = names
        self._seed = seed
        self._vocabulary = list(
            dict.fromkeys(word for name in names[:50_000] for word in name.split() if len(word) > 3)
        )
        self._neighbours = np.full((len(self._pool), NEIGHBOURS), -1, dtype=np.int64)

    @property
    def anchors(self) -> list[str]:
        """The first name of each entity of the pool, in order; neighbourhoods are found with these."""
        return [entity.names[0] for entity in self._pool]

    def set_codes(self, codes: NDArray[np.int8], step: int) -> None:
        """Find the neighbourhoods again from the codes of ``anchors``, (n, d) int8.

        Each entity is searched among a random 20,000 of the pool, different at each ``step``, for speed and variety.
        """
        shuffled = np.random.default_rng([self._seed, step]).permutation(len(codes))
        for part in np.array_split(shuffled, -(-len(codes) // _SEARCHED_TOGETHER)):
            found = exact_neighbours(codes[part], codes[part], NEIGHBOURS)[0]
            self._neighbours[part] = np.where(found >= 0, part[found], -1)

    def batch(self, size: int, step: int) -> Batch:
        """Return the batch for ``step``, at most ``size`` pairs; the same at every call."""
        rng = random.Random(f"{self._seed} {step}")
        n_others = round(size * _OTHER_TEXTS)
        points = [rng.random() for _ in range(max(1, (size - n_others) // (NEIGHBOURS - 1)))]
        seeds = np.minimum(np.searchsorted(self._cumulative, points), len(self._pool) - 1)
        near = np.concatenate([seeds, self._neighbours[seeds].ravel()])  # an entity is usually its own neighbour
        chosen = list(dict.fromkeys(near[near >= 0].tolist()))
        rng.shuffle(chosen)
        chosen = chosen[: size - n_others]
        pairs = [self._pair(self._pool[index], rng) for index in chosen]
        pairs = [(left, self._trading_as(right, rng)) for left, right in pairs]
        groups = [self._pool[index].group or str(index) for index in chosen]
        others = OtherTexts(self._names, self._vocabulary, rng)
        pairs += [others.pair() for _ in range(n_others)]
        groups += [f"other {number}" for number in range(n_others)]
        near_misses = (sibling(left, rng, self._vocabulary) for left, _ in pairs if rng.random() < _SIBLINGS)
        left = [a for a, _ in pairs]
        right = [b for _, b in pairs] + [text for text in near_misses if text]
        return Batch(left, right, self._same(left, right, groups))

    @staticmethod
    def _pair(entity: Entity, rng: random.Random) -> tuple[str, str]:
        if len(entity.names) == 1:
            pair = [entity.names[0], variant(entity.names[0], rng)]
        else:
            pair = rng.sample(entity.names, 2)
            if rng.random() < _VARIANT_OF_ALIAS:
                pair[1] = variant(pair[1], rng)
        rng.shuffle(pair)
        return pair[0], pair[1]

    def _trading_as(self, name: str, rng: random.Random) -> str:
        """Return the name, occasionally with a second name of the same owner before or after it."""
        if rng.random() >= _TRADING_AS:
            return name
        other = rng.choice(self._names)
        return f"{name} dba {other}" if rng.random() < 0.5 else f"{other} dba {name}"

    @staticmethod
    def _same(left: list[str], right: list[str], groups: list[str]) -> NDArray[np.bool_]:
        numbers: dict[str, int] = {}
        cores = [np.array([numbers.setdefault(core_of(t), len(numbers)) for t in side]) for side in (left, right)]
        keys = np.array([numbers.setdefault("\0" + group, len(numbers)) for group in groups])
        same: NDArray[np.bool_] = cores[0][:, None] == cores[1][None, :]
        same[:, : len(groups)] |= keys[:, None] == keys[None, :]
        return same
