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
    expected = [0, 1 / 3, 2 / 3, 1, 1]
    assert table["tpr"].tolist() == pytest.approx(expected, abs=1e-6)
    # At the first point, no case is called diseased and no threshold is defined.
    assert np.isnan(table["threshold"][0])
    assert table["threshold"].tolist()[1:] == [0.9, 0.6, 0.4, 0.1]


def test_roc_agrees_with_scikit_learn():
    fpr, tpr, _ = metrics.roc_curve(LABELS, DISEASE, drop_intermediate=False)
    table = roc(LABELS, PROBABILITIES)
    assert np.allclose(table["fpr"], fpr, atol=1e-6)
    assert np.allclose(table["tpr"], tpr, atol=1e-6)


def test_area_under_the_table_is_the_auroc():
    table = roc(LABELS, PROBABILITIES)
    area = np.trapezoid(table["tpr"], table["fpr"])
    # Of 2 · 3 pairs, 0.4 against 0.6 is lost and 0.6 against 0.6 counts half: 4.5 are won.
    assert area == pytest.approx(4.5 / 6, abs=1e-6)


def test_precision_recall_agrees_with_scikit_learn():
    precision, recall, threshold = metrics.precision_recall_curve(LABELS, DISEASE)
    table = precision_recall(LABELS, PROBABILITIES)
    # scikit-learn orders thresholds upwards and adds a last point without a threshold.
    columns = [threshold, recall[:-1], precision[:-1]]
    expected = np.stack(columns, axis=1)[::-1]
    assert np.allclose(table, expected, atol=1e-6)


def test_calibration_by_hand():
    patients = np.array([0, 1, 2, 1, 3])
    table = calibration(LABELS, PROBABILITIES, patients, 0.95)
    assert table["bin"].tolist() == [1, 4, 6, 9]
    assert table["cases"].tolist() == [1, 1, 2, 1]
    assert table["predicted"].tolist() == [0.1, 0.4, 0.6, 0.9]
    assert table["observed"].tolist() == [0, 1, 0.5, 1]
    # Wilson's interval for n = 1 patient: [0, z² / (1 + z²)] of 0 and [1 / (1 + z²), 1] of 1.
    # The two cases at 0.6 are of one patient and count as one.
    z_squared = 1.959964**2
    low = 1 / (1 + z_squared)
    half_width = np.sqrt(z_squared / (1 + z_squared)) / 2
    lows = [0, low, 0.5 - half_width, low]
    highs = [1 - low, 1, 0.5 + half_width, 1]
    assert table["low"].tolist() == pytest.approx(lows, abs=2e-6)
    assert table["high"].tolist() == pytest.approx(highs, abs=2e-6)


def test_net_benefit_by_hand():
    table = decision(LABELS, PROBABILITIES)
    net_benefit = table.set_index("threshold")["net_benefit"]
    assert len(net_benefit) == 99
    # 0.6 and 0.9 are found. The healthy 0.6 is called too, with the weight 0.5 / 0.5 = 1.
    assert net_benefit[0.5] == pytest.approx(2 / 5 - 1 / 5)
    # All diseased are found. The healthy 0.6 has the weight 0.2 / 0.8.
    assert net_benefit[0.2] == pytest.approx(3 / 5 - 1 / 5 * 0.25)
    # As at 0.5, with the weight 0.6 / 0.4.
    assert net_benefit[0.6] == pytest.approx(2 / 5 - 1 / 5 * 1.5)
    # Nobody is called.
    assert net_benefit[0.95] == 0


def test_net_benefit_of_calling_everybody():
    everybody = decision(LABELS, np.full((5, 2), 1.0))["net_benefit"]
    thresholds = np.arange(1, 100) / 100
    weights = thresholds / (1 - thresholds)
    assert np.allclose(everybody, 3 / 5 - 2 / 5 * weights, atol=1e-6)


def test_net_benefit_of_calling_nobody_is_0():
    nobody = decision(LABELS, np.full((5, 2), 0.0))["net_benefit"]
    assert (nobody == 0).all()


def test_confusion_by_hand():
    table = confusion_table(np.array([[5, 1], [2, 7]]), ["benign", "malignant"])
    assert table.to_numpy().tolist() == [
        ["benign", "benign", 5],
        ["benign", "malignant", 1],
        ["malignant", "benign", 2],
        ["malignant", "malignant", 7],
    ]


def test_three_classes_compare_the_last_with_the_rest():
    # The probabilities of the last class are 0.2, 0.3 and 0.8.
    probabilities = np.array(
        [
            [0.7, 0.1, 0.2],
            [0.2, 0.5, 0.3],
            [0.1, 0.1, 0.8],
        ]
    )
    table = roc(np.array([0, 1, 2]), probabilities)
    assert table["fpr"].tolist() == [0, 0, 0.5, 1]
    assert table["tpr"].tolist() == [0, 1, 1, 1]


def test_a_single_class_gives_an_empty_table_with_columns():
    healthy_only = roc(LABELS[:2], PROBABILITIES[:2])
    assert healthy_only.empty
    assert list(healthy_only) == ["threshold", "fpr", "tpr"]
    diseased_only = precision_recall(LABELS[2:], PROBABILITIES[2:])
    assert diseased_only.empty
