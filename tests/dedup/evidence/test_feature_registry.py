"""A new piece of evidence takes one entry in the registry: its column, direction and reason follow from it."""

from dataclasses import replace

import numpy as np
import pytest

from dedup.evidence.explain import explain
from dedup.evidence.feature_registry import Feature, Registry
from dedup.evidence.features import FEATURES, REGISTRY
from dedup.evidence.kinds import COMPANY
from dedup.evidence.name_pairs import PairBatch, pair_names
from dedup.evidence.scorer import Curve, Scorer
from dedup.matching.evidence_bounds import bounds_of_names, bounds_of_parts, consonant_bounds
from dedup.matching.name_table import describe, table_of_names
from dedup.model import load_model
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights

WORD_MODEL = WordModel(InverseDocumentFrequency({"bank": 100}, 1_000), WordWeights({}))


def equal_ends(batch):
    return {"equal_ends": np.array([pair.left_part.core[-1] == pair.right_part.core[-1] for pair in batch.pairs])}


EQUAL_ENDS = Feature(
    "equal_ends", 1, equal_ends, lambda pair: f"both names end in {pair.names.left_part.core[-1]}", neutral=1.0
)
LONGER = Registry([*REGISTRY, EQUAL_ENDS])


def test_one_entry_adds_a_column():
    batch = PairBatch(pair_names(["acme", "acme"], ["acne", "acme b"]), np.zeros(2, np.float32), WORD_MODEL)
    rows = LONGER.evidence(batch)
    assert LONGER.names == (*FEATURES, "equal_ends")
    assert rows[:, -1].tolist() == [1.0, 0.0]
    assert np.array_equal(rows[:, :-1], REGISTRY.evidence(batch))
    assert LONGER.neutral(rows)[:, -1].tolist() == [1.0, 1.0]
    assert {feature.name: feature.direction for feature in LONGER}["equal_ends"] == 1


def test_one_entry_adds_a_reason():
    flat = [Curve((0.0, 1.0), (0.0, 0.0)) for _ in REGISTRY]
    scorer = Scorer(0.0, (*flat, Curve((0.0, 1.0), (-2.0, 0.0))))
    found = explain("acme", "acme b", 0.5, scorer, WORD_MODEL, replace(COMPANY, registry=LONGER))
    assert [(reason.label, reason.log_odds) for reason in found.contributions[1:]] == [("both names end in e", -2.0)]


def test_features_computed_together_are_computed_once():
    calls = []

    def both(batch):
        calls.append(len(batch.pairs))
        return {"one": np.zeros(len(batch.pairs)), "other": np.ones(len(batch.pairs))}

    registry = Registry([Feature("one", 1, both, None), Feature("other", 1, both, None)])
    batch = PairBatch(pair_names(["a"], ["b"]), np.zeros(1, np.float32), WORD_MODEL)
    assert registry.evidence(batch).tolist() == [[0.0, 1.0]]
    assert calls == [1]


def test_every_entry_is_sound():
    assert len(set(FEATURES)) == len(REGISTRY)
    assert [feature.name for feature in REGISTRY if feature.label is None] == ["length"]
    batch = PairBatch(pair_names(["газпром"], ["gazprom"]), np.zeros(1, np.float32), WORD_MODEL)
    neutral = dict(zip(FEATURES, REGISTRY.neutral(REGISTRY.evidence(batch))[0].tolist(), strict=True))
    assert neutral.pop("length") == pytest.approx(np.log(7))
    assert neutral.pop("respelling") == 1.0
    assert set(neutral.values()) == {0.0}


def test_the_shipped_model_has_the_features_of_the_registry():
    assert len(load_model().scorer.curves) == len(REGISTRY)


def test_bounds_name_only_registered_features():
    table = table_of_names([describe(["royal bank ag", "royal mail dba acme"])], WORD_MODEL)
    first, second = np.array([0]), np.array([1])
    consonants = consonant_bounds(table, first, second)
    bounded = [*bounds_of_names(table, first, second), *bounds_of_parts(table, first, second, consonants)]
    assert set(bounded) <= set(FEATURES)
    assert len(set(bounded)) == len(bounded)
