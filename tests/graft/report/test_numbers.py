from graft.report import numbers


def test_an_estimate_carries_its_interval():
    found = {"value": 0.7437, "low": 0.6116, "high": 0.8666}
    assert numbers.estimate(found).replace("\N{NO-BREAK SPACE}", " ") == "0.744 [0.612, 0.867]"
    assert numbers.difference({"value": -0.02, "low": -0.1, "high": 0.05}).startswith(
        "−0.020 [−0.100,"
    )


def test_what_is_not_there_is_said_so():
    assert (
        numbers.estimate(None)
        == numbers.estimate({"value": None, "low": None, "high": None})
        == "not defined"
    )
    assert numbers.number(None) == numbers.p_value(None) == numbers.percent(None) == "not defined"
    assert numbers.estimate({"value": 0.5, "low": None, "high": None}) == "0.500"


def test_small_numbers_are_neither_zero_nor_minus_zero():
    assert numbers.p_value(0.0004) == "< 0.001"
    assert numbers.number(-0.0001) == "0.000"
    assert numbers.signed(-0.0001) == "0.000"
    assert numbers.number(2000) == "2,000"
