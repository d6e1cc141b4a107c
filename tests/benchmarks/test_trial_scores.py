"""Scores of repeated trainings, against figures worked out by hand."""

import math

import numpy as np
import pytest

from benchmarks.trial_scores import Spread, auroc, auroc_within, gains, size_quarters, verdict


def test_the_standard_error_is_over_the_trainings():
    found = Spread.of([0.5, 0.6, 0.7])
    assert found.mean == pytest.approx(0.6)
    assert found.error == pytest.approx(0.1 / math.sqrt(3))
    low, high = found.interval()
    assert high - low == pytest.approx(2 * 4.302653 * 0.1 / math.sqrt(3))  # t of 2 degrees, 97.5 %
    assert found.shown("+") == "+0.600 (0.058)"


def test_one_training_has_no_interval():
    assert np.isnan(Spread.of([0.5]).interval()).all()
    assert verdict(Spread.of([0.5])) == "no difference shown"


def test_quarters_have_as_many_lesions():
    assert np.bincount(size_quarters(np.arange(40.0)[::-1])).tolist() == [10, 10, 10, 10]


def test_pairs_of_different_size_do_not_count_at_equal_size():
    diseased = np.array([True, False, True, False])
    probability = np.array([0.4, 0.5, 0.9, 0.1])
    assert auroc(diseased, probability) == 3 / 4
    assert auroc_within(diseased, probability, np.array([0, 0, 1, 1])) == 1 / 2
    assert math.isnan(auroc_within(diseased, probability, np.array([0, 1, 0, 1])))


@pytest.mark.parametrize(
    ("arm", "expected"),
    [([0.7, 0.8], "helps"), ([0.5, 0.6], "harms"), ([0.5, 0.8], "no difference shown")],
)
def test_a_gain_is_paired_by_training(arm, expected):
    found = gains({4: arm[1], 3: arm[0]}, {3: 0.6, 4: 0.7})
    assert found.count == 2
    assert verdict(found) == expected
