"""Simulated cohorts with an effect of patients."""

import numpy as np
import pytest

from benchmarks.patient_effect import (
    CENTRED,
    GRAFT,
    LAPLACE,
    PLAIN,
    PRIORS,
    UNCENTRED,
    Cohort,
    draw_cohort,
    gain_rows,
    interval_rows,
    laplace,
    likelihood_of,
    read_too_high,
    simulate,
    use_known,
)
from graft.patient_effect.fit import fit_patient_effect
from graft.patient_effect.model import log_likelihood
from graft.statistics.calibrate import Temperature


def test_graft_is_what_evaluate_computes():
    cohort = draw_cohort(60, 3.0, np.random.default_rng(3))
    likelihood = likelihood_of(cohort)
    found = fit_patient_effect(cohort.positive, cohort.disease, cohort.patient, 0.95)
    assert likelihood(found.sd) >= max(likelihood(found.sd + step) for step in (-0.05, 0.05))


def test_laplace_is_exact_without_an_effect_and_near_for_many_lesions():
    random = np.random.default_rng(0)
    patient = np.repeat(np.arange(4), 200)
    disease = random.uniform(0.2, 0.8, 800)
    positive = random.random(800) < disease
    for sd in (0.0, 0.5):
        expected = log_likelihood(positive, disease, patient, sd)
        assert laplace(positive, disease, patient, sd) == pytest.approx(expected, abs=2e-2)


def test_a_model_that_reads_too_high_is_calibrated_again():
    cohort = draw_cohort(200, 0.0, np.random.default_rng(1))
    high = read_too_high(cohort)
    assert high.disease.mean() > cohort.positive.mean() + 0.05
    assert np.array_equal(np.argsort(high.disease), np.argsort(cohort.disease))


def test_rows_of_every_way():
    found = simulate(30, 0.0, 2)
    ways = [row["way"] for row in interval_rows(30, 0.0, found)]
    assert ways == [GRAFT, LAPLACE, PLAIN, CENTRED, UNCENTRED]
    for row in interval_rows(30, 0.0, found):
        assert row["contains τ"] + row["above"] + row["below"] == pytest.approx(1)


def test_gains_are_means_over_cohorts():
    one = {"prior 1": -0.1, "coverage": 0.9}
    rows = list(gain_rows(20, 1.0, {"gains": [one, {"prior 1": -0.3, "coverage": 0.8}]}))
    [row] = rows
    assert (row["cohorts"], row["prior 1"]) == (2, pytest.approx(-0.2))
    assert list(gain_rows(20, 1.0, {"gains": []})) == []


def test_the_gain_of_a_strong_effect_is_seen_with_every_prior():
    cohort = draw_cohort(300, 3.0, np.random.default_rng(0))
    assert isinstance(cohort, Cohort)
    assert isinstance(cohort.temperature, Temperature)
    found = use_known(cohort, likelihood_of(cohort), 3.0, np.random.default_rng(1))
    for prior in PRIORS:
        assert found[f"prior {prior:g}"] < -0.03
    for name, value in found.items():
        if name.startswith("coverage"):
            assert 0.8 < value < 1
