"""``assign``: an assignment is valid, and as good as linear programming says one can be."""

import numpy as np
import pytest
from scipy.optimize import linprog

from dedup.clustering.assignment import assign

NO_PAIRS = np.empty((0, 2), np.int64)


def test_an_assignment_is_the_best_there_is() -> None:
    random = np.random.default_rng(1)
    for _ in range(500):
        m, n = random.integers(1, 7, 2)
        pairs = np.argwhere(random.random((m, n)) < random.choice([0.2, 0.5, 0.9]))
        weights = random.choice([0.5, 1.0, 1.0 + random.random()], len(pairs))
        left, right = random.integers(1, 4, m), random.integers(1, 4, n)
        counts = assign(pairs, weights, left, right)
        limits = np.zeros((m + n, len(pairs)))
        limits[pairs[:, 0], np.arange(len(pairs))] = limits[m + pairs[:, 1], np.arange(len(pairs))] = 1
        copies = np.concatenate([left, right])
        assert np.all(limits @ counts <= copies)
        assert np.all(counts >= 0)
        if len(pairs):
            best = -linprog(-weights, A_ub=limits, b_ub=copies).fun
            assert counts @ weights == pytest.approx(best)


def test_nothing_to_assign() -> None:
    assert assign(NO_PAIRS, np.empty(0), np.array([1, 1]), np.array([1])).tolist() == []


def test_a_sure_pair_is_not_given_up_for_two_doubtful_ones() -> None:
    pairs, weights = np.array([[0, 0], [0, 1], [1, 0]]), np.array([20.0, 0.4, 0.4])
    assert assign(pairs, weights, np.array([1, 1]), np.array([1, 1])).tolist() == [1, 0, 0]
