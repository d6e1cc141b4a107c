"""The tables behind the plots, by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from graft.statistics.curves import calibration, confusion_table, decision, precision_recall, roc

LABELS = np.array([0, 0, 1, 1, 1])
DISEASE = np.array([0.1, 0.6, 0.4, 0.6, 0.9])
PROBABILITIES = np.stack([1 - DISEASE, DISEASE], axis=1)


def test_roc_by_hand():
    table = roc(LABELS, PROBABILITIES)
    assert table["fpr"].tolist() == [0, 0, 0.5, 0.5, 1]
    assert table["tpr"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1, 1], abs=1e-6)
    assert table["threshold"].tolist()[1:] == [0.9, 0.6, 0.4, 0.1] and np.isnan(
        table["threshold"][0]
    )


def test_roc_agrees_with_scikit_learn():
    fpr, tpr, _ = metrics.roc_curve(LABELS, DISEASE, drop_intermediate=False)
    assert np.allclose(
        roc(LABELS, PROBABILITIES)[["fpr", "tpr"]], np.stack([fpr, tpr], axis=1), atol=1e-6
    )


def test_area_under_the_table_is_the_auroc():
    table = roc(LABELS, PROBABILITIES)
    assert np.trapezoid(table["tpr"], table["fpr"]) == pytest.approx(4.5 / 6, abs=1e-6)


def test_precision_recall_agrees_with_scikit_learn():
    precision, recall, threshold = metrics.precision_recall_curve(LABELS, DISEASE)
    table = precision_recall(LABELS, PROBABILITIES)
    assert np.allclose(
        table, np.stack([threshold, recall[:-1], precision[:-1]], axis=1)[::-1], atol=1e-6
    )


def test_calibration_by_hand():
    table = calibration(LABELS, PROBABILITIES, np.array([0, 1, 2, 1, 3]), 0.95)
    assert table["bin"].tolist() == [1, 4, 6, 9] and table["cases"].tolist() == [1, 1, 2, 1]
    assert table["predicted"].tolist() == [0.1, 0.4, 0.6, 0.9] and table["observed"].tolist() == [
        0,
        1,
        0.5,
        1,
    ]
    z2 = 1.959964**2
    low, half = (
        1 / (1 + z2),
        np.sqrt(z2 / (1 + z2)) / 2,
    )  # the two at 0.6 are of one patient and count as one
    assert table["low"].tolist() == pytest.approx([0, low, 0.5 - half, low], abs=2e-6)
    assert table["high"].tolist() == pytest.approx([1 - low, 1, 0.5 + half, 1], abs=2e-6)


def test_net_benefit_by_hand():
    table = decision(LABELS, PROBABILITIES).set_index("threshold")["net_benefit"]
    assert len(table) == 99
    assert table[0.5] == pytest.approx(
        2 / 5 - 1 / 5
    )  # 0.6 and 0.9 found, the healthy 0.6 called too, which weighs 1
    assert table[0.2] == pytest.approx(3 / 5 - 1 / 5 * 0.25) and table[0.6] == pytest.approx(
        2 / 5 - 1 / 5 * 1.5
    )
    assert table[0.95] == 0  # no case is called


def test_net_benefit_of_calling_everybody_and_nobody():
    everybody, nobody = (
        decision(LABELS, np.full((5, 2), said))["net_benefit"] for said in (1.0, 0.0)
    )
    thresholds = np.arange(1, 100) / 100
    assert (
        np.allclose(everybody, 3 / 5 - 2 / 5 * thresholds / (1 - thresholds), atol=1e-6)
        and (nobody == 0).all()
    )


def test_confusion_by_hand():
    table = confusion_table(np.array([[5, 1], [2, 7]]), ["benign", "malignant"])
    assert table.to_numpy().tolist() == [
        ["benign", "benign", 5],
        ["benign", "malignant", 1],
        ["malignant", "benign", 2],
        ["malignant", "malignant", 7],
    ]


def test_three_classes_hold_the_last_against_the_rest():
    probabilities = np.array([[0.7, 0.1, 0.2], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    table = roc(np.array([0, 1, 2]), probabilities)
    assert table["fpr"].tolist() == [0, 0, 0.5, 1] and table["tpr"].tolist() == [0, 1, 1, 1]


def test_one_class_has_no_curve_but_its_columns():
    assert (
        roc(LABELS[:2], PROBABILITIES[:2]).empty
        and precision_recall(LABELS[2:], PROBABILITIES[2:]).empty
    )
    assert list(roc(LABELS[:2], PROBABILITIES[:2])) == ["threshold", "fpr", "tpr"]
