"""Scores of ratings and numbers against numbers worked out by hand and other implementations."""

import numpy as np
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from graft.statistics.task_scores import concordance, mean_absolute_error, r_squared

ONES = np.ones((1, 4))


def test_concordance_counts_ordered_pairs():
    # Pairs with different ratings: (1,2) (1,2) (1,3) (2,3) (2,3); the predictions 1 4 2 4 order
    # 1<4, 1<2 and 1<4 correctly, tie 4 and 4, and order 2<4 correctly: 4.5 of 5.
    found = concordance(np.array([1, 2, 2, 3]), np.array([1.0, 4, 2, 4]), ONES)
    assert found == pytest.approx([4.5 / 5])


def test_concordance_of_two_ratings_is_auroc():
    random = np.random.default_rng(0)
    ratings = random.integers(0, 2, 50) * 3
    predicted = random.random(50).round(1)
    weights = random.integers(0, 3, (4, 50)).astype(float)
    expected = [roc_auc_score(ratings, predicted, sample_weight=weight) for weight in weights]
    assert concordance(ratings, predicted, weights) == pytest.approx(expected)


def test_concordance_is_that_of_all_pairs():
    random = np.random.default_rng(1)
    ratings = random.integers(1, 6, 40)
    predicted = (ratings + random.normal(0, 2, 40)).round()
    weight = random.integers(0, 3, 40).astype(float)
    correct = pairs = 0.0
    for i in range(40):
        for j in range(40):
            if ratings[i] > ratings[j]:
                both = weight[i] * weight[j]
                pairs += both
                correct += (
                    both * (predicted[i] > predicted[j]) + both * (predicted[i] == predicted[j]) / 2
                )
    assert concordance(ratings, predicted, weight[None]) == pytest.approx([correct / pairs])


def test_one_rating_has_no_concordance():
    assert np.isnan(concordance(np.full(4, 2), np.arange(4.0), ONES)).all()


def test_r_squared_is_scikit_learns():
    random = np.random.default_rng(2)
    numbers = random.normal(5, 2, 30)
    predicted = numbers + random.normal(0, 1, 30)
    weights = random.integers(0, 3, (3, 30)).astype(float)
    expected = [r2_score(numbers, predicted, sample_weight=weight) for weight in weights]
    assert r_squared(numbers, predicted, weights) == pytest.approx(expected)


def test_r_squared_by_hand():
    # The mean is 2, Σ(y − 2)² = 2 and Σ(y − f)² = 1.
    found = r_squared(np.array([1.0, 2, 3]), np.array([1.0, 2, 2]), np.ones((1, 3)))
    assert found == pytest.approx([0.5])


@pytest.mark.parametrize("number", [0.0, 0.1, 1e20])
def test_equal_numbers_have_no_r_squared(number):
    assert np.isnan(r_squared(np.full(3, number), np.zeros(3), np.ones((1, 3)))).all()


def test_mean_absolute_error_by_hand():
    weights = np.array([[1.0, 1], [3, 1]])
    found = mean_absolute_error(np.array([1.0, 2]), np.array([2.0, 5]), weights)
    assert found == pytest.approx([2, 1.5])
