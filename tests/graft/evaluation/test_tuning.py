"""Calibrators and operating points use the validation part alone and change the scores."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from graft.common.seeds import generator
from graft.evaluation.settings import Evaluate
from graft.evaluation.tuning import (
    Tuned,
    calibration_entry,
    operating_points_entry,
    tune,
)
from graft.statistics.cases import Cases, assess, estimates

CLASSES = ["benign", "malignant"]
SETTINGS = Evaluate(
    resamples=200,
    confidence=0.9,
    margin=0.05,
    sensitivity=0.9,
    specificity=0.8,
)
NUMBERS = {"validation": range(100, 160), "test": range(60)}


def cases(part, labels) -> Cases:
    rows = pd.DataFrame(
        {
            "sample": NUMBERS[part],
            "patient": [f"p{i // 2}" for i in range(60)],
            "label": np.array(CLASSES)[labels],
        }
    )
    return Cases.of(rows, CLASSES, 200 if part == "test" else 0, generator(0, part))


LABELS = np.arange(60) // 2 % 2
PARTS = {part: cases(part, LABELS) for part in NUMBERS}


def overconfident(seed):
    """Right about two times of three, and nearly certain each time."""
    logit = 4 * (LABELS - 0.5) + np.random.default_rng(seed).normal(0, 6, 60)
    disease = 1 / (1 + np.exp(-logit))
    return np.stack([1 - disease, disease], axis=1)


@pytest.fixture(scope="module")
def tuned() -> tuple[Tuned, object]:
    model = assess(PARTS, {"validation": overconfident(1), "test": overconfident(2)})
    return tune(model, PARTS, SETTINGS), model


def test_everything_says_that_it_was_fitted_on_the_validation_part(tuned):
    validation = tuple(NUMBERS["validation"])
    names = {"temperature", "isotonic", "sensitivity", "specificity"}
    assert (
        tuned[0].fitted_on == dict.fromkeys(names, validation) and tuned[1].fitted_on == validation
    )


def test_the_test_part_changes_nothing_that_is_tuned(tuned):
    other = {**PARTS, "test": cases("test", 1 - LABELS)}
    again = tune(
        assess(other, {"validation": overconfident(1), "test": overconfident(3)}), other, SETTINGS
    )
    assert again.points == tuned[0].points and again.temperature == tuned[0].temperature
    for one, two in zip(again.isotonic.knots[0], tuned[0].isotonic.knots[0], strict=True):
        assert (one == two).all()


def test_a_model_that_is_too_sure_is_calibrated(tuned):
    described = calibration_entry(*tuned, PARTS, 0.9)
    found = described["parts"]["test"]
    assert described["temperature"] > 1.5 and described["parts"]["external"] is None
    for after in ("temperature", "isotonic"):
        for name in ("log_loss", "brier", "ece"):
            assert found[after][name]["value"] < found["before"][name]["value"]


def test_before_is_what_the_model_scores_and_after_is_what_scikit_learn_says(tuned):
    found = calibration_entry(*tuned, PARTS, 0.9)["parts"]["test"]
    judged = estimates(tuned[1].parts["test"], 0.9)
    assert found["before"] == {name: judged[name] for name in found["before"]}
    after = tuned[0].calibrated(overconfident(2).round(8))["temperature"]
    assert found["temperature"]["log_loss"]["value"] == pytest.approx(log_loss(LABELS, after))
    assert (
        found["temperature"]["log_loss"]["low"]
        < log_loss(LABELS, after)
        < found["temperature"]["log_loss"]["high"]
    )


def test_what_an_operating_point_gives_can_be_counted(tuned):
    points = operating_points_entry(*tuned, PARTS, 0.9)
    for name, wanted in (("sensitivity", 0.9), ("specificity", 0.8)):
        point = points[name]
        assert point["wanted"] == wanted <= point["validation"][name] and point["external"] is None
        called = tuned[1].probabilities["test"][:, 1] >= point["threshold"]
        counted = {
            "sensitivity": called[LABELS == 1].mean(),
            "specificity": (~called[LABELS == 0]).mean(),
            "precision": LABELS[called].mean(),
        }
        assert {kind: found["value"] for kind, found in point["test"].items()} == pytest.approx(
            counted
        )
        for found in point["test"].values():
            assert found["low"] <= found["value"] <= found["high"]
    assert points["sensitivity"]["threshold"] < points["specificity"]["threshold"]


def test_a_point_that_cannot_be_reached_is_null():
    certain = np.tile([0.0, 1.0], (60, 1))
    found = assess(PARTS, {"validation": certain, "test": certain})
    points = operating_points_entry(tune(found, PARTS, SETTINGS), found, PARTS, 0.9)
    assert (
        points["specificity"] is None and points["sensitivity"]["test"]["sensitivity"]["value"] == 1
    )
