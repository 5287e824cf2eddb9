"""The points of curves and the table of thresholds, against counting pair by pair."""

import numpy as np
import pytest

from dedup.evaluation import curves, measures

RNG = np.random.default_rng(5)
CASES = [
    (np.array([True, False]), np.array([0.9, 0.1])),
    (np.array([True, False, True, False]), np.array([0.5, 0.5, 0.5, 0.5])),
    *[
        (np.append(RNG.random(n) < 0.4, [True, False]), np.append(RNG.random(n).round(digits), [0.3, 0.6]) - below)
        for n, digits, below in ((7, 1, 0), (60, 2, 0.5), (2_000, 3, 0))
    ],
]


def counted(truth, scores, threshold):
    """Precision and recall of calling pairs the same from a threshold on, counted one by one."""
    called = [label for label, score in zip(truth, scores, strict=True) if score >= threshold]
    return sum(called) / len(called), sum(called) / sum(truth)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_each_point_is_what_a_threshold_gives(case):
    truth, scores = CASES[case]
    recall, precision = curves.precision_recall(truth, scores)
    points = {counted(truth, scores, threshold) for threshold in np.unique(scores)}
    drawn = {(round(p, 9), round(r, 9)) for p, r in zip(precision[1:], recall[1:], strict=True)}
    assert drawn <= {(round(p, 9), round(r, 9)) for p, r in points}
    assert len(points) > 400 or len(drawn) == len({(round(p, 9), round(r, 9)) for p, r in points})
    assert recall[0] == 0 and recall[-1] == 1 and len(recall) <= 400
    wrong, found = curves.roc(truth, scores)
    assert (wrong[0], found[0], wrong[-1], found[-1]) == (0, 0, 1, 1)
    assert np.all(np.diff(wrong) >= 0) and np.all(np.diff(found) >= 0)
    area = float(np.sum(np.diff(wrong) * (found[1:] + found[:-1]) / 2))
    assert area == pytest.approx(measures.auc(truth, scores), abs=0.003)


def test_bins_add_up_to_the_calibration_error():
    truth, scores = CASES[-1]
    bins = curves.calibration(truth, scores)
    assert sum(one.count for one in bins) == len(truth)
    error = sum(one.count * abs(one.probability - one.share) for one in bins) / len(truth)
    assert error == pytest.approx(measures.expected_calibration_error(truth, scores))


def test_the_table_has_each_twentieth_and_the_thresholds_asked_for():
    truth, scores = CASES[3]
    table = curves.threshold_table(truth, scores, 0.123)
    thresholds = [one.threshold for one in table]
    assert thresholds[0] <= scores.min() and thresholds[-1] == 1 and 0.123 in thresholds
    assert np.allclose(np.diff([one for one in thresholds if one != 0.123]), 0.05)
    for one in table:
        assert one.called == sum(scores >= one.threshold)
        assert one.accuracy == pytest.approx(np.mean((scores >= one.threshold) == truth))
        if one.called:
            assert (one.precision, one.recall) == pytest.approx(counted(truth, scores, one.threshold))
