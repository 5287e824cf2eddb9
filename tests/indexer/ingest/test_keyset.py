"""The set of 128-bit keys against Python's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indexer.ingest.keyset import KeySet, keys_of

words = st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from("abc")), max_size=20)


@given(st.lists(words, max_size=8), words)
def test_it_knows_what_it_was_given(batches: list[list[str]], others: list[str]) -> None:
    keys, seen = KeySet(), set()
    for batch in batches:
        expected = []
        for word in batch:
            expected.append(word in seen)
            seen.add(word)
        assert keys.add(keys_of(batch)).tolist() == expected
    assert keys.contains(keys_of(others)).tolist() == [word in seen for word in others]
