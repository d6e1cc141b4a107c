"""The majority class, and lesion size alone."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from graft.evaluation.baselines import majority, size_alone

# The lesions of class 1 are larger, except that 8 < 9.
SIZES = np.array([4.0, 5, 9, 8, 16, 30])
LABELS = np.array([0, 0, 0, 1, 1, 1])


def test_majority_gives_the_shares_of_the_training_part():
    labels = np.array([0, 0, 0, 1])
    found = majority(labels, 2, 3)  # two lesions, three classes
    shares = [0.75, 0.25, 0]
    assert np.allclose(found, [shares, shares])


def test_size_alone_is_logistic_regression_on_the_standardised_logarithm():
    logarithms = np.log(SIZES)
    mean = logarithms.mean()
    deviation = logarithms.std()
    standardised = (logarithms - mean) / deviation
    model = LogisticRegression().fit(standardised[:, None], LABELS)
    new_size = np.array([10.0])
    expected = model.predict_proba((np.log(new_size)[:, None] - mean) / deviation)
    assert np.allclose(size_alone(SIZES, LABELS, new_size, 2), expected)


def test_a_larger_lesion_is_more_likely_of_the_class_with_larger_lesions():
    new_sizes = np.array([3.0, 9, 40])
    found = size_alone(SIZES, LABELS, new_sizes, 2)
    small, medium, large = found[:, 1]
    assert small < medium < large
    assert np.allclose(found.sum(1), 1)


def test_the_unit_of_size_does_not_matter():
    in_centimetres = size_alone(SIZES, LABELS, SIZES, 2)
    millimetres = SIZES * 10
    in_millimetres = size_alone(millimetres, LABELS, millimetres, 2)
    assert np.allclose(in_centimetres, in_millimetres)


def test_a_size_of_0_counts_as_the_smallest_positive_size():
    sizes = np.array([0.0, 2, 8, 9])
    labels = np.array([0, 0, 1, 1])
    zero, smallest = size_alone(sizes, labels, np.array([0.0, 2.0]), 2)
    assert np.isfinite(zero).all()
    assert np.isfinite(smallest).all()
    assert np.array_equal(zero, smallest)


def test_equal_sizes_give_the_shares_of_the_classes():
    sizes = np.full(4, 3.0)
    labels = np.array([0, 0, 0, 1])
    found = size_alone(sizes, labels, np.array([3.0, 3.0]), 2)
    shares = [0.75, 0.25]
    assert np.allclose(found, [shares, shares], atol=1e-3)


def test_a_class_without_training_lesions_has_probability_0():
    sizes = np.array([1.0, 2, 8, 9])
    labels = np.array([0, 0, 2, 2])
    (found,) = size_alone(sizes, labels, np.array([5.0]), 3)
    assert found[1] == 0
    assert found[[0, 2]].sum() == 1


def test_a_single_class_in_training_gets_probability_1():
    sizes = np.array([1.0, 2])
    labels = np.array([1, 1])
    found = size_alone(sizes, labels, np.array([5.0]), 2)
    assert np.array_equal(found, [[0, 1]])
