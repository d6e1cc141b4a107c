"""The sentences of the page, which must not claim more than the intervals show."""

import pytest

from graft.report import words
from graft.report.numbers import signed
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
    metrics |= decide(gain, None, MARGIN)
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


def test_the_patients_needed_are_named_if_there_are_too_few(read_run):
    def need_more_patients(metrics: dict) -> None:
        metrics["transfer_gain"]["transfer"]["test"]["patients_needed"] = 310
        set_verdict(metrics, "no difference shown")

    sentence = words.margin(read_run(change=need_more_patients))
    assert "Non-inferiority is not shown" in sentence
    assert "41 test patients" in sentence
    assert "about 310 patients" in sentence


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
    assert text in words.labels_saved({"labels_saved": labels_saved(reached)})


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
