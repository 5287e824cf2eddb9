import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.encode import batches_by_length, featurise
from dedup.nearest import cosine, exact_neighbours, norms


def test_features_of_a_text_do_not_depend_on_its_neighbours():
    alone = featurise(["acme"])
    beside = featurise(["acme", "a much longer text"])
    for one, two in zip(alone, beside, strict=True):
        assert np.array_equal(one[0], two[0, :4])
        assert (two[0, 4:] == 0).all()


def test_an_empty_text_is_refused():
    with pytest.raises(ValueError, match="empty text"):
        featurise(["acme", ""])


@given(st.lists(st.integers(1, 2000), max_size=300))
def test_batches_hold_every_row_once(lengths):
    batches = batches_by_length(np.array(lengths, dtype=np.int64))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))


@given(st.integers(1, 300), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_exact_neighbours_are_those_of_brute_force(n, k, seed):
    rng = np.random.default_rng(seed)
    corpus = rng.integers(-127, 128, (n, 8)).astype(np.int8)
    indices, similarities = exact_neighbours(corpus[:5], corpus, k)
    for query, found, values in zip(corpus[:5], indices, similarities, strict=True):
        everything = cosine(np.tile(query, (n, 1)), corpus)
        best = np.sort(everything)[::-1][:k]
        assert np.allclose(values[: len(best)], best, atol=1e-5)
        assert (found[len(best) :] == -1).all()
        assert np.allclose(everything[found[: len(best)]], best, atol=1e-5)


def test_the_dimensions_must_agree():
    with pytest.raises(ValueError, match="8 and 9 dimensions"):
        exact_neighbours(np.zeros((1, 8), dtype=np.int8), np.zeros((1, 9), dtype=np.int8), 1)


def test_the_norm_of_a_zero_vector_divides():
    assert norms(np.zeros((1, 4), dtype=np.int8)).tolist() == [1.0]
