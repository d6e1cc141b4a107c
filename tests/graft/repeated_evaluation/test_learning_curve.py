import json
from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pytest

from graft.common.documents import check_schema
from graft.common.files import InputError
from graft.common.seeds import generator
from graft.data.predictions import DECIMALS, probability_columns
from graft.data.sealed_tables import write_sealed_table
from graft.repeated.learning_curve import empty_table
from graft.repeated_evaluation import learning_curve
from graft.repeated_evaluation.curve_points import Point, read_points
from graft.repeated_evaluation.labels_saved import labels_saved, patients_needed, saved_lines
from graft.repeated_evaluation.learning_curve import curve_lines, curve_table, judge_points
from graft.statistics.cases import Cases
from graft.statistics.repeated_auroc import RepeatedAuroc

STRATEGY = "lp-ft"
ARMS = ("scratch", STRATEGY, "frozen")
CLASSES = ["benign", "malignant"]
PATIENTS = np.array([10.0, 40.0, 160.0])
LABELS = np.arange(40) % 2
RIGHT = np.stack([1 - LABELS, LABELS], 1) * 0.8 + 0.1
CHANCE = np.full((40, 2), 0.5)


def test_patients_needed_are_on_the_line_over_the_logarithm_of_the_patients():
    curves = np.array([[0.5, 0.8, 0.5, 0.6], [0.7, 0.7, 0.6, 0.8], [0.8, 0.9, 0.7, 0.7]])
    goals = np.array([0.6, 0.75, 0.9, 0.7])
    # Half way from 10 to 40, √(10 · 40); at the first point; never; at the first of two crossings.
    assert patients_needed(PATIENTS, curves, goals) == pytest.approx([20, 10, np.inf, 20])
    assert np.isnan(patients_needed(PATIENTS, curves[:, :1], np.array([np.nan]))).all()


def test_a_curve_of_one_point_reaches_a_goal_there_or_never():
    curves = np.array([[0.5, 0.8]])
    goals = np.array([0.6, 0.75])
    assert patients_needed(PATIENTS[:1], curves, goals) == pytest.approx([np.inf, 10])


def areas(value, *resampled):
    return RepeatedAuroc(np.array([value]), np.array(resampled))


def test_labels_saved_by_hand():
    scratch = areas(0.7, 0.7, 0.7, 0.7, 0.7)
    transfer = [areas(0.6, 0.7, 0.6, 0.6, 0.5), areas(0.8, 0.8, 0.8, 0.8, 0.6)]
    saved = labels_saved(np.array([10.0, 40.0]), scratch, transfer, 0.9)
    assert saved["reached"] == "between shares"
    assert saved["of"] == 40
    # The last resample never reaches the goal.
    needed = {"value": 20, "low": 10, "high": np.nan}
    assert saved["needed"] == pytest.approx(needed, nan_ok=True)
    assert saved["saved"] == pytest.approx({"value": 20, "low": np.nan, "high": 30}, nan_ok=True)


@pytest.mark.parametrize(
    ("goal", "auroc", "reached", "value"),
    [
        (0.7, 0.9, "at the smallest share", 10),
        (0.7, 0.2, "never", np.nan),
        (np.nan, 0.7, "not defined", np.nan),
    ],
)
def test_a_goal_beyond_the_ends_of_the_curve(goal, auroc, reached, value):
    transfer = [areas(auroc, auroc), areas(auroc, auroc)]
    saved = labels_saved(np.array([10.0, 40.0]), areas(goal, 0.7), transfer, 0.95)
    assert saved["reached"] == reached
    assert saved["needed"]["value"] == pytest.approx(value, nan_ok=True)


@pytest.fixture
def points():
    """Two shares with two draws each.

    Transfer ranks all pairs correctly, scratch does at the larger share, and frozen none.
    """
    found = []
    for share, patients, scratch in ((0.1, 4, CHANCE), (1.0, 40, RIGHT)):
        predicted = {"scratch": scratch, STRATEGY: RIGHT, "frozen": 1 - RIGHT}
        twice = {arm: [each, each] for arm, each in predicted.items()}
        found.append(Point(share, [patients, patients + 1], [2 * patients] * 2, twice))
    return found


@pytest.fixture
def cases():
    """The test part: 40 patients with a lesion each."""
    patients = [f"p{i}" for i in range(40)]
    rows = pd.DataFrame({"patient": patients, "label": np.array(CLASSES)[LABELS]})
    return Cases.of(rows, CLASSES, 200, generator(0, "bootstrap"))


def verdicts_on_transfer(curve):
    return [point["gain"][STRATEGY]["verdict"] for point in curve["points"]]


def judge(points, cases):
    return judge_points(points, cases, 0.95, generator(0, "draws"), STRATEGY)


def test_ends_beyond_the_curve_are_printed_as_such():
    needed = {"value": 41.0, "low": None, "high": None}
    saved = {"of": 62.0, "reached": "between shares", "needed": needed}
    (line,) = saved_lines(saved, "patient")
    assert line.endswith("by transfer with 41 [beyond the curve, beyond the curve]")


def test_the_gain_and_the_verdict_of_each_share(points, cases):
    few, every = judge(points, cases)["learning_curve"]["points"]
    assert every["gain"][STRATEGY]["verdict"] == "no difference shown"
    assert few["gain"]["frozen"]["verdict"] == "harms"
    assert few["gain"][STRATEGY] == {
        "value": 0.5,
        "low": 0.5,
        "high": 0.5,
        "left_out": 0,
        "p": round(2 / 201, 6),
        "draw_sd": 0,
        "verdict": "helps",
    }
    assert few["gain"]["frozen"]["value"] == -0.5
    assert (few["patients"], few["lesions"]) == (4.5, 8)


def test_the_saved_labels_of_a_transfer_that_reaches_the_goal_at_once(points, cases):
    assert judge(points, cases)["learning_curve"]["labels_saved"] == {
        "of": 40.5,
        "reached": "at the smallest share",
        "needed": {"value": 4.5, "low": 4.5, "high": 4.5},
        "saved": {"value": 36, "low": 36, "high": 36},
    }


def test_a_transfer_that_ranks_no_pair_correctly_harms_and_saves_no_labels(points, cases):
    harmful = []
    for point in points:
        wrong = point.probabilities | {STRATEGY: point.probabilities["frozen"]}
        harmful.append(replace(point, probabilities=wrong))
    block = judge(harmful, cases)
    curve = block["learning_curve"]
    assert verdicts_on_transfer(curve) == ["harms", "harms"]
    assert curve["labels_saved"]["needed"] == {"value": None, "low": None, "high": None}
    assert list(curve_lines(block))[-1].endswith("is not reached by transfer")


def test_everything_is_undefined_if_the_test_part_lacks_a_class(points, cases):
    rows = cases.rows.assign(label="benign")
    healthy = Cases.of(rows, CLASSES, 200, generator(0, "bootstrap"))
    block = judge(points, healthy)
    assert verdicts_on_transfer(block["learning_curve"]) == ["not defined"] * 2
    assert block["learning_curve"]["labels_saved"]["reached"] == "not defined"
    assert len(list(curve_lines(block))) == 2
    assert "NaN" not in json.dumps(block)


def test_lesions_are_counted_if_the_patients_are_unknown(points, cases):
    block = judge(points, cases)
    for point in block["learning_curve"]["points"]:
        point["patients"] = None
    first, _, saved = curve_lines(block, "lesion")
    assert first.startswith("10% of the labels, 8 lesions: AUROC ")
    assert "40 labelled lesions" in saved
    assert curve_table(block)["patients"].tolist() == [8] * 3 + [80] * 3


def test_the_table_for_plots_has_a_row_for_each_share_and_arm(points, cases):
    table = curve_table(judge(points, cases))
    assert list(table) == list(learning_curve.COLUMNS)
    expected = [[share, arm] for share in (0.1, 1.0) for arm in ARMS]
    assert table[["share", "model"]].to_numpy().tolist() == expected


def table_of(points):
    """The table that the repeated trainings write, with the largest share first."""
    tables = []
    for point in reversed(points):
        for arm, draws in point.probabilities.items():
            for draw, probabilities in enumerate(draws):
                table = pd.DataFrame(probabilities, columns=probability_columns(CLASSES))
                table["share"] = point.share
                table["draw"] = draw + 1
                table["arm"] = arm
                table["patients"] = point.patients[draw]
                table["lesions"] = point.lesions[draw]
                table["sample"] = np.arange(100, 140)
                tables.append(table)
    return pd.concat(tables, ignore_index=True)


def test_written_points_are_read_again_with_rising_shares(points, tmp_path):
    write_sealed_table(tmp_path / "curve.csv", table_of(points))
    found = read_points(tmp_path / "curve.csv", CLASSES, range(100, 140), STRATEGY)
    for mine, theirs in zip(found, points, strict=True):
        assert (mine.share, mine.patients, mine.lesions) == (
            theirs.share,
            theirs.patients,
            theirs.lesions,
        )
        assert list(mine.probabilities) == list(theirs.probabilities)
        for arm in ARMS:
            expected = np.round(theirs.probabilities[arm], DECIMALS)
            assert np.array_equal(mine.probabilities[arm], expected)


def test_any_strategy_may_be_an_arm_after_scratch_and_that_of_transfer(points, cases, tmp_path):
    table = table_of(points)
    others = table[table["arm"] == "frozen"].assign(arm="wise-ft")
    write_sealed_table(tmp_path / "curve.csv", pd.concat([others, table], ignore_index=True))
    found = read_points(tmp_path / "curve.csv", CLASSES, range(100, 140), STRATEGY)
    assert list(found[0].probabilities) == ["scratch", STRATEGY, "wise-ft", "frozen"]
    curve = judge(found, cases)["learning_curve"]
    assert curve["strategy"] == STRATEGY
    assert curve["points"][0]["gain"]["wise-ft"] == curve["points"][0]["gain"]["frozen"]


def test_a_curve_without_the_strategy_of_transfer_is_refused(points, tmp_path):
    write_sealed_table(tmp_path / "curve.csv", table_of(points))
    with pytest.raises(InputError, match=r"lacks draw 1 of delta, expected the draws \[1, 2\] of "):
        read_points(tmp_path / "curve.csv", CLASSES, range(100, 140), "delta")


def test_predictions_of_other_samples_than_the_test_part_raise_an_error(points, tmp_path):
    write_sealed_table(tmp_path / "curve.csv", table_of(points))
    with pytest.raises(InputError, match="scratch, share 0.1, draw 1 has other samples"):
        read_points(tmp_path / "curve.csv", CLASSES, range(40), STRATEGY)


def test_without_trainings_there_are_no_points_and_no_block(cases, tmp_path):
    write_sealed_table(tmp_path / "curve.csv", empty_table(CLASSES))
    points = read_points(tmp_path / "curve.csv", CLASSES, range(40), STRATEGY)
    assert points == []
    block = judge(points, cases)
    assert block == {"learning_curve": None}
    assert list(curve_lines(block)) == []
    assert curve_table(block).empty


def test_the_schema_allows_none_and_no_unknown_keys():
    check_schema({"learning_curve": None}, learning_curve.SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        check_schema({"learning_curve": None, "more": 1}, learning_curve.SCHEMA)


def test_a_changed_table_is_refused(points, tmp_path):
    path = tmp_path / "curve.csv"
    write_sealed_table(path, table_of(points))
    path.write_text(path.read_text().replace("scratch", "frozen"))
    with pytest.raises(InputError, match=f"^{path}: was changed after it was written"):
        read_points(path, CLASSES, range(100, 140), STRATEGY)


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_that_lacks_a_draw_is_noticed(points, tmp_path, arm):
    table = table_of(points)
    lost = (table["arm"] == arm) & (table["draw"] == 1) & (table["share"] == 1)
    write_sealed_table(tmp_path / "curve.csv", table[~lost])
    with pytest.raises(InputError, match=f"curve.csv: share 1 lacks draw 1 of {arm}, expected"):
        read_points(tmp_path / "curve.csv", CLASSES, range(100, 140), STRATEGY)


@pytest.mark.parametrize("change", ["a row twice", "a row less"])
def test_each_training_has_each_sample_once(points, tmp_path, change):
    table = table_of(points)
    table = pd.concat([table[:1], table]) if change == "a row twice" else table[1:]
    write_sealed_table(tmp_path / "curve.csv", table)
    with pytest.raises(InputError, match="curve.csv: .* has other samples than the test part"):
        read_points(tmp_path / "curve.csv", CLASSES, range(100, 140), STRATEGY)
