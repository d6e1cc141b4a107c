import math

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier

from graft.common.seeds import generator
from graft.training.ensemble import bootstrap_patients, samme_alpha, samme_weights, shares


def test_alpha_by_hand():
    # The third sample, with the weight 2 of 8, is wrong: e = 1/4 and α = ln((1 - e) / e) = ln 3.
    # With three classes, ln 2 is added.
    wrong = np.array([False, False, True, False])
    weights = np.array([1.0, 1, 2, 4])
    assert samme_alpha(wrong, weights, 2) == pytest.approx(math.log(3))
    assert samme_alpha(wrong, weights, 3) == pytest.approx(math.log(6))


def test_a_member_no_better_than_chance_gets_alpha_zero():
    half_wrong = np.array([True, False])
    assert samme_alpha(half_wrong, np.ones(2), 2) == 0
    all_wrong = np.array([True, True])
    assert samme_alpha(all_wrong, np.ones(2), 2) == 0
    mostly_wrong = np.array([True, True, False])
    assert samme_alpha(mostly_wrong, np.ones(3), 2) == 0


def test_a_member_without_error_counts_as_half_a_sample_wrong():
    all_right = np.zeros(4, bool)
    alpha = samme_alpha(all_right, np.ones(4), 2)
    # e = 0.5 / 4 = 1/8, so α = ln 7.
    assert alpha == pytest.approx(math.log(7))


def test_weights_by_hand():
    # The wrong sample is weighted by exp(ln 3) = 3. The weights 1, 1, 1, 3 are scaled to the sum 4.
    wrong = np.array([False, False, False, True])
    after = samme_weights(np.ones(4), wrong, math.log(3))
    assert after == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])


def test_alphas_equal_those_of_scikit_learn():
    # The stumps of scikit-learn's AdaBoost are weighted with our formulas.
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 3))
    noisy_sum = x.sum(1) + random.normal(size=200)
    y = (noisy_sum > 0).astype(int) + (x[:, 0] > 1)  # three classes
    stump = DecisionTreeClassifier(max_depth=1)
    theirs = AdaBoostClassifier(stump, n_estimators=4, random_state=0).fit(x, y)
    weights = np.ones(200)
    alphas = []
    for stump in theirs.estimators_:
        wrong = stump.predict(x) != y
        alphas.append(samme_alpha(wrong, weights, 3))
        weights = samme_weights(weights, wrong, alphas[-1])
    assert alphas == pytest.approx(theirs.estimator_weights_)


def test_shares_sum_to_one_and_are_equal_if_no_member_beats_chance():
    assert shares([3.0, 1.0]) == [0.75, 0.25]
    assert shares([0.0, 0.0]) == [0.5, 0.5]


def test_all_samples_of_a_patient_are_drawn_together_and_the_number_of_patients_is_kept():
    patients = np.array(["a", "a", "b", "c", "c", "c", "d", "e"])
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    for k in range(20):
        times = bootstrap_patients(patients, labels, generator(1, k))
        drawn = 0
        for patient in "abcde":
            (count,) = set(times[patients == patient])
            drawn += count
        assert drawn == 5


def test_a_resample_contains_every_class():
    patients = np.arange(12)
    # Without a correction, 35 % of the draws would miss the only malignant patient.
    labels = np.zeros(12, int)
    labels[0] = 1
    for k in range(50):
        times = bootstrap_patients(patients, labels, generator(1, k))
        assert times[0] > 0
