import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dedup import cluster
from dedup.cluster import cluster_pairs


def never(_pairs):
    raise AssertionError("every pair is known")


def run(pairs, probabilities, n, compare=never, least=0.5):
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return cluster_pairs(array, np.array(probabilities, dtype=float), n, least_probability=least, compare=compare)


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


def test_a_component_too_large_loses_its_weaker_pairs(monkeypatch):
    monkeypatch.setattr(cluster, "LARGEST_COMPONENT", 2)
    clusters = run([(0, 1), (1, 2), (3, 4)], [0.97, 0.6, 0.7], 5)
    assert clusters.skipped == 0
    assert clusters.labels.tolist() == [0, 0, 2, 3, 3]


def test_a_component_too_large_at_any_probability_is_counted_and_left_single(monkeypatch):
    monkeypatch.setattr(cluster, "LARGEST_COMPONENT", 2)
    clusters = run([(0, 1), (1, 2), (3, 4)], [1.0, 1.0, 0.9], 5)
    assert clusters.skipped == 1
    assert clusters.labels.tolist() == [0, 1, 2, 3, 3]


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
