"""The tests for drift against numbers worked out by hand."""

from math import comb

import numpy as np
import pytest

from graft.common.seeds import generator
from graft.drift.compare import REFUSED, REFUSED_SHARE, compare_scans
from graft.drift.scans import Scan

TEN = [float(number) for number in range(10)]


def as_scans(name: str, values: list[float], refused: int = 0) -> list[Scan]:
    return [Scan({name: value}, k < refused) for k, value in enumerate(values)]


def test_samples_that_do_not_overlap_have_the_smallest_p_of_the_exact_test():
    above = [value + 100 for value in TEN[:5]]
    _, found = compare_scans({"intensity_mean": TEN}, as_scans("intensity_mean", above))
    assert found.p == pytest.approx(2 / comb(15, 5))  # two of all orders of 15 values
    assert found.p_holm == pytest.approx(2 * found.p)  # two tests, and it is the smaller p
    assert found.p_holm == pytest.approx(4 / 3003)
    assert found.is_alarm  # as that is at most 0.005
    assert found.expected == {"count": 10, "low": 2.25, "median": 4.5, "high": 6.75}
    assert found.found == {"count": 5, "low": 101.0, "median": 102.0, "high": 103.0}


def test_the_same_values_are_no_alarm():
    _, found = compare_scans({"probability": TEN}, as_scans("probability", TEN))
    assert (found.topic, found.p, found.is_alarm) == ("class balance", 1.0, False)


def test_refusals_follow_the_beta_binomial_distribution():
    reference = {"intensity_mean": [0.0] * 19}  # so that the beta has the parameters 1 and 19
    assert REFUSED_SHARE == 1 / 20
    scans = as_scans("intensity_mean", [0.0, 0.0], refused=2)
    found = compare_scans(reference, scans)[0]
    # Both of two are beyond the largest of 19: the mean of q² is 1 · 2 / (20 · 21).
    assert (found.name, found.p) == (REFUSED, pytest.approx(2 / (20 * 21)))
    scans = as_scans("intensity_mean", [0.0, 0.0], refused=1)
    # At least one of two: 1 less the mean of (1 - q)², which is 19 · 20 / (20 · 21).
    assert compare_scans(reference, scans)[0].p == pytest.approx(1 - 19 / 21)


def test_what_is_unknown_is_not_tested():
    scans = [Scan({"intensity_mean": 1.0, "spacing_mm": 1.0}, False)] * 3
    reference = {"intensity_mean": TEN, "feature_distance": TEN, "spacing_mm": []}
    names = [comparison.name for comparison in compare_scans(reference, scans)]
    assert names == [REFUSED, "intensity_mean"]


def test_constant_values_such_as_one_spacing_can_be_compared():
    reference = {"spacing_mm": [1.0] * 28}
    _, same = compare_scans(reference, as_scans("spacing_mm", [1.0] * 50))
    _, thicker = compare_scans(reference, as_scans("spacing_mm", [3.0] * 50))
    assert (same.p, same.is_alarm, thicker.is_alarm) == (1.0, False, True)


def test_false_alarms_of_independent_scans_keep_the_level():
    """A night of five tests; with the level 0.2 the count of 300 nights has a 99 % bound of 82."""
    names = ["intensity_mean", "intensity_sd", "intensity_roughness", "feature_distance"]
    alarms = 0
    for night in range(300):
        random = generator(night, "false alarms")
        reference = {name: random.normal(size=28).tolist() for name in names}
        scans = []
        for values in random.normal(size=(25, 4)):
            scans.append(Scan(dict(zip(names, values, strict=True)), False))
        alarms += any(found.is_alarm for found in compare_scans(reference, scans, level=0.2))
    assert alarms < 82
    assert alarms > 10  # so that the bound can be missed


@pytest.mark.parametrize("shift", [3.0, -3.0])
def test_a_shift_of_the_features_is_found(shift):
    random = generator(0, "shift")
    reference = {"feature_distance": np.sort(random.normal(size=28)).tolist()}
    scans = as_scans("feature_distance", (random.normal(size=20) + shift).tolist())
    assert [found.is_alarm for found in compare_scans(reference, scans)] == [False, True]


@pytest.mark.filterwarnings("error")
def test_large_samples_are_compared_without_a_warning():
    random = generator(0, "large")
    reference = {"feature_distance": random.normal(size=200).tolist()}
    for count in (200, 1000):
        values = random.normal(size=count).tolist()
        assert not any(
            found.is_alarm
            for found in compare_scans(reference, as_scans("feature_distance", values))
        )
