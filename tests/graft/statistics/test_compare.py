"""Several models against one: corrected p-values, margins, and how many patients it would take."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from graft.common.seeds import generator
from graft.statistics.cases import Assessment, Cases, gain, score_model
from graft.statistics.compare import MOST_PATIENTS, compare, holm, patients_needed

PATIENTS = 60


def compared(noises, margin=0.05, classes=("benign", "malignant")):
    """Models that predict the label with noise; the first is the reference."""
    codes = np.arange(PATIENTS) % len(classes)
    rows = pd.DataFrame(
        {
            "sample": np.arange(PATIENTS),
            "patient": np.arange(PATIENTS),
            "label": np.array(classes)[codes],
        }
    )
    cases = Cases.of(rows, list(classes), 500, generator(0, "compare"))
    models = {}
    for seed, (name, noise) in enumerate(noises.items()):
        said = np.eye(len(classes))[codes] + noise * np.random.default_rng(seed).random(
            (PATIENTS, len(classes))
        )
        said /= said.sum(1, keepdims=True)
        models[name] = Assessment(
            None, np.array([], int), {"test": said}, {"test": score_model(cases, said, None)}
        )
    return compare(
        {"test": cases}, models, next(iter(noises)), ("test", "external"), 0.95, margin
    ), models


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    found = holm([np.nan, 0.02, 0.03])
    assert np.isnan(found[0]) and found[1:] == pytest.approx([0.04, 0.04])


def test_patients_needed_by_hand():
    found = {"value": 0.1, "low": -0.1, "high": 0.3}  # a standard error of 0.2 / 1.96
    z, power = stats.norm.ppf([0.975, 0.8])
    assert (
        patients_needed(found, 40, 0.95)
        == np.ceil(40 * ((z + power) * (0.2 / z) / 0.1) ** 2)
        == 327
    )


def test_as_many_patients_have_the_power_that_was_promised():
    needed = patients_needed({"value": 0.1, "low": -0.1, "high": 0.3}, 40, 0.95)
    error = 0.2 / stats.norm.ppf(0.975) * np.sqrt(40 / needed)
    assert stats.norm.sf(stats.norm.ppf(0.975) - 0.1 / error) == pytest.approx(0.8, abs=0.002)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (0.1, 0.01, 0.2),
        (-0.1, -0.2, -0.01),
        (0.0, -0.1, 0.1),
        (0.0001, -0.1, 0.1),
        (0.0, 0.0, 0.0),
        (np.nan,) * 3,
    ],
)
def test_no_number_of_patients_is_told_where_it_is_known_already_or_out_of_reach(value, low, high):
    assert patients_needed({"value": value, "low": low, "high": high}, 40, 0.95) is None


def test_the_most_patients():
    least = patients_needed({"value": 0.003, "low": -0.1, "high": 0.1}, 40, 0.95)
    assert 50_000 < least <= MOST_PATIENTS
    assert patients_needed({"value": 0.002, "low": -0.1, "high": 0.1}, 40, 0.95) is None


def test_each_model_is_held_against_the_reference_alone():
    found, models = compared({"scratch": 3.0, "same": 3.0, "better": 0.8, "worse": 40.0})
    assert list(found) == ["same", "better", "worse"] and found["better"]["external"] is None
    for name, parts in found.items():
        plain = gain(models[name].parts["test"], models["scratch"].parts["test"], 0.95)
        assert {key: parts["test"][key] for key in plain} == plain
    assert found["better"]["test"]["low"] > 0 and found["worse"]["test"]["high"] < 0
    assert (
        found["better"]["test"]["delong"]["p"] < 0.05
        and found["better"]["test"]["patients_needed"] is None
    )
    assert found["same"]["test"]["patients_needed"] > PATIENTS
    p = [parts["test"]["p"] for parts in found.values()]
    assert [parts["test"]["p_holm"] for parts in found.values()] == holm(p)


def test_non_inferior_is_a_low_end_above_the_margin():
    noises = {"scratch": 3.0, "same": 3.0}
    low = compared(noises)[0]["same"]["test"]["low"]
    assert -1 < low < 0
    assert compared(noises, -low + 0.001)[0]["same"]["test"]["non_inferior"] is True
    assert compared(noises, -low - 0.001)[0]["same"]["test"]["non_inferior"] is False


def test_three_classes_have_no_test_of_delong():
    found = compared({"scratch": 3.0, "transfer": 1.0}, classes=("a", "b", "c"))[0]["transfer"][
        "test"
    ]
    assert (
        np.isnan(list(found["delong"].values())).all()
        and found["low"] > 0
        and found["p_holm"] == found["p"] < 0.05
    )
