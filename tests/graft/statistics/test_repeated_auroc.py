"""AUROC over several trainings, on arrays small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from graft.common.seeds import generator
from graft.statistics.cases import Cases
from graft.statistics.repeated_auroc import (
    RepeatedAuroc,
    auroc_from_pairs,
    count_ranked_pairs,
    draw_repetitions,
)


def two_classes(disease):
    """Probabilities of the healthy and the disease class, (N, 2)."""
    disease = np.array(disease, float)
    return np.stack([1 - disease, disease], axis=1)


def test_ranked_pairs_by_hand():
    labels = np.array([0, 0, 1, 1])
    probabilities = two_classes([0.1, 0.5, 0.5, 0.9])
    weights = np.array(
        [
            [1.0, 1, 1, 1],  # 4 pairs, of which the tie counts half
            [0, 2, 1, 0],  # 2 pairs, both of them ties
            [1, 1, 0, 0],  # nobody is diseased
        ]
    )
    won, number = count_ranked_pairs(labels, probabilities, weights)
    assert won.tolist() == [[3.5], [1], [0]]
    assert number.tolist() == [[4], [2], [0]]
    expected = [0.875, 0.5, np.nan]
    assert auroc_from_pairs(won, number) == pytest.approx(expected, nan_ok=True)


def test_each_of_several_classes_is_compared_with_the_rest():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 40)
    probabilities = random.dirichlet(np.ones(3), 40)
    won, number = count_ranked_pairs(labels, probabilities, np.ones((1, 40)))
    expected = roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert auroc_from_pairs(won, number) == pytest.approx([expected])


def test_the_mean_of_drawn_repetitions_has_the_standard_error_of_the_mean():
    each = np.array([0.5, 0.6, 0.8])
    weights = draw_repetitions(3, 200_000, generator(0, "test"))
    means = weights @ each
    assert means.mean() == pytest.approx(each.mean(), abs=1e-3)
    standard_error = each.std(ddof=1) / np.sqrt(3)
    assert means.std() == pytest.approx(standard_error, rel=0.01)


def test_draws_of_one_or_two_repetitions():
    one = draw_repetitions(1, 4, generator(0, "test"))
    assert one.tolist() == [[1], [1], [1], [1]]
    # Of two repetitions, one is drawn.
    two = draw_repetitions(2, 50, generator(0, "test"))
    assert set(two[:, 0]) == {0, 1}


@pytest.fixture
def cases():
    labels = ["benign", "malignant"] * 4
    rows = pd.DataFrame({"patient": list("abcdefgh"), "label": labels})
    return Cases.of(rows, ["benign", "malignant"], 400, generator(0, "bootstrap"))


ALL_RIGHT = two_classes([0.1, 0.9, 0.2, 0.8] * 2)
ALL_WRONG = two_classes([0.9, 0.1, 0.8, 0.2] * 2)


def judge(cases, *repetitions):
    """Make the AUROC of one array of probabilities per repetition."""

    def measure(weights):
        areas = []
        for probabilities in repetitions:
            won, number = count_ranked_pairs(cases.labels, probabilities, weights)
            areas.append(auroc_from_pairs(won, number))
        return np.stack(areas, axis=1)

    weights = draw_repetitions(2, 400, generator(0, "draws"))
    return RepeatedAuroc.of(measure, cases, weights)


def test_the_interval_includes_the_chance_between_repetitions(cases):
    # All pairs are right in one repetition and wrong in the other, whoever the patients are.
    found = judge(cases, ALL_RIGHT, ALL_WRONG)
    assert found.each.tolist() == [1, 0]
    assert found.value == 0.5
    assert found.spread == pytest.approx(np.sqrt(0.5))
    estimate = found.estimate(0.95)
    assert estimate["low"] == 0
    assert estimate["high"] == 1


def test_resamples_without_one_of_the_classes_are_left_out(cases):
    estimate = judge(cases, ALL_RIGHT, ALL_WRONG).estimate(0.95)
    has_benign = cases.draws[:, ::2].any(1)
    has_malignant = cases.draws[:, 1::2].any(1)
    has_both = has_benign & has_malignant
    assert estimate["left_out"] == int((~has_both).sum())


def test_the_interval_of_a_gain_includes_the_chance_between_repetitions(cases):
    good = judge(cases, ALL_RIGHT, ALL_RIGHT)
    assert good.estimate(0.95)["low"] == 1
    mixed = judge(cases, ALL_RIGHT, ALL_WRONG)
    gain = (good - mixed).gain(0.95)
    assert gain["value"] == 0.5
    assert gain["low"] == 0
    assert gain["high"] == 1
    assert gain["p"] > 0.5


def test_one_repetition_has_no_spread():
    found = RepeatedAuroc(np.array([0.7]), np.array([0.6, 0.8]))
    assert np.isnan(found.spread)
