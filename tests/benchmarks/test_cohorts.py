"""Simulated cohorts: a model has the AUROC that it was given."""

import numpy as np
import pytest

from benchmarks.cohorts import draw_cohort, noise_deviation
from graft.common.seeds import generator
from graft.statistics.scores import auroc, ranks


@pytest.fixture(scope="module")
def large_cohort():
    return draw_cohort(12_000, generator(0, "test"))


@pytest.fixture(scope="module")
def positive(large_cohort) -> np.ndarray:
    return (large_cohort.rows["label"] == "malignant").to_numpy()


@pytest.mark.parametrize("wanted", [0.55, 0.7, 0.92])
def test_a_model_has_the_auroc_that_it_was_given(large_cohort, positive, wanted):
    disease = large_cohort.predict(wanted, generator(1, "test"))[:, 1]
    weights = np.ones((1, len(positive)))
    found = auroc(*ranks(positive, disease, weights))[0]
    assert found == pytest.approx(wanted, abs=0.012)  # three standard errors


@pytest.mark.parametrize("low", [0.2, 0.5, 0.7])
def test_probabilities_are_calibrated_except_for_mimics(large_cohort, positive, low):
    disease = large_cohort.predict(0.85, generator(2, "test"))[:, 1]
    near = (disease > low) & (disease < low + 0.1)
    assert positive[near].mean() == pytest.approx(disease[near].mean(), abs=0.05)


@pytest.mark.parametrize("wanted", [0.5, 0.4, 0.96])
def test_an_impossible_auroc_is_an_error(wanted):
    message = f"auroc: got {wanted}, expected above 0.5 and at most 0.947"
    with pytest.raises(ValueError, match=message):
        noise_deviation(wanted)
