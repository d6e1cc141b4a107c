"""Several models against one: corrected p-values, margins, and how many patients are needed."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from graft.common.seeds import generator
from graft.statistics.cases import Assessment, Cases, gain, score_model
from graft.statistics.compare import MOST_PATIENTS, compare, holm, patients_needed

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


def estimate(value, low, high):
    return {"value": value, "low": low, "high": high}


def test_patients_needed_by_hand():
    needed = patients_needed(estimate(0.1, -0.1, 0.3), 40, 0.95)
    # The half width is 0.2, so the standard error of 40 patients is 0.2 / 1.96.
    z, z_of_power = stats.norm.ppf([0.975, 0.8])
    error = 0.2 / z
    expected = 40 * ((z + z_of_power) * error / 0.1) ** 2
    assert needed == np.ceil(expected)
    assert needed == 327


def test_the_patients_needed_give_a_power_of_80_percent():
    needed = patients_needed(estimate(0.1, -0.1, 0.3), 40, 0.95)
    z = stats.norm.ppf(0.975)
    error = 0.2 / z * np.sqrt(40 / needed)
    power = stats.norm.sf(z - 0.1 / error)
    assert power == pytest.approx(0.8, abs=0.002)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        pytest.param(0.1, 0.01, 0.2, id="significantly better"),
        pytest.param(-0.1, -0.2, -0.01, id="significantly worse"),
        pytest.param(0.0, -0.1, 0.1, id="no difference"),
        pytest.param(0.0001, -0.1, 0.1, id="tiny difference"),
        pytest.param(0.0, 0.0, 0.0, id="no width"),
        pytest.param(np.nan, np.nan, np.nan, id="undefined"),
    ],
)
def test_no_number_of_patients_is_given_if_the_answer_is_known_or_out_of_reach(value, low, high):
    assert patients_needed(estimate(value, low, high), 40, 0.95) is None


def test_more_patients_than_the_limit_are_not_given():
    below_limit = patients_needed(estimate(0.003, -0.1, 0.1), 40, 0.95)
    assert 50_000 < below_limit <= MOST_PATIENTS
    assert patients_needed(estimate(0.002, -0.1, 0.1), 40, 0.95) is None


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
