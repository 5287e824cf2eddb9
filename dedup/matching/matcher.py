"""What the jobs need of a model: vectors, probabilities and, where they can be had, upper bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import Encoder
from dedup.evidence.scorer import Scorer
from dedup.text.word_weights import WordModel


class Matcher(Protocol):
    """Turns texts into vectors, and pairs of texts into probabilities; ``dedup.model.Model`` is one."""

    @property
    def model_id(self) -> str:
        """What names the encoder; vectors of one id are comparable."""

    @property
    def dimension(self) -> int:
        """Length d of a vector."""

    @property
    def encoder(self) -> Encoder:
        """Makes the vectors."""

    @property
    def default_probability(self) -> float:
        """Pairs of at least this probability are called duplicates unless the user says otherwise."""

    @property
    def min_similarity(self) -> float:
        """Cosine below which batch jobs do not compare a pair."""

    @property
    def scorer(self) -> Scorer | None:
        """The additive model, whose curves bound a probability; None: probabilities have no known bound."""

    @property
    def word_model(self) -> WordModel:
        """What the words of names weigh; only asked for where there is a scorer."""

    def compare(
        self, left: Sequence[str], right: Sequence[str], similarities: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the probability, (n,), that each pair of normal forms is the same, given their cosines (n,)."""

    def with_corpus(self, counts: Mapping[str, int], n_names: int) -> Self:
        """Return this model with the words of a corpus counted in."""
