"""The names on which hot paths are timed: their texts, vectors and near pairs, each made when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.matching.name_table import describe, table_of_names
from dedup.matching.probability_bounds import ProbabilityBounds
from dedup.model import Model
from dedup.text.normalise import normalise
from indexer.vectors.cells import find_centres
from indexer.vectors.knn_graph import build_knn_graph
from indexer.vectors.recall import NEIGHBOURS
from indexer.vectors.top_k import NearPairs

ENDINGS = 2  # of other names, that each name is also given


@dataclass(frozen=True)
class Corpus:
    """Names, their distinct normal forms, and the near texts among more of them, each made when it is asked for."""

    model: Model
    names: list[str]

    @cached_property
    def texts(self) -> list[str]:
        """The distinct normal forms of the names."""
        return list(dict.fromkeys(map(normalise, self.names)))

    @cached_property
    def more(self) -> list[str]:
        """The texts, n in all with those that are made of two."""
        ends = [text.split()[-1] for text in self.texts]
        mixed = [f"{text} {ends[at - shift]}" for shift in range(1, ENDINGS + 1) for at, text in enumerate(self.texts)]
        return list(dict.fromkeys([*self.texts, *mixed]))

    @cached_property
    def codes(self) -> NDArray[np.int8]:
        """The vectors of ``more`` (n, d)."""
        return self.model.encoder.encode(self.more)

    @cached_property
    def centres(self) -> NDArray[np.int8]:
        """The centres of their cells (c, d)."""
        return find_centres(self.codes)

    @cached_property
    def near(self) -> NearPairs:
        """The pairs of near texts."""
        return build_knn_graph(self.codes, NEIGHBOURS, self.model.min_similarity, None).pairs()

    @cached_property
    def bounds(self) -> ProbabilityBounds:
        """What bounds pairs of ``more``."""
        return ProbabilityBounds(self.model.scorer, table_of_names([describe(self.more)], self.model.word_model))

    @cached_property
    def likely(self) -> NDArray[np.int64]:
        """Which of the near pairs cannot be ruled out."""
        at_most = self.bounds.probabilities(self.near.pairs.astype(np.int64), self.near.cosines)
        return np.flatnonzero(at_most >= self.model.default_probability)

    def sides(self, which: Any = slice(None)) -> tuple[list[str], list[str]]:
        """Return the texts of near pairs, those on either side."""
        left, right = ([self.more[at] for at in side] for side in self.near.pairs[which].T.tolist())
        return left, right
