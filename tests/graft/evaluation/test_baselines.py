"""The majority class, and lesion size alone."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from graft.evaluation.baselines import majority, size_alone


def test_majority_gives_the_shares_of_the_training_part():
    assert np.allclose(majority(np.array([0, 0, 0, 1]), 2, 3), [[0.75, 0.25, 0], [0.75, 0.25, 0]])


def test_size_alone_is_logistic_regression_on_the_standardised_logarithm():
    sizes, labels = np.array([4.0, 5, 9, 8, 16, 30]), np.array([0, 0, 0, 1, 1, 1])
    mean, deviation = np.log(sizes).mean(), np.log(sizes).std()
    model = LogisticRegression().fit((np.log(sizes)[:, None] - mean) / deviation, labels)
    expected = model.predict_proba((np.log([[10.0]]) - mean) / deviation)
    assert np.allclose(size_alone(sizes, labels, np.array([10.0]), 2), expected)


def test_larger_lesions_are_likelier_to_be_what_large_lesions_were():
    disease = size_alone(
        np.array([4.0, 5, 9, 8, 16, 30]), np.array([0, 0, 0, 1, 1, 1]), np.array([3.0, 9, 40]), 2
    )
    assert disease[0, 1] < disease[1, 1] < disease[2, 1] and np.allclose(disease.sum(1), 1)


def test_the_unit_of_size_does_not_matter():
    sizes, labels = np.array([4.0, 5, 9, 8, 16, 30]), np.array([0, 0, 0, 1, 1, 1])
    assert np.allclose(
        size_alone(sizes, labels, sizes, 2), size_alone(sizes * 10, labels, sizes * 10, 2)
    )


def test_a_size_of_0_counts_as_the_smallest():
    found = size_alone(np.array([0.0, 2, 8, 9]), np.array([0, 0, 1, 1]), np.array([0.0, 2.0]), 2)
    assert np.isfinite(found).all() and np.array_equal(found[0], found[1])


def test_equal_sizes_say_no_more_than_the_shares():
    found = size_alone(np.full(4, 3.0), np.array([0, 0, 0, 1]), np.array([3.0, 3.0]), 2)
    assert np.allclose(found, 0.25 * np.array([[3, 1], [3, 1]]), atol=1e-3)


def test_a_class_that_was_never_seen_has_probability_0():
    found = size_alone(np.array([1.0, 2, 8, 9]), np.array([0, 0, 2, 2]), np.array([5.0]), 3)
    assert found[0, 1] == 0 and found[0, [0, 2]].sum() == 1


def test_one_class_in_training_is_the_majority():
    assert np.array_equal(
        size_alone(np.array([1.0, 2]), np.array([1, 1]), np.array([5.0]), 2), [[0, 1]]
    )
