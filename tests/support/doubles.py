"""Stand-ins for what tests of the store do not need: a trained model."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np


class Encoder:
    """Random directions of character trigrams, summed."""

    dimension = 32

    def encode(self, normals: Sequence[str]) -> np.ndarray:
        return np.array([self._code(normal) for normal in normals], np.int8).reshape(len(normals), -1)

    def _code(self, normal: str) -> np.ndarray:
        if normal == "nothing":
            return np.zeros(self.dimension, np.int8)
        padded = f" {normal} "
        total = np.sum([_direction(padded[at : at + 3], self.dimension) for at in range(len(padded) - 2)], axis=0)
        return np.clip(np.rint(total / np.linalg.norm(total) * 254), -127, 127)


@cache
def _direction(trigram: str, dimension: int) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(trigram.encode())).standard_normal(dimension)


def fake_model(letter: str = "a") -> Any:
    """A model whose probability is the similarity."""
    model = SimpleNamespace(
        model_id=letter * 64,
        dimension=Encoder.dimension,
        encoder=Encoder(),
        min_similarity=0.3,
        scorer=None,
        default_probability=0.5,
        compare=lambda left, right, similarities: np.clip(np.asarray(similarities, np.float64), 0, 1),
    )
    model.with_corpus = lambda counts, n_names: model
    return model
