"""Labels saved and verdicts, by hand."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pytest

from graft.common import documents
from graft.common.seeds import generator
from graft.evaluation import learning_curve
from graft.evaluation.learning_curve import assemble, labels_saved, lines, needed, table
from graft.repeated.learning_curve import Point
from graft.statistics.cases import Cases
from graft.statistics.repeated_auroc import Areas

PATIENTS = np.array([10.0, 40.0, 160.0])


def test_needed_lies_on_the_line_over_the_logarithm_of_the_patients():
    areas = np.array([[0.5, 0.8, 0.5, 0.6], [0.7, 0.7, 0.6, 0.8], [0.8, 0.9, 0.7, 0.7]])
    goal = np.array([0.6, 0.75, 0.9, 0.7])
    # half way from 10 to 40: √(10 · 40); already at the first; never; the first crossing counts, not the fall after
    assert needed(PATIENTS, areas, goal) == pytest.approx([20, 10, np.inf, 20])
    assert np.isnan(needed(PATIENTS, areas[:, :1], np.array([np.nan]))).all()
    assert needed(PATIENTS[:1], areas[:1], goal) == pytest.approx([np.inf, 10, np.inf, np.inf])


def areas(value, *resampled):
    return Areas(np.array([value]), np.array(resampled))


def test_labels_saved_by_hand():
    scratch = areas(0.7, 0.7, 0.7, 0.7, 0.7)
    transfer = [areas(0.6, 0.7, 0.6, 0.6, 0.5), areas(0.8, 0.8, 0.8, 0.8, 0.6)]
    saved = labels_saved(np.array([10.0, 40.0]), scratch, transfer, 0.9)
    assert saved["reached"] == "between shares" and saved["of"] == 40
    assert saved["needed"] == pytest.approx(
        {"value": 20, "low": 10, "high": np.nan}, nan_ok=True
    )  # never in the last
    assert saved["saved"] == pytest.approx({"value": 20, "low": np.nan, "high": 30}, nan_ok=True)


@pytest.mark.parametrize(
    ("first", "reached", "value"),
    [(0.9, "at the smallest share", 10), (0.2, "never", np.nan), (np.nan, "not defined", np.nan)],
)
def test_beyond_the_ends_of_the_curve(first, reached, value):
    scratch = areas(0.7 if reached != "not defined" else np.nan, 0.7)
    saved = labels_saved(
        np.array([10.0, 40.0]), scratch, [areas(first, first), areas(first, first)], 0.95
    )
    assert saved["reached"] == reached
    assert saved["needed"]["value"] == pytest.approx(value, nan_ok=True)


@pytest.fixture
def points():
    """Two shares, two draws, 40 test patients: transfer ranks rightly, scratch at the larger share, frozen wrongly."""
    labels = np.arange(40) % 2
    rows = pd.DataFrame(
        {
            "patient": [f"p{i}" for i in range(40)],
            "label": np.array(["benign", "malignant"])[labels],
        }
    )
    right = np.stack([1 - labels, labels], 1) * 0.8 + 0.1
    half = np.full((40, 2), 0.5)
    said = [
        {"scratch": scratch, "transfer": right, "frozen": 1 - right} for scratch in (half, right)
    ]
    found = [
        Point(
            share,
            [count, count + 1],
            [2 * count] * 2,
            {arm: [each, each] for arm, each in arms.items()},
        )
        for share, count, arms in zip([0.1, 1.0], [4, 40], said, strict=True)
    ]
    return found, Cases.of(rows, ["benign", "malignant"], 200, generator(0, "bootstrap"))


def test_the_verdict_follows_from_the_interval(points):
    found, cases = points
    block = assemble(found, cases, 0.95, generator(0, "draws"))
    few, all_ = block["learning_curve"]["points"]
    assert (few["verdict"], all_["verdict"]) == ("helps", "no difference shown")
    gain = {
        "value": 0.5,
        "low": 0.5,
        "high": 0.5,
        "left_out": 0,
        "p": round(2 / 201, 6),
        "draw_sd": 0,
    }
    assert few["gain"]["transfer"] == gain
    assert few["gain"]["frozen"]["value"] == -0.5 and few["patients"] == 4.5 and few["lesions"] == 8
    assert block["learning_curve"]["labels_saved"] == {
        "of": 40.5,
        "reached": "at the smallest share",
        "needed": {"value": 4.5, "low": 4.5, "high": 4.5},
        "saved": {"value": 36, "low": 36, "high": 36},
    }
    found = [
        replace(
            point, probabilities=point.probabilities | {"transfer": point.probabilities["frozen"]}
        )
        for point in found
    ]
    worse = assemble(found, cases, 0.95, generator(0, "draws"))["learning_curve"]
    assert [point["verdict"] for point in worse["points"]] == ["harms", "harms"]
    assert worse["labels_saved"]["needed"] == {"value": None, "low": None, "high": None}
    assert "transfer never does" in list(lines({"learning_curve": worse}))[-1]


def test_a_class_that_is_missing_from_the_test_leaves_everything_undefined(points):
    found, cases = points
    rows = cases.rows.assign(label="benign")
    cases = Cases.of(rows, ["benign", "malignant"], 200, generator(0, "bootstrap"))
    block = assemble(found, cases, 0.95, generator(0, "draws"))
    assert {point["verdict"] for point in block["learning_curve"]["points"]} == {"not defined"}
    assert block["learning_curve"]["labels_saved"]["reached"] == "not defined"
    assert len(list(lines(block))) == 2
    json.dumps(block, allow_nan=False)


def test_the_table_has_a_row_for_each_share_and_arm(points):
    made = table(assemble(*points, 0.95, generator(0, "draws")))
    assert list(made.columns) == list(learning_curve.COLUMNS)
    rows = [[share, arm] for share in (0.1, 1.0) for arm in ("scratch", "transfer", "frozen")]
    assert made[["share", "model"]].values.tolist() == rows


def test_the_schema_takes_none_and_refuses_what_it_does_not_know():
    documents.check_schema({"learning_curve": None}, learning_curve.SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        documents.check_schema({"learning_curve": None, "more": 1}, learning_curve.SCHEMA)
