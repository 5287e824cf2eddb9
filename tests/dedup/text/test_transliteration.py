"""Words written in Latin letters in different ways have one skeleton; other words do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.text.transliteration import is_spelt, skeleton


@pytest.mark.parametrize(
    "spellings",
    [
        ("moskovskaya", "moskovskaja", "moskowskaia"),
        ("zavod", "zawod"),
        ("khimprom", "himprom"),
        ("tchaikovsky", "tschaikowsky"),
        ("zhukov", "zukov"),
        ("shchukin", "schukin"),
        ("shchastie", "shtastie"),
        ("dzhafarov", "djafarov"),
        ("petrossian", "petrosian"),
        ("alexandria", "aleksandria"),
        ("papadopoulos", "papadopulos"),
    ],
)
def test_ways_of_transliteration_have_one_skeleton(spellings):
    assert len({skeleton(word) for word in spellings}) == 1


@pytest.mark.parametrize(
    ("left", "right"), [("moskva", "minsk"), ("sever", "severin"), ("petrov", "pavlov"), ("gazprom", "gaztrom")]
)
def test_other_words_have_other_skeletons(left, right):
    assert skeleton(left) != skeleton(right)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=2))
def test_a_skeleton_is_no_longer_than_its_word(word):
    assert len(skeleton(word)) <= len(word)


def test_scripts_that_spell_their_sounds():
    assert all(map(is_spelt, ("acme", "münchen", "газпром", "ελλάδα", "トヨタ")))
    assert not any(map(is_spelt, ("日立", "בנק", "البنك", "ธนาคาร")))
