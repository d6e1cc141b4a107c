"""The verdict follows from the interval, of several trainings if there are any."""

import pytest

from graft.statistics.verdict import decide, verdict

HELPS = {"value": 0.2, "low": 0.05, "high": 0.3, "p": 0.01, "left_out": 0}
HARMS = {"value": -0.2, "low": -0.3, "high": -0.06, "p": 0.01, "left_out": 0}
UNDEFINED = dict.fromkeys(HELPS)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 0.2, "helps"),
        (-0.2, -0.001, "harms"),
        (-0.1, 0.2, "no difference shown"),
        (0.0, 0.2, "no difference shown"),
        (-0.2, 0.0, "no difference shown"),
        (None, None, "not defined"),
    ],
)
def test_the_verdict_on_an_interval(low, high, expected):
    assert verdict({"low": low, "high": high}) == expected


def curve(draws: int, *shares: float) -> dict:
    """A learning curve in which transfer harms at every share."""
    points = [{"share": share, "gain": {"l2-sp": HARMS, "frozen": UNDEFINED}} for share in shares]
    return {"strategy": "l2-sp", "draws": draws, "points": points}


@pytest.mark.parametrize("block", [None, curve(1, 0.5, 1.0), curve(5, 0.5)])
def test_one_pair_of_networks_decides_without_several_trainings_on_all_labels(block):
    found = decide(HELPS, block, 0.05, 0.95)
    assert found == {
        "verdict": "helps",
        "verdict_from": {"trainings": 1, **HELPS, "non_inferior": True, "detectable": 0.178676},
    }


def test_several_trainings_on_all_labels_overrule_one_pair():
    found = decide(HELPS, curve(5, 0.5, 1.0), 0.05, 0.95)
    assert found == {
        "verdict": "harms",
        "verdict_from": {"trainings": 5, **HARMS, "non_inferior": False, "detectable": 0.171529},
    }


@pytest.mark.parametrize(
    ("gain", "margin", "expected"),
    [(HARMS, 0.31, True), (HARMS, 0.3, False), (UNDEFINED, 0.3, None)],
)
def test_transfer_is_not_inferior_if_the_low_end_is_above_the_margin(gain, margin, expected):
    found = decide(gain, None, margin, 0.95)
    assert found["verdict_from"]["non_inferior"] is expected
