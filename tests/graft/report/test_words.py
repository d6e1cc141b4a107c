"""The sentences of the page, which must not claim more than the intervals show."""

import pytest

from graft.charts.numbers import signed
from graft.report import words
from graft.statistics.verdict import decide
from tests.run_metrics import MARGIN

INTERVALS = {
    "helps": (0.05, 0.3),
    "harms": (-0.3, -0.05),
    "no difference shown": (-0.1, 0.25),
}


def set_verdict(metrics: dict, verdict: str) -> None:
    """Give the test part a gain with this verdict, from one training."""
    low, high = INTERVALS[verdict]
    gain = metrics["transfer_gain"]["transfer"]["test"]
    gain |= {"value": (low + high) / 2, "low": low, "high": high}
    metrics |= decide(gain, None, MARGIN, 0.95)
    assert metrics["verdict"] == verdict


@pytest.mark.parametrize(
    ("verdict", "claim"),
    [
        ("helps", "a higher AUROC"),
        ("harms", "a lower AUROC"),
        ("no difference shown", "includes 0"),
    ],
)
def test_the_sentence_has_the_interval_of_its_verdict(read_run, verdict, claim):
    run = read_run(change=lambda metrics: set_verdict(metrics, verdict))
    sentence = words.verdict_sentence(run)
    low, high = INTERVALS[verdict]
    assert f"from {signed(low)} to {signed(high)}" in sentence
    assert claim in sentence


def test_the_explanation_counts_pairs(read_run):
    sentence = words.meaning(read_run())  # AUROCs of 0.744 and 0.555
    assert "100 pairs of a malignant and a benign lesion" in sentence
    assert "the transferred model ranks 74 correctly" in sentence
    assert "the model trained from scratch 56." in sentence


def test_a_wide_interval_is_not_called_equality(read_run):
    run = read_run(change=lambda metrics: set_verdict(metrics, "no difference shown"))
    sentence = words.meaning(run)
    assert "does not mean that there is no difference" in sentence
    assert "from −0.100 to +0.250" in sentence


def too_few_patients(metrics: dict) -> None:
    metrics["transfer_gain"]["transfer"]["test"]["patients_needed"] = 310
    set_verdict(metrics, "no difference shown")


def test_a_test_part_that_is_too_small_says_what_it_could_have_shown(read_run):
    run = read_run(change=too_few_patients)
    assert "Non-inferiority is not shown" in words.margin(run)
    sentence = words.power(run)
    assert "with 62 lesions of 41 patients" in sentence
    # The interval is 0.35 wide, so the standard error is 0.0893, and 2.80 of these are 0.250.
    assert "only if the gain is 0.250 or more" in sentence
    assert "about 310 patients" in sentence


@pytest.mark.parametrize("verdict", ["helps", "harms"])
def test_a_decided_verdict_needs_no_more_power(read_run, verdict):
    assert words.power(read_run(change=lambda metrics: set_verdict(metrics, verdict))) == ""


def test_a_test_part_that_shows_a_gain_of_the_margin_is_large_enough(read_run):
    def widen_margin(metrics: dict) -> None:
        too_few_patients(metrics)
        metrics["margin"] = 0.26

    assert words.power(read_run(change=widen_margin)) == ""


def test_boosting_without_a_useful_member_is_reported(read_run):
    def spoil(metrics: dict) -> None:
        metrics["boosting_alphas"] = [0.0, 0.0]

    assert "every α is 0" in words.boosting(read_run(change=spoil))


def test_boosting_with_one_useful_member_is_not_mentioned(read_run):
    def keep_one(metrics: dict) -> None:
        metrics["boosting_alphas"] = [0.0, 0.2]

    assert words.boosting(read_run(change=keep_one)) == ""
