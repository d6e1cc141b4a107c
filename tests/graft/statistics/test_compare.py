"""Several models against one: corrected p-values and margins."""

import numpy as np
import pandas as pd
import pytest

from graft.common.seeds import generator
from graft.statistics.cases import Assessment, Cases, gain, score_model
from graft.statistics.compare import compare, holm

PATIENTS = 60


def compare_noisy_models(noises, margin=0.05, classes=("benign", "malignant")):
    """Compare models that predict the truth plus noise with the first of them.

    Returns:
        The comparison, and the assessment of each model by name.
    """
    codes = np.arange(PATIENTS) % len(classes)
    rows = pd.DataFrame(
        {
            "sample": np.arange(PATIENTS),
            "patient": np.arange(PATIENTS),
            "label": np.array(classes)[codes],
        }
    )
    cases = Cases.of(rows, list(classes), 500, generator(0, "compare"))
    truth = np.eye(len(classes))[codes]
    models = {}
    for seed, (name, deviation) in enumerate(noises.items()):
        noise = np.random.default_rng(seed).random(truth.shape)
        probabilities = truth + deviation * noise
        probabilities /= probabilities.sum(1, keepdims=True)
        scored = score_model(cases, probabilities, None)
        no_samples = np.array([], int)
        models[name] = Assessment(None, no_samples, {"test": probabilities}, {"test": scored})
    reference = next(iter(noises))
    parts = ("test", "external")
    found = compare({"test": cases}, models, reference, parts, 0.95, margin)
    return found, models


def test_holm_by_hand():
    # Sorted, the p-values are multiplied by 4, 3, 2 and 1, and never decrease.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # A p-value is at most 1.
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])


def test_holm_does_not_count_undefined_p_values():
    found = holm([np.nan, 0.02, 0.03])
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([0.04, 0.04])


@pytest.fixture(scope="module")
def comparison():
    return compare_noisy_models({"scratch": 3.0, "same": 3.0, "better": 0.8, "worse": 40.0})


def test_each_model_is_compared_with_the_reference_only(comparison):
    found, models = comparison
    assert list(found) == ["same", "better", "worse"]
    assert found["better"]["external"] is None
    reference = models["scratch"].parts["test"]
    for name, parts in found.items():
        expected = gain(models[name].parts["test"], reference, 0.95)
        for key, value in expected.items():
            assert parts["test"][key] == value


def test_better_and_worse_models_are_recognised(comparison):
    found, _ = comparison
    better = found["better"]["test"]
    assert better["low"] > 0
    assert better["delong"]["p"] < 0.05
    assert better["patients_needed"] is None
    assert found["worse"]["test"]["high"] < 0
    assert found["same"]["test"]["patients_needed"] > PATIENTS


def test_the_p_values_of_all_models_are_corrected_together(comparison):
    found, _ = comparison
    p = [parts["test"]["p"] for parts in found.values()]
    corrected = [parts["test"]["p_holm"] for parts in found.values()]
    assert corrected == holm(p)


def test_a_model_is_not_inferior_if_the_low_end_is_above_the_margin():
    noises = {"scratch": 3.0, "same": 3.0}
    found, _ = compare_noisy_models(noises)
    low = found["same"]["test"]["low"]
    assert -1 < low < 0
    wide_margin, _ = compare_noisy_models(noises, -low + 0.001)
    assert wide_margin["same"]["test"]["non_inferior"] is True
    narrow_margin, _ = compare_noisy_models(noises, -low - 0.001)
    assert narrow_margin["same"]["test"]["non_inferior"] is False


def test_three_classes_have_no_test_of_delong():
    noises = {"scratch": 3.0, "transfer": 1.0}
    found, _ = compare_noisy_models(noises, classes=("a", "b", "c"))
    transfer = found["transfer"]["test"]
    assert np.isnan(list(transfer["delong"].values())).all()
    assert transfer["low"] > 0
    assert transfer["p"] < 0.05
    assert transfer["p_holm"] == transfer["p"]
