import math

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier

from graft.common.seeds import generator
from graft.training.ensemble import bootstrap_patients, samme_alpha, samme_weights, shares


def test_alpha_by_hand():
    # Weights 1, 1, 2, 4; the third is wrong: e = 2/8. ln(0.75 / 0.25) = ln 3, and + ln 2 for three classes.
    wrong, weights = np.array([False, False, True, False]), np.array([1.0, 1, 2, 4])
    assert samme_alpha(wrong, weights, 2) == pytest.approx(math.log(3))
    assert samme_alpha(wrong, weights, 3) == pytest.approx(math.log(6))


def test_a_member_no_better_than_chance_has_no_say():
    assert samme_alpha(np.array([True, False]), np.ones(2), 2) == 0
    assert samme_alpha(np.array([True, True, False]), np.ones(3), 2) == 0


def test_a_member_without_error_counts_as_half_a_sample_wrong():
    assert samme_alpha(np.zeros(4, bool), np.ones(4), 2) == pytest.approx(
        math.log(7)
    )  # e = 0.5 / 4


def test_weights_by_hand():
    # exp(ln 3) = 3 for the wrong one: 1, 1, 1, 3, then scaled from the sum 6 to the sum 4.
    after = samme_weights(np.ones(4), np.array([False, False, False, True]), math.log(3))
    assert after == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])


def test_the_whole_of_samme_equals_scikit_learns():
    """Our α and weights around scikit-learn's stumps give the α that scikit-learn's own SAMME gives."""
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 3))
    y = (x.sum(1) + random.normal(size=200) > 0).astype(int) + (x[:, 0] > 1)
    theirs = AdaBoostClassifier(
        DecisionTreeClassifier(max_depth=1), n_estimators=4, random_state=0
    ).fit(x, y)
    weights, alphas = np.ones(200), []
    for stump in theirs.estimators_:
        wrong = stump.predict(x) != y
        alphas.append(samme_alpha(wrong, weights, 3))
        weights = samme_weights(weights, wrong, alphas[-1])
    assert alphas == pytest.approx(theirs.estimator_weights_)


def test_shares_sum_to_one_and_are_equal_where_nobody_beat_chance():
    assert shares([3.0, 1.0]) == [0.75, 0.25] and shares([0.0, 0.0]) == [0.5, 0.5]


def test_patients_are_drawn_whole_and_as_many_as_there_are():
    patients = np.array(["a", "a", "b", "c", "c", "c", "d", "e"])
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    for k in range(20):
        times = bootstrap_patients(patients, labels, generator(1, k))
        by_patient = {p: set(times[patients == p]) for p in "abcde"}
        assert all(len(counts) == 1 for counts in by_patient.values())
        assert sum(min(counts) for counts in by_patient.values()) == 5


def test_a_resample_holds_every_class():
    patients, labels = (
        np.arange(12),
        np.array([1] + [0] * 11),
    )  # the one malignant is missed by 35 % of draws
    assert all(bootstrap_patients(patients, labels, generator(1, k))[0] > 0 for k in range(50))
