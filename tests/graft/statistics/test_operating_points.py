"""Operating points on ten cases that can be counted."""

import numpy as np
import pytest

from graft.statistics.operating_points import choose_points, rates

DISEASE = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
# The healthy have 0.1, 0.2, 0.4, 0.5 and 0.7. The diseased have 0.3, 0.6, 0.8, 0.9 and 0.95.
LABELS = np.array([0, 0, 1, 0, 0, 1, 0, 1, 1, 1])
PROBABILITIES = np.stack([1 - DISEASE, DISEASE], axis=1)


def points(sensitivity, specificity, labels=LABELS, disease=DISEASE):
    samples = tuple(range(len(labels)))
    return choose_points(labels, np.asarray(disease, float), samples, sensitivity, specificity)


@pytest.mark.parametrize(
    ("wanted", "threshold"),
    ((0.2, 0.925), (0.6, 0.75), (0.8, 0.55), (0.81, 0.25), (0.99, 0.25)),
)
def test_the_highest_threshold_that_reaches_the_sensitivity_is_chosen(wanted, threshold):
    point = points(wanted, wanted)["sensitivity"]
    assert point.threshold == pytest.approx(threshold)


@pytest.mark.parametrize(
    ("wanted", "threshold"),
    ((0.2, 0.15), (0.8, 0.55), (0.81, 0.75), (0.99, 0.75)),
)
def test_the_lowest_threshold_that_reaches_the_specificity_is_chosen(wanted, threshold):
    point = points(wanted, wanted)["specificity"]
    assert point.threshold == pytest.approx(threshold)


def test_nine_of_ten_are_90_percent():
    disease = np.linspace(0.05, 0.95, 10)
    all_diseased = points(0.9, 0.9, labels=np.ones(10, int), disease=disease)
    assert all_diseased["sensitivity"].threshold == pytest.approx(0.1)
    all_healthy = points(0.9, 0.9, labels=np.zeros(10, int), disease=disease)
    assert all_healthy["specificity"].threshold == pytest.approx(0.9)


def test_equal_probabilities_call_everybody_or_nobody():
    found = points(0.9, 0.9, disease=[0.5] * 10)
    assert found["sensitivity"].threshold == 0
    assert found["specificity"].threshold == 0.75


def test_a_specificity_that_no_threshold_reaches_has_no_point():
    disease = np.where(LABELS == 0, 1.0, 0.5)
    found = points(0.9, 0.9, disease=disease)
    assert found["specificity"] is None


def test_without_diseased_cases_there_is_no_point_of_sensitivity():
    found = points(0.9, 0.9, labels=np.zeros(10, int))
    assert found["sensitivity"] is None
    assert found["specificity"].threshold == pytest.approx(0.925)


def test_rates_by_hand():
    weights = np.ones((1, 10))
    found = rates(LABELS, PROBABILITIES, weights, 0.55)
    assert set(found) == {"sensitivity", "specificity", "precision"}
    # 0.6, 0.7, 0.8, 0.9 and 0.95 are called. Only 0.7 of them is healthy.
    assert found["sensitivity"].tolist() == [4 / 5]
    assert found["specificity"].tolist() == [4 / 5]
    assert found["precision"].tolist() == [4 / 5]


def test_a_case_that_is_drawn_twice_counts_twice():
    weights = np.ones((1, 10))
    weights[0, 6] = 2  # 0.7, healthy and called
    found = rates(LABELS, PROBABILITIES, weights, 0.55)
    assert found["specificity"][0] == pytest.approx(4 / 6)
    assert found["precision"][0] == pytest.approx(4 / 6)


def test_points_name_the_rate_that_was_wanted_and_the_samples_they_were_chosen_on():
    found = points(0.8, 0.7)
    assert list(found) == ["sensitivity", "specificity"]
    sensitivity = found["sensitivity"]
    assert sensitivity.wanted == 0.8
    assert sensitivity.fitted_on == tuple(range(10))
    specificity = found["specificity"]
    assert specificity.wanted == 0.7
    assert specificity.fitted_on == tuple(range(10))
