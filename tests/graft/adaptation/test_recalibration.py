"""Recalibration towards the old values, with numbers worked out by hand."""

import numpy as np
import pytest

from graft.adaptation.recalibration import (
    carry_quantiles,
    fit_slope_and_bias,
    pull,
    refit_points,
    refit_quantiles,
)
from graft.conformal.quantiles import predict_sets
from graft.statistics.calibrate import Temperature


def test_one_label_moves_the_bias_a_little():
    # With b = b₁ = -b₀, ln σ(2b) - b² is largest where b = σ(-2b).
    slope, bias = fit_slope_and_bias(np.zeros((1, 2)), np.array([1]))
    assert slope == pytest.approx(1.0)
    assert bias[1] == pytest.approx(1 / (1 + np.exp(2 * bias[1])), abs=1e-5)
    assert bias == pytest.approx([-0.3374, 0.3374], abs=1e-4)


def test_many_labels_decide():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (4000, 2))
    odds = 0.5 * (logits[:, 1] - logits[:, 0]) + 1.0
    labels = (random.random(4000) < 1 / (1 + np.exp(-odds))).astype(int)
    slope, bias = fit_slope_and_bias(logits, labels)
    assert slope == pytest.approx(0.5, abs=0.04)
    assert bias[1] - bias[0] == pytest.approx(1.0, abs=0.1)


def test_a_value_is_pulled_by_its_log_odds():
    assert pull(0.2, 0.8, 20) == pytest.approx(0.5)  # the old one counts for 20
    assert pull(0.2, 0.8, 0) == pytest.approx(0.2)
    assert pull(None, 0.3, 5) == 0.3
    assert pull(0.3, None, 5) == 0.3


def test_few_lesions_of_a_class_keep_its_threshold():
    wanted = {"sensitivity": 0.9, "specificity": 0.9}
    old = {"sensitivity": 0.2, "specificity": 0.7}
    labels = np.array([1] * 9 + [0] * 20)
    disease = np.append(np.full(9, 0.9), np.linspace(0.01, 0.2, 20))
    raw = np.stack([1 - disease, disease], 1)
    found = refit_points(old, wanted, labels, raw)
    assert found["sensitivity"] == 0.2
    # The lowest threshold above 18 of 20 healthy ones is 0.185; 20 lesions go half of the way.
    expected = np.sqrt(0.7 / 0.3 * 0.185 / 0.815)
    assert found["specificity"] == pytest.approx(expected / (1 + expected), abs=1e-4)


def test_quantiles_are_pulled_and_may_appear():
    labels = np.array([0] * 20 + [1] * 3)
    disease = np.append(np.linspace(0.05, 0.24, 20), [0.9] * 3)
    calibrated = np.stack([1 - disease, disease], 1)
    found = refit_quantiles({"benign": None, "malignant": 0.6}, 0.1, labels, calibrated)
    assert found["benign"] == pytest.approx(0.23)  # the 19th of 20 scores
    assert found["malignant"] == pytest.approx(0.6)  # three lesions have no quantile


def test_carried_quantiles_give_the_same_sets():
    # A bias of ln 3 makes odds of 1.5 to 4.5, and odds of 1 for the other class to 1/3.
    old = {"benign": 0.5, "malignant": 0.4}
    found = carry_quantiles(old, (1.0, (0.0, 0.0)), (1.0, (0.0, np.log(3))))
    assert found == {"benign": pytest.approx(0.75), "malignant": pytest.approx(1 - 4.5 / 5.5)}
    disease = np.random.default_rng(0).random(200)
    raw = np.stack([1 - disease, disease], 1)
    before, after = (1.3, (0.0, 0.2)), (0.8, (0.4, -0.4))
    carried = carry_quantiles(old, before, after)
    sets = [
        predict_sets(Temperature(value, (), bias).apply(raw), quantiles)
        for (value, bias), quantiles in ((before, old), (after, carried))
    ]
    assert (sets[0] == sets[1]).all()
