import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.encoder.cosine import cosine, exact_neighbours, norms
from dedup.encoder.onnx import batches_by_length
from dedup.encoder.tokens import WINDOW, in_letters, initials, symbols_and_grams, windows
from dedup.model import load_model
from dedup.text.normalise import normalise


def grams_of(text):
    return set(symbols_and_grams([text])[1][0].tolist()) - {0}


def test_what_is_read_of_a_text_does_not_depend_on_its_neighbours():
    symbols, grams = symbols_and_grams(["acme", "a much longer text of many words"])
    alone = symbols_and_grams(["acme"])
    assert np.array_equal(symbols[0, :4], alone[0][0])
    assert (symbols[0, 4:] == 0).all()
    assert set(grams[0].tolist()) - {0} == grams_of("acme")


def test_an_empty_text_is_refused():
    with pytest.raises(ValueError, match="empty text"):
        symbols_and_grams(["acme", ""])


def test_an_acronym_shares_a_gram_with_its_name():
    name = "massachusetts institute of technology"
    assert initials(name) == ["miot", "mit"]
    assert grams_of("mit") & grams_of(name)
    assert not grams_of("mix") & grams_of(name)


def test_the_order_of_words_changes_only_the_grams_between_them():
    one, other = grams_of("alpha beta"), grams_of("beta alpha")
    assert len(one & other) >= len(one) - 3


def test_chinese_characters_of_one_sound_are_told_apart():
    assert in_letters("青木") != "" and in_letters("飞马") == in_letters("非马")
    one, other = grams_of("飞马"), grams_of("非马")
    assert one != other and one & other


def test_japanese_is_read_as_it_sounds():
    assert in_letters("コスモ石油株式会社") == "kosumo sekiyu kabushikigaisha"
    assert in_letters("飯野海運株式会社").startswith("iino kaiun")
    assert in_letters("газпром") == "gazprom"
    assert len(grams_of("石油コスモ") & grams_of("セキユコスモ")) > len(grams_of("石油") & grams_of("セキユコスモ"))


@given(st.text(max_size=600).map(normalise))
def test_windows_lose_no_word(text):
    pieces = windows(text)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")
    assert all(len(piece) <= WINDOW for piece in pieces)


def test_the_end_of_a_long_text_counts():
    model = load_model()
    words = [f"{a}{b}" for a in ("north", "mill", "stone", "oak", "lake") for b in ("field", "bridge", "wood", "port")]
    text = " ".join(words * 3)
    assert len(text) > 3 * WINDOW
    codes = model.encoder.encode([text, f"{text} changed at its very end", " ".join(reversed(words * 3)), "acme"])
    assert not np.array_equal(codes[0], codes[1])
    near, far = cosine(codes[[0, 0]], codes[[1, 3]])
    assert near > 0.9 > 0.5 > far


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
