"""Bounds must hold for every pair, and ruling out pairs by them must not change any result."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dedup.evidence.features import FEATURES, evidence
from dedup.evidence.scorer import Curve, Scorer
from dedup.matching.batch import BatchComparison
from dedup.matching.evidence_bounds import bounds_of_names, bounds_of_parts, consonant_bounds
from dedup.matching.name_table import describe, table_of_names
from dedup.matching.probability_bounds import ProbabilityBounds, are_read_alike
from dedup.model import load_model
from dedup.text.corpus import Corpus
from dedup.text.names import take_apart
from dedup.text.normalise import normalise
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights

WEIGHTS = {("alone", "group"): 0.5, ("exchanged", "dental"): -0.7, ("exchanged", "group"): 0.3, ("respelt", "a|b"): 1.0}
WORD_MODEL = WordModel(
    InverseDocumentFrequency({"bank": 1000, "royal": 300, "inc": 5000, "mercury": 80}, 10_000), WordWeights(WEIGHTS)
)

CORPUS = Corpus(
    2_000,
    {"royal": 200, "bank": 400, "city": 150, "union": 100, "kelvorin": 5},
    {"bank royal": 150, "bank city": 120},
    {"rbg": 4, "vfw": 9},
    {"intrnational international": 3, "bnk banking": 5, "chu centre": 3},
    frozenset({8, 9, 14, 20, 21}),
)

WORDS = [
    "royal", "royale", "royals", "bank", "banks", "banking", "bnk", "dental", "group", "grp", "aero", "jet",
    "aerojet", "3", "d", "3d", "ii", "2", "101", "a", "b", "c", "an", "i", "intl", "international", "city",
    "cities", "of", "iowa", "ohio", "us", "u", "usa", "new", "york", "ny", "oklahoma", "inc", "llc", "ag",
    "dba", "formerly", "junior", "series", "sanjose", "san", "jose", "rbg", "mercury", "mercurys",
    "laboratories", "laboratores", "pension", "plan", "kelvorin", "kelovrin", "kelvorim", "kelvrin",
    "vfw", "veterans", "foreign", "wars", "post", "chu", "centre", "hospitalier", "universitaire", "ry", "cb",
    "employers", "employees", "north", "south", "laboratoreis", "intrnational",
    "muller", "mueller", "müller", "größe", "groesse",
    "aaa", "aa", "twenty", "one", "ta", "iib", "union", "青木", "鈴木",
    "trust", "smith-jones", "straße", "münchen", "газпром", "日立製作所株式会社", "北京市第一中学", "北京十一中学",
    "農業協同組合中央会", "農業共同組合中央会", "第3工場", "アオキ", "アオキ工場", "トヨタ",
    "浙江省", "余姚市", "杭州", "吉林省吉林市",
]  # fmt: skip

names = (
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=7)
    | st.lists(st.text("abciy 1&", min_size=1, max_size=5), min_size=1, max_size=4)
).map(lambda words: normalise(" ".join(words)) or "x")


OF_CORPUS = WordModel(WORD_MODEL.idf.with_corpus(CORPUS), WORD_MODEL.weights)


def table_of(normals, word_model):
    return table_of_names([describe(normals, word_model.corpus.widths)], word_model)


@given(st.lists(names, min_size=2, max_size=8, unique=True), st.sampled_from([WORD_MODEL, OF_CORPUS]))
@example(["royal vale", "royal vole"], WORD_MODEL)  # the least similar spellings of one word
@example(["chu rennes", "centre hospitalier universitaire rennes"], OF_CORPUS)
@example(["vfw post 77", "veterans foreign wars post 77"], OF_CORPUS)
@example(["vfw", "veterans foreign wars"], OF_CORPUS)
@example(["royal cb", "royal city bank"], OF_CORPUS)
@example(["royal bank kelvorin", "royal bank kelovrin"], OF_CORPUS)
@example(["kelvorin works", "kelvorim labs"], OF_CORPUS)
@example(["rbg oklahoma dental plan", "royal bank group odp"], WORD_MODEL)  # an acronym on either side
@example(["rbg rbg", "royal bank group royal bank group"], WORD_MODEL)
@example(["chu", "centre hospitalier universitaire"], WORD_MODEL)
@example(["aerojet mercury royal", "aero jet mercurys royale"], WORD_MODEL)
@example(["jet aero mercury", "jeta eromercury"], WORD_MODEL)  # all letters equal, in other words
@example(["kelvorin laboratories", "kelvorim laboratory"], OF_CORPUS)
@example(["royal bank un", "royal bank union city"], OF_CORPUS)  # cut in mid-word
@example(["royal bank", "royal bank mail"], OF_CORPUS)
@example(["浙江省余姚中学", "余姚中学"], OF_CORPUS)  # the city implies its province
@example(["长沙市岳麓区中加学校", "长沙中加学校"], OF_CORPUS)
def test_evidence_is_within_its_bounds(normals, word_model):
    table = table_of(normals, word_model)
    pairs = np.array([(i, j) for i in range(len(normals)) for j in range(len(normals)) if i != j])
    pairs = pairs[~are_read_alike(table, pairs)]
    if not len(pairs):
        return
    similarities = np.zeros(len(pairs), np.float32)
    rows = evidence(*([normals[i] for i in side] for side in pairs.T), similarities, word_model)
    bounds = bounds_of_names(table, *pairs.T)
    is_single = np.array([len(take_apart(normal, word_model.corpus.widths).parts) == 1 for normal in normals])
    single = is_single[pairs].all(axis=1)
    checks = [(np.ones(len(pairs), bool), bounds)]
    if single.any():
        of_parts = bounds_of_parts(table, *table.parts[pairs[single]].T, consonant_bounds(table, *pairs[single].T))
        checks.append((single, of_parts))
    for which, found in checks:
        for feature, (values, kind) in found.items():
            exact = rows[which, FEATURES.index(feature)]
            tolerance = 1e-5 * (1 + np.abs(exact))
            if kind != "at least":
                assert (exact <= values + tolerance).all(), feature
            if kind != "at most":
                assert (exact >= values - tolerance).all(), feature


@pytest.mark.parametrize(
    ("left", "right", "feature", "expected"),
    [
        ("kelvorin works", "kelvorim works", "typing_error", 1),
        ("kelvorin works", "kelvorim labs", "typing_error", 0),  # other words differ, too
        ("mercury laboratories", "mercurys laboratorios", "typing_error", 1),  # beside a plural
        ("royal bank", "royal bunk", "typing_error", 0),  # too short
        ("l t realty", "l h realty", "numbers_differ", 1),
        ("royal cb", "royal city bank", "acronym", 4),
        ("royal bc", "royal city bank", "acronym", 0),  # in another order
        ("royal cb", "royal city of iowa bank", "acronym", 0),  # not in a row
        ("rbg", "royal bank group", "acronym", 6),
        ("x g", "xenon group", "acronym", 0),  # its initials are too few
        ("aero jet", "aerojet ag", "rarest_shared_word", np.log(10_000)),
        ("aero net", "aerojet ag", "rarest_shared_word", 0),  # as long, but another word
        ("new york kelvorin", "ohio kelvorin", "places_differ", 1),
        ("ohio kelvorin", "kelvorin", "place_on_one_side", 1),
        ("kelvorin 3", "kelvorin", "number_on_one_side", 1),
    ],
)
def test_bounds_are_close_where_it_can_be_known(left, right, feature, expected):
    table = table_of([left, right], WORD_MODEL)
    first, second = table.parts[[0]], table.parts[[1]]
    names = np.array([0]), np.array([1])
    values, _ = bounds_of_parts(table, first, second, consonant_bounds(table, *names))[feature]
    assert values[0] == pytest.approx(expected)


@given(
    st.lists(names, min_size=2, max_size=6, unique=True),
    st.integers(0, 2**32),
    st.sampled_from([WORD_MODEL, OF_CORPUS]),
)
def test_no_log_odds_exceed_their_bound_whatever_the_curves(normals, seed, word_model):
    random = np.random.default_rng(seed)
    curves = [
        Curve(tuple(np.sort(random.normal(0.5, 1, 4)).tolist()), tuple(random.normal(size=4).tolist()))
        for _ in FEATURES
    ]
    scorer = Scorer(-1.0, tuple(curves))
    pairs = np.array([(i, j) for i in range(len(normals)) for j in range(i)])
    similarities = random.uniform(-1, 1, len(pairs)).astype(np.float32)
    rows = evidence(*([normals[i] for i in side] for side in pairs.T), similarities, word_model)
    at_most = ProbabilityBounds(scorer, table_of(normals, word_model)).log_odds(pairs, similarities)
    assert (scorer.log_odds(rows) <= at_most).all()


@pytest.fixture(scope="module")
def corpus():
    """A few hundred similar names, with their codes, and the shipped model."""
    random = np.random.default_rng(5)
    model = load_model()
    normals = sorted({normalise(" ".join(random.choice(WORDS, random.integers(1, 5)))) for _ in range(300)} - {""})
    return model, model.encoder.encode(normals), normals


@pytest.mark.parametrize("least", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("workers", [1, 3])
def test_ruling_out_changes_no_answer(corpus, monkeypatch, least, workers):
    monkeypatch.setattr("dedup.matching.batch._BLOCK_SIZE", 50)
    model, codes, normals = corpus
    pairs = np.random.default_rng(0).integers(0, len(normals), (6_000, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    wide = codes.astype(np.float32)
    similarities = np.einsum("ij,ij->i", wide[pairs[:, 0]], wide[pairs[:, 1]])
    similarities /= np.linalg.norm(wide, axis=1)[pairs].prod(axis=1)
    plain = model.compare(*([normals[i] for i in side] for side in pairs.T), similarities)
    reported = []
    with BatchComparison(model, codes, normals, workers) as comparison:
        places, probabilities = comparison.likely(pairs, similarities, least, lambda *done: reported.append(done))
        few = comparison.probabilities(pairs[:700])  # shared among the running processes
    assert few.tolist() == BatchComparison(model, codes, normals, 1).probabilities(pairs[:700]).tolist()
    assert places.tolist() == np.flatnonzero(plain >= least).tolist()
    assert probabilities.tolist() == plain[plain >= least].tolist()
    assert list(dict.fromkeys(stage for stage, *_ in reported)) == ["names", "words", "rule out", "compare"]
    last = {stage: (done, total) for stage, done, total in reported}
    assert last["names"] == (len(normals), len(normals))
    assert last["rule out"] == (len(pairs), len(pairs))
    assert last["compare"][0] == last["compare"][1] >= len(places)


def test_there_may_be_nothing_to_compare(corpus):
    comparison = BatchComparison(*corpus)
    places, probabilities = comparison.likely(np.empty((0, 2), np.int64), np.empty(0, np.float32), 0.5)
    assert len(places) == len(probabilities) == len(comparison.upper_bounds(np.empty((0, 2), np.int64))) == 0
