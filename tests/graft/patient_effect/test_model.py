"""Integrals over the patient's effect, compared with adaptive quadrature and with identities."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, logit

from graft.patient_effect.model import (
    LARGEST_SD,
    LEAST,
    conditional_logits,
    log_likelihood,
    shift,
)

SDS = (0.3, 1.0, 2.5, LARGEST_SD)
PROBABILITIES = np.array([1e-5, 0.03, 0.2, 0.5, 0.8, 0.99999])


def over_effects(function, sd: float) -> float:
    """The mean of a function of b ~ N(0, sd²), by adaptive quadrature."""

    def density(b: float) -> float:
        return np.exp(-((b / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi))

    found, _ = quad(lambda b: function(b) * density(b), -9 * sd, 9 * sd, limit=400, epsabs=1e-12)
    return found


@pytest.mark.parametrize("sd", SDS)
def test_the_mean_over_all_patients_is_the_calibrated_probability(sd):
    delta = conditional_logits(PROBABILITIES, sd)
    found = [over_effects(lambda b, k=k: expit(delta[k] + b), sd) for k in range(len(delta))]
    assert found == pytest.approx(PROBABILITIES, rel=1e-6)


def test_without_an_effect_the_logits_are_those_of_the_probabilities():
    found = conditional_logits(PROBABILITIES, 0.0)
    assert found == pytest.approx(logit(PROBABILITIES), abs=1e-9)


def test_probabilities_that_rounding_made_0_or_1_are_finite():
    found = conditional_logits(np.array([0.0, LEAST, 1.0]), LARGEST_SD)
    assert np.isfinite(found).all()
    assert found[0] == found[1] == pytest.approx(-found[2], rel=1e-6)


@pytest.mark.parametrize("sd", SDS)
def test_the_likelihood_is_the_product_over_patients_of_integrals(sd):
    probabilities = np.array([0.2, 0.7, 0.4, 0.6, 0.9])
    positive = np.array([True, True, False, True, False])
    patient = np.array([0, 1, 0, 1, 1])
    signs = np.where(positive, 1, -1)
    delta = conditional_logits(probabilities, sd)
    expected = 0.0
    for own in (patient == 0, patient == 1):
        of_patient = over_effects(lambda b, own=own: expit(signs * (delta + b))[own].prod(), sd)
        expected += np.log(of_patient)
    found = log_likelihood(positive, probabilities, patient, sd)
    assert found == pytest.approx(expected, abs=1e-7)


def test_one_lesion_per_patient_says_nothing_about_the_effect():
    positive, patient = np.array([True, False, True]), np.arange(3)
    probabilities = np.array([0.2, 0.7, 0.9])
    expected = np.log(0.2 * 0.3 * 0.9)
    for sd in SDS:
        found = log_likelihood(positive, probabilities, patient, sd)
        assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("sd", SDS)
def test_the_shifted_probability_is_bayes_rule(sd):
    known, further = np.array([0.3, 0.6]), 0.2
    positive = np.array([True, False])
    first, second, third = conditional_logits(np.array([*known, further]), sd)

    def of_known(b: float) -> float:
        return expit(first + b) * expit(-second - b)

    both = over_effects(lambda b: of_known(b) * expit(third + b), sd)
    [found] = shift(np.array([further]), known, positive, sd)
    assert found == pytest.approx(both / over_effects(of_known, sd), rel=1e-6)


@pytest.mark.parametrize("sd", [0.0, *SDS])
def test_knowing_nothing_changes_nothing(sd):
    none = np.array([])
    found = shift(PROBABILITIES, none, none.astype(bool), sd)
    assert found == pytest.approx(PROBABILITIES, rel=1e-7)


@pytest.mark.parametrize("sd", SDS)
def test_the_mean_over_both_classes_of_the_known_lesion_is_the_probability(sd):
    """The law of total probability: what is expected of a biopsy is what is known before it."""
    known = np.array([0.3])
    [[if_positive], [if_negative]] = (
        shift(np.array([0.6]), known, np.array([label]), sd) for label in (True, False)
    )
    assert 0.3 * if_positive + 0.7 * if_negative == pytest.approx(0.6, abs=1e-7)
    assert if_negative < 0.6 < if_positive
