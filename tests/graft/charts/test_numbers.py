"""Numbers as text."""

import pytest

from graft.charts import numbers

UNDEFINED = {"value": None, "low": None, "high": None}
SPACE = "\N{NO-BREAK SPACE}"


def test_an_estimate_is_followed_by_its_interval():
    found = {"value": 0.7437, "low": 0.6116, "high": 0.8666}
    assert numbers.estimate(found) == f"0.744 [0.612,{SPACE}0.867]"


def test_a_difference_has_a_sign():
    found = {"value": -0.02, "low": -0.1, "high": 0.05}
    assert numbers.difference(found) == f"−0.020 [−0.100,{SPACE}+0.050]"


def test_a_share_is_written_as_a_percentage():
    found = {"value": 0.344, "low": 0.28, "high": 0.41}
    text = numbers.share(found).replace(SPACE, " ")
    assert text == "34 % [28 %, 41 %]"


def test_an_estimate_without_bounds_is_written_without_an_interval():
    assert numbers.estimate({"value": 0.5, "low": None, "high": None}) == "0.500"


@pytest.mark.parametrize("write", [numbers.estimate, numbers.difference, numbers.share])
@pytest.mark.parametrize("found", [None, UNDEFINED])
def test_undefined_estimates_are_named_as_such(write, found):
    assert write(found) == "not defined"


@pytest.mark.parametrize(
    "write", [numbers.number, numbers.signed, numbers.p_value, numbers.percent]
)
def test_undefined_numbers_are_named_as_such(write):
    assert write(None) == "not defined"


def test_small_p_values_are_not_rounded_to_zero():
    assert numbers.p_value(0.0004) == "< 0.001"


def test_negative_zero_has_no_sign():
    assert numbers.number(-0.0001) == "0.000"
    assert numbers.signed(-0.0001) == "0.000"


def test_large_counts_have_separators():
    assert numbers.number(2000) == "2,000"


def test_plural_depends_on_the_count():
    assert numbers.plural(1, "lesion") == "1 lesion"
    assert numbers.plural(62, "lesion") == "62 lesions"
