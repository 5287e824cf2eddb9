"""The rules by which benchmarks judge: what a found pair is worth, and how steep a curve is."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from curve import exponent
from planted import Planted

PLANTED = Planted(
    ["Acme Inc", "ACME, INC.", "Acme Incorporated", "Acme Holdings", "Zenith Ltd", "Acme Inc", "!", "Other Name"],
    ["a.0", "a.0", "a.0", "a.1", "b.0"],
)


def judged(*pairs):
    verdict = PLANTED.judge(np.array(pairs, dtype=np.int64).reshape(-1, 2))
    return verdict.pairs, verdict.true, verdict.false


def test_a_pair_of_two_spellings_of_one_entity_is_true():
    assert judged((0, 2)) == (1, 1, 0)


def test_a_pair_counts_once_however_it_was_found():
    assert judged((0, 2), (2, 0), (1, 2), (5, 2)) == (1, 1, 0)


def test_equal_normal_forms_and_empty_ones_count_for_nobody():
    assert judged((0, 1), (0, 5), (0, 6), (3, 3)) == (0, 0, 0)


def test_entities_under_one_outside_key_are_neither_true_nor_false():
    assert judged((0, 3)) == (1, 0, 0)


def test_other_pairs_of_planted_names_are_false_and_those_with_others_not_judged():
    assert judged((0, 4), (0, 7)) == (2, 0, 1)


def test_recall_and_precision_are_of_what_can_be_judged():
    verdict = PLANTED.judge(np.array([(0, 2), (0, 3), (0, 4), (0, 7)]))
    assert (verdict.wanted, verdict.recall, verdict.precision) == (1, 1.0, 0.5)
    assert verdict.f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_the_exponent_is_the_power_of_the_cost(power):
    assert exponent({size: 3 * size**power for size in (10, 100, 1000)}) == pytest.approx(power)


def test_no_exponent_of_one_size():
    assert exponent({10: 1.0, 100: 0.0}) is None
