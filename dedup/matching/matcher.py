"""What the jobs need of a model: vectors, probabilities and, where the model allows it, upper bounds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import Encoder
from dedup.evidence.explain import Explanation
from dedup.evidence.scorer import Scorer
from dedup.text.corpus import Corpus
from dedup.text.word_weights import WordModel


class Matcher(Protocol):
    """Turns texts into vectors and pairs of texts into probabilities; implemented by ``dedup.model.Model``."""

    @property
    def model_id(self) -> str:
        """Identifier of the encoder; only vectors with the same one are comparable."""

    @property
    def fingerprint(self) -> str:
        """Identifier of its files; with the kind, all that probabilities depend on besides a corpus and its prior."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def is_shipped(self) -> bool:
        """Whether it is the one that ships with neardup."""

    @property
    def kind(self) -> str:
        """The kind of texts that it compares, a name in ``dedup.evidence.kinds``."""

    @property
    def kinds(self) -> Collection[str]:
        """The kinds that it has a scorer for."""

    @property
    def dimension(self) -> int:
        """Length d of a vector."""

    @property
    def encoder(self) -> Encoder:
        """Turns texts into vectors."""

    @property
    def default_probability(self) -> float:
        """Probability from which a pair is reported as a duplicate unless the user sets another."""

    @property
    def min_similarity(self) -> float:
        """Cosine below which batch jobs do not compare a pair."""

    @property
    def candidate_share(self) -> float | None:
        """Share of true pairs among the candidates that the probabilities hold for; None if they hold for any."""

    @property
    def scorer(self) -> Scorer | None:
        """The additive model, from which upper bounds are derived; None if probabilities cannot be bounded."""

    @property
    def word_model(self) -> WordModel:
        """Frequencies and weights of words; needed only if there is a scorer."""

    def compare(
        self, left: Sequence[str], right: Sequence[str], similarities: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the probability, (n,), that each pair of normal forms is the same, given their cosines (n,)."""

    def explain(self, left: str, right: str, similarity: float) -> Explanation:
        """Return the probability of one pair of normal forms, given their cosine, and the reasons for it."""

    def explain_pairs(
        self, left: Sequence[str], right: Sequence[str], similarities: Sequence[float]
    ) -> list[Explanation]:
        """Return the same for n pairs, at a fraction of the time for each."""

    def with_prior_shift(self, shift: float) -> Self:
        """Return this model with ``shift`` nats added to all log-odds (``dedup.matching.prior``)."""

    def with_kind(self, name: str) -> Matcher:
        """Return the model for another kind of texts, without a corpus and its prior; vectors stay the same."""

    def with_corpus(self, corpus: Corpus) -> Self:
        """Return this model with what a corpus says about its own names."""
