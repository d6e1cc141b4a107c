"""Scores by hand and against scikit-learn."""

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

# With the threshold 0.5, one of two healthy cases and two of three diseased ones are called right.
LABELS = np.array([0, 0, 1, 1, 1])
DISEASE = np.array([0.1, 0.6, 0.4, 0.6, 0.9])


def two_classes(disease):
    """Probabilities of the healthy and the disease class, (N, 2)."""
    return np.stack([1 - np.asarray(disease), disease], axis=1)


def score_once(labels, probabilities, threshold=0.5):
    """Score all cases with the weight 1."""
    weights = np.ones((1, len(labels)))
    found = score(labels, probabilities, weights, threshold)
    return {name: value[0] for name, value in found.items()}


def random_cases(classes, cases=60, resamples=4):
    """Random labels, probabilities with ties, and weights 0, 1, 2."""
    random = np.random.default_rng(classes)
    labels = random.permutation(np.arange(cases) % classes)
    probabilities = random.dirichlet(np.ones(classes), cases) + np.eye(classes)[labels]
    probabilities[::3] = probabilities[0]
    probabilities /= probabilities.sum(1, keepdims=True)
    weights = random.integers(0, 3, (resamples, cases))
    return labels, probabilities, weights


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        # 0.4 wins 1 of 2 pairs, 0.6 wins one and ties one, 0.9 wins both.
        ("auroc", 4.5 / 6),
        # The precision at 0.9, 0.6 and 0.4, each with a third of the recall.
        ("auprc", (1 + 2 / 3 + 3 / 4) / 3),
        ("accuracy", 3 / 5),
        ("balanced_accuracy", (2 / 3 + 1 / 2) / 2),
        ("sensitivity", 2 / 3),
        ("specificity", 1 / 2),
        ("precision", 2 / 3),
        ("f1", 2 / 3),
        ("brier", (0.01 + 0.36 + 0.36 + 0.16 + 0.01) / 5),
        ("log_loss", -(2 * np.log(0.9) + 2 * np.log(0.4) + np.log(0.6)) / 5),
        # The bins of 0.1, of 0.4, of both 0.6 and of 0.9.
        ("ece", (0.1 + 0.6 + abs(0.6 + 0.6 - 1) + 0.1) / 5),
    ],
)
def test_each_score_by_hand(name, by_hand):
    found = score_once(LABELS, two_classes(DISEASE))
    assert found[name] == pytest.approx(by_hand)


def test_weighted_auroc_with_a_tie_by_hand():
    weights = np.array([[2, 1, 1, 3, 0]])
    # The healthy weigh 2 (0.1) and 1 (0.6), the diseased 1 (0.4) and 3 (0.6): 3 · 4 pairs.
    # 0.4 wins against 0.1 (1·2). 0.6 wins against 0.1 (3·2) and ties with 0.6 (3·1/2).
    area = auroc(*ranks(LABELS == 1, DISEASE, weights))
    assert area == pytest.approx((2 + 6 + 1.5) / 12)


def test_two_classes_agree_with_scikit_learn():
    labels, probabilities, weights = random_cases(2)
    found = score(labels, probabilities, weights, 0.4)
    disease = probabilities[:, 1]
    called = (disease >= 0.4).astype(int)
    of_disease = {
        "auroc": metrics.roc_auc_score,
        "auprc": metrics.average_precision_score,
        "brier": metrics.brier_score_loss,
        "log_loss": metrics.log_loss,
    }
    of_calls = {
        "accuracy": metrics.accuracy_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "sensitivity": metrics.recall_score,
        "precision": metrics.precision_score,
        "f1": metrics.f1_score,
    }
    for row, weight in enumerate(weights):
        for name, metric in of_disease.items():
            expected = metric(labels, disease, sample_weight=weight)
            assert found[name][row] == pytest.approx(expected), name
        for name, metric in of_calls.items():
            expected = metric(labels, called, sample_weight=weight)
            assert found[name][row] == pytest.approx(expected), name
        specificity = metrics.recall_score(labels, called, pos_label=0, sample_weight=weight)
        assert found["specificity"][row] == pytest.approx(specificity)


def test_four_classes_agree_with_scikit_learn():
    labels, probabilities, weights = random_cases(4)
    found = score(labels, probabilities, weights, None)
    called = probabilities.argmax(1)
    truth = np.eye(4)[labels]
    for row, weight in enumerate(weights):
        macro = {"average": "macro", "sample_weight": weight}
        expected = {
            "auroc": metrics.roc_auc_score(labels, probabilities, multi_class="ovr", **macro),
            "auprc": metrics.average_precision_score(truth, probabilities, **macro),
            "sensitivity": metrics.recall_score(labels, called, **macro),
            "precision": metrics.precision_score(labels, called, **macro),
            "f1": metrics.f1_score(labels, called, **macro),
            "brier": metrics.brier_score_loss(labels, probabilities, sample_weight=weight),
            "log_loss": metrics.log_loss(labels, probabilities, sample_weight=weight),
        }
        for name, value in expected.items():
            assert found[name][row] == pytest.approx(value), name


def test_the_scores_of_each_class_agree_with_scikit_learn():
    labels, probabilities, weights = random_cases(3)
    weight = weights[0]
    called = probabilities.argmax(1)
    matrix = confusion(labels, called, weights, 3)
    expected = metrics.confusion_matrix(labels, called, sample_weight=weight)
    assert np.array_equal(matrix[0], expected)
    found = per_class(matrix[:1])
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, called, sample_weight=weight
    )
    assert np.allclose(found["precision"][0], precision)
    assert np.allclose(found["recall"][0], recall)
    assert np.allclose(found["f1"][0], f1)
    # The specificity of a class is the recall of all others.
    for code in range(3):
        is_other = labels != code
        specificity = metrics.recall_score(is_other, called != code, sample_weight=weight)
        assert np.allclose(found["specificity"][0][code], specificity)


def test_calibration_error_agrees_with_a_loop_over_the_bins():
    labels, probabilities, weights = random_cases(2, cases=300, resamples=1)
    disease = probabilities[:, 1]
    weight = weights[0]
    total = 0.0
    for low in range(10):
        is_below = (disease * 10 < low + 1) | (low == 9)
        in_bin = (disease * 10 >= low) & is_below
        mass = weight[in_bin].sum()
        if mass:
            predicted = np.average(disease[in_bin], weights=weight[in_bin])
            observed = np.average(labels[in_bin], weights=weight[in_bin])
            total += mass * abs(predicted - observed)
    found = score(labels, probabilities, weights, 0.5)
    assert found["ece"][0] == pytest.approx(total / weight.sum())


def test_with_one_class_the_scores_that_need_both_are_undefined():
    found = score_once(np.zeros(3, int), two_classes([0.1, 0.2, 0.3]))
    undefined = {name for name, value in found.items() if np.isnan(value)}
    assert undefined == {
        "auroc",
        "auprc",
        "balanced_accuracy",
        "sensitivity",
        "precision",
        "f1",
    }
    assert found["accuracy"] == 1
    assert found["specificity"] == 1


def test_precision_is_undefined_and_f1_is_0_if_nobody_is_called():
    found = score_once(LABELS, two_classes(DISEASE), threshold=0.95)
    assert np.isnan(found["precision"])
    assert found["f1"] == 0
    assert found["sensitivity"] == 0


def test_a_certain_wrong_prediction_has_a_finite_log_loss():
    found = score_once(np.array([0, 1]), two_classes([0.0, 0.0]))
    # The loss of the first case is 0, so the mean is half of that of the second.
    assert 30 < found["log_loss"] * 2 < 40


def test_undefined_scores_give_no_warning():
    no_weights = np.zeros((1, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score(LABELS, two_classes(DISEASE), no_weights, 0.5)


@pytest.mark.parametrize(
    ("disease", "threshold"),
    [
        # Sensitivity and specificity are 1 between 0.2 and 0.3.
        ([0.1, 0.2, 0.3, 0.4, 0.6], 0.25),
        # Both are 1 anywhere from 0.2 to 0.7. The threshold nearest to 0.5 is chosen.
        ([0.1, 0.2, 0.7, 0.8, 0.9], 0.5),
        # All probabilities are equal.
        ([0.3, 0.3, 0.3, 0.3, 0.3], 0.5),
        # Youden's index is 1 + 1/2 - 1 at 0.25, 1/6 at 0.5 and 1/3 + 1 - 1 at 0.75.
        ([0.1, 0.6, 0.4, 0.6, 0.9], 0.25),
    ],
)
def test_the_threshold_by_hand(disease, threshold):
    assert choose_threshold(LABELS, two_classes(disease)) == threshold


def test_the_threshold_is_as_good_as_the_best_point_of_scikit_learns_curve():
    labels, probabilities, _ = random_cases(2)
    fpr, tpr, _ = metrics.roc_curve(labels, probabilities[:, 1])
    best = (tpr - fpr).max()
    called = call(probabilities, choose_threshold(labels, probabilities))
    youden = 2 * metrics.balanced_accuracy_score(labels, called) - 1
    assert youden == pytest.approx(best)


def test_with_one_class_the_threshold_is_one_half():
    labels = np.ones(3, int)
    assert choose_threshold(labels, two_classes([0.1, 0.2, 0.3])) == 0.5


def test_three_classes_have_no_threshold_and_the_most_probable_is_called():
    certain = np.eye(3)
    assert choose_threshold(np.array([0, 1, 2]), certain) is None
    called = call(certain[[2, 0]], None)
    assert list(called) == [2, 0]
