"""Simulated cohorts: the AUROC that a model is given is the one it has."""

import numpy as np
import pytest

from benchmarks.cohorts import draw_cohort, noise
from benchmarks.simulations import coverage, simulate, true_scores
from graft.common.seeds import generator
from graft.statistics.scores import auroc, ranks


@pytest.fixture(scope="module")
def many():
    return draw_cohort(12_000, generator(0, "test"))


@pytest.mark.parametrize("wanted", [0.55, 0.7, 0.92])
def test_a_model_has_the_auroc_that_it_was_given(many, wanted):
    positive, read = (
        (many.rows["label"] == "malignant").to_numpy(),
        many.read(wanted, generator(1, "test")),
    )
    found = auroc(*ranks(positive, read[:, 1], np.ones((1, len(positive)))))[0]
    assert found == pytest.approx(wanted, abs=0.012)  # three standard errors


def test_probabilities_are_calibrated_but_for_the_mimics(many):
    positive, disease = (
        (many.rows["label"] == "malignant").to_numpy(),
        many.read(0.85, generator(2, "test"))[:, 1],
    )
    for low in (0.2, 0.5, 0.7):
        near = (disease > low) & (disease < low + 0.1)
        assert positive[near].mean() == pytest.approx(disease[near].mean(), abs=0.05)


@pytest.mark.parametrize("wanted", [0.5, 0.4, 0.96])
def test_an_auroc_that_no_reading_has_is_refused(wanted):
    with pytest.raises(
        ValueError, match=f"auroc: got {wanted}, expected above 0.5 and at most 0.947"
    ):
        noise(wanted)


def test_the_simulation_counts_what_it_promises(monkeypatch):
    monkeypatch.setattr("benchmarks.simulations.RESAMPLES", 200)
    monkeypatch.setattr("benchmarks.simulations.TRUTH_PATIENTS", 3000)
    found = simulate(30, 6, true_scores())
    ways = {row["way"] for row in found["coverage"] if row["what"] == "gain"}
    assert ways == {"BCa", "BCa, widened", "percentile", "DeLong"}
    for row in found["verdicts"]:
        assert row["helps"] + row["harms"] + row["no difference shown"] == pytest.approx(1)
    helped = {
        row["true"]: row["helps"] for row in found["verdicts"] if row["way"] == "BCa, widened"
    }
    assert helped[0.22] > helped[-0.15] == 0
    assert coverage(
        "gain", 0.1, "DeLong", [(True, False), (False, False), (False, True), (False, False)]
    ) == {"what": "gain", "true": 0.1, "way": "DeLong", "held": 0.5, "above": 0.25, "below": 0.25}
