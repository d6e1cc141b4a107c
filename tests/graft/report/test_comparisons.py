"""The sentences on further comparisons."""

import pytest

from graft.report import comparisons, figures, labels
from tests.run_metrics import labels_saved


def test_further_comparisons_agree_or_differ(read_run):
    further = list(comparisons.other_comparisons(read_run()))
    # The saved pair of networks, the external site, cross-validation, two points of the curve.
    assert [agrees for agrees, _ in further] == [True, True, False, True, True]
    expected = "Of 5 further comparisons, 4 agree with the verdict:"
    assert comparisons.agreement(further) == expected


def test_a_bare_run_has_no_further_comparisons(read_run):
    assert not list(comparisons.other_comparisons(read_run(bare=True, external=False)))


def test_each_other_arm_has_a_verdict_of_its_own(read_run):
    (sentence,) = comparisons.other_arms(read_run())
    assert sentence.startswith("frozen (a linear classifier on the unchanged features of")
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
    _, sentence = comparisons.other_arms(run)
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
    assert list(comparisons.other_arms(read_run(bare=True))) == []


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
    assert text in comparisons.labels_saved({"labels_saved": labels_saved(reached)}, "patient")


def test_the_choice_within_folds_is_compared_with_the_default_and_the_best(read_run):
    sentence = comparisons.selection(read_run().block("cross_validation"))
    assert "in 7 of 10 folds, the inner validation chose l2-sp from lung with λ = 0.01." in sentence
    assert "The choice over always taking the default, l2-sp from lung with λ = 0.01: −0.010 [" in (
        sentence
    )
    assert "the highest AUROC in the tested folds, +0.010 from that of the choice." in sentence
    assert comparisons.selection({"selection": None}) == ""


def test_two_sources_are_weak_evidence():
    outcome = {"by": "AUROC, test", "outcomes": [{}, {}], "logme_tau": 1.0}
    sentence = comparisons.ranking_outcome(outcome)
    assert "weak evidence" in sentence


def test_three_sources_need_no_warning():
    outcome = {"by": "AUROC", "outcomes": [{}, {}, {}], "logme_tau": 0.5}
    assert "weak evidence" not in comparisons.ranking_outcome(outcome)


def test_a_ranking_without_outcomes_is_not_judged():
    assert "not known" in comparisons.ranking_outcome(None)
