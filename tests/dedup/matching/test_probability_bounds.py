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
from dedup.matching.probability_bounds import ProbabilityBounds
from dedup.model import load_model
from dedup.text.names import take_apart
from dedup.text.normalise import normalise
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights

WEIGHTS = {("alone", "group"): 0.5, ("exchanged", "dental"): -0.7, ("exchanged", "group"): 0.3, ("respelt", "a|b"): 1.0}
WORD_MODEL = WordModel(
    InverseDocumentFrequency({"bank": 1000, "royal": 300, "inc": 5000, "mercury": 80}, 10_000), WordWeights(WEIGHTS)
)

WORDS = [
    "royal", "royale", "royals", "bank", "banks", "banking", "bnk", "dental", "group", "grp", "aero", "jet",
    "aerojet", "3", "d", "3d", "ii", "2", "101", "a", "b", "c", "an", "i", "intl", "international", "city",
    "cities", "of", "iowa", "ohio", "us", "u", "usa", "new", "york", "ny", "oklahoma", "inc", "llc", "ag",
    "dba", "formerly", "junior", "series", "sanjose", "san", "jose", "rbg", "mercury", "mercurys",
    "laboratories", "laboratores", "pension", "plan",
    "muller", "mueller", "aaa", "aa", "twenty", "one", "ta", "iib", "union", "青木", "鈴木",
    "trust", "smith-jones", "straße", "münchen", "газпром", "日立製作所株式会社", "北京市第一中学", "北京十一中学",
    "農業協同組合中央会", "農業共同組合中央会", "第3工場", "アオキ", "アオキ工場", "トヨタ",
]  # fmt: skip

names = (
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=7)
    | st.lists(st.text("abciy 1&", min_size=1, max_size=5), min_size=1, max_size=4)
).map(lambda words: normalise(" ".join(words)) or "x")


def rows_of(left, right):
    return evidence(left, right, np.zeros(len(left), np.float32), WORD_MODEL)


@given(st.lists(names, min_size=2, max_size=8, unique=True))
@example(["royal vale", "royal vole"])  # the least similar spellings of one word
def test_evidence_is_within_its_bounds(normals):
    table = table_of_names([describe(normals)], WORD_MODEL)
    pairs = np.array([(i, j) for i in range(len(normals)) for j in range(len(normals)) if i != j])
    for script in (table.is_latin, table.has_han):  # pairs that differ in it are compared by sound
        pairs = pairs[script[pairs[:, 0]] == script[pairs[:, 1]]]
    if not len(pairs):
        return
    rows = rows_of(*([normals[i] for i in side] for side in pairs.T))
    bounds = bounds_of_names(table, *pairs.T)
    single = np.array([len(take_apart(normal).parts) == 1 for normal in normals])[pairs].all(axis=1)
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


@given(st.lists(names, min_size=2, max_size=6, unique=True), st.integers(0, 2**32))
def test_no_log_odds_exceed_their_bound_whatever_the_curves(normals, seed):
    random = np.random.default_rng(seed)
    curves = [
        Curve(tuple(np.sort(random.normal(0.5, 1, 4)).tolist()), tuple(random.normal(size=4).tolist()))
        for _ in FEATURES
    ]
    scorer = Scorer(-1.0, tuple(curves))
    pairs = np.array([(i, j) for i in range(len(normals)) for j in range(i)])
    similarities = random.uniform(-1, 1, len(pairs)).astype(np.float32)
    rows = evidence(*([normals[i] for i in side] for side in pairs.T), similarities, WORD_MODEL)
    at_most = ProbabilityBounds(scorer, table_of_names([describe(normals)], WORD_MODEL)).log_odds(pairs, similarities)
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
