"""Each measure against a brute-force computation of its definition."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.evaluation import measures

SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.6, 0.75, 0.999, 1.0])  # few, so that ties are common


@st.composite
def labelled(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    """Labels of both classes, and a score for each."""
    labels = [0, 1, *draw(st.lists(st.integers(0, 1), max_size=30))]
    return labels, draw(st.lists(SCORES, min_size=len(labels), max_size=len(labels)))


@st.composite
def labellings(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Two clusterings of the same records."""
    size = draw(st.integers(1, 20))
    clusters = st.lists(st.integers(0, 5), min_size=size, max_size=size)
    return draw(clusters), draw(clusters)


def f1_at(labels: list[int], scores: list[float], threshold: float) -> float:
    return measures.precision_recall_f1(labels, [int(score >= threshold) for score in scores])[2]


@given(labelled())
def test_auc_is_the_share_of_correctly_ordered_pairs(case: tuple[list[int], list[float]]) -> None:
    labels, scores = case
    true = [score for label, score in zip(labels, scores, strict=True) if label]
    false = [score for label, score in zip(labels, scores, strict=True) if not label]
    in_order = sum((a > b) + (a == b) / 2 for a in true for b in false)
    assert measures.auc(labels, scores) == pytest.approx(in_order / (len(true) * len(false)))


@given(labelled())
def test_average_precision_weighs_precision_by_recall_gained(case: tuple[list[int], list[float]]) -> None:
    labels, scores = case
    expected, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        predicted = [int(score >= threshold) for score in scores]
        precision, recall, _ = measures.precision_recall_f1(labels, predicted)
        expected += precision * (recall - recall_before)
        recall_before = recall
    assert measures.average_precision(labels, scores) == pytest.approx(expected)


@given(labelled())
def test_best_f1_is_the_highest_of_all_thresholds(case: tuple[list[int], list[float]]) -> None:
    labels, scores = case
    f1, threshold = measures.best_f1(labels, scores)
    assert f1 == pytest.approx(max(f1_at(labels, scores, score) for score in scores))
    assert f1_at(labels, scores, threshold) == pytest.approx(f1)
    assert threshold in scores
    assert all(f1_at(labels, scores, score) < f1 for score in scores if score > threshold)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=30))
def test_precision_recall_f1_count_pairs(cases: list[tuple[int, int]]) -> None:
    labels, predicted = [case[0] for case in cases], [case[1] for case in cases]
    both = cases.count((1, 1))
    precision, recall, f1 = measures.precision_recall_f1(labels, predicted)
    assert precision == (both / sum(predicted) if any(predicted) else 0)
    assert recall == (both / sum(labels) if any(labels) else 0)
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall) if both else 0)


@given(labelled())
def test_brier_is_the_mean_squared_error(case: tuple[list[int], list[float]]) -> None:
    labels, probabilities = case
    errors = [(p - label) ** 2 for label, p in zip(labels, probabilities, strict=True)]
    assert measures.brier(labels, probabilities) == pytest.approx(sum(errors) / len(errors))


@given(labelled())
def test_calibration_error_is_the_weighted_gap_of_each_bin(case: tuple[list[int], list[float]]) -> None:
    labels, probabilities = case
    expected = 0.0
    for low in range(10):
        inside = [
            (label, p)
            for label, p in zip(labels, probabilities, strict=True)
            if low / 10 < p <= (low + 1) / 10 or (low == 0 and p == 0)
        ]
        if inside:
            share = sum(label for label, _ in inside) / len(inside)
            mean = sum(p for _, p in inside) / len(inside)
            expected += len(inside) / len(labels) * abs(mean - share)
    assert measures.expected_calibration_error(labels, probabilities) == pytest.approx(expected)


def test_calibration_error_of_known_cases() -> None:
    assert measures.expected_calibration_error([1, 0], [1.0, 0.0]) == 0
    assert measures.expected_calibration_error([0, 1], [1.0, 0.0]) == 1
    assert measures.expected_calibration_error([1, 1, 1, 0], [0.75] * 4) == pytest.approx(0)
    assert measures.expected_calibration_error([1, 0], [0.75, 0.75]) == pytest.approx(0.25)
    assert measures.expected_calibration_error([1, 0], [0.1, 0.11]) == pytest.approx((0.9 + 0.11) / 2)


def test_recall_counts_mates_among_the_nearest_up_to_k() -> None:
    neighbours = np.array([[1, 2, 9], [9, 8, 0], [-7, 0, -1], [0, 1, 2]])
    mates: list[set[int]] = [{1, 2}, {0, 2}, {5}, set()]  # the last record has none and does not count
    assert measures.recall_at(neighbours, mates, 1) == pytest.approx((1 + 0 + 0) / 3)
    assert measures.recall_at(neighbours, mates, 2) == pytest.approx((1 + 0 + 0) / 3)
    assert measures.recall_at(neighbours, mates, 3) == pytest.approx((1 + 1 / 2 + 0) / 3)


@given(labellings())
def test_pair_measures_equal_those_of_enumerated_pairs(case: tuple[list[int], list[int]]) -> None:
    truth, found = case
    couples = list(combinations(range(len(truth)), 2))
    expected = measures.precision_recall_f1(
        [int(truth[a] == truth[b]) for a, b in couples], [int(found[a] == found[b]) for a, b in couples]
    )
    assert measures.pair_precision_recall_f1(truth, found) == pytest.approx(expected)


@given(labellings())
def test_b_cubed_averages_over_records(case: tuple[list[int], list[int]]) -> None:
    truth, found = case
    precisions, recalls = [], []
    for record in range(len(truth)):
        true = {other for other in range(len(truth)) if truth[other] == truth[record]}
        own = {other for other in range(len(found)) if found[other] == found[record]}
        precisions.append(len(true & own) / len(own))
        recalls.append(len(true & own) / len(true))
    precision, recall = math.fsum(precisions) / len(truth), math.fsum(recalls) / len(truth)
    expected = precision, recall, 2 * precision * recall / (precision + recall)
    assert measures.b_cubed(truth, found) == pytest.approx(expected)


def test_b_cubed_of_the_published_example() -> None:
    truth = [1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3]
    joined_small = [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]
    joined_large = [1, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1]
    assert measures.b_cubed(truth, joined_small)[:2] == pytest.approx((0.762, 1.0), abs=0.001)
    assert measures.b_cubed(truth, joined_large)[:2] == pytest.approx((0.583, 1.0), abs=0.001)


def test_clusters_may_have_names() -> None:
    assert measures.pair_precision_recall_f1(["x.0", "x.0", "y"], [0, 0, 2]) == (1, 1, 1)
    assert measures.b_cubed(["x.0", "x.0", "y"], ["long name", "long name", "b"]) == (1, 1, 1)


def test_a_zero_denominator_gives_zero() -> None:
    assert measures.pair_precision_recall_f1([0, 1], [0, 1]) == (0, 0, 0)
    assert measures.precision_recall_f1([], []) == (0, 0, 0)


def test_a_million_records_without_enumerating_pairs() -> None:
    ones = np.zeros(1_000_000, dtype=np.int64)
    assert measures.pair_precision_recall_f1(ones, ones) == (1, 1, 1)
    assert measures.b_cubed(ones, ones) == (1, 1, 1)


@pytest.mark.parametrize("measure", [measures.auc, measures.average_precision, measures.best_f1])
@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1], [0.1, 0.2], "both 0 and 1"),
        ([], [], "both 0 and 1"),
        ([0, 2], [0.1, 0.2], "neither 0 nor 1"),
        ([0, 1], [0.1], "equal length"),
        ([0, 1], [0.1, math.nan], "not finite"),
    ],
)
def test_invalid_scores_are_refused(measure, labels, scores, message) -> None:
    with pytest.raises(ValueError, match=message):
        measure(labels, scores)


@pytest.mark.parametrize("measure", [measures.brier, measures.expected_calibration_error])
@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [([0], [1.1], "outside 0 to 1"), ([0], [math.nan], "outside 0 to 1"), ([], [], "no probabilities")],
)
def test_invalid_probabilities_are_refused(measure, labels, probabilities, message) -> None:
    with pytest.raises(ValueError, match=message):
        measure(labels, probabilities)


def test_invalid_rankings_and_clusterings_are_refused() -> None:
    one = np.array([[1]])
    with pytest.raises(ValueError, match="needs 2 neighbours, not 1"):
        measures.recall_at(one, [{1}], 2)
    with pytest.raises(ValueError, match="do not fit"):
        measures.recall_at(one, [], 1)
    with pytest.raises(ValueError, match="no record has a mate"):
        measures.recall_at(one, [set()], 1)
    for measure in (measures.pair_precision_recall_f1, measures.b_cubed):
        with pytest.raises(ValueError, match="no records"):
            measure([], [])
        with pytest.raises(ValueError, match="equal length"):
            measure([0], [0, 1])
