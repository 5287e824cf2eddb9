import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dedup.clustering.cluster import cluster_pairs


class Source:
    """Takes probabilities from a function; its upper bounds are all 1."""

    def __init__(self, probabilities):
        self.probabilities = probabilities

    def upper_bounds(self, pairs):
        return np.ones(len(pairs))


def never(_pairs):
    raise AssertionError("every pair is known")


def run(pairs, probabilities, n, compare=never, least=0.5):
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    values = np.array(probabilities, dtype=float)
    return cluster_pairs(array, values, n, min_probability=least, comparison=Source(compare))


def test_a_pair_is_a_cluster():
    clusters = run([(3, 1)], [0.8], 5)
    assert clusters.labels.tolist() == [0, 1, 2, 1, 4]
    assert clusters.weakest == {1: 0.8}


def test_a_chain_is_cut_where_its_ends_differ():
    clusters = run([(0, 1), (1, 2)], [0.95, 0.6], 3, compare=lambda pairs: np.full(len(pairs), 0.01))
    assert clusters.labels.tolist() == [0, 0, 2]


def test_a_chain_holds_where_its_ends_agree():
    clusters = run([(0, 1), (1, 2)], [0.95, 0.9], 3, compare=lambda pairs: np.full(len(pairs), 0.45))
    assert clusters.labels.tolist() == [0, 0, 0]
    assert clusters.weakest == {0: 0.45}


def test_pairs_below_the_threshold_do_not_connect():
    assert run([(0, 1)], [0.4], 2).labels.tolist() == [0, 1]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda p: p[0] != p[1]), max_size=30),
    st.randoms(),
)
def test_order_of_the_pairs_does_not_matter_and_clusters_stay_in_components(pairs, random):
    pairs = sorted({tuple(sorted(p)) for p in pairs})
    probability = {p: 0.5 + ((p[0] * 7 + p[1] * 3) % 10) / 20 for p in pairs}
    shuffled = random.sample(pairs, len(pairs))

    def missing(array):
        return np.zeros(len(array))

    first = run(pairs, [probability[p] for p in pairs], 13, missing)
    second = run(shuffled, [probability[p] for p in shuffled], 13, missing)
    assert first.labels.tolist() == second.labels.tolist()
    parent = list(range(13))
    for a, b in pairs:
        low, high = sorted((parent[a], parent[b]))
        parent = [low if x == high else x for x in parent]
    for item, label in enumerate(first.labels):
        assert parent[item] == parent[label] and label <= item


def plain_clusters(pairs, probability, n, least):
    """Average linkage of each component as SciPy has it, with every probability known."""
    labels, weakest = np.arange(n), {}
    graph = coo_array((np.ones(len(pairs)), tuple(np.array(pairs).reshape(-1, 2).T)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    for number in np.unique(component):
        members = np.flatnonzero(component == number)
        if len(members) < 2:
            continue
        first, second = np.triu_indices(len(members), 1)
        inside = probability[members[first], members[second]]
        groups = fcluster(linkage(1 - inside, method="average"), 1 - least, criterion="distance")
        for group in np.unique(groups):
            at = np.flatnonzero(groups == group)
            labels[members[at]] = members[at[0]]
            if len(at) > 1:
                weakest[int(members[at[0]])] = inside[(groups[first] == group) & (groups[second] == group)].min()
    return labels.tolist(), weakest


@given(st.integers(2, 40), st.integers(0, 2**32), st.floats(1, 12), st.floats(1, 2))
def test_clusters_are_those_of_plain_average_linkage(n, seed, spread, looseness):
    random = np.random.default_rng(seed)
    places = random.random((n, 2))
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    probability = np.triu(np.exp(-spread * distances) * random.uniform(0.5, 1, (n, n)), 1)
    probability += probability.T
    at_most = np.minimum(1, probability * looseness)
    first, second = np.triu_indices(n, 1)
    is_found = (probability[first, second] >= 0.5) & (random.random(len(first)) < 0.6)
    pairs = np.column_stack([first, second])[is_found]

    class Known:
        def probabilities(self, asked):
            return probability[tuple(asked.T)]

        def upper_bounds(self, asked):
            return at_most[tuple(asked.T)]

    values = probability[tuple(pairs.T)]
    clusters = cluster_pairs(pairs, values, n, min_probability=0.5, comparison=Known())
    assert (clusters.labels.tolist(), clusters.weakest) == plain_clusters(pairs, probability, n, 0.5)


def test_pairs_that_cannot_matter_are_not_compared():
    compared = []

    class Known:
        def probabilities(self, asked):
            compared.extend(asked.tolist())
            return np.full(len(asked), 0.3)

        def upper_bounds(self, asked):
            return np.full(len(asked), 0.3)

    pairs = np.array([(0, 1), (1, 2), (2, 3)])
    clusters = cluster_pairs(pairs, np.array([0.9, 0.6, 0.9]), 4, min_probability=0.5, comparison=Known())
    assert clusters.labels.tolist() == [0, 0, 2, 2]
    assert compared == []
