"""The sentences of the page, which must not claim more than the intervals show."""

import pytest

from graft.charts.numbers import signed
from graft.report import figures, labels, words
from graft.statistics.verdict import decide
from tests.run_metrics import MARGIN, labels_saved

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


def test_further_comparisons_agree_or_differ(read_run):
    comparisons = list(words.other_comparisons(read_run()))
    # The saved pair of networks, the external site, cross-validation, two points of the curve.
    assert [agrees for agrees, _ in comparisons] == [True, True, False, True, True]
    expected = "Of 5 further comparisons, 4 agree with the verdict:"
    assert words.agreement(comparisons) == expected


def test_a_bare_run_has_no_further_comparisons(read_run):
    assert not list(words.other_comparisons(read_run(bare=True, external=False)))


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


def test_each_other_arm_has_a_verdict_of_its_own(read_run):
    (sentence,) = words.other_arms(read_run())
    assert sentence.startswith("frozen (frozen features, a linear classifier on the unchanged")
    assert "no difference is shown: +0.045" in sentence


def test_any_strategy_may_be_an_arm(read_run):
    def add_arm(metrics: dict) -> None:
        curve = metrics["learning_curve"]
        curve["draws"] = 1
        for point in curve["points"]:
            point["arms"]["lp-ft"] = point["arms"]["l2-sp"]
            gain = {"value": 0.2, "low": 0.1, "high": 0.3, "p": 0.01, "left_out": 0}
            point["gain"]["lp-ft"] = gain | {"draw_sd": 0.01, "verdict": "helps"}

    run = read_run(change=add_arm)
    _, sentence = words.other_arms(run)
    assert sentence.startswith("lp-ft (a linear probe first, and fine-tuning from there): it helps")
    table = labels.learning_curve(run.block("learning_curve"))
    assert [row[1] for row in table.rows[:4]] == [
        "scratch",
        "l2-sp (as transfer)",
        "frozen",
        "lp-ft",
    ]
    assert "lp-ft 0." in figures.learning_curve(run, run.block("learning_curve")).alt


def test_without_a_learning_curve_there_are_no_other_arms(read_run):
    assert list(words.other_arms(read_run(bare=True))) == []


def test_boosting_without_a_useful_member_is_reported(read_run):
    def spoil(metrics: dict) -> None:
        metrics["boosting_alphas"] = [0.0, 0.0]

    assert "every α is 0" in words.boosting(read_run(change=spoil))


def test_boosting_with_one_useful_member_is_not_mentioned(read_run):
    def keep_one(metrics: dict) -> None:
        metrics["boosting_alphas"] = [0.0, 0.2]

    assert words.boosting(read_run(change=keep_one)) == ""


@pytest.mark.parametrize(
    ("reached", "text"),
    [
        ("between shares", "needs 14 [8, never] patients"),
        ("between shares", "the labels of 48 [none, 54] patients"),
        ("at the smallest share", "needs no more than 14"),
        ("never", "With none of these numbers"),
        ("not defined", "is not defined"),
    ],
)
def test_the_labels_saved_depend_on_where_the_curve_reaches_scratch(reached, text):
    assert text in words.labels_saved({"labels_saved": labels_saved(reached)}, "patient")


def test_two_sources_are_weak_evidence():
    outcome = {"by": "AUROC, test", "outcomes": [{}, {}], "logme_tau": 1.0, "h_score_tau": None}
    sentence = words.ranking_outcome(outcome)
    assert "weak evidence" in sentence
    assert "H-score not defined" in sentence


def test_three_sources_need_no_warning():
    outcome = {"by": "AUROC", "outcomes": [{}, {}, {}], "logme_tau": 0.5, "h_score_tau": 0.5}
    assert "weak evidence" not in words.ranking_outcome(outcome)


def test_a_ranking_without_outcomes_is_not_judged():
    assert "not known" in words.ranking_outcome(None)
