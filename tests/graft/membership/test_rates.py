"""Rates and their intervals: by hand, by other implementations, and in simulations."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binomtest, norm

from graft.membership.rates import auc, clopper_pearson, true_positives


def hanley_mcneil(theta: float, members: int, others: int) -> float:
    """The standard error as the paper of 1982 writes it, with Q1 and Q2, and N* for both counts."""
    q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
    more = (members + others) / 2 - 1
    variance = theta * (1 - theta) + more * (q1 - theta**2) + more * (q2 - theta**2)
    return (variance / (members * others)) ** 0.5


def test_the_auc_is_the_share_of_ordered_pairs():
    # 3 beats 1 and 2; 2 beats 1 and ties with 2: 3.5 of 4 pairs.
    found = auc(np.array([3.0, 2.0]), np.array([1.0, 2.0]), 0.95)
    assert found["value"] == 3.5 / 4


@pytest.mark.parametrize("shift", [-0.5, 0.3, 2.0])
def test_the_interval_solves_the_equation_of_newcombe(shift):
    random = np.random.default_rng(1)
    members, others = random.normal(shift, 1, 17), random.normal(0, 1, 40)
    found = auc(members, others, 0.9)
    z = norm.ppf(0.95)
    for end, side in (("low", 1), ("high", -1)):

        def distance(theta: float, side: int = side) -> float:
            return side * (found["value"] - theta) - z * hanley_mcneil(theta, 17, 40)

        limits = (1e-9, found["value"]) if side == 1 else (found["value"], 1 - 1e-9)
        assert found[end] == pytest.approx(brentq(distance, *limits), abs=1e-6)


def test_separated_scores_still_have_an_interval():
    found = auc(np.arange(10.0) + 100, np.arange(10.0), 0.95)
    assert found["value"] == found["high"] == 1
    assert 0.6 < found["low"] < 0.9
    reversed_scores = auc(np.arange(10.0), np.arange(10.0) + 100, 0.95)
    assert reversed_scores["low"] == 0
    assert reversed_scores["high"] == pytest.approx(1 - found["low"])


def test_most_intervals_contain_the_true_auc():
    random = np.random.default_rng(2)
    for truth in (0.5, 0.75):
        shift = norm.ppf(truth) * 2**0.5
        inside = 0
        for _ in range(400):
            found = auc(random.normal(shift, 1, 20), random.normal(0, 1, 60), 0.95)
            inside += found["low"] <= truth <= found["high"]
        assert 0.92 <= inside / 400 <= 0.98  # standard error 0.011


@pytest.mark.parametrize(("count", "total"), [(0, 60), (3, 60), (60, 60), (1, 1)])
def test_rates_have_exact_intervals(count, total):
    expected = binomtest(count, total).proportion_ci(0.95, method="exact")
    assert clopper_pearson(count, total, 0.95) == pytest.approx((expected.low, expected.high))


def test_sixty_others_allow_no_false_positive():
    others = np.arange(60.0)
    members = np.array([59.0, 59.5, 80.0, 10.0])  # 59 ties with the highest of the others
    positives, false, wrong = true_positives(members, others, 0.01, 0.95)
    assert positives["value"] == 2 / 4
    assert wrong == 0
    assert false["value"] == false["low"] == 0
    assert false["high"] == pytest.approx(1 - 0.025 ** (1 / 60))


@pytest.mark.parametrize(("count", "allowed"), [(99, 0), (100, 1), (199, 1), (200, 2), (300, 3)])
def test_the_false_positives_are_the_most_that_the_rate_allows(count, allowed):
    others = np.random.default_rng(0).permutation(count).astype(float)
    _, false, wrong = true_positives(np.array([0.5]), others, 0.01, 0.95)
    assert wrong == allowed
    assert false["value"] == allowed / count <= 0.01


def test_the_true_false_positive_rate_is_below_its_limit_although_scores_chose_the_threshold():
    random = np.random.default_rng(4)
    above = 0
    for _ in range(1000):
        others = random.random(150)
        threshold = np.sort(others)[-2]  # one of 150 may be a false positive
        _, false, wrong = true_positives(np.array([0.5]), others, 0.01, 0.95)
        assert wrong == 1
        above += 1 - threshold > false["high"]  # scores are uniform, so this is the true rate
    assert 0.015 <= above / 1000 <= 0.035  # 2.5 %, standard error 0.5 %
