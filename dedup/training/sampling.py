"""Batches of positive pairs whose other members are hard negatives.

A batch is made of neighbourhoods: a seed entity and the entities that the present encoder finds nearest to
it. Every other member of the batch then serves as a negative, and most of them look alike.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.nearest import exact_neighbours
from dedup.training.data import Entity, core_of
from dedup.training.variants import sibling, variant

NEIGHBOURS = 7
_VARIANT_OF_ALIAS = 0.15
_SIBLINGS = 0.10


@dataclass(frozen=True, slots=True)
class Batch:
    """``left[i]`` and ``right[i]`` are one entity; ``right`` goes on with negatives of nobody.

    ``same`` is (len(left), len(right)) bool: pairs that must not count as negatives, its diagonal included.
    """

    left: list[str]
    right: list[str]
    same: NDArray[np.bool_]


class Sampler:
    """Draws batches from entities (weighted by their source) and generated variants of real names."""

    def __init__(self, entities: list[Entity], weights: NDArray[np.float64], names: list[str], seed: int) -> None:
        """``entities`` come first in the pool; each name of ``names`` is an entity of its own after them."""
        self._pool = entities + [Entity("", (name,)) for name in names]
        self._cumulative = np.cumsum(weights / weights.sum())
        self._random = random.Random(seed)
        self._vocabulary = list(
            dict.fromkeys(word for name in names[:50_000] for word in name.split() if len(word) > 3)
        )
        self._neighbours: NDArray[np.int64] | None = None

    @property
    def anchors(self) -> list[str]:
        """One name of each entity of the pool, in order: what neighbourhoods are found by."""
        return [entity.names[0] for entity in self._pool]

    def set_codes(self, codes: NDArray[np.int8]) -> None:
        """Find the neighbourhoods anew from the codes of ``anchors``, (n, d) int8."""
        self._neighbours = exact_neighbours(codes, codes, NEIGHBOURS + 1)[0]

    def batch(self, size: int) -> Batch:
        """Draw a batch of ``size`` pairs, of neighbourhoods once they are known."""
        if self._neighbours is None:
            chosen = self._draw(size)
        else:
            seeds = self._draw(max(1, size // NEIGHBOURS))
            near = np.concatenate([np.asarray(seeds), self._neighbours[seeds].ravel()])
            chosen = list(dict.fromkeys(int(i) for i in near if i >= 0))[: size * 2]
            self._random.shuffle(chosen)
            chosen = chosen[:size]
        pairs = [self._pair(self._pool[index]) for index in chosen]
        extra = [s for left, _ in pairs if self._random.random() < _SIBLINGS and (s := self._sibling(left))]
        left, right = [a for a, _ in pairs], [b for _, b in pairs] + extra
        groups = [self._pool[index].group or str(index) for index in chosen]
        return Batch(left, right, self._same(left, right, groups))

    def _draw(self, count: int) -> list[int]:
        points = [self._random.random() for _ in range(count)]
        return list(np.minimum(np.searchsorted(self._cumulative, points), len(self._pool) - 1))

    def _pair(self, entity: Entity) -> tuple[str, str]:
        if len(entity.names) == 1:
            pair = [entity.names[0], variant(entity.names[0], self._random)]
        else:
            pair = self._random.sample(entity.names, 2)
            if self._random.random() < _VARIANT_OF_ALIAS:
                pair[1] = variant(pair[1], self._random)
        self._random.shuffle(pair)
        return pair[0], pair[1]

    def _sibling(self, name: str) -> str | None:
        return sibling(name, self._random, self._vocabulary)

    @staticmethod
    def _same(left: list[str], right: list[str], groups: list[str]) -> NDArray[np.bool_]:
        numbers: dict[str, int] = {}
        cores = [np.array([numbers.setdefault(core_of(t), len(numbers)) for t in side]) for side in (left, right)]
        keys = np.array([numbers.setdefault("\0" + group, len(numbers)) for group in groups])
        same: NDArray[np.bool_] = cores[0][:, None] == cores[1][None, :]
        same[:, : len(groups)] |= keys[:, None] == keys[None, :]
        return same
