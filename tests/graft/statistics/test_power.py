"""What a test part can show: the detectable gain, and how many patients a gain needs."""

import numpy as np
import pytest
from scipy import stats

from graft.statistics.power import MOST_PATIENTS, detectable_gain, patients_needed


def test_the_detectable_gain_by_hand():
    # The standard error is 0.196 / 1.96 = 0.1, and 1.96 + 0.84 of these are detected.
    assert detectable_gain(-0.196, 0.196, 0.95) == pytest.approx(0.280, abs=0.0005)
    assert detectable_gain(0.1, 0.1, 0.95) == 0


def test_the_detectable_gain_is_shown_in_80_percent_of_all_samples():
    low, high = -0.05, 0.15
    error = (high - low) / 2 / stats.norm.ppf(0.975)
    gains = stats.norm.rvs(detectable_gain(low, high, 0.95), error, size=200_000, random_state=1)
    shown = gains - stats.norm.ppf(0.975) * error > 0
    assert shown.mean() == pytest.approx(0.8, abs=0.005)


def estimate(value, low, high):
    return {"value": value, "low": low, "high": high}


def test_patients_needed_by_hand():
    needed = patients_needed(estimate(0.1, -0.1, 0.3), 40, 0.95)
    # The half width is 0.2, so the standard error of 40 patients is 0.2 / 1.96.
    z, z_of_power = stats.norm.ppf([0.975, 0.8])
    error = 0.2 / z
    expected = 40 * ((z + z_of_power) * error / 0.1) ** 2
    assert needed == np.ceil(expected)
    assert needed == 327


def test_the_patients_needed_give_a_power_of_80_percent():
    needed = patients_needed(estimate(0.1, -0.1, 0.3), 40, 0.95)
    z = stats.norm.ppf(0.975)
    error = 0.2 / z * np.sqrt(40 / needed)
    power = stats.norm.sf(z - 0.1 / error)
    assert power == pytest.approx(0.8, abs=0.002)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        pytest.param(0.1, 0.01, 0.2, id="significantly better"),
        pytest.param(-0.1, -0.2, -0.01, id="significantly worse"),
        pytest.param(0.0, -0.1, 0.1, id="no difference"),
        pytest.param(0.0001, -0.1, 0.1, id="tiny difference"),
        pytest.param(0.0, 0.0, 0.0, id="no width"),
        pytest.param(np.nan, np.nan, np.nan, id="undefined"),
    ],
)
def test_no_number_of_patients_is_given_if_the_answer_is_known_or_out_of_reach(value, low, high):
    assert patients_needed(estimate(value, low, high), 40, 0.95) is None


def test_more_patients_than_the_limit_are_not_given():
    below_limit = patients_needed(estimate(0.003, -0.1, 0.1), 40, 0.95)
    assert 50_000 < below_limit <= MOST_PATIENTS
    assert patients_needed(estimate(0.002, -0.1, 0.1), 40, 0.95) is None
