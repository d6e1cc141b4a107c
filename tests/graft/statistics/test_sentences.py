"""Sentences of the printed summary and of the report."""

from copy import deepcopy

import pytest

from graft.statistics.sentences import below_size_alone, labels_used
from tests.run_metrics import metrics_document

METRICS = metrics_document(["benign", "malignant"])


def test_a_validation_part_is_counted_beside_the_training_part():
    assert labels_used(METRICS) == (
        "Labels of liver: 42 patients (65 lesions) to train on; 20 patients (36 lesions) more to "
        "decide when training stops, to set thresholds and to choose the model."
    )


@pytest.mark.parametrize(
    ("patients", "trained", "noun"),
    [(1, "1 patient (1 lesion)", "patients"), (None, "1 lesion", "lesions")],
)
def test_folds_need_no_further_patients(patients, trained, noun):
    metrics = deepcopy(METRICS)
    metrics["target"]["counts"]["train"] = {"patients": patients, "lesions": 1}
    metrics["validated"] = {"by": "folds", "folds": 5, "patients": patients, "lesions": 1}
    sentence = labels_used(metrics)
    assert (
        f"Labels of liver: {trained} to train on, and none more: training stops after" in sentence
    )
    assert f"the same {noun} by networks that were trained without them, in 5 folds." in sentence
    metrics["checks"].append({"name": "self-supervision"})  # which saw the images of all folds
    assert "by networks that were trained without their labels, in 5 folds." in labels_used(metrics)


def with_size_alone(auroc: float | None, gap: dict | None = None) -> dict:
    metrics = deepcopy(METRICS)
    metrics["baselines"]["size_alone"]["test"]["auroc"]["value"] = auroc
    metrics["target"]["gain_over_size"]["test"] = gap
    return metrics


def test_a_model_that_is_worse_than_lesion_size():
    gap = {"value": -0.055, "low": -0.15, "high": 0.04}
    assert below_size_alone(with_size_alone(0.86, gap)) == (
        "The chosen model, bagging, scores below size alone on the test part: its AUROC is 0.805, "
        "and that of the size of the lesion 0.860 (difference -0.055 [-0.150, +0.040])."
    )


@pytest.mark.parametrize("auroc", [0.805, 0.5, None])
def test_a_model_that_is_not_worse_than_lesion_size(auroc):
    assert below_size_alone(with_size_alone(auroc)) == ""
