"""Assessing models: thresholds, pairing, and undefined scores."""

import numpy as np
import pandas as pd
import pytest

from graft.common.seeds import generator
from graft.statistics.bootstrap import interval
from graft.statistics.cases import (
    Cases,
    assess,
    class_codes,
    count_calls,
    estimates,
    gain,
    score_model,
    scores_by_class,
)

CLASSES = ["benign", "malignant"]


# Patients alternate between the classes and have two lesions each.
LABELS = np.arange(60) // 2 % 2


def make_cases(labels, purpose="test", resamples=200):
    rows = pd.DataFrame(
        {
            "sample": range(len(labels)),
            "patient": [f"p{i // 2}" for i in range(len(labels))],
            "label": np.array(CLASSES)[labels],
        }
    )
    return Cases.of(rows, CLASSES, resamples, generator(0, purpose))


def noisy_probabilities(labels, deviation, seed):
    noise = np.random.default_rng(seed).normal(0, deviation, len(labels))
    disease = np.clip(0.3 + 0.4 * labels + noise, 0, 1)
    return np.stack([1 - disease, disease], axis=1)


def scored(deviation, seed):
    probabilities = noisy_probabilities(LABELS, deviation, seed)
    return score_model(make_cases(LABELS), probabilities, 0.5)


def test_codes_follow_the_order_of_the_classes():
    rows = pd.DataFrame({"label": ["b", "a", "c"]})
    codes = class_codes(rows, ["a", "b", "c"])
    assert codes.tolist() == [1, 0, 2]


def test_the_gain_of_a_model_over_itself_is_exactly_0_with_p_1():
    found = gain(scored(0.4, seed=1), scored(0.4, seed=1), 0.95)
    assert found == {"value": 0, "low": 0, "high": 0, "p": 1, "left_out": 0}


def test_exchanging_the_models_changes_the_sign_of_the_gain():
    good = scored(0.2, seed=2)
    poor = scored(0.6, seed=2)
    forward = gain(good, poor, 0.95)
    backward = gain(poor, good, 0.95)
    assert forward["value"] > 0
    assert forward["p"] == backward["p"]
    assert forward["value"] == pytest.approx(-backward["value"])
    assert forward["low"] == pytest.approx(-backward["high"])
    assert forward["high"] == pytest.approx(-backward["low"])


def test_p_and_the_interval_of_a_gain_agree():
    seen = set()
    for seed in range(40):
        one = scored(0.4, 2 * seed)
        other = scored(0.6, 2 * seed + 1)
        found = gain(one, other, 0.95)
        is_significant = found["p"] < 0.05
        includes_0 = found["low"] <= 0 <= found["high"]
        assert is_significant == (not includes_0)
        seen.add(is_significant)
    assert seen == {True, False}


def test_the_interval_of_an_auroc_near_1_extends_further_down_than_the_percentiles():
    model = scored(0.25, seed=9)
    percentile_low, percentile_high, _ = interval(model.resampled["auroc"], 0.95)
    found = estimates(model, 0.95)["auroc"]
    assert found["value"] > 0.8
    assert found["low"] < percentile_low
    assert found["high"] <= percentile_high
    assert model.jackknifed["auroc"].shape == (30,)


def test_pairing_narrows_the_gain_of_models_that_agree():
    probabilities = noisy_probabilities(LABELS, 0.4, seed=3)
    difference = np.random.default_rng(4).normal(0, 0.01, probabilities.shape)
    similar = np.clip(probabilities + difference, 0, 1)
    one = score_model(make_cases(LABELS), probabilities, 0.5)
    other = score_model(make_cases(LABELS), similar, 0.5)
    of_the_gain = gain(one, other, 0.95)
    of_one_model = estimates(one, 0.95)["auroc"]
    width_of_gain = of_the_gain["high"] - of_the_gain["low"]
    width_of_one = of_one_model["high"] - of_one_model["low"]
    assert width_of_gain < width_of_one / 3


def test_each_interval_contains_its_value_and_the_calibration_error_has_none():
    model = scored(0.4, seed=5)
    found = estimates(model, 0.95)
    assert found.pop("ece") == {"value": model.point["ece"]}
    for estimate in found.values():
        assert estimate["low"] <= estimate["value"] <= estimate["high"]


def test_the_threshold_depends_on_the_validation_part_only():
    parts = {"validation": make_cases(LABELS, "validation"), "test": make_cases(LABELS, "test")}
    validation = noisy_probabilities(LABELS, 0.1, seed=6)
    test = noisy_probabilities(LABELS, 0.1, seed=7)
    exchanged = test[:, ::-1]
    found = assess(parts, {"validation": validation, "test": test})
    other_test = assess(parts, {"validation": validation, "test": exchanged})
    other_validation = assess(parts, {"validation": validation / 2, "test": test})
    assert other_test.threshold == found.threshold
    assert other_validation.threshold != found.threshold
    assert found.parts["test"].point["sensitivity"] > 0.5
    assert other_test.parts["test"].point["sensitivity"] < 0.5


def test_a_part_with_one_class_has_no_auroc_and_counts_the_resamples_left_out():
    healthy = np.zeros(10, int)
    probabilities = noisy_probabilities(healthy, 0.2, seed=8)
    model = score_model(make_cases(healthy), probabilities, 0.5)
    found = estimates(model, 0.95)
    assert np.isnan(found["auroc"]["value"])
    assert np.isnan(found["auroc"]["low"])
    assert np.isnan(found["auroc"]["high"])
    assert found["auroc"]["left_out"] == 200
    assert found["accuracy"]["left_out"] == 0
    assert np.isnan(gain(model, model, 0.95)["p"])


def test_confusion_and_scores_by_class_by_hand():
    disease = np.array([0.1, 0.8, 0.9, 0.2, 0.7])
    probabilities = np.stack([1 - disease, disease], axis=1)
    labels = np.array([0, 0, 1, 1, 1])
    matrix = count_calls(labels, probabilities, 0.5)
    # One of two benign lesions and two of three malignant ones are called correctly.
    assert matrix.tolist() == [[1, 1], [1, 2]]
    benign = scores_by_class(matrix, CLASSES)["benign"]
    expected = {"recall": 1 / 2, "specificity": 2 / 3, "precision": 1 / 2, "f1": 1 / 2}
    assert benign == pytest.approx(expected)
