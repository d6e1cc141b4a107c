"""Calibrators by hand: what they fit, what they never change, and when they fit nothing."""

import numpy as np
import pytest
from scipy.stats import binomtest

from graft.statistics.calibrate import (
    TEMPERATURES,
    Temperature,
    fit_isotonic,
    fit_temperature,
    wilson,
)


def two_classes(disease):
    """Probabilities of the healthy and the disease class, (N, 2)."""
    disease = np.asarray(disease, float)
    return np.stack([1 - disease, disease], axis=1)


def temperature(labels, probabilities):
    samples = tuple(range(len(labels)))
    return fit_temperature(np.array(labels), np.asarray(probabilities, float), samples)


def isotonic(labels, probabilities):
    samples = tuple(range(len(labels)))
    return fit_isotonic(np.array(labels), np.asarray(probabilities, float), samples)


def test_predictions_of_90_percent_that_are_right_3_times_of_4_have_temperature_2():
    fitted = temperature([1, 1, 1, 0], two_classes([0.9] * 4))
    # Odds of 9 become odds of 3, their square root.
    assert fitted.value == 2
    # So 0.9 becomes 3/4. Odds of 1/4 (0.2) become 1/2 (1/3).
    after = fitted.apply(two_classes([0.9, 0.2]))
    assert after == pytest.approx(two_classes([0.75, 1 / 3]))


def test_predictions_of_75_percent_that_are_right_9_times_of_10_have_temperature_a_half():
    labels = [1] * 9 + [0]
    fitted = temperature(labels, two_classes([0.75] * 10))
    # Odds of 3 become odds of 9, their square.
    assert fitted.value == 0.5


def test_temperature_2_and_a_bias_of_log_2_and_their_inverse():
    calibration = Temperature(2, (), (0, np.log(2)))
    # Odds of 9 become odds of 3, which the bias doubles.
    after = calibration.apply(two_classes([0.9]))
    assert after == pytest.approx(two_classes([6 / 7]))
    assert calibration.inverse().apply(after) == pytest.approx(two_classes([0.9]))


def test_three_classes_have_one_temperature():
    sure_of_0 = [0.8, 0.1, 0.1]
    sure_of_1 = [0.1, 0.8, 0.1]
    sure_of_2 = [0.1, 0.1, 0.8]
    probabilities = np.array([sure_of_0, sure_of_1, sure_of_2, sure_of_0])
    fitted = temperature([0, 1, 2, 1], probabilities)
    # Right 3 times of 4, so p becomes 0.75 beside 0.125: a ratio of 8 becomes a ratio of 6.
    assert fitted.value == pytest.approx(np.log(8) / np.log(6), abs=1e-4)
    after = fitted.apply(probabilities)
    assert after[0] == pytest.approx([0.75, 0.125, 0.125], abs=1e-4)


def test_a_temperature_stays_within_its_bounds():
    probabilities = two_classes([0.1, 0.2, 0.8, 0.9])
    lowest, highest = TEMPERATURES
    all_right = temperature([0, 0, 1, 1], probabilities)
    assert all_right.value == lowest
    all_wrong = temperature([1, 1, 0, 0], probabilities)
    assert all_wrong.value == highest


CERTAIN = two_classes([0.0, 1.0, 1.0, 0.0])
EVEN = two_classes([0.5] * 4)


@pytest.mark.parametrize("probabilities", (CERTAIN, EVEN))
def test_certain_and_even_probabilities_stay_finite(probabilities):
    fitted = temperature([0, 1, 0, 1], probabilities)
    assert np.isfinite(fitted.value)
    assert np.isfinite(fitted.apply(probabilities)).all()
    is_certain = probabilities.max() == 1
    assert fitted.value == 1 or is_certain


def test_a_temperature_keeps_the_order_of_the_cases():
    disease = np.random.default_rng(0).random(50)
    probabilities = two_classes(disease)
    fitted = temperature(np.arange(50) % 2, probabilities)
    after = fitted.apply(probabilities)[:, 1]
    order_before = np.argsort(disease, kind="stable")
    order_after = np.argsort(after, kind="stable")
    assert (order_after == order_before).all()


def test_isotonic_regression_by_hand():
    # 0.2 and 0.3 are in the wrong order, so both become 1/2. 0.1 becomes 0 and 0.4 becomes 1.
    fitted = isotonic([0, 1, 0, 1], two_classes([0.1, 0.2, 0.3, 0.4]))
    disease = [0.0, 0.1, 0.15, 0.25, 0.35, 0.9]
    after = fitted.apply(two_classes(disease))[:, 1]
    # No probability lies below 1 / (4 + 2) or above 5/6. 0.15 and 0.35 are interpolated.
    expected = [1 / 6, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6]
    assert after == pytest.approx(expected)


def test_isotonic_regression_of_three_classes_sums_to_1():
    probabilities = np.random.default_rng(1).dirichlet(np.ones(3), 30)
    labels = np.arange(30) % 3
    fitted = isotonic(labels, probabilities)
    after = fitted.apply(probabilities)
    assert len(fitted.knots) == 3
    assert after.sum(1) == pytest.approx(np.ones(30))
    assert after.min() > 0


def test_labels_that_lack_a_class_fit_nothing():
    probabilities = two_classes([0.3, 0.7])
    assert temperature([1, 1], probabilities).value == 1
    assert isotonic([1, 1], probabilities).apply(probabilities) is probabilities
    three_classes = np.array([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]])
    without_class_1 = isotonic([0, 2], three_classes)
    assert without_class_1.apply(three_classes) is three_classes


def test_equal_probabilities_become_the_share_of_the_disease():
    fitted = isotonic([0, 0, 0, 1], two_classes([0.6] * 4))
    after = fitted.apply(two_classes([0.1, 0.9]))[:, 1]
    assert after == pytest.approx([0.25, 0.25])


@pytest.mark.parametrize("fit", (fit_temperature, fit_isotonic))
def test_a_calibrator_names_the_samples_it_was_fitted_on(fit):
    labels = np.array([0, 1])
    fitted = fit(labels, two_classes([0.2, 0.7]), (31, 44))
    assert fitted.fitted_on == (31, 44)


@pytest.mark.parametrize(("positive", "count"), ((0, 4), (1, 4), (30, 40), (7, 7)))
def test_with_one_lesion_per_patient_the_interval_is_that_of_scipy(positive, count):
    lesions = np.ones((1, count))  # (bins, patients)
    positives = lesions * (np.arange(count) < positive)
    low, high = wilson(positives, lesions, 0.9)
    expected = binomtest(positive, count).proportion_ci(0.9, method="wilson")
    assert low[0] == pytest.approx(expected.low, abs=1e-12)
    assert high[0] == pytest.approx(expected.high, abs=1e-12)


def test_lesions_of_one_patient_count_as_one():
    # The first bin has four lesions of one patient, the second two lesions of each of two.
    lesions = np.array([[4, 0], [2, 2]])
    positives = np.zeros((2, 2))
    low, high = wilson(positives, lesions, 0.95)
    # Wilson's upper limit of 0 of n is z² / (n + z²), here with n = 1 and n = 2 patients.
    z_squared = 1.959964**2
    assert low.tolist() == [0, 0]
    expected = [z_squared / (1 + z_squared), z_squared / (2 + z_squared)]
    assert high == pytest.approx(expected, abs=1e-6)
