"""τ of pairs with the probability ½, whose likelihood has a closed form in their concordance."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import chi2, norm, t

from graft.patient_effect.fit import PRIOR_SD, PatientEffect, fit_patient_effect
from graft.patient_effect.model import LARGEST_SD

PAIRS = 100


def concordance(sd: float) -> float:
    """The probability that two lesions with p = ½ have the same class."""
    found, _ = quad(
        lambda z: norm.pdf(z) * (expit(sd * z) ** 2 + expit(-sd * z) ** 2), -9, 9, limit=200
    )
    return found


def fit_pairs(concordant: int, confidence: float = 0.95) -> PatientEffect:
    """Fit pairs, as many of one class as of the other."""
    assert concordant % 2 == 0
    labels = [[True, True], [False, False]] * (concordant // 2)
    labels += [[True, False]] * (PAIRS - concordant)
    positive = np.array(labels).ravel()
    patient = np.repeat(np.arange(PAIRS), 2)
    found = fit_patient_effect(positive, np.full(2 * PAIRS, 0.5), patient, confidence)
    assert found is not None
    return found


def log_ratio(concordant: int, expected: float) -> float:
    """Twice the logarithm of the likelihood ratio of the observed and an expected concordance."""
    share = concordant / PAIRS
    agree = concordant * np.log(share / expected)
    return 2 * (agree + (PAIRS - concordant) * np.log((1 - share) / (1 - expected)))


def test_the_estimate_gives_the_observed_concordance():
    found = fit_pairs(70)
    assert concordance(found.sd) == pytest.approx(0.7, abs=1e-4)
    assert (found.patients, found.patients_with_several) == (PAIRS, PAIRS)


def test_the_interval_ends_where_the_likelihood_ratio_is_rejected():
    found = fit_pairs(70)
    for end in found.interval:
        expected = t.ppf(0.975, PAIRS - 1) ** 2
        assert log_ratio(70, concordance(end)) == pytest.approx(expected, abs=1e-2)
    assert found.interval[0] < found.sd < found.interval[1]


def test_the_test_is_the_mixture_of_two_chi_squares():
    found = fit_pairs(60)  # the ratio is 4.027
    assert found.p == pytest.approx(chi2.sf(log_ratio(60, 0.5), 1) / 2, rel=1e-4)
    assert found.p == pytest.approx(0.0224, abs=1e-4)
    assert found.distinguishable
    stricter = fit_pairs(60, confidence=0.99)
    assert not stricter.distinguishable
    assert stricter.applied_sd == 0


def test_a_known_lesion_is_used_with_the_posterior_mode():
    found = fit_pairs(70)
    step = 1e-3

    def log_posterior(sd: float) -> float:
        agree = concordance(sd)
        return 70 * np.log(agree) + 30 * np.log(1 - agree) - (sd / PRIOR_SD) ** 2 / 2

    expected = brentq(lambda sd: log_posterior(sd + step) - log_posterior(sd - step), 0.5, 3)
    assert found.applied_sd == pytest.approx(expected, abs=2e-3)
    assert found.applied_sd < found.sd


def test_less_concordance_than_by_chance_is_no_effect():
    found = fit_pairs(40)
    assert (found.sd, found.p, found.distinguishable, found.applied_sd) == (0, 1, False, 0)
    assert found.interval[0] == 0


def test_full_concordance_has_no_upper_limit():
    found = fit_pairs(100)
    assert found.sd == LARGEST_SD
    assert found.interval[1] is None
    assert 0 < found.applied_sd < found.sd


def test_a_wrong_mean_of_all_probabilities_is_no_effect_of_patients():
    random = np.random.default_rng(0)
    patient = np.repeat(np.arange(60), 2)
    p = expit(random.normal(0, 1.5, 120))
    positive = random.random(120) < p
    found = fit_patient_effect(positive, p, patient, 0.95)
    shifted = fit_patient_effect(positive, expit(logit(p) + 2), patient, 0.95)
    assert shifted.sd == pytest.approx(found.sd, abs=1e-3)
    assert shifted.p == pytest.approx(found.p, abs=1e-3)


def test_single_lesions_only_move_the_intercept():
    patient = np.array([0, 0, 1, 1, 2, 3])
    positive = np.array([True, True, False, False, True, False])
    found = fit_patient_effect(positive, np.full(6, 0.5), patient, 0.95)
    assert (found.patients, found.patients_with_several) == (4, 2)


@pytest.mark.parametrize(
    ("positive", "patient"),
    [
        ([True, False, True], [0, 1, 2]),
        ([True, True, True], [0, 0, 1]),
        ([False, False, False], [0, 0, 1]),
    ],
)
def test_without_several_lesions_or_two_classes_there_is_no_estimate(positive, patient):
    probabilities = np.full(3, 0.5)
    found = fit_patient_effect(np.array(positive), probabilities, np.array(patient), 0.95)
    assert found is None
