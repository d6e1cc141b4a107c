"""Intervals and p-values against slow loops, SciPy and known properties."""

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
    """Labels, probabilities and the patient of each lesion; a patient's lesions are similar."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), lesions)
    labels = (np.arange(patients) % 2)[patient]
    disease = np.clip(0.4 + 0.15 * labels + random.normal(0, 0.2, patients)[patient], 0.01, 0.99)
    return labels, np.stack([1 - disease, disease], axis=1), patient


def aurocs(labels, disease, draws, patient):
    return resample(
        lambda weights: {"auroc": auroc(*ranks(labels == 1, disease, weights))}, draws, patient
    )["auroc"]


def test_each_resample_has_as_many_patients_and_each_patient_the_same_chance():
    draws = draw_patients(5, 20_000, generator(0, "test"))
    assert (draws.sum(1) == 5).all()
    assert draws.mean(0) == pytest.approx(np.ones(5), abs=0.03)
    assert (draws == 0).mean() == pytest.approx(0.8**5, abs=0.01)


def test_same_seed_same_draws():
    assert np.array_equal(
        draw_patients(9, 50, generator(1, "a")), draw_patients(9, 50, generator(1, "a"))
    )
    assert not np.array_equal(
        draw_patients(9, 50, generator(1, "a")), draw_patients(9, 50, generator(1, "b"))
    )


def test_interval_by_hand():
    assert interval(np.arange(99.0), 0.9) == (4, 94, 0)  # the 5th of 99 from either end
    assert interval(np.array([np.nan, 1, 2, 3, np.nan]), 0.5) == (1, 3, 2)
    low, high, left_out = interval(np.full(4, np.nan), 0.95)
    assert np.isnan([low, high]).all() and left_out == 4


def test_p_value_by_hand():
    assert p_value(np.array([-1.0, 1, 2, 3, 4, 5, 6, 7, 8])) == pytest.approx(2 * (1 + 1) / (9 + 1))
    assert p_value(np.array([1.0] * 99)) == pytest.approx(2 * 1 / 100)  # never 0
    assert p_value(np.array([np.nan, -1, -2, -3])) == pytest.approx(2 * 1 / 4)
    assert p_value(np.zeros(50)) == 1
    assert np.isnan(p_value(np.array([np.nan])))


@pytest.mark.parametrize(
    "correction", [PERCENTILE, Correction(0.3, -0.1), Correction(-0.2, 0.12, 41)]
)
def test_p_is_below_005_exactly_where_the_interval_leaves_out_0(correction):
    random, seen = np.random.default_rng(0), set()
    for shift in np.linspace(-3, 3, 121):
        differences = random.normal(shift, 1, 999).round(2)
        low, high, _ = interval(differences, 0.95, correction)
        assert (p_value(differences, correction) < 0.05) == (not low <= 0 <= high)
        seen.add(low <= 0 <= high)
    assert seen == {True, False}


def test_the_jackknife_leaves_out_one_patient_after_the_other(monkeypatch):
    labels, probabilities, patient = cohort(12, 2)

    def measure(weights):
        return {"auroc": auroc(*ranks(labels == 1, probabilities[:, 1], weights))}

    found = jackknife(measure, patient)["auroc"]
    for who in range(12):
        rest = patient != who
        assert found[who] == pytest.approx(
            metrics.roc_auc_score(labels[rest], probabilities[rest, 1])
        )
    monkeypatch.setattr("graft.statistics.bootstrap.BLOCK", 5 * 24)
    assert np.array_equal(jackknife(measure, patient)["auroc"], found)
    monkeypatch.setattr("graft.statistics.bootstrap.MOST_LEFT_OUT", 4)
    for group, area in enumerate(jackknife(measure, patient)["auroc"]):
        rest = patient % 4 != group
        assert area == pytest.approx(metrics.roc_auc_score(labels[rest], probabilities[rest, 1]))


def test_agrees_with_a_loop_that_copies_the_lesions_of_each_drawn_patient():
    labels, probabilities, patient = cohort(20, 3)
    draws = draw_patients(20, 40, generator(3, "test"))
    fast = resample(lambda weights: score(labels, probabilities, weights, 0.5), draws, patient)
    for row, times in enumerate(draws):
        cases = [
            case
            for who in range(20)
            for case in np.flatnonzero(patient == who).tolist() * int(times[who])
        ]
        truth, disease = labels[cases], probabilities[cases, 1]
        assert fast["auroc"][row] == pytest.approx(metrics.roc_auc_score(truth, disease))
        assert fast["auprc"][row] == pytest.approx(metrics.average_precision_score(truth, disease))
        assert fast["f1"][row] == pytest.approx(metrics.f1_score(truth, disease >= 0.5))
        assert fast["log_loss"][row] == pytest.approx(metrics.log_loss(truth, disease))


def test_blocks_change_nothing(monkeypatch):
    labels, probabilities, patient = cohort(12, 2)
    draws = draw_patients(12, 30, generator(4, "test"))
    whole = aurocs(labels, probabilities[:, 1], draws, patient)
    monkeypatch.setattr("graft.statistics.bootstrap.BLOCK", 7 * 24)
    assert draws.size < BLOCK and np.array_equal(
        aurocs(labels, probabilities[:, 1], draws, patient), whole
    )


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_agrees_with_scipy_where_each_patient_has_one_lesion(method):
    labels, probabilities, patient = cohort(60, 1)
    disease, draws = probabilities[:, 1], draw_patients(60, 4000, generator(5, "test"))
    values = aurocs(labels, disease, draws, patient)

    def area(truth, told):
        sick, well = told[truth == 1], told[truth == 0]
        return (sick[:, None] > well).mean() + (sick[:, None] == well).mean() / 2

    left = np.array([area(np.delete(labels, i), np.delete(disease, i)) for i in range(60)])
    correction = (
        bca_correction(area(labels, disease), values, left) if method == "BCa" else PERCENTILE
    )
    theirs = stats.bootstrap(
        (labels, disease),
        area,
        paired=True,
        vectorized=False,
        n_resamples=4000,
        method=method,
        rng=1,
    ).confidence_interval
    assert interval(values, 0.95, correction)[:2] == pytest.approx(
        tuple(theirs), abs=0.012
    )  # four Monte-Carlo errors


def test_lesions_of_one_patient_widen_the_interval():
    labels, probabilities, patient = cohort(40, 4)
    together = interval(
        aurocs(labels, probabilities[:, 1], draw_patients(40, 1000, generator(6, "a")), patient),
        0.95,
    )
    alone = interval(
        aurocs(
            labels, probabilities[:, 1], draw_patients(160, 1000, generator(6, "b")), np.arange(160)
        ),
        0.95,
    )
    ratio = (together[1] - together[0]) / (alone[1] - alone[0])
    assert 1.6 < ratio < 2.4  # four copies of a lesion carry the information of one: √4


def test_resamples_with_one_class_are_left_out_and_counted():
    draws = np.array([[2, 0], [1, 1], [0, 2]])
    values = aurocs(np.array([0, 1]), np.array([0.2, 0.7]), draws, np.array([0, 1]))
    assert interval(values, 0.95) == (1, 1, 2)


def test_p_values_are_uniform_where_two_models_are_equally_good():
    random = np.random.default_rng(7)
    found = []
    for _ in range(300):
        labels = np.arange(80) % 2
        draws = draw_patients(80, 300, random)
        one, other = (
            aurocs(labels, labels + random.normal(0, 1.2, 80), draws, np.arange(80))
            for _ in range(2)
        )
        found.append(p_value(one - other))
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_p_value_is_small_where_one_model_is_better():
    random = np.random.default_rng(8)
    labels = np.arange(200) % 2
    draws = draw_patients(200, 999, random)
    good, poor = (
        aurocs(labels, labels + random.normal(0, noise, 200), draws, np.arange(200))
        for noise in (0.5, 2)
    )
    assert p_value(good - poor) == p_value(poor - good) == pytest.approx(2 / 1000)


def test_no_resamples_have_no_interval():
    values = aurocs(
        np.array([0, 1]),
        np.array([0.2, 0.7]),
        draw_patients(2, 0, generator(9, "test")),
        np.array([0, 1]),
    )
    assert values.shape == (0,) and np.isnan(interval(values, 0.95)[:2]).all()
