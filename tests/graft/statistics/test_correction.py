"""The BCa correction against SciPy and numbers computed by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from graft.common.seeds import generator
from graft.statistics.bootstrap import draw_patients, interval, jackknife, resample
from graft.statistics.correction import PERCENTILE, Correction, bca_correction


def mean_of(values):
    """The measure of a bootstrap: the mean of `values` weighted by patient."""

    def measure(weights):
        return {"mean": weights @ values / weights.sum(1)}

    return measure


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("seed", range(4))
def test_the_bca_interval_of_a_mean_agrees_with_scipy_on_the_same_resamples(seed, confidence):
    patients = np.arange(40)
    # An exponential distribution is skewed, so the correction matters.
    values = np.random.default_rng(seed).exponential(1, 40)
    measure = mean_of(values)
    draws = draw_patients(40, 4000, generator(seed, "scipy"))
    resampled = resample(measure, draws, patients)["mean"]
    jackknifed = jackknife(measure, patients)["mean"]
    correction = bca_correction(values.mean(), resampled, jackknifed)
    low, high, _ = interval(resampled, confidence, correction)
    expected = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=0,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=resampled),
        method="BCa",
        confidence_level=confidence,
    ).confidence_interval

    # SciPy interpolates between two neighbouring resamples, graft takes one of them.
    ordered = np.sort(resampled)
    for found, theirs in ((low, expected.low), (high, expected.high)):
        distance = np.searchsorted(ordered, found) - np.searchsorted(ordered, theirs)
        assert abs(distance) <= 2
    plain_low, plain_high, _ = interval(resampled, confidence)
    assert low > plain_low
    assert high > plain_high


def test_the_bias_by_hand():
    resampled = np.array([0.1, 0.3, 0.5, 0.5, 0.6, 0.7, 0.8, np.nan])
    symmetric = np.array([0.4, 0.5, 0.5, 0.6, 0.5])
    found = bca_correction(0.5, resampled, symmetric)
    # Of seven defined values, two lie below 0.5 and two equal it, which count half: 3 / 7.
    assert found.bias == pytest.approx(stats.norm.ppf(3 / 7))
    assert found.acceleration == 0
    assert found.patients is None


def test_the_acceleration_by_hand():
    resampled = np.array([0.1, 0.3, 0.5, 0.5, 0.6, 0.7, 0.8, np.nan])
    skewed = np.array([0.2, 0.6, 0.7, np.nan])
    found = bca_correction(0.5, resampled, skewed, widen=True)
    # The values lie 0.3, -0.1 and -0.2 below their mean of 0.5. The squares sum to 0.14.
    cubes = 0.3**3 - 0.1**3 - 0.2**3
    assert found.acceleration == pytest.approx(cubes / (6 * 0.14**1.5))
    assert found.patients == 4


def test_the_share_below_an_end_by_hand():
    z = stats.norm.ppf(0.025)
    shifted = 0.1 + (0.1 + z) / (1 - 0.05 * (0.1 + z))
    corrected = Correction(0.1, 0.05).share_below(0.025)
    assert corrected == pytest.approx(stats.norm.cdf(shifted))
    assert PERCENTILE.share_below(0.025) == pytest.approx(0.025)


def test_few_patients_widen_the_interval_as_a_t_distribution_does():
    quantile = np.sqrt(41 / 40) * stats.t.ppf(0.025, 40)
    found = Correction(patients=41).share_below(0.025)
    assert found == pytest.approx(stats.norm.cdf(quantile))


def test_an_end_beyond_all_resamples_is_the_outermost_resample():
    few = Correction(0.2, -0.1, 3)
    assert few.share_below(0.0005) == pytest.approx(0, abs=1e-3)
    assert few.share_below(0.9995) == pytest.approx(1, abs=1e-3)
    low, high, _ = interval(np.arange(50.0), 0.999, few)
    assert low == 0
    assert high == 49


@pytest.mark.parametrize("tail", (0.001, 0.025, 0.4, 0.9))
@pytest.mark.parametrize(
    "correction",
    [PERCENTILE, Correction(0.3, -0.1), Correction(-0.2, 0.12, 41), Correction(patients=9)],
)
def test_tail_of_is_the_inverse_of_share_below(correction, tail):
    assert correction.tail_of(correction.share_below(tail)) == pytest.approx(tail)
    mirrored = correction.mirrored().share_below(tail)
    assert mirrored == pytest.approx(1 - correction.share_below(1 - tail))


def test_a_value_that_resamples_do_not_surround_is_not_corrected():
    resampled = np.random.default_rng(1).normal(0.3, 0.05, 500)
    far_below = bca_correction(0.2, resampled, np.array([0.1, 0.2, 0.4]), widen=True)
    assert far_below == Correction(patients=3)


def test_undefined_or_constant_values_are_not_corrected():
    resampled = np.random.default_rng(1).normal(0.3, 0.05, 500)
    assert bca_correction(0.3, resampled, np.full(3, np.nan)) == PERCENTILE
    assert bca_correction(0.3, np.full(5, np.nan), np.ones(3)) == PERCENTILE
    assert bca_correction(0.5, np.full(9, 0.5), np.full(4, 0.5)) == PERCENTILE


def test_groups_of_patients_are_as_skewed_as_the_patients(monkeypatch):
    random = np.random.default_rng(3)
    values = random.exponential(1, 4000)
    resampled = random.normal(1, 0.02, 99)
    measure = mean_of(values)

    def acceleration(most_left_out):
        monkeypatch.setattr("graft.statistics.bootstrap.MOST_LEFT_OUT", most_left_out)
        jackknifed = jackknife(measure, np.arange(4000))["mean"]
        return bca_correction(1, resampled, jackknifed).acceleration

    by_patient = acceleration(4000)
    # The skewness of an exponential distribution is 2.
    assert by_patient == pytest.approx(2 / (6 * np.sqrt(4000)), rel=0.25)
    assert acceleration(500) == pytest.approx(by_patient, abs=0.004)
