"""Components of more than a hundred items, which are clustered by a sample of their pairs."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.clustering.cluster import LARGEST_COMPONENT, cluster_pairs


class Counted:
    """Takes probabilities from a function of two items, and counts calls and pairs."""

    def __init__(self, probability):
        self.probability = probability
        self.calls = self.pairs = 0

    def probabilities(self, asked):
        self.calls += 1
        self.pairs += len(asked)
        return self.probability(*asked.T)

    def upper_bounds(self, asked):
        return np.ones(len(asked))


def clusters_of(probability, pairs, n):
    source = Counted(probability)
    pairs = np.unique(np.sort(np.array(pairs), axis=1), axis=0)
    return cluster_pairs(pairs, probability(*pairs.T), n, min_probability=0.5, comparison=source), source


def near(items, random, k=10):
    """Ten neighbours for each item, so that they are one component."""
    chain = [(one, other) for one, other in itertools.pairwise(items)]
    return chain + [(one, other) for one in items for other in random.choice(items, k).tolist() if one != other]


def alike(one, other):
    """Between 0.6 and 1, different for each pair."""
    return 0.6 + (np.minimum(one, other) * 31 + np.maximum(one, other) * 17) % 101 / 252


@pytest.mark.parametrize("n", [400, 800, 1600, 3200])
def test_near_equals_are_one_cluster_and_cost_few_comparisons_each(n):
    clusters, source = clusters_of(alike, near(range(n), np.random.default_rng(n)), n)
    assert np.bincount(clusters.labels).max() == n
    assert (clusters.sampled, clusters.items_sampled) == (1, n)
    assert source.pairs <= 16 * n
    assert source.calls <= 60


def hub(one, other):
    """Item 0 is nearly the same as all others, which are less alike."""
    return np.where(np.minimum(one, other) == 0, 0.99, 0.55)


def rising(one, other):
    """The later two neighbours, the more alike; no pair but neighbours is known."""
    return 0.5 + np.maximum(one, other) / 4000


def equal(one, other):
    return np.full(len(one), 0.9)


@pytest.mark.parametrize(
    ("probability", "pairs"),
    [
        (hub, [(0, other) for other in range(1, 1500)]),
        (rising, [(one, one + 1) for one in range(1499)]),
        (equal, [(one, one + 1) for one in range(1499)]),
    ],
    ids=["star", "rising chain", "ties"],
)
def test_few_rounds_suffice_where_one_group_could_take_all_merges_one_by_one(probability, pairs):
    clusters, source = clusters_of(probability, pairs, 1500)
    assert len(np.unique(clusters.labels)) == 1
    assert source.calls <= 150
    assert source.pairs <= 40 * 1500


@settings(max_examples=30)
@given(st.lists(st.integers(20, 90), min_size=3, max_size=9).filter(lambda sizes: sum(sizes) > LARGEST_COMPONENT))
def test_groups_that_a_few_wrong_pairs_connect_are_told_apart(sizes):
    group_of = np.repeat(np.arange(len(sizes)), sizes)
    random = np.random.default_rng(sum(sizes))

    def probability(one, other):
        wrong = np.where((one + other) % 7 == 0, 0.6, 0.02)  # some pairs of two groups are probable, too
        return np.where(group_of[one] == group_of[other], alike(one, other), wrong)

    pairs = [pair for group in range(len(sizes)) for pair in near(np.flatnonzero(group_of == group).tolist(), random)]
    starts = np.cumsum([0, *sizes[:-1]])
    for one, other in itertools.pairwise(starts):
        pairs += [(one + at, other + (-(one + at) - other) % 7) for at in range(3)]
    clusters, _ = clusters_of(probability, pairs, len(group_of))
    assert clusters.labels.tolist() == starts[group_of].tolist()


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_the_order_of_the_pairs_does_not_matter(seed):
    pairs = np.unique(np.sort(near(range(300), np.random.default_rng(5)), axis=1), axis=0)
    order = np.random.default_rng(seed).permutation(len(pairs))

    def probability(one, other):
        return (np.minimum(one, other) * 37 + np.maximum(one, other) * 91) % 101 / 100

    def labels(shown):
        found = cluster_pairs(shown, probability(*shown.T), 300, min_probability=0.5, comparison=Counted(probability))
        return found.labels.tolist(), found.weakest

    assert labels(pairs) == labels(pairs[order])


def test_the_weakest_pair_is_one_of_those_compared():
    clusters, _ = clusters_of(alike, near(range(500), np.random.default_rng(2)), 500)
    assert 0.6 <= clusters.weakest[0] <= 0.65
