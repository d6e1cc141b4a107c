"""Intervals and p-values against slow loops, SciPy and properties that they must have."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from graft.common.seeds import generator
from graft.statistics.bootstrap import (
    BLOCK,
    draw_patients,
    interval,
    jackknife,
    p_value,
    resample,
)
from graft.statistics.correction import PERCENTILE, Correction, bca_correction
from graft.statistics.scores import auroc, ranks, score


def cohort(patients, lesions, seed=0):
    """Labels, probabilities and patients of lesions; all lesions of a patient are equal."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), lesions)
    labels = (np.arange(patients) % 2)[patient]
    noise = random.normal(0, 0.2, patients)[patient]
    disease = np.clip(0.4 + 0.15 * labels + noise, 0.01, 0.99)
    probabilities = np.stack([1 - disease, disease], axis=1)
    return labels, probabilities, patient


def auroc_measure(labels, disease):
    def measure(weights):
        return {"auroc": auroc(*ranks(labels == 1, disease, weights))}

    return measure


def resampled_aurocs(labels, disease, draws, patient):
    return resample(auroc_measure(labels, disease), draws, patient)["auroc"]


def test_each_resample_has_as_many_patients_and_each_patient_the_same_chance():
    draws = draw_patients(5, 20_000, generator(0, "test"))
    assert (draws.sum(1) == 5).all()
    assert draws.mean(0) == pytest.approx(np.ones(5), abs=0.03)
    # Each of five draws misses a patient with probability 0.8.
    share_not_drawn = (draws == 0).mean()
    assert share_not_drawn == pytest.approx(0.8**5, abs=0.01)


def test_the_same_seed_and_purpose_give_the_same_draws():
    draws = draw_patients(9, 50, generator(1, "a"))
    again = draw_patients(9, 50, generator(1, "a"))
    other_purpose = draw_patients(9, 50, generator(1, "b"))
    assert np.array_equal(draws, again)
    assert not np.array_equal(draws, other_purpose)


def test_interval_by_hand():
    # The 5th of 99 values from either end.
    assert interval(np.arange(99.0), 0.9) == (4, 94, 0)
    # Undefined values are left out and counted.
    assert interval(np.array([np.nan, 1, 2, 3, np.nan]), 0.5) == (1, 3, 2)


def test_without_defined_values_there_is_no_interval():
    low, high, left_out = interval(np.full(4, np.nan), 0.95)
    assert np.isnan(low)
    assert np.isnan(high)
    assert left_out == 4


def test_p_value_by_hand():
    # One of nine differences is below 0: twice (1 + 1) / (9 + 1).
    one_below = np.array([-1.0, 1, 2, 3, 4, 5, 6, 7, 8])
    assert p_value(one_below) == pytest.approx(2 * (1 + 1) / (9 + 1))
    # None of 99 is below 0. The p-value is never 0.
    all_above = np.full(99, 1.0)
    assert p_value(all_above) == pytest.approx(2 * 1 / 100)
    # An undefined difference does not count.
    all_below = np.array([np.nan, -1, -2, -3])
    assert p_value(all_below) == pytest.approx(2 * 1 / 4)
    assert p_value(np.zeros(50)) == 1
    assert np.isnan(p_value(np.array([np.nan])))


@pytest.mark.parametrize(
    "correction",
    [PERCENTILE, Correction(0.3, -0.1), Correction(-0.2, 0.12, 41)],
)
def test_p_is_below_005_exactly_if_the_interval_excludes_0(correction):
    random = np.random.default_rng(0)
    seen = set()
    for shift in np.linspace(-3, 3, 121):
        differences = random.normal(shift, 1, 999).round(2)
        low, high, _ = interval(differences, 0.95, correction)
        includes_0 = low <= 0 <= high
        assert (p_value(differences, correction) < 0.05) == (not includes_0)
        seen.add(includes_0)
    assert seen == {True, False}


def auroc_without(left_out, labels, probabilities):
    rest = ~left_out
    return pytest.approx(metrics.roc_auc_score(labels[rest], probabilities[rest, 1]))


def test_the_jackknife_leaves_out_one_patient_at_a_time(monkeypatch):
    labels, probabilities, patient = cohort(12, 2)
    measure = auroc_measure(labels, probabilities[:, 1])
    found = jackknife(measure, patient)["auroc"]
    for number in range(12):
        assert found[number] == auroc_without(patient == number, labels, probabilities)
    # Blocks of five patients change nothing.
    monkeypatch.setattr("graft.statistics.bootstrap.BLOCK", 5 * 24)
    assert np.array_equal(jackknife(measure, patient)["auroc"], found)


def test_the_jackknife_of_many_patients_leaves_out_groups(monkeypatch):
    labels, probabilities, patient = cohort(12, 2)
    monkeypatch.setattr("graft.statistics.bootstrap.BLOCK", 5 * 24)
    monkeypatch.setattr("graft.statistics.bootstrap.MOST_LEFT_OUT", 4)
    measure = auroc_measure(labels, probabilities[:, 1])
    for group, area in enumerate(jackknife(measure, patient)["auroc"]):
        assert area == auroc_without(patient % 4 == group, labels, probabilities)


def test_resampling_agrees_with_a_loop_that_copies_the_lesions_of_each_drawn_patient():
    labels, probabilities, patient = cohort(20, 3)
    draws = draw_patients(20, 40, generator(3, "test"))

    def measure(weights):
        return score(labels, probabilities, weights, 0.5)

    fast = resample(measure, draws, patient)
    for row, times in enumerate(draws):
        cases = []
        for number in range(20):
            lesions = np.flatnonzero(patient == number).tolist()
            cases += lesions * int(times[number])
        truth = labels[cases]
        disease = probabilities[cases, 1]
        assert fast["auroc"][row] == pytest.approx(metrics.roc_auc_score(truth, disease))
        assert fast["auprc"][row] == pytest.approx(metrics.average_precision_score(truth, disease))
        assert fast["f1"][row] == pytest.approx(metrics.f1_score(truth, disease >= 0.5))
        assert fast["log_loss"][row] == pytest.approx(metrics.log_loss(truth, disease))


def test_the_size_of_the_blocks_changes_nothing(monkeypatch):
    labels, probabilities, patient = cohort(12, 2)
    disease = probabilities[:, 1]
    draws = draw_patients(12, 30, generator(4, "test"))
    assert draws.size < BLOCK
    whole = resampled_aurocs(labels, disease, draws, patient)
    monkeypatch.setattr("graft.statistics.bootstrap.BLOCK", 7 * 24)
    in_blocks = resampled_aurocs(labels, disease, draws, patient)
    assert np.array_equal(in_blocks, whole)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_the_interval_agrees_with_scipy_if_each_patient_has_one_lesion(method):
    labels, probabilities, patient = cohort(60, 1)
    disease = probabilities[:, 1]
    draws = draw_patients(60, 4000, generator(5, "test"))
    values = resampled_aurocs(labels, disease, draws, patient)

    def area(truth, predicted):
        diseased = predicted[truth == 1]
        healthy = predicted[truth == 0]
        won = (diseased[:, None] > healthy).mean()
        tied = (diseased[:, None] == healthy).mean()
        return won + tied / 2

    correction = PERCENTILE
    if method == "BCa":
        left_out = []
        for i in range(60):
            left_out.append(area(np.delete(labels, i), np.delete(disease, i)))
        correction = bca_correction(area(labels, disease), values, np.array(left_out))
    low, high, _ = interval(values, 0.95, correction)
    expected = stats.bootstrap(
        (labels, disease),
        area,
        paired=True,
        vectorized=False,
        n_resamples=4000,
        method=method,
        rng=1,
    ).confidence_interval
    # The tolerance is four Monte Carlo errors.
    assert low == pytest.approx(expected.low, abs=0.012)
    assert high == pytest.approx(expected.high, abs=0.012)


def test_lesions_of_one_patient_widen_the_interval():
    labels, probabilities, patient = cohort(40, 4)
    disease = probabilities[:, 1]
    draws = draw_patients(40, 1000, generator(6, "a"))
    values = resampled_aurocs(labels, disease, draws, patient)
    low, high, _ = interval(values, 0.95)
    width_by_patient = high - low
    draws = draw_patients(160, 1000, generator(6, "b"))
    values = resampled_aurocs(labels, disease, draws, np.arange(160))
    low, high, _ = interval(values, 0.95)
    width_by_lesion = high - low
    # Four equal lesions carry no more information than one: the ratio is √4.
    assert 1.6 < width_by_patient / width_by_lesion < 2.4


def test_resamples_with_one_class_are_left_out_and_counted():
    labels = np.array([0, 1])
    disease = np.array([0.2, 0.7])
    draws = np.array([[2, 0], [1, 1], [0, 2]])
    values = resampled_aurocs(labels, disease, draws, np.array([0, 1]))
    assert interval(values, 0.95) == (1, 1, 2)


def noisy_aurocs(labels, deviation, draws, random):
    """AUROCs of a model that predicts the label plus noise, with one lesion per patient."""
    count = len(labels)
    disease = labels + random.normal(0, deviation, count)
    return resampled_aurocs(labels, disease, draws, np.arange(count))


def test_p_values_are_uniform_if_two_models_are_equally_good():
    random = np.random.default_rng(7)
    labels = np.arange(80) % 2
    found = []
    for _ in range(300):
        draws = draw_patients(80, 300, random)
        one = noisy_aurocs(labels, 1.2, draws, random)
        other = noisy_aurocs(labels, 1.2, draws, random)
        found.append(p_value(one - other))
    share_below = np.mean(np.array(found) < 0.05)
    assert 0.02 < share_below < 0.09
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_p_value_is_small_if_one_model_is_better():
    random = np.random.default_rng(8)
    labels = np.arange(200) % 2
    draws = draw_patients(200, 999, random)
    good = noisy_aurocs(labels, 0.5, draws, random)
    poor = noisy_aurocs(labels, 2, draws, random)
    assert p_value(good - poor) == pytest.approx(2 / 1000)
    assert p_value(poor - good) == p_value(good - poor)


def test_without_resamples_there_is_no_interval():
    labels = np.array([0, 1])
    disease = np.array([0.2, 0.7])
    draws = draw_patients(2, 0, generator(9, "test"))
    values = resampled_aurocs(labels, disease, draws, np.array([0, 1]))
    assert values.shape == (0,)
    low, high, _ = interval(values, 0.95)
    assert np.isnan(low)
    assert np.isnan(high)
