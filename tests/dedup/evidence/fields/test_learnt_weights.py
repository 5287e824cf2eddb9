"""Expectation maximisation finds the weights that made the data, without labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.field_model import FieldModel
from dedup.evidence.fields.field_table import FieldTable
from dedup.evidence.fields.normal_forms import Field
from dedup.evidence.scorer import logistic

KINDS = {"one": FieldKind.CATEGORY, "two": FieldKind.CATEGORY}
VALUES = np.array([f"{letter * 9}" for letter in "abcdefghijklmnopqrstuvwxyz"])


def made(pairs: int, agree: tuple[float, float], seed: int) -> tuple[FieldTable, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of records with two fields that agree with one probability if they are the same, and another if not."""
    rng = np.random.default_rng(seed)
    name_log_odds = rng.normal(0, 2, pairs)
    truth = rng.random(pairs) < logistic(name_log_odds)
    fields = {}
    for label, kind in KINDS.items():
        left = rng.integers(0, len(VALUES), pairs)
        is_equal = rng.random(pairs) < np.where(truth, *agree)
        right = np.where(is_equal, left, (left + rng.integers(1, len(VALUES), pairs)) % len(VALUES))
        fields[label] = Field(kind, np.stack([VALUES[left], VALUES[right]], axis=1).ravel().tolist())
    table = FieldTable.of([f"company {i}" for i in range(2 * pairs)], fields)
    return table, np.arange(2 * pairs).reshape(-1, 2), name_log_odds, truth


@settings(max_examples=12, deadline=None)
@given(st.floats(0.6, 0.95), st.floats(0.05, 0.4), st.integers(0, 9999))
def test_known_weights_are_found(same: float, different: float, seed: int) -> None:
    table, pairs, name_log_odds, _ = made(6000, (same, different), seed)
    model = FieldModel.fit(table, pairs, name_log_odds)
    for label in KINDS:
        agrees, _, differs = model.pieces[label].levels
        assert agrees == pytest.approx(np.log(same / different), abs=0.5)  # shrunk, and 6,000 pairs vary
        assert differs == pytest.approx(np.log((1 - same) / (1 - different)), abs=0.45)


@pytest.mark.parametrize("seed", range(3))
def test_fields_make_decisions_better_and_stay_calibrated(seed: int) -> None:
    table, pairs, name_log_odds, truth = made(6000, (0.9, 0.1), seed)
    added = FieldModel.fit(table, pairs, name_log_odds).log_odds(table, pairs, name_log_odds)
    probability = logistic(name_log_odds + added)
    assert ((probability > 0.5) == truth).mean() > ((name_log_odds > 0) == truth).mean() + 0.05
    assert probability.mean() == pytest.approx(truth.mean(), abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_a_field_of_chance_is_worth_little(seed: int) -> None:
    table, pairs, name_log_odds, _ = made(6000, (0.3, 0.3), seed)
    added = FieldModel.fit(table, pairs, name_log_odds).pieces["one"].levels
    assert np.abs(added[[0, 2]]).max() < 0.5


def test_a_few_pairs_hardly_move_the_shipped_weights() -> None:
    table, pairs, name_log_odds, _ = made(6, (0.0, 1.0), 1)
    learnt = FieldModel.fit(table, pairs, name_log_odds)
    shipped = FieldModel.shipped(table)
    np.testing.assert_allclose(learnt.pieces["one"].levels[[0, 2]], shipped.pieces["one"].levels[[0, 2]], atol=0.4)


def test_judgements_overrule_what_the_names_say() -> None:
    table, pairs, name_log_odds, _ = made(2000, (0.9, 0.1), 1)
    values = table.columns[0].codes.reshape(-1, 2)
    differs_is_same = (values[:, 0] != values[:, 1]).astype(np.int8)
    free = FieldModel.fit(table, pairs, name_log_odds)
    judged = FieldModel.fit(table, pairs, name_log_odds, differs_is_same)
    assert judged.pieces["one"].levels[0] < free.pieces["one"].levels[0]
    nobody = FieldModel.fit(table, pairs, name_log_odds, np.full(len(pairs), -1, dtype=np.int8))
    np.testing.assert_array_equal(nobody.pieces["one"].levels, free.pieces["one"].levels)


def test_agreement_is_never_worth_less_than_difference() -> None:
    table, pairs, name_log_odds, _ = made(3000, (0.1, 0.8), 3)  # fields that agree among different records
    levels = FieldModel.fit(table, pairs, name_log_odds).pieces["one"].levels
    assert (np.diff(levels) <= 1e-9).all()
