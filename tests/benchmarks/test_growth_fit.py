"""The fit of the growth finds a known exponent."""

import numpy as np
import pytest

from benchmarks.growth_fit import fit_growth

LESIONS = (40, 80, 320, 1280)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.9, 2.0])
@pytest.mark.parametrize("startup", [0.0, 30.0])
def test_a_known_curve_is_found(exponent, startup):
    costs = [startup + 0.02 * lesions**exponent for lesions in LESIONS]
    growth = fit_growth(LESIONS, costs, noise=0.01)
    assert growth.exponent == pytest.approx(exponent, abs=1e-3)
    assert growth.factor == pytest.approx(0.02, rel=0.01)
    assert growth.startup == pytest.approx(startup, abs=0.05)
    assert growth.cost(np.array(LESIONS)) == pytest.approx(costs, rel=0.01)


def test_each_cohort_counts_the_same_whatever_it_costs():
    costs = np.array([5 + 0.02 * lesions for lesions in LESIONS])
    more = costs - costs[0]
    errors = np.array([1.0, 1.0, 1.0, 1.2])
    exponent = fit_growth(LESIONS, costs[0] + more * errors, noise=0.1).exponent
    mirrored = fit_growth(LESIONS, costs[0] + more / errors, noise=0.1).exponent
    assert exponent > 1.01
    assert exponent + mirrored == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("costs", [(5, 5.2, 4.9, 5.1), (5, 5.2, 5.1, 9)])
def test_a_cost_that_hardly_grows_has_no_exponent(costs):
    assert fit_growth(LESIONS, costs, noise=0.5) is None


def test_differences_that_may_be_chance_do_not_count():
    costs = [5 + 0.02 * lesions for lesions in LESIONS]
    costs[1] = 5.9  # of 6.6
    assert fit_growth(LESIONS, costs, noise=0.5).exponent == pytest.approx(1, abs=1e-3)


def test_a_cost_that_is_no_power_has_no_exponent():
    assert fit_growth(LESIONS, (5, 6, 6, 6), noise=0.5) is None


def test_a_curve_in_another_unit_has_the_same_exponent():
    growth = fit_growth(LESIONS, [1e6 * (5 + lesions) for lesions in LESIONS], noise=1)
    scaled = growth.scaled(1e-6)
    assert scaled.exponent == growth.exponent
    assert scaled.cost(np.array([80.0])) == pytest.approx([85], rel=1e-3)
