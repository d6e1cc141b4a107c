"""Simulations of intervals, p-values and verdicts."""

import pytest

from benchmarks import simulations
from benchmarks.simulations import coverage_row, simulate, true_scores


@pytest.fixture(scope="module")
def tables() -> dict[str, list[dict]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulations, "RESAMPLES", 200)
        patch.setattr(simulations, "TRUTH_PATIENTS", 3000)
        return simulate(30, 6, true_scores())


def test_gains_have_every_kind_of_interval(tables):
    ways = {row["way"] for row in tables["coverage"] if row["what"] == "gain"}
    assert ways == {"BCa", "BCa, widened", "percentile", "DeLong"}


def test_every_cohort_has_one_verdict(tables):
    for row in tables["verdicts"]:
        total = row["helps"] + row["harms"] + row["no difference shown"]
        assert total == pytest.approx(1)


def test_a_large_gain_is_shown_more_often_than_a_loss(tables):
    helped = {}
    for row in tables["verdicts"]:
        if row["way"] == "BCa, widened":
            helped[row["true"]] = row["helps"]
    assert helped[0.22] > helped[-0.15]
    assert helped[-0.15] == 0


def test_coverage_counts_intervals_above_and_below_the_truth():
    missed = [(True, False), (False, False), (False, True), (False, False)]
    row = coverage_row(("gain", 0.1, "DeLong"), missed)
    assert row == {
        "what": "gain",
        "true": 0.1,
        "way": "DeLong",
        "held": 0.5,
        "above": 0.25,
        "below": 0.25,
    }
