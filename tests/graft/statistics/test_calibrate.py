"""Calibrators by hand: what they learn, what they never do, and what they refuse to learn."""

import numpy as np
import pytest
from scipy.stats import binomtest

from graft.statistics.calibrate import TEMPERATURES, fit_isotonic, fit_temperature, wilson


def two(disease):
    return np.stack([1 - np.asarray(disease, float), disease], axis=1)


def numbers(labels):
    return tuple(range(len(labels)))


def temperature(labels, probabilities):
    return fit_temperature(np.array(labels), np.asarray(probabilities, float), numbers(labels))


def isotonic(labels, probabilities):
    return fit_isotonic(np.array(labels), np.asarray(probabilities, float), numbers(labels))


def test_one_who_is_90_percent_sure_and_right_3_times_of_4_has_temperature_2():
    fitted = temperature([1, 1, 1, 0], two([0.9] * 4))
    assert fitted.value == 2  # odds of 9 become odds of 3, their square root
    assert fitted.apply(two([0.9, 0.2])) == pytest.approx(
        two([0.75, 1 / 3])
    )  # and odds of 1/4 become 1/2


def test_one_who_is_75_percent_sure_and_right_9_times_of_10_has_temperature_a_half():
    assert temperature([1] * 9 + [0], two([0.75] * 10)).value == 0.5


def test_three_classes_have_one_temperature():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]])
    fitted = temperature([0, 1, 2, 1], probabilities)  # right 3 times of 4: √T of 8 must be 6
    assert fitted.value == pytest.approx(np.log(8) / np.log(6), abs=1e-4)
    assert fitted.apply(probabilities)[0] == pytest.approx([0.75, 0.125, 0.125], abs=1e-4)


def test_a_temperature_stays_within_its_bounds():
    assert (
        temperature([0, 0, 1, 1], two([0.1, 0.2, 0.8, 0.9])).value == TEMPERATURES[0]
    )  # nothing went wrong
    assert (
        temperature([1, 1, 0, 0], two([0.1, 0.2, 0.8, 0.9])).value == TEMPERATURES[1]
    )  # everything did


@pytest.mark.parametrize("probabilities", (two([0.0, 1.0, 1.0, 0.0]), two([0.5] * 4)))
def test_certain_and_even_probabilities_stay_finite(probabilities):
    fitted = temperature([0, 1, 0, 1], probabilities)
    assert np.isfinite(fitted.value) and np.isfinite(fitted.apply(probabilities)).all()
    assert fitted.value == 1 or probabilities.max() == 1


def test_a_temperature_keeps_the_order_of_the_cases():
    disease = np.random.default_rng(0).random(50)
    after = temperature(np.arange(50) % 2, two(disease)).apply(two(disease))[:, 1]
    assert (np.argsort(after, kind="stable") == np.argsort(disease, kind="stable")).all()


def test_isotonic_regression_by_hand():
    fitted = isotonic(
        [0, 1, 0, 1], two([0.1, 0.2, 0.3, 0.4])
    )  # 0.2 and 0.3 are out of order: half of both
    said = fitted.apply(two([0.0, 0.1, 0.15, 0.25, 0.35, 0.9]))[:, 1]
    assert said == pytest.approx(
        [1 / 6, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6]
    )  # never below 1 / (4 + 2)


def test_isotonic_regression_of_three_classes_sums_to_1():
    probabilities = np.random.default_rng(1).dirichlet(np.ones(3), 30)
    fitted = isotonic(np.arange(30) % 3, probabilities)
    after = fitted.apply(probabilities)
    assert len(fitted.knots) == 3 and after.sum(1) == pytest.approx(np.ones(30)) and after.min() > 0


def test_with_one_class_alone_nothing_is_learnt():
    probabilities = two([0.3, 0.7])
    assert temperature([1, 1], probabilities).value == 1
    assert isotonic([1, 1], probabilities).apply(probabilities) is probabilities
    of_three = np.array([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]])
    assert isotonic([0, 2], of_three).apply(of_three) is of_three


def test_equal_probabilities_become_the_share():
    assert isotonic([0, 0, 0, 1], two([0.6] * 4)).apply(two([0.1, 0.9]))[:, 1] == pytest.approx(
        [0.25, 0.25]
    )


def test_they_say_what_they_were_fitted_on():
    for fit in (fit_temperature, fit_isotonic):
        assert fit(np.array([0, 1]), two([0.2, 0.7]), (31, 44)).fitted_on == (31, 44)


@pytest.mark.parametrize(("positive", "count"), ((0, 4), (1, 4), (30, 40), (7, 7)))
def test_with_a_lesion_a_patient_the_interval_is_that_of_scipy(positive, count):
    lesions = np.ones((1, count))
    expected = binomtest(positive, count).proportion_ci(0.9, method="wilson")
    low, high = wilson(lesions * (np.arange(count) < positive), lesions, 0.9)
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_lesions_of_one_patient_count_as_one():
    z2 = 1.959964**2
    low, high = wilson(np.zeros((2, 2)), np.array([[4, 0], [2, 2]]), 0.95)
    assert low.tolist() == [0, 0] and high == pytest.approx(
        [z2 / (1 + z2), z2 / (2 + z2)], abs=1e-6
    )
