"""Estimates as text."""

from graft.statistics.formatting import format_estimate


def test_an_estimate_is_a_value_with_its_interval():
    estimate = {"value": 0.1, "low": -0.05, "high": 0.25}
    assert format_estimate(estimate) == "0.100 [-0.050, 0.250]"
    assert format_estimate(estimate, "+") == "+0.100 [-0.050, +0.250]"


def test_an_estimate_that_is_not_defined_has_a_text_of_its_own():
    undefined = {"value": None, "low": None, "high": None}
    assert format_estimate(undefined) == "not defined"
    assert format_estimate(None, missing="–") == "–"
