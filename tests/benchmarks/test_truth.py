"""The true values beside the estimates of a run, and whether verdicts agree with them."""

import numpy as np
import pytest

from benchmarks.clone import ROOT
from benchmarks.truth import Row, curve_rows, lines
from benchmarks.unseen import UNSEEN, Curves, only_cases, write_parameters
from benchmarks.verdict import Judged, agrees, true_gain
from graft.config.parameters import load_parameters
from graft.data.domain import Domain
from graft.statistics.repeated_auroc import RepeatedAuroc
from stages import paths
from tests.small_target import edit_parameters, write_model, write_project, write_target


def estimate(value: float, low: float, high: float) -> dict:
    return {"value": value, "low": low, "high": high}


def test_a_row_says_whether_the_interval_has_the_true_value():
    inside = Row("scratch", "test", estimate(0.6, 0.5, 0.7), estimate(0.69, 0.68, 0.70))
    outside = Row("gain", "test", estimate(0.1, 0.0, 0.2), estimate(0.21, 0.1, 0.3), "+")
    assert inside.line().endswith("| 0.690 [0.680, 0.700] | yes |")
    assert outside.line() == (
        "| gain | test | +0.100 [+0.000, +0.200] | +0.210 [+0.100, +0.300] | no |"
    )


def test_the_points_of_a_curve_are_paired_with_their_true_values():
    def point(share: float, value: float) -> dict:
        arm = {"auroc": estimate(value, value - 0.1, value + 0.1)}
        gain = estimate(value - 0.5, 0, 1) | {"draw_sd": 0.1}
        return {"share": share, "arms": {"scratch": arm}, "gain": {"l2-sp": gain}}

    rows = curve_rows([point(0.5, 0.6), point(1.0, 0.7)], [point(0.5, 0.65), point(1.0, 0.85)])
    assert [row.what for row in rows] == [
        "scratch, 50% of the labels",
        "gain of l2-sp, 50% of the labels",
        "scratch, 100% of the labels",
        "gain of l2-sp, 100% of the labels",
    ]
    assert [row.is_inside for row in rows] == [True, True, False, True]
    printed = list(lines(rows, point(1.0, 0.8), trainings=10))
    assert printed[-1] == (
        "gain of l2-sp with all labels of other patients, mean of 10 draws: "
        "+0.300 [+0.000, +1.000], standard deviation 0.100"
    )


@pytest.mark.parametrize(
    "verdict, gain, is_right",
    (
        ("helps", 0.1, True),
        ("no difference shown", 0.1, False),
        ("harms", 0.1, False),
        ("harms", -0.1, True),
        ("no difference shown", -0.1, True),
        ("helps", -0.1, False),
        ("no difference shown", 0.03, True),
        ("helps", 0.03, False),
        ("harms", -0.03, False),
    ),
)
def test_a_verdict_agrees_with_a_gain_that_is_two_standard_errors_from_0(verdict, gain, is_right):
    assert agrees(verdict, gain, error=0.02) == is_right


def test_the_error_of_the_true_gain_has_the_chance_of_trainings_and_of_patients():
    # Seeds 0.1 and 0.2: sd 0.0707 / sqrt 2 = 0.05. Patients: the means of both are 0.14 and 0.16.
    first = RepeatedAuroc(np.array([0.1, 0.1]), np.array([0.08, 0.12]))
    second = RepeatedAuroc(np.array([0.1, 0.3]), np.array([0.20, 0.20]))
    gain, error = true_gain([Judged("helps", {}, first), Judged("helps", {}, second)])
    assert gain == pytest.approx(0.15)
    assert error == pytest.approx(np.hypot(0.05, 0.01))


@pytest.fixture
def curves(tmp_path, monkeypatch) -> Curves:
    """A run on 48 patients, 24 of them labelled and 16 tested, and 48 unseen ones, 30 spare."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("benchmarks.unseen.SPARE", 30)
    write_project()
    edit_parameters(learning_curve={"shares": [0.5], "draws": 1, "arms": ["scratch"]})
    write_target(validation="train")
    write_model(paths.PRETRAINED)
    unseen = Domain.read(paths.processed("liver"))
    unseen.index["patient"] = UNSEEN + unseen.index["patient"]
    return Curves.prepare(tmp_path, load_parameters(paths.PARAMETERS), unseen, tmp_path / "curves")


def test_lists_of_params_yaml_can_be_replaced(tmp_path):
    changed = tmp_path / "params.yaml"
    changes = {"learning_curve.shares": [], "learning_curve.arms": [], "seed": 7}
    write_parameters(changed, ROOT / "params.yaml", changes)
    before, after = load_parameters(ROOT / "params.yaml"), load_parameters(changed)
    curve = before.learning_curve.model_copy(update={"shares": [], "arms": []})
    assert after == before.model_copy(update={"learning_curve": curve, "seed": 7})


def test_more_trainings_predict_the_test_part_and_the_unseen_patients(curves):
    half, whole = curves.with_known_labels(trainings=2, seed=1)
    assert half.patients == [12, 12]
    assert whole.patients == [24, 24]
    cases, places = curves.cases(are_unseen=True, resamples=10)
    assert set(cases.rows["patient"].str.startswith(UNSEEN)) == {True}
    assert len(cases.rows) == 48 - 30
    [half, whole] = only_cases([half, whole], places)
    assert [len(predicted) for predicted in whole.probabilities["scratch"]] == [18, 18]
    known, _ = curves.cases(are_unseen=False, resamples=10)
    assert len(known.rows) == 16


def test_other_patients_take_the_place_of_the_labelled_ones(curves):
    split = curves._with_other_patients(0)
    train = split[split["part"] == "train"]
    rows = curves.domain.index.iloc[train["sample"]]
    assert set(train["sample"]) <= set(curves.spare)
    assert rows["patient"].nunique() == 24
    assert set(rows["label"]) == {"benign", "malignant"}
    assert set(train["fold"]) == set(curves.split["fold"]) - {0}
    other = curves._with_other_patients(1)
    assert set(other["sample"][other["part"] == "train"]) != set(train["sample"])
    [point] = curves.with_other_labels(trainings=2, seed=1)
    assert point.patients == [24, 24]
    assert len(point.probabilities["l2-sp"]) == 2
    first, second = point.probabilities["scratch"]
    assert not np.array_equal(first, second)
