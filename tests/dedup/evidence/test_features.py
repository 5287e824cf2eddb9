import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.errors import VersionMismatch
from dedup.evidence.features import FEATURES, REGISTRY, evidence
from dedup.evidence.scorer import Curve, Scorer
from dedup.text.corpus import Corpus
from dedup.text.names import parse
from dedup.text.pairing import TYPO_RATIO, abbreviates, pair_up, respelling
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights, clues

IDF = InverseDocumentFrequency({"bank": 1000, "royal": 300, "inc": 5000, "mercury": 80, "mercy": 90}, 10_000)
WORD_MODEL = WordModel(IDF, WordWeights({("alone", "group"): 0.5, ("exchanged", "dental"): -0.7}))


def value(left, right, feature, similarity=0.5, corpus=None):
    word_model = WordModel(IDF.with_corpus(corpus or Corpus()), WORD_MODEL.weights)
    rows = evidence([left], [right], np.array([similarity], dtype=np.float32), word_model)
    return float(rows[0, FEATURES.index(feature)])


names = st.lists(
    st.sampled_from(["royal", "bank", "mail", "101", "102", "ii", "ag", "intl", "international", "a", "dba", "iowa"]),
    min_size=1,
    max_size=5,
).map(" ".join)


@given(names, names)
def test_evidence_does_not_depend_on_the_side(left, right):
    similarity = np.array([0.3], dtype=np.float32)
    assert np.array_equal(
        evidence([left], [right], similarity, WORD_MODEL), evidence([right], [left], similarity, WORD_MODEL)
    )


@given(names)
def test_a_name_agrees_with_itself(name):
    rows = evidence([name], [name], np.array([1.0], dtype=np.float32), WORD_MODEL)[0]
    value = dict(zip(FEATURES, rows.tolist(), strict=True))
    assert value["ratio"] == value["core_ratio"] == value["shared_words"] == 1.0
    assert value["numbers_differ"] == value["forms_differ"] == value["rare_word_on_one_side"] == 0.0
    assert value["places_differ"] == value["short_names_differ"] == value["word_weights"] == 0.0


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
        ("receivables 2003 a", "receivables 2003 b", "numbers_differ"),
        ("j holloway", "m holloway", "numbers_differ"),
        ("aaa locksmith", "aaaa locksmith", "numbers_differ"),
        ("delta of iowa", "delta of ohio", "places_differ"),
        ("delta", "delta ohio", "place_on_one_side"),
        ("deutsche bank ag", "deutsche bank", "form_on_one_side"),
        ("royal smith bank", "royal jones bank", "word_exchanged"),
        ("general electric", "general electric pension plan", "another_body"),
    ],
)
def test_features_of_a_pair(left, right, feature):
    assert value(left, right, feature) == 1.0
    assert value(left, left, feature) in (0.0, 1.0)


def test_words_of_one_spelling():
    assert abbreviates("intl", "international")
    assert not abbreviates("intl", "national")
    assert respelling("pak", "park").ratio > 0.75
    assert respelling("101", "102") is None
    assert respelling("austria", "australia") is None  # two places
    assert respelling("technology", "technologies").is_short_form
    assert respelling("muller", "mueller").is_short_form
    assert respelling("aaa", "aaaa") is None
    assert value("青木", "鈴木", "shared_words") == 0.0  # alike in sound only
    assert value("aero jet", "aerojet", "shared_words") == 1.0
    assert value("natl assn", "national association", "core_ratio") == 1.0


def test_the_words_of_an_acronym_are_not_another_body():
    assert value("ubs", "union bank of switzerland", "another_body") == 0.0
    assert value("ups", "union bank of switzerland", "another_body") == 1.0


def test_an_acronym_says_more_the_longer_and_the_less_common_it_is():
    pair, longer = (
        ("kdr works", "kelvorin dale ravensford works"),
        ("kdrp works", "kelvorin dale ravensford pine works"),
    )
    assert value(*longer, "acronym") > value(*pair, "acronym") > 0
    common = Corpus(1_000, initials={"kdr": 20})
    assert 0 < value(*pair, "acronym", corpus=common) < value(*pair, "acronym")
    assert value("ups", "international business machines", "acronym") == 0


def test_an_acronym_of_a_part_of_a_name_is_chance_without_a_shared_word():
    whole = value("dog", "delta ohio glass", "acronym")
    assert value("dog rennes", "delta ohio glass rennes", "acronym") == whole
    assert value("dog production", "delta ohio glass", "acronym") < whole


def test_a_short_form_that_the_corpus_uses_is_usual():
    pair = ("kelvorin zbk", "kelvorin zentralbank")
    corpus = Corpus(1_000, short_forms={"zbk zentralbank": 8})
    assert value(*pair, "unusual_short_form") > 0
    assert value(*pair, "unusual_short_form", corpus=corpus) == 0
    assert value(*pair, "shared_words", corpus=corpus) > value(*pair, "shared_words")


def test_a_well_known_acronym_stands_for_its_own_words():
    assert value("ibm", "international business machines", "acronym") > value(
        "kdr", "kelvorin dale ravensford", "acronym"
    )
    assert value("ibm", "iron bridge mills", "acronym") < value("kdr", "kelvorin dale ravensford", "acronym")


@pytest.mark.parametrize(
    ("left", "right", "opposite"),
    [
        ("employers union of ravensford", "employees union of ravensford", 1.0),
        ("north ravensford club", "süd ravensford club", 1.0),
        ("employers union of ravensford", "employers union of ravensford", 0.0),
        ("employers union of ravensford", "teachers union of ravensford", 0.0),
        ("north ravensford", "ravensford", 0.0),
    ],
)
def test_words_of_contrary_meaning_are_evidence(left, right, opposite):
    assert value(left, right, "opposites") == opposite


def test_the_acronym_of_a_kind_of_body_says_little():
    kind = "distribuidora terras vales minas"
    assert value("apex dtvm", f"apex {kind}", "acronym") < value("apex dtvw", f"apex {kind[:-5]}wagen", "acronym")


def respelt(left, right, weights=None):
    idf = InverseDocumentFrequency({"church": 1000, "jack": 20, "jackson": 90, "engineer": 90, "abfall": 30}, 10_000)
    word_model = WordModel(idf, WordWeights(weights or {}))
    rows = evidence([f"church {left}"], [f"church {right}"], np.array([0.5], dtype=np.float32), word_model)
    return not rows[0, FEATURES.index("word_exchanged")]


def test_a_known_word_is_no_short_form_of_a_word_that_it_begins():
    assert not respelt("jack", "jackson")
    assert not respelt("jack", "jackton")
    assert respelt("jacq", "jacqueme")  # unknown, so it may be short
    assert respelt("jack", "jacks")
    assert respelt("engineer", "engineering")
    assert respelt("abfall", "abfallwirtschaft")
    assert respelt("jack", "jackson", {("respelt", "jack|jackson"): 0.5})


def test_an_unusual_short_form_is_evidence_by_the_rarity_of_the_word():
    assert value("mercury works", "mcy works", "unusual_short_form") == pytest.approx(IDF.of("mercury"))
    assert value("national bank", "natl bank", "unusual_short_form") == 0.0  # a usual one
    assert value("mercury works", "mercry works", "unusual_short_form") == 0.0  # a typing error
    known = Corpus(10_000, {"mcy": 500})
    assert value("mercury works", "mcy works", "short_form_is_word", corpus=known) > 0.0
    assert value("mercury works", "mcy works", "short_form_is_word") == 0.0


@pytest.mark.parametrize(
    ("left", "right"), [("kelvorin", "kelovrin"), ("kelvorin", "kelvarin"), ("kelvorin", "kelvorn")]
)
def test_one_letter_or_two_in_another_order_are_a_typing_error(left, right):
    assert respelling(left, right).ratio >= TYPO_RATIO


def test_one_other_letter_makes_another_word_of_a_short_one():
    assert respelling("acmes", "acnes").ratio < TYPO_RATIO


@pytest.mark.parametrize(
    ("left", "right"),
    [("müller bau", "mueller bau"), ("größe und münze", "groesse und münze"), ("bjørn ås", "bjoern aas")],
)
def test_an_umlaut_is_read_as_the_other_name_writes_it(left, right):
    assert value(left, right, "core_ratio") == value(left, right, "shared_words") == 1.0
    plain = left.translate(str.maketrans("äöüøå", "aouoa"))
    assert value(plain, right, "core_ratio") < 1.0


def test_a_short_word_that_begins_another_is_another_word():
    assert value("feuerwehr ulm", "feuerwehr ulmen", "word_exchanged") == 1.0
    assert value("prk bank", "park bank", "word_exchanged") == 0.0


def test_a_frame_of_the_corpus_is_evidence():
    corpus = Corpus(2_000, {"bank": 400, "savings": 400}, {"bank savings": 400})
    pair = ("savings bank kelvorin", "savings bank dunmore")
    assert value(*pair, "frame_exchanged", corpus=corpus) > 5.0 > value(*pair, "frame_exchanged") == 0.0
    assert value("savings bank", pair[0], "frame_extended", corpus=corpus) > 5.0


def test_two_common_words_are_not_a_misspelling():
    assert value("mercury bank", "mercy bank", "known_words_respelt") > 0
    assert value("mercury bank", "mecury bank", "known_words_respelt") == 0  # a word that occurs nowhere else


def test_short_names_differ_by_little():
    shortness = [value(*pair, "short_names_differ") for pair in (("hp", "bp"), ("dell", "bell"), ("adidas", "addidas"))]
    assert shortness == sorted(shortness, reverse=True) and shortness[-1] > 0
    assert value("3m", "3m company", "short_names_differ") == 0


def test_the_best_fitting_parts_are_compared():
    assert value("build grp inc", "spark svcs dba build group inc", "core_ratio") == 1.0
    assert value("build grp inc", "spark svcs dba build group inc", "first_part_ratio") < 1.0


def test_truncation_is_no_evidence_against_a_pair():
    whole = "international brotherhood of electrical workers"
    for cut in ("international brotherhood of electr", "international brotherhood of electrical"):
        at_its_end = Corpus(widths=frozenset({len(cut)}))
        assert value(whole, cut, "rare_word_on_one_side", corpus=at_its_end) == 0.0
        assert value(whole, cut, "rare_words_on_both_sides", corpus=at_its_end) == 0.0
    assert value(whole, "international brotherhood of electrical", "rare_word_on_one_side") > 0.0  # nothing is cut
    for left, right in (
        ("meridian steel works", "meridian steel works 2058"),  # a number that is missing, or its end
        ("union bank serial no 205", "union bank serial no 2058"),
        ("meridian steel works company", "meridian steel works company union"),  # another body
        ("meridian steel works company inc", "meridian steel works company inc group"),  # ends in a legal form
    ):
        unpaired = ("rare_word_on_one_side", "rare_words_on_both_sides")
        assert any(value(left, right, name, corpus=Corpus(widths=frozenset({len(left)}))) > 0.0 for name in unpaired)


def test_consonants_count_where_words_cannot():
    assert value("البرتشاسن", "albershausen", "consonants") > 0.8  # hardly a vowel is written
    assert value("al jubayliyah", "el jubeiliya", "consonants") == 1.0
    assert value("wiesbaden", "visbadn", "consonants") == pytest.approx(6 / 7)  # as far as the names are long
    assert value("ford", "fjord", "consonants") < 0.4 < value("ravensford", "ravensfjord", "consonants")
    assert value("royal wiesbaden", "royal visbadn", "consonants") == 0.0  # a word in common
    assert value("wiesbaden inc", "visbadn", "consonants") == 0.0  # a company
    assert value("北京银行", "南京银行", "consonants") == 0.0  # a transliteration of either


def test_unpaired_words_do_not_count_across_scripts():
    for feature in ("word_exchanged", "short_names_differ", "rare_words_on_both_sides"):
        assert value("تل", "tell", feature) == 0.0 < value("tal", "mell", feature)


def test_word_weights_depend_on_how_the_word_appears():
    assert value("acme", "acme group", "word_weights") == 0.5
    assert value("acme dental", "acme zebra", "word_weights") == pytest.approx(-0.7)
    assert value("acme dental", "acme", "word_weights") == 0.0
    pairing = pair_up(parse("acme svcs dental"), parse("acme service zebra"), (False, False))
    assert set(clues(pairing)) == {("exchanged", "dental"), ("exchanged", "zebra"), ("respelt", "service|services")}


def test_weights_survive_json():
    weights = WORD_MODEL.weights
    assert WordWeights.from_json(weights.to_json()) == weights


def test_the_corpus_of_a_user_changes_what_is_rare():
    assert IDF.with_corpus(Corpus()).of("bank") == pytest.approx(IDF.of("bank"))
    assert IDF.with_corpus(Corpus(10_000, {"acme": 9_000})).of("acme") < IDF.of("bank") < IDF.of("acme")
    small = IDF.with_corpus(Corpus(10, {"acme": 9}))
    assert small.of("acme") > IDF.of("royal")


def test_an_empty_list_of_pairs():
    assert evidence([], [], np.zeros(0, dtype=np.float32), WORD_MODEL).shape == (0, len(FEATURES))


def scorer():
    return Scorer(-1.0, tuple(Curve((0.0, 1.0), (0.0, 2.0 if f.direction > 0 else -2.0)) for f in REGISTRY))


def test_contributions_add_up_to_the_log_odds():
    rows = evidence(["royal bank"], ["royal mail 2"], np.array([0.4], dtype=np.float32), WORD_MODEL)
    total = scorer().contributions(rows).sum() + scorer().intercept
    assert total == pytest.approx(scorer().log_odds(rows)[0])


def test_a_scorer_survives_json_and_refuses_other_features():
    data = scorer().to_json()
    assert Scorer.from_json(data) == scorer()
    with pytest.raises(VersionMismatch, match="trained on the features colour"):
        Scorer.from_json({**data, "features": ["colour"]})


def test_a_word_in_one_name_only_counts_across_scripts():
    assert value("akita bank", "株式会社 タニタ秋田", "word_in_one_script_only") > 0
    assert value("akita bank", "akita tanita", "word_in_one_script_only") == 0
    assert value("nakamura", "中村", "word_in_one_script_only") == 0
