import numpy as np
import pytest
from scipy.special import expit

from graft.common.documents import check_schema
from graft.patient_effect import block
from graft.patient_effect.block import patient_effect_block, sentences
from graft.patient_effect.fit import PatientEffect
from graft.statistics.cases import Cases
from tests.graft.patient_effect.cohort import draw_cases

FOUND = PatientEffect(1.5, (0.4, 3.25), 0.95, 0.0123, True, 1.2, 80, 20)


@pytest.fixture
def both() -> tuple[dict[str, Cases], dict[str, np.ndarray]]:
    """Validation and test cases with a strong effect of patients."""
    parts = {part: draw_cases(80, 3.0, seed) for seed, part in enumerate(("validation", "test"))}
    return {part: found[0] for part, found in parts.items()}, {
        part: found[1] for part, found in parts.items()
    }


def test_an_effect_is_found_and_its_gain_is_scored(both):
    found = patient_effect_block(*both, 0.95)
    check_schema(found, block.SCHEMA)
    low, high = found["interval"]
    assert found["distinguishable"]
    assert low < 3.0 < (high or np.inf)
    assert found["gain"]["log_loss"]["difference"]["high"] < 0
    assert "One known lesion lowers the log loss of the next one by -" in found["sentence"]


def test_the_test_part_does_not_change_the_estimate(both):
    cases, probabilities = both
    before = patient_effect_block(cases, probabilities, 0.95)
    probabilities["test"] = expit(-probabilities["test"])
    after = patient_effect_block(cases, probabilities, 0.95)
    assert {**before, "gain": 0, "sentence": ""} == {**after, "gain": 0, "sentence": ""}


def test_without_an_effect_no_gain_is_claimed():
    cases, probabilities = draw_cases(80, 0.0, 1)
    parts = ("validation", "test")
    found = patient_effect_block(
        dict.fromkeys(parts, cases), dict.fromkeys(parts, probabilities), 0.95
    )
    check_schema(found, block.SCHEMA)
    assert not found["distinguishable"]
    assert (found["applied_sd"], found["gain"]) == (0, None)
    assert found["sentence"].startswith("The patient effect cannot be distinguished from 0: τ is ")
    assert found["sentence"].endswith("Known lesions change no prediction.")


def test_more_than_two_classes_have_no_effect(both):
    cases, _ = both
    three = {part: np.full((len(found.labels), 3), 1 / 3) for part, found in cases.items()}
    assert patient_effect_block(cases, three, 0.95) is None


def gain(low: float, high: float) -> dict:
    return {"patients": 30, "log_loss": {"difference": {"value": 0.01, "low": low, "high": high}}}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, "Too few patients of the test part have several lesions"),
        (gain(-0.03, -0.01), "One known lesion lowers the log loss"),
        (gain(0.01, 0.03), "However, one known lesion raises the log loss"),
        (gain(-0.01, 0.03), "No gain by one known lesion is shown"),
    ],
)
def test_a_gain_is_claimed_only_if_its_interval_shows_one(found, expected):
    effect, about_gain = sentences(FOUND, found)
    assert "τ is 1.50 (95 % interval from 0.40 to 3.25, p = 0.012, 20 patients" in effect
    assert about_gain.startswith(expected)
