"""Operating points on ten cases that can be counted."""

import numpy as np
import pytest

from graft.statistics.operating_points import choose_points, rates

DISEASE = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
LABELS = np.array([0, 0, 1, 0, 0, 1, 0, 1, 1, 1])


def points(sensitivity, specificity, labels=LABELS, disease=DISEASE):
    return choose_points(
        labels, np.asarray(disease, float), tuple(range(len(labels))), sensitivity, specificity
    )


def threshold(name, wanted, **cases):
    point = points(wanted, wanted, **cases)[name]
    return point and point.threshold


@pytest.mark.parametrize(
    ("wanted", "found"), ((0.2, 0.925), (0.6, 0.75), (0.8, 0.55), (0.81, 0.25), (0.99, 0.25))
)
def test_the_highest_threshold_that_reaches_the_sensitivity(wanted, found):
    assert threshold("sensitivity", wanted) == pytest.approx(
        found
    )  # the diseased: 0.3, 0.6, 0.8, 0.9, 0.95


@pytest.mark.parametrize(
    ("wanted", "found"), ((0.2, 0.15), (0.8, 0.55), (0.81, 0.75), (0.99, 0.75))
)
def test_the_lowest_threshold_that_reaches_the_specificity(wanted, found):
    assert threshold("specificity", wanted) == pytest.approx(
        found
    )  # the healthy: 0.1, 0.2, 0.4, 0.5, 0.7


def test_nine_of_ten_are_90_percent():
    disease = np.linspace(0.05, 0.95, 10)
    assert threshold("sensitivity", 0.9, labels=np.ones(10, int), disease=disease) == pytest.approx(
        0.1
    )
    assert threshold(
        "specificity", 0.9, labels=np.zeros(10, int), disease=disease
    ) == pytest.approx(0.9)


def test_where_all_say_the_same_everybody_or_nobody_is_called():
    found = points(0.9, 0.9, disease=[0.5] * 10)
    assert found["sensitivity"].threshold == 0 and found["specificity"].threshold == 0.75


def test_what_no_threshold_reaches_is_none():
    assert threshold("specificity", 0.9, disease=np.where(LABELS == 0, 1.0, 0.5)) is None
    healthy = points(0.9, 0.9, labels=np.zeros(10, int))
    assert healthy["sensitivity"] is None and healthy["specificity"].threshold == pytest.approx(
        0.925
    )


def test_rates_by_hand():
    found = rates(LABELS, np.stack([1 - DISEASE, DISEASE], axis=1), np.ones((1, 10)), 0.55)
    assert {name: value.tolist() for name, value in found.items()} == {
        "sensitivity": [4 / 5],
        "specificity": [4 / 5],
        "precision": [4 / 5],
    }


def test_a_case_that_is_drawn_twice_counts_twice():
    weights = np.ones((1, 10))
    weights[0, 6] = 2  # 0.7, healthy and called
    found = rates(LABELS, np.stack([1 - DISEASE, DISEASE], axis=1), weights, 0.55)
    assert (found["specificity"][0], found["precision"][0]) == pytest.approx((4 / 6, 4 / 6))


def test_they_say_what_was_wanted_and_what_they_were_chosen_on():
    for point, wanted in zip(points(0.8, 0.7).values(), (0.8, 0.7), strict=True):
        assert point.wanted == wanted and point.fitted_on == tuple(range(10))
