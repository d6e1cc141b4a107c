import numpy as np
import pandas as pd
import pytest

from graft.patient_effect.known import FEWEST, Pairs, gain_of_one
from graft.patient_effect.model import shift
from graft.statistics.cases import Cases

CLASSES = ["benign", "malignant"]
SD = 2.0


def make_cases(lesions: list[int], seed: int = 0) -> tuple[Cases, np.ndarray]:
    """Cases of patients with so many lesions each, and probabilities (N, 2)."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(len(lesions)), lesions)
    labels = random.random(len(lesions))[patient] < 0.5
    rows = pd.DataFrame(
        {
            "sample": np.arange(len(patient)),
            "patient": [f"p{number}" for number in patient],
            "label": np.array(CLASSES)[labels.astype(int)],
        }
    )
    disease = random.uniform(0.2, 0.8, len(patient)).round(8)
    cases = Cases.of(rows, CLASSES, 200, np.random.default_rng(1))
    return cases, np.stack([1 - disease, disease], axis=1)


def test_pairs_are_ordered_and_of_one_patient():
    pairs = Pairs.of(np.array([0, 1, 0, 2, 0]))
    found = set(zip(pairs.known.tolist(), pairs.further.tolist(), strict=True))
    assert found == {(0, 2), (0, 4), (2, 0), (2, 4), (4, 0), (4, 2)}


def test_the_log_loss_is_a_mean_within_and_then_over_patients():
    lesions = [2, 1, 3] * 6
    cases, probabilities = make_cases(lesions)
    found = gain_of_one(cases, probabilities, SD, 0.95)
    disease, positive = probabilities[:, 1], cases.labels == 1
    losses: dict[str, list[float]] = {"without": [], "with": []}
    for number, count in enumerate(lesions):
        own = np.flatnonzero(cases.patient == number)
        of_pairs: dict[str, list[float]] = {"without": [], "with": []}
        for known in own:
            for further in own[own != known]:
                p = disease[further]
                [q] = shift(disease[[further]], disease[[known]], positive[[known]], SD)
                for name, value in (("without", p), ("with", q)):
                    of_pairs[name].append(-np.log(value if positive[further] else 1 - value))
        if count > 1:
            for name, values in of_pairs.items():
                losses[name].append(np.mean(values))
    for name, values in losses.items():
        assert found["log_loss"][name]["value"] == pytest.approx(np.mean(values), abs=1e-6)
    difference = np.mean(losses["with"]) - np.mean(losses["without"])
    assert found["log_loss"]["difference"]["value"] == pytest.approx(difference, abs=1e-6)
    assert (found["patients"], found["pairs"]) == (12, 6 * 2 + 6 * 6)


def test_lesions_of_one_class_in_each_patient_gain():
    cases, probabilities = make_cases([2] * 60)
    found = gain_of_one(cases, probabilities, SD, 0.95)
    assert found["log_loss"]["difference"]["high"] < 0
    assert found["auroc"]["difference"]["low"] > 0


def test_without_an_effect_nothing_changes():
    cases, probabilities = make_cases([2] * 20)
    found = gain_of_one(cases, probabilities, 0.0, 0.95)
    assert found["log_loss"]["difference"]["value"] == 0
    assert found["auroc"]["difference"]["value"] == 0


def test_too_few_patients_with_several_lesions_have_no_gain():
    few = [2] * (FEWEST - 1) + [1] * 30
    assert gain_of_one(*make_cases(few), SD, 0.95) is None
    assert gain_of_one(*make_cases([1] * 5), SD, 0.95) is None
