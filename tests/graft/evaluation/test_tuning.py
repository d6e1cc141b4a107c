"""Calibrators and operating points are fitted on the validation part and change the scores."""

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
from graft.statistics.cases import Assessment, Cases, assess, estimates

CLASSES = ["benign", "malignant"]
SETTINGS = Evaluate(
    resamples=200,
    confidence=0.9,
    margin=0.05,
    sensitivity=0.9,
    specificity=0.8,
    miscoverage=0.1,
)
SAMPLES = {"validation": range(100, 160), "test": range(60)}
# Patients alternate between the classes and have two lesions each.
LABELS = np.arange(60) // 2 % 2


def make_cases(part, labels) -> Cases:
    rows = pd.DataFrame(
        {
            "sample": SAMPLES[part],
            "patient": [f"p{i // 2}" for i in range(60)],
            "label": np.array(CLASSES)[labels],
        }
    )
    resamples = 200 if part == "test" else 0
    return Cases.of(rows, CLASSES, resamples, generator(0, part))


PARTS = {"validation": make_cases("validation", LABELS), "test": make_cases("test", LABELS)}


def overconfident(seed):
    """Probabilities near 0 and 1 that are right about two times of three."""
    noise = np.random.default_rng(seed).normal(0, 6, 60)
    logit = 4 * (LABELS - 0.5) + noise
    disease = 1 / (1 + np.exp(-logit))
    return np.stack([1 - disease, disease], axis=1)


VALIDATION = overconfident(1)
TEST = overconfident(2)


@pytest.fixture(scope="module")
def model() -> Assessment:
    return assess(PARTS, {"validation": VALIDATION, "test": TEST})


@pytest.fixture(scope="module")
def tuned(model) -> Tuned:
    return tune(model, PARTS, SETTINGS)


def test_everything_is_fitted_on_the_validation_part(tuned, model):
    validation = tuple(SAMPLES["validation"])
    names = {"temperature", "isotonic", "sensitivity", "specificity"}
    assert tuned.fitted_on == dict.fromkeys(names, validation)
    assert model.fitted_on == validation


def test_nothing_that_is_tuned_depends_on_the_test_part(tuned):
    other_parts = {**PARTS, "test": make_cases("test", 1 - LABELS)}
    other_model = assess(other_parts, {"validation": VALIDATION, "test": overconfident(3)})
    again = tune(other_model, other_parts, SETTINGS)
    assert again.points == tuned.points
    assert again.temperature == tuned.temperature
    knots = zip(again.isotonic.knots[0], tuned.isotonic.knots[0], strict=True)
    for found, expected in knots:
        assert (found == expected).all()


def test_an_overconfident_model_is_calibrated(tuned, model):
    entry = calibration_entry(tuned, model, PARTS, 0.9)
    assert entry["temperature"] > 1.5
    assert entry["parts"]["external"] is None
    found = entry["parts"]["test"]
    for calibrator in ("temperature", "isotonic"):
        for score in ("log_loss", "brier", "ece"):
            before = found["before"][score]["value"]
            after = found[calibrator][score]["value"]
            assert after < before


def test_the_scores_before_calibration_are_those_of_the_model(tuned, model):
    found = calibration_entry(tuned, model, PARTS, 0.9)["parts"]["test"]
    expected = estimates(model.parts["test"], 0.9)
    for name, estimate in found["before"].items():
        assert estimate == expected[name]


def test_the_log_loss_after_calibration_is_that_of_scikit_learn(tuned, model):
    found = calibration_entry(tuned, model, PARTS, 0.9)["parts"]["test"]
    calibrated = tuned.calibrated(TEST.round(8))["temperature"]
    expected = log_loss(LABELS, calibrated)
    estimate = found["temperature"]["log_loss"]
    assert estimate["value"] == pytest.approx(expected)
    assert estimate["low"] < expected < estimate["high"]


@pytest.mark.parametrize(("name", "wanted"), (("sensitivity", 0.9), ("specificity", 0.8)))
def test_the_rates_at_an_operating_point_can_be_counted(tuned, model, name, wanted):
    point = operating_points_entry(tuned, model, PARTS, 0.9)[name]
    assert point["wanted"] == wanted
    assert point["validation"][name] >= wanted
    assert point["external"] is None
    called = model.probabilities["test"][:, 1] >= point["threshold"]
    counted = {
        "sensitivity": called[LABELS == 1].mean(),
        "specificity": (~called[LABELS == 0]).mean(),
        "precision": LABELS[called].mean(),
    }
    assert set(point["test"]) == set(counted)
    for rate, found in point["test"].items():
        assert found["value"] == pytest.approx(counted[rate])
        assert found["low"] <= found["value"] <= found["high"]


def test_the_point_of_the_sensitivity_has_the_lower_threshold(tuned, model):
    points = operating_points_entry(tuned, model, PARTS, 0.9)
    assert points["sensitivity"]["threshold"] < points["specificity"]["threshold"]


def test_a_point_that_cannot_be_reached_is_null():
    certain = np.tile([0.0, 1.0], (60, 1))
    model = assess(PARTS, {"validation": certain, "test": certain})
    tuned = tune(model, PARTS, SETTINGS)
    points = operating_points_entry(tuned, model, PARTS, 0.9)
    assert points["specificity"] is None
    assert points["sensitivity"]["test"]["sensitivity"]["value"] == 1
