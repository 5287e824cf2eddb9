"""Clusters of items that people judged to be the same or different."""

import itertools
import random

import numpy as np
import pytest

from dedup.clustering.cluster import cluster_pairs
from dedup.clustering.constraints import Constraints, Groups, constraints_of, settle


class Matrix:
    """Takes probabilities from a matrix; its upper bounds lie between them and 1."""

    def __init__(self, values):
        self.values = values

    def probabilities(self, pairs):
        return self.values[tuple(pairs.T)]

    def upper_bounds(self, pairs):
        return (1 + self.values[tuple(pairs.T)]) / 2


def constraints(n, same, different):
    groups, _ = settle(same, different)
    return constraints_of(groups, [(item, item) for item in range(n)], n)


def matrix(n, source, connected=0.3):
    values = np.zeros((n, n))
    for one, other in itertools.combinations(range(n), 2):
        likely = source.random() < connected
        values[one, other] = values[other, one] = source.uniform(0.5, 1) if likely else source.uniform(0, 0.5)
    return values


def clusters_of(values, given, least=0.5):
    n = len(values)
    pairs = np.array([pair for pair in itertools.combinations(range(n), 2) if values[pair] >= least], np.int64)
    pairs = pairs.reshape(-1, 2)
    known = values[tuple(pairs.T)]
    return cluster_pairs(pairs, known, n, min_probability=least, comparison=Matrix(values), constraints=given)


def plainly(values, given, least=0.5):
    """Average linkage, one merge at a time: the best pair of groups that may be together."""
    n = len(values)
    groups = [[item for item in range(n) if given.groups[item] == root] for root in sorted(set(given.groups.tolist()))]
    apart = {frozenset(pair) for pair in given.apart.tolist()}
    roots = given.groups.tolist()

    def mean(one, other):
        if any(frozenset((roots[a], roots[b])) in apart for a in one for b in other):
            return -1.0
        return float(np.mean([values[a, b] for a in one for b in other]))

    while len(groups) > 1:
        best, one, other = max(
            (mean(one, other), *sorted((one, other))) for one, other in itertools.combinations(groups, 2)
        )
        if best < least:
            break
        groups = [group for group in groups if group not in (one, other)] + [sorted(one + other)]
    return sorted(group for group in groups)


def as_groups(labels):
    return sorted(np.flatnonzero(labels == label).tolist() for label in np.unique(labels))


def some_judgements(n, source, most=5):
    items = range(n)
    same = [tuple(source.sample(items, 2)) for _ in range(source.randrange(most))]
    different = [tuple(source.sample(items, 2)) for _ in range(source.randrange(most))]
    return same, different


def test_random_judgements_give_the_clusters_of_plain_average_linkage():
    for seed in range(300):
        source = random.Random(seed)
        n = source.randrange(2, 11)
        values, given = matrix(n, source), constraints(n, *some_judgements(n, source))
        found = clusters_of(values, given)
        expected = plainly(values, given)
        assert as_groups(found.labels) == expected, seed
        for group in expected:
            if len(group) > 1:
                lowest = min(values[pair] for pair in itertools.combinations(group, 2))
                assert found.weakest[group[0]] == pytest.approx(lowest)


def test_judgements_of_nothing_change_nothing():
    for seed in range(100):
        source = random.Random(seed)
        values = matrix(source.randrange(2, 12), source)
        nothing = Constraints(np.arange(len(values)), np.empty((0, 2), np.int64))
        with_none, without = clusters_of(values, nothing), clusters_of(values, None)
        assert with_none.labels.tolist() == without.labels.tolist()
        assert with_none.weakest == without.weakest


@pytest.mark.parametrize("seed", range(12))
def test_large_components_respect_judgements(seed):
    source = random.Random(seed)
    n = 150
    values = matrix(n, source, connected=0.9)
    same = [tuple(source.sample(range(n), 2)) for _ in range(20)]
    different = [tuple(source.sample(range(n), 2)) for _ in range(60)]
    given = constraints(n, same, different)
    found = clusters_of(values, given)
    assert found.sampled == 1
    assert (found.labels[given.ties[:, 0]] == found.labels[given.ties[:, 1]]).all()
    assert (found.labels[given.apart[:, 0]] != found.labels[given.apart[:, 1]]).all()
    assert np.bincount(found.labels).max() > n / 10  # the rest is still merged
    for label, weakest in found.weakest.items():
        members = np.flatnonzero(found.labels == label)
        assert weakest >= min(values[pair] for pair in itertools.combinations(members.tolist(), 2))


def test_a_large_component_without_judgements_stays_as_it_is():
    values = matrix(150, random.Random(0), connected=0.9)
    nothing = Constraints(np.arange(150), np.empty((0, 2), np.int64))
    assert clusters_of(values, nothing).labels.tolist() == clusters_of(values, None).labels.tolist()


def test_same_connects_what_no_pair_does_and_keeps_the_probability():
    values = np.full((4, 4), 0.1)
    found = clusters_of(values, constraints(4, [(3, 1)], []))
    assert found.labels.tolist() == [0, 1, 2, 1]
    assert found.weakest == {1: 0.1}


def test_different_is_inherited_along_a_chain_of_same():
    values = np.full((4, 4), 0.9)
    found = clusters_of(values, constraints(4, [(0, 1), (2, 3)], [(1, 2)]))
    assert found.labels.tolist() == [0, 0, 2, 2]


def test_a_chain_of_same_that_contradicts_a_different_is_told():
    groups, found = settle([("a", "b"), ("b", "c"), ("c", "d")], [("x", "y"), ("a", "d")])
    assert [(one.left_out, one.different, one.chain) for one in found] == [(2, 1, ("a", "b", "c", "d"))]
    assert groups.find("a") == groups.find("c") != groups.find("d")
    assert groups.are_apart("b", "d") and not groups.are_apart("b", "x")


def test_without_contradiction_nothing_is_left_out():
    groups, found = settle([("a", "b"), ("b", "c")], [("c", "d")])
    assert found == [] and groups.find("a") == groups.find("c") and sorted(groups.members("b")) == ["a", "b", "c"]
    assert isinstance(groups, Groups)
