"""Probabilities stated for the share of true pairs among the candidates of a corpus."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.evidence.features import REGISTRY, evidence
from dedup.evidence.scorer import Curve, Scorer
from dedup.matching.batch import BatchComparison
from dedup.matching.prior import logit, prior_shift, shifted
from dedup.runtime.progress import no_progress
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights

SHARE = 0.02
probabilities = st.lists(st.floats(0.01, 0.99), max_size=40).map(lambda values: np.array(values, np.float64))


def test_no_candidates_say_nothing():
    assert prior_shift(np.empty(0), 0, SHARE) == pytest.approx(0)


def test_few_true_pairs_lower_and_many_raise_the_odds():
    assert prior_shift(np.empty(0), 20_000, SHARE) < -1
    assert prior_shift(np.full(5_000, 0.99), 20_000, SHARE) > 1
    assert prior_shift(np.full(400, 0.999), 20_000, SHARE) == pytest.approx(0, abs=0.2)  # the typical share
    assert abs(prior_shift(np.empty(0), 20, SHARE)) < 0.1  # too few candidates to tell


@given(probabilities, st.integers(0, 10**9), st.floats(1e-6, 0.5))
def test_a_shift_is_bounded(values, more, share):
    assert -3 <= prior_shift(values, len(values) + more, share) <= 3


@given(probabilities, st.floats(-3, 3))
def test_shifts_add_to_the_log_odds_and_can_be_undone(values, shift):
    moved = shifted(values, shift)
    assert moved == pytest.approx(1 / (1 + np.exp(-(np.log(values / (1 - values)) + shift))))
    assert shifted(moved, -shift) == pytest.approx(values)


def test_certain_probabilities_stay():
    assert shifted(np.array([0.0, 1.0]), 2.5).tolist() == [0.0, 1.0]
    assert logit(0.5) == 0.0


WORD_MODEL = WordModel(InverseDocumentFrequency({"works": 300, "bank": 200}, 1_000), WordWeights({}))


@dataclass(frozen=True)
class SmallModel:
    """Compares words; its curves are made by hand."""

    scorer: Scorer
    candidate_share: float | None = SHARE
    word_model: WordModel = WORD_MODEL

    def compare(self, left, right, similarities):
        return self.scorer.probabilities(evidence(left, right, similarities, self.word_model))

    def with_prior_shift(self, shift):
        return replace(self, scorer=replace(self.scorer, intercept=self.scorer.intercept + shift))


FLAT = Curve((0.0, 1.0), (0.0, 0.0))
CURVES = {"shared_words": Curve((0.0, 1.0), (-6.0, 8.0)), "numbers_differ": Curve((0.0, 1.0), (0.0, -4.0))}
MODEL = SmallModel(Scorer(-1.0, tuple(CURVES.get(feature.name, FLAT) for feature in REGISTRY)))
NAMES = [f"{word} works {number}" for word in ("kelvorin", "kelvarin", "dunmore", "ravensford") for number in range(12)]
CODES = np.random.default_rng(0).integers(-99, 99, (len(NAMES), 16)).astype(np.int8)
ALL_PAIRS = np.array([(i, j) for i in range(len(NAMES)) for j in range(i)])


@pytest.mark.parametrize("are_same", [False, True])
def test_an_adapted_comparison_is_one_with_the_shifted_model(are_same):
    similarities = np.zeros(len(ALL_PAIRS), np.float32)
    with BatchComparison(MODEL, CODES, NAMES, 1) as comparison:
        before = comparison.probabilities(ALL_PAIRS)
        candidates = ALL_PAIRS[before >= 0.5] if are_same else ALL_PAIRS[before < 0.02]
        assert len(candidates) > 50
        shift = comparison.adapt(candidates, similarities[: len(candidates)], no_progress)
        found, likely = comparison.likely(ALL_PAIRS, similarities, 0.3)
        after, bounds = comparison.probabilities(ALL_PAIRS), comparison.upper_bounds(ALL_PAIRS)
    assert (shift > 0.5) if are_same else (shift < -0.1)
    with BatchComparison(MODEL.with_prior_shift(shift), CODES, NAMES, 1) as expected:
        assert after == pytest.approx(expected.probabilities(ALL_PAIRS))
        assert bounds == pytest.approx(expected.upper_bounds(ALL_PAIRS))
        places, values = expected.likely(ALL_PAIRS, similarities, 0.3)
    assert after != pytest.approx(before)
    assert (after <= bounds + 1e-9).all()
    assert found.tolist() == places.tolist() and len(found)
    assert likely == pytest.approx(values)


def test_a_model_without_a_share_and_a_list_without_candidates_are_not_adapted():
    for model, pairs in ((replace(MODEL, candidate_share=None), ALL_PAIRS), (MODEL, ALL_PAIRS[:0])):
        comparison = BatchComparison(model, CODES, NAMES, 1)
        assert comparison.adapt(pairs, np.zeros(len(pairs), np.float32), no_progress) == 0.0
        assert (
            comparison.probabilities(ALL_PAIRS).tolist()
            == BatchComparison(MODEL, CODES, NAMES, 1).probabilities(ALL_PAIRS).tolist()
        )
