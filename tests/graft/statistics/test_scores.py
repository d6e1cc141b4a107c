"""Scores against numbers worked out by hand and against scikit-learn."""

import warnings

import numpy as np
import pytest
from sklearn import metrics

from graft.statistics.scores import (
    auroc,
    call,
    choose_threshold,
    confusion,
    per_class,
    ranks,
    score,
)

LABELS = np.array([0, 0, 1, 1, 1])
DISEASE = np.array(
    [0.1, 0.6, 0.4, 0.6, 0.9]
)  # from 0.5 on: one true negative, one false, 2 of 3 found


def two(disease):
    return np.stack([1 - np.asarray(disease), disease], axis=1)


def point(labels, probabilities, threshold=0.5):
    found = score(labels, probabilities, np.ones((1, len(labels))), threshold)
    return {name: value[0] for name, value in found.items()}


def drawn(classes, cases=60, resamples=4):
    """Random labels, probabilities with ties, and weights 0, 1, 2."""
    random = np.random.default_rng(classes)
    labels = random.permutation(np.arange(cases) % classes)
    probabilities = random.dirichlet(np.ones(classes), cases) + np.eye(classes)[labels]
    probabilities[::3] = probabilities[0]
    return (
        labels,
        probabilities / probabilities.sum(1, keepdims=True),
        random.integers(0, 3, (resamples, cases)),
    )


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("auroc", 4.5 / 6),  # 0.4 beats 1 of 2, 0.6 beats one and ties one, 0.9 beats both
        (
            "auprc",
            (1 + 2 / 3 + 3 / 4) / 3,
        ),  # precision at 0.9, 0.6 and 0.4, each a third of the recall
        ("accuracy", 3 / 5),
        ("balanced_accuracy", (2 / 3 + 1 / 2) / 2),
        ("sensitivity", 2 / 3),
        ("specificity", 1 / 2),
        ("precision", 2 / 3),
        ("f1", 2 / 3),
        ("brier", (0.01 + 0.36 + 0.36 + 0.16 + 0.01) / 5),
        ("log_loss", -(2 * np.log(0.9) + 2 * np.log(0.4) + np.log(0.6)) / 5),
        ("ece", (0.1 + 0.6 + abs(0.6 + 0.6 - 1) + 0.1) / 5),  # bins of 0.1, 0.4, both 0.6, 0.9
    ],
)
def test_by_hand(name, by_hand):
    assert point(LABELS, two(DISEASE))[name] == pytest.approx(by_hand)


def test_weighted_auroc_with_a_tie_by_hand():
    weights = np.array([[2, 1, 1, 3, 0]])
    # Pairs: 0.4 beats 0.1 (1·2) and loses to 0.6; 0.6 beats 0.1 (3·2) and ties 0.6 (3·1/2); of 4·3
    # pairs in all.
    assert auroc(*ranks(LABELS == 1, DISEASE, weights)) == pytest.approx((2 + 6 + 1.5) / 12)


def test_two_classes_agree_with_scikit_learn():
    labels, probabilities, weights = drawn(2)
    found = score(labels, probabilities, weights, 0.4)
    called = (probabilities[:, 1] >= 0.4).astype(int)
    for row, weight in enumerate(weights):
        expected = {
            "auroc": metrics.roc_auc_score(labels, probabilities[:, 1], sample_weight=weight),
            "auprc": metrics.average_precision_score(
                labels, probabilities[:, 1], sample_weight=weight
            ),
            "accuracy": metrics.accuracy_score(labels, called, sample_weight=weight),
            "balanced_accuracy": metrics.balanced_accuracy_score(
                labels, called, sample_weight=weight
            ),
            "sensitivity": metrics.recall_score(labels, called, sample_weight=weight),
            "specificity": metrics.recall_score(labels, called, pos_label=0, sample_weight=weight),
            "precision": metrics.precision_score(labels, called, sample_weight=weight),
            "f1": metrics.f1_score(labels, called, sample_weight=weight),
            "brier": metrics.brier_score_loss(labels, probabilities[:, 1], sample_weight=weight),
            "log_loss": metrics.log_loss(labels, probabilities, sample_weight=weight),
        }
        assert {name: found[name][row] for name in expected} == pytest.approx(expected)


def test_four_classes_agree_with_scikit_learn():
    labels, probabilities, weights = drawn(4)
    found = score(labels, probabilities, weights, None)
    called, truth = probabilities.argmax(1), np.eye(4)[labels]
    for row, weight in enumerate(weights):
        average = {"average": "macro", "sample_weight": weight}
        expected = {
            "auroc": metrics.roc_auc_score(labels, probabilities, multi_class="ovr", **average),
            "auprc": metrics.average_precision_score(truth, probabilities, **average),
            "sensitivity": metrics.recall_score(labels, called, **average),
            "precision": metrics.precision_score(labels, called, **average),
            "f1": metrics.f1_score(labels, called, **average),
            "brier": metrics.brier_score_loss(labels, probabilities, sample_weight=weight),
            "log_loss": metrics.log_loss(labels, probabilities, sample_weight=weight),
        }
        assert {name: found[name][row] for name in expected} == pytest.approx(expected)


def test_each_class_agrees_with_scikit_learn():
    labels, probabilities, weights = drawn(3)
    called = probabilities.argmax(1)
    matrix = confusion(labels, called, weights, 3)
    assert np.array_equal(
        matrix[0], metrics.confusion_matrix(labels, called, sample_weight=weights[0])
    )
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, called, sample_weight=weights[0]
    )
    found = per_class(matrix[:1])
    assert np.allclose(
        [found["precision"][0], found["recall"][0], found["f1"][0]], [precision, recall, f1]
    )
    others = [
        metrics.recall_score(labels != code, called != code, sample_weight=weights[0])
        for code in range(3)
    ]
    assert np.allclose(found["specificity"][0], others)


def test_calibration_error_agrees_with_a_loop_over_the_bins():
    labels, probabilities, weights = drawn(2, cases=300, resamples=1)
    gap = 0.0
    for low in range(10):
        chosen = (probabilities[:, 1] * 10 >= low) & (
            (probabilities[:, 1] * 10 < low + 1) | (low == 9)
        )
        if mass := weights[0, chosen].sum():
            mean = np.average(probabilities[chosen, 1], weights=weights[0, chosen])
            gap += mass * abs(mean - np.average(labels[chosen], weights=weights[0, chosen]))
    assert score(labels, probabilities, weights, 0.5)["ece"][0] == pytest.approx(
        gap / weights.sum()
    )


def test_one_class_leaves_ranks_undefined_and_the_rest_defined():
    found = point(np.zeros(3, int), two([0.1, 0.2, 0.3]))
    assert {name for name, value in found.items() if np.isnan(value)} == {
        "auroc",
        "auprc",
        "balanced_accuracy",
        "sensitivity",
        "precision",
        "f1",
    }
    assert found["accuracy"] == found["specificity"] == 1


def test_precision_is_undefined_where_nobody_is_called_and_f1_is_then_0():
    found = point(LABELS, two(DISEASE), threshold=0.95)
    assert np.isnan(found["precision"]) and found["f1"] == found["sensitivity"] == 0


def test_a_certain_wrong_call_has_a_finite_log_loss():
    assert 30 < point(np.array([0, 1]), two([0.0, 0.0]))["log_loss"] * 2 < 40


def test_no_score_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score(LABELS, two(DISEASE), np.zeros((1, 5)), 0.5)


@pytest.mark.parametrize(
    ("disease", "threshold"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.6], 0.25),  # sensitivity 1 and specificity 1 between 0.2 and 0.3
        ([0.1, 0.2, 0.7, 0.8, 0.9], 0.5),  # as good anywhere from 0.2 to 0.7: the nearest to 0.5
        ([0.3, 0.3, 0.3, 0.3, 0.3], 0.5),  # nothing to choose by
        (
            [0.1, 0.6, 0.4, 0.6, 0.9],
            0.25,
        ),  # Youden: 1 + 1/2 - 1 there, 1/6 at 0.5, 1/3 + 1 - 1 at 0.75
    ],
)
def test_threshold_by_hand(disease, threshold):
    assert choose_threshold(LABELS, two(disease)) == threshold


def test_threshold_is_as_good_as_the_best_point_of_scikit_learns_curve():
    labels, probabilities, _ = drawn(2)
    fpr, tpr, _ = metrics.roc_curve(labels, probabilities[:, 1])
    called = call(probabilities, choose_threshold(labels, probabilities))
    assert 2 * metrics.balanced_accuracy_score(labels, called) - 1 == pytest.approx(
        (tpr - fpr).max()
    )


def test_threshold_with_one_class_or_with_three():
    assert choose_threshold(np.ones(3, int), two([0.1, 0.2, 0.3])) == 0.5
    assert choose_threshold(np.array([0, 1, 2]), np.eye(3)) is None
    assert list(call(np.eye(3)[[2, 0]], None)) == [2, 0]
