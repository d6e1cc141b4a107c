"""Judging models: thresholds, pairing, and what is not defined."""

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


def cases(labels, purpose="test", resamples=200):
    patients = [f"p{i // 2}" for i in range(len(labels))]
    rows = pd.DataFrame(
        {"sample": range(len(labels)), "patient": patients, "label": np.array(CLASSES)[labels]}
    )
    return Cases.of(rows, CLASSES, resamples, generator(0, purpose))


def model(labels, noise, seed):
    disease = np.clip(
        0.3 + 0.4 * labels + np.random.default_rng(seed).normal(0, noise, len(labels)), 0, 1
    )
    return np.stack([1 - disease, disease], axis=1)


LABELS = np.arange(60) // 2 % 2


def test_codes_follow_the_order_of_the_classes():
    assert class_codes(pd.DataFrame({"label": ["b", "a", "c"]}), ["a", "b", "c"]).tolist() == [
        1,
        0,
        2,
    ]


def test_the_gain_of_a_model_over_itself_is_exactly_0_with_p_1():
    judged = [score_model(cases(LABELS), model(LABELS, 0.4, 1), 0.5) for _ in range(2)]
    assert gain(*judged, 0.95) == {"value": 0, "low": 0, "high": 0, "p": 1, "left_out": 0}


def test_a_gain_changes_its_sign_with_the_sides():
    one, other = (score_model(cases(LABELS), model(LABELS, noise, 2), 0.5) for noise in (0.2, 0.6))
    forth, back = gain(one, other, 0.95), gain(other, one, 0.95)
    assert forth["value"] > 0 and forth["p"] == back["p"]
    assert (forth["value"], forth["low"], forth["high"]) == pytest.approx(
        (-back["value"], -back["high"], -back["low"])
    )


def test_p_and_the_interval_of_a_gain_agree():
    seen = set()
    for seed in range(40):
        one, other = (
            score_model(cases(LABELS), model(LABELS, noise, 2 * seed + (noise > 0.4)), 0.5)
            for noise in (0.4, 0.6)
        )
        found = gain(one, other, 0.95)
        seen.add(found["p"] < 0.05)
        assert (found["p"] < 0.05) == (not found["low"] <= 0 <= found["high"])
    assert seen == {True, False}


def test_the_interval_of_an_auroc_near_1_reaches_further_down_than_the_percentiles():
    judged = score_model(cases(LABELS), model(LABELS, 0.25, 9), 0.5)
    low, high, _ = interval(judged.resampled["auroc"], 0.95)
    found = estimates(judged, 0.95)["auroc"]
    assert found["value"] > 0.8 and found["low"] < low and found["high"] <= high
    assert judged.jackknifed["auroc"].shape == (30,)


def test_pairing_narrows_the_gain_of_models_that_agree():
    probabilities = model(LABELS, 0.4, 3)
    nearly = np.clip(
        probabilities + np.random.default_rng(4).normal(0, 0.01, probabilities.shape), 0, 1
    )
    one, other = (
        score_model(cases(LABELS), probabilities, 0.5),
        score_model(cases(LABELS), nearly, 0.5),
    )
    paired, alone = gain(one, other, 0.95), estimates(one, 0.95)["auroc"]
    assert paired["high"] - paired["low"] < (alone["high"] - alone["low"]) / 3


def test_the_interval_holds_the_value():
    for name, found in estimates(
        score_model(cases(LABELS), model(LABELS, 0.4, 5), 0.5), 0.95
    ).items():
        assert name == "ece" or found["low"] <= found["value"] <= found["high"]


def test_the_threshold_comes_from_the_validation_part_alone():
    parts = {part: cases(LABELS, part) for part in ("validation", "test")}
    validation, test = model(LABELS, 0.1, 6), model(LABELS, 0.1, 7)
    found = assess(parts, {"validation": validation, "test": test})
    moved = assess(parts, {"validation": validation, "test": test[:, ::-1]})
    assert (
        found.threshold
        == moved.threshold
        != assess(parts, {"validation": validation / 2, "test": test}).threshold
    )
    assert moved.parts["test"].point["sensitivity"] < 0.5 < found.parts["test"].point["sensitivity"]


def test_a_part_with_one_class_has_no_auroc_and_says_how_many_resamples_were_left_out():
    judged = score_model(cases(np.zeros(10, int)), model(np.zeros(10, int), 0.2, 8), 0.5)
    found = estimates(judged, 0.95)
    assert np.isnan([found["auroc"][name] for name in ("value", "low", "high")]).all()
    assert found["auroc"]["left_out"] == 200 and found["accuracy"]["left_out"] == 0
    assert np.isnan(gain(judged, judged, 0.95)["p"])


def test_confusion_and_the_classes_by_hand():
    disease = np.array([0.1, 0.8, 0.9, 0.2, 0.7])
    probabilities = np.stack([1 - disease, disease], axis=1)
    matrix = count_calls(np.array([0, 0, 1, 1, 1]), probabilities, 0.5)
    assert matrix.tolist() == [[1, 1], [1, 2]]
    assert scores_by_class(matrix, CLASSES)["benign"] == pytest.approx(
        {"recall": 1 / 2, "specificity": 2 / 3, "precision": 1 / 2, "f1": 1 / 2}
    )
