"""Stand-ins for what tests of the store do not need: a trained model."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from dedup.evidence.explain import Explanation
from dedup.text.corpus import Corpus


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


@dataclass
class FakeModel:
    """A ``Matcher`` whose probability is the similarity, and which knows no upper bound."""

    model_id: str
    encoder: Any = field(default_factory=Encoder)
    dimension: int = Encoder.dimension
    min_similarity: float = 0.3
    default_probability: float = 0.5
    scorer: None = None
    candidate_share: None = None
    head: None = None
    name: str = "fake"
    is_shipped: bool = True
    kind: str = "company"
    kinds: tuple[str, ...] = ("company",)

    @property
    def fingerprint(self) -> str:
        return self.model_id

    def compare(self, left: Sequence[str], right: Sequence[str], similarities: np.ndarray) -> np.ndarray:
        return np.clip(np.asarray(similarities, np.float64), 0, 1)

    def explain(self, left: str, right: str, similarity: float) -> Explanation:
        return Explanation(similarity, similarity, 0.0, ())

    def explain_pairs(
        self, left: Sequence[str], right: Sequence[str], similarities: Sequence[float]
    ) -> list[Explanation]:
        return list(map(self.explain, left, right, similarities))

    def with_corpus(self, corpus: Corpus) -> FakeModel:
        return self

    def with_kind(self, name: str) -> FakeModel:
        assert name in self.kinds
        return self

    def with_prior_shift(self, shift: float) -> FakeModel:
        raise AssertionError("no prior to shift")


def fake_model(letter: str = "a") -> FakeModel:
    """The fake model whose id is this letter."""
    return FakeModel(letter * 64)
