"""The BCa correction against SciPy and numbers worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from graft.common.seeds import generator
from graft.statistics.bootstrap import draw_patients, interval, jackknife, resample
from graft.statistics.correction import PERCENTILE, Correction, bca_correction


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("seed", range(4))
def test_the_bca_interval_of_a_mean_agrees_with_scipy_on_the_same_resamples(seed, confidence):
    patients = np.arange(40)
    values = np.random.default_rng(seed).exponential(1, 40)  # skewed: the correction matters

    def mean(weights):
        return {"mean": weights @ values / weights.sum(1)}

    draws = draw_patients(40, 4000, generator(seed, "scipy"))
    resampled = resample(mean, draws, patients)["mean"]
    correction = bca_correction(values.mean(), resampled, jackknife(mean, patients)["mean"])
    low, high, _ = interval(resampled, confidence, correction)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=0,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=resampled),
        method="BCa",
        confidence_level=confidence,
    ).confidence_interval

    # SciPy interpolates between two neighbouring resamples, graft takes one of them.
    ordered = np.sort(resampled)
    for mine, other in ((low, theirs.low), (high, theirs.high)):
        distance = np.searchsorted(ordered, mine) - np.searchsorted(ordered, other)
        assert abs(distance) <= 2
    plain_low, plain_high, _ = interval(resampled, confidence)
    assert low > plain_low and high > plain_high


def test_bend_by_hand():
    values = np.array([0.1, 0.3, 0.5, 0.5, 0.6, 0.7, 0.8, np.nan])
    found = bca_correction(0.5, values, np.array([0.4, 0.5, 0.5, 0.6, 0.5]))
    assert (
        found.bias == pytest.approx(stats.norm.ppf(3 / 7))
        and found.acceleration == 0
        and found.patients is None
    )
    skewed = bca_correction(
        0.5, values, np.array([0.2, 0.6, 0.7, np.nan]), widen=True
    )  # 0.3, -0.1 and -0.2 below their mean
    assert (
        skewed.acceleration == pytest.approx((0.3**3 - 0.1**3 - 0.2**3) / (6 * 0.14**1.5))
        and skewed.patients == 4
    )


def test_shares_by_hand():
    z = stats.norm.ppf(0.025)
    assert Correction(0.1, 0.05).share_below(0.025) == pytest.approx(
        stats.norm.cdf(0.1 + (0.1 + z) / (1 - 0.05 * (0.1 + z)))
    )
    widened = stats.norm.cdf(np.sqrt(41 / 40) * stats.t.ppf(0.025, 40))
    assert PERCENTILE.share_below(0.025) == pytest.approx(0.025) and Correction(
        patients=41
    ).share_below(0.025) == pytest.approx(widened)


def test_an_end_beyond_all_resamples_is_the_outermost():
    few = Correction(0.2, -0.1, 3)
    assert [few.share_below(tail) for tail in (0.0005, 0.9995)] == pytest.approx([0, 1], abs=1e-3)
    assert interval(np.arange(50.0), 0.999, few)[:2] == (0, 49)


@pytest.mark.parametrize(
    "correction",
    [PERCENTILE, Correction(0.3, -0.1), Correction(-0.2, 0.12, 41), Correction(patients=9)],
)
def test_a_tail_is_a_share_turned_round(correction):
    for tail in (0.001, 0.025, 0.4, 0.9):
        assert correction.tail_of(correction.share_below(tail)) == pytest.approx(tail)
        assert correction.mirrored().share_below(tail) == pytest.approx(
            1 - correction.share_below(1 - tail)
        )


def test_resamples_far_off_the_value_are_not_corrected():
    values = np.random.default_rng(1).normal(0.3, 0.05, 500)
    assert bca_correction(0.2, values, np.array([0.1, 0.2, 0.4]), widen=True) == Correction(
        patients=3
    )
    assert (
        bca_correction(0.3, values, np.full(3, np.nan))
        == bca_correction(0.3, np.full(5, np.nan), np.ones(3))
        == PERCENTILE
    )
    assert bca_correction(0.5, np.full(9, 0.5), np.full(4, 0.5)) == PERCENTILE


def test_groups_of_patients_are_as_skewed_as_the_patients(monkeypatch):
    random = np.random.default_rng(3)
    values, patient = random.exponential(1, 4000), np.arange(4000)
    resampled = random.normal(1, 0.02, 99)
    each, groups = (
        bca_correction(
            1,
            resampled,
            jackknife(lambda weights: {"mean": weights @ values / weights.sum(1)}, patient)["mean"],
        )
        for most in (4000, 500)
        if not monkeypatch.setattr("graft.statistics.bootstrap.MOST_LEFT_OUT", most)
    )
    assert each.acceleration == pytest.approx(
        2 / (6 * np.sqrt(4000)), rel=0.25
    )  # the skew of this curve is 2
    assert groups.acceleration == pytest.approx(each.acceleration, abs=0.004)
