"""The verdict follows from the interval, and from several trainings where there are some."""

import pytest

from graft.statistics.verdict import decide, verdict

HELPS = {"value": 0.2, "low": 0.05, "high": 0.3, "p": 0.01, "left_out": 0}
HARMS = {"value": -0.2, "low": -0.3, "high": -0.06, "p": 0.01, "left_out": 0}
NOTHING = dict.fromkeys(HELPS)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((0.001, 0.2), "helps"),
        ((-0.2, -0.001), "harms"),
        ((-0.1, 0.2), "no difference shown"),
        ((0.0, 0.2), "no difference shown"),
        ((-0.2, 0.0), "no difference shown"),
        ((None, None), "not defined"),
    ],
)
def test_an_interval_in_words(ends, said):
    assert verdict(dict(zip(("low", "high"), ends, strict=True))) == said


def curve(draws: int, *shares: float) -> dict:
    return {
        "draws": draws,
        "points": [{"share": share, "gain": {"transfer": HARMS}} for share in shares],
    }


@pytest.mark.parametrize("block", [None, curve(1, 0.5, 1.0), curve(5, 0.5)])
def test_one_pair_of_networks_decides_where_all_labels_were_learnt_once(block):
    found = decide(HELPS, block, 0.05)
    assert found == {
        "verdict": "helps",
        "verdict_from": {"trainings": 1, **HELPS, "non_inferior": True},
    }


def test_several_trainings_on_all_labels_overrule_one_pair():
    found = decide(HELPS, curve(5, 0.5, 1.0), 0.05)
    assert found == {
        "verdict": "harms",
        "verdict_from": {"trainings": 5, **HARMS, "non_inferior": False},
    }


def test_not_inferior_by_the_margin():
    assert (
        decide(HARMS, None, 0.31)["verdict_from"]["non_inferior"]
        and decide(HARMS, None, 0.3)["verdict_from"]["non_inferior"] is False
    )
    assert decide(NOTHING, None, 0.3)["verdict_from"]["non_inferior"] is None
