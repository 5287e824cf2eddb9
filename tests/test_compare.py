import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.compare import DIRECTIONS, FEATURES, Rarity, abbreviates, evidence, word_likeness
from dedup.errors import VersionMismatch
from dedup.score import Curve, Scorer

RARITY = Rarity({"bank": 1000, "royal": 300, "inc": 5000}, 10_000)


def value(left, right, feature, similarity=0.5):
    rows = evidence([left], [right], np.array([similarity], dtype=np.float32), RARITY)
    return float(rows[0, FEATURES.index(feature)])


names = st.lists(
    st.sampled_from(["royal", "bank", "mail", "101", "102", "ii", "ag", "intl", "international", "a"]),
    min_size=1,
    max_size=5,
).map(" ".join)


@given(names, names)
def test_evidence_does_not_depend_on_the_side(left, right):
    similarity = np.array([0.3], dtype=np.float32)
    assert np.array_equal(evidence([left], [right], similarity, RARITY), evidence([right], [left], similarity, RARITY))


@given(names)
def test_a_name_agrees_with_itself(name):
    rows = evidence([name], [name], np.array([1.0], dtype=np.float32), RARITY)[0]
    value = dict(zip(FEATURES, rows.tolist(), strict=True))
    assert value["ratio"] == value["core_ratio"] == value["shared_words"] == 1.0
    assert value["numbers_differ"] == value["forms_differ"] == value["rare_word_on_one_side"] == 0.0


def test_a_rare_word_weighs_more_than_a_common_one():
    assert value("royal bank", "royal mail", "rare_words_on_both_sides") > 0
    assert value("royal mail", "royal", "rare_word_on_one_side") > value("royal bank", "royal", "rare_word_on_one_side")


@pytest.mark.parametrize(
    ("left", "right", "feature"),
    [
        ("store 101", "store 102", "numbers_differ"),
        ("fund ii", "fund iii", "numbers_differ"),
        ("store 101", "store", "number_on_one_side"),
        ("route 66", "route 66 inc", "numbers_equal"),
        ("deutsche bank ag", "deutsche bank gmbh", "forms_differ"),
        ("deutsche bank ag", "deutsche bank aktiengesellschaft", "forms_equal"),
        ("international business machines", "ibm", "acronym"),
        ("the very long name of a company cut off", "the very long name of a company cut", "cut_off"),
    ],
)
def test_what_is_seen(left, right, feature):
    assert value(left, right, feature) == 1.0
    assert value(left, left, feature) in (0.0, 1.0)


def test_words_of_one_spelling():
    assert abbreviates("intl", "international")
    assert not abbreviates("intl", "national")
    assert word_likeness("pak", "park") > 0.75
    assert word_likeness("101", "102") == 0.0
    assert value("aero jet", "aerojet", "shared_words") == 1.0


def test_an_empty_list_of_pairs():
    assert evidence([], [], np.zeros(0, dtype=np.float32), RARITY).shape == (0, len(FEATURES))


def scorer():
    return Scorer(-1.0, tuple(Curve((0.0, 1.0), (0.0, 2.0 if d > 0 else -2.0)) for d in DIRECTIONS))


def test_contributions_add_up_to_the_log_odds():
    rows = evidence(["royal bank"], ["royal mail 2"], np.array([0.4], dtype=np.float32), RARITY)
    total = scorer().contributions(rows).sum() + scorer().intercept
    assert total == pytest.approx(scorer().log_odds(rows)[0])


def test_a_scorer_survives_json_and_refuses_other_features():
    data = scorer().to_json()
    assert Scorer.from_json(data) == scorer()
    with pytest.raises(VersionMismatch, match="trained on the features colour"):
        Scorer.from_json({**data, "features": ["colour"]})
