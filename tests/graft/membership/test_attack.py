"""Attacks on models that were trained for the test, and the comparison with a guarantee."""

import numpy as np
import pytest

from graft.membership.attack import (
    FEWEST_SHADOWS,
    LIRA,
    LOSS,
    attack_model,
    compare_with_guarantee,
    score_patients,
)
from graft.membership.bound import Guarantee
from graft.membership.scores import by_patient, log_likelihoods, logit_confidences
from tests.graft.membership.cohort import (
    MEMBERS,
    OTHERS,
    as_model,
    noise_cohort,
    start_of,
    train_by_heart,
)

GUARANTEE = Guarantee(epsilon=1.0, delta=1e-5)


def rate(value: float, low: float, high: float) -> dict:
    return {"value": value, "low": low, "high": high}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # of the checkpoints


def test_it_succeeds_on_an_overfitted_model_and_fails_on_an_untrained_one():
    domain, people = noise_cohort()
    found = attack_model(train_by_heart(domain, people, 60), domain, people, 0.95)
    assert found["auc"]["value"] > 0.8
    assert found["succeeds"]
    assert (found["members"], found["non_members"]) == (MEMBERS, OTHERS)
    assert (found["method"], found["shadows"], found["bound"]) == (LOSS, 0, None)
    start, _, _ = start_of(domain, people)
    untrained = attack_model(as_model(start), domain, people, 0.95)
    assert not untrained["succeeds"]
    assert untrained["auc"]["low"] < 0.5 < untrained["auc"]["high"]


def test_a_patient_is_scored_over_all_their_lesions():
    domain, people = noise_cohort()
    probabilities = np.random.default_rng(1).dirichlet([1, 1], len(people.rows))
    _, _, scores = score_patients(probabilities, people, None)
    labels = domain.index["label"].to_numpy()[people.rows]
    first = [probabilities[row, domain.classes.index(labels[row])] for row in (0, 1)]
    assert scores[0] == pytest.approx(np.log(first).mean())
    assert len(scores) == MEMBERS + OTHERS


def simulated_shadows(people, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions by a model that learned members a little, and by just enough shadow models."""
    random = np.random.default_rng(seed)
    count = len(people.rows)
    hardness = random.normal(0, 3, count)
    learned = 1.5 * people.is_member[people.patients]

    def predict(logit: np.ndarray) -> np.ndarray:
        of_true_class = 1 / (1 + np.exp(-logit))
        found = np.empty((count, 2))
        found[np.arange(count), people.labels] = of_true_class
        found[np.arange(count), 1 - people.labels] = 1 - of_true_class
        return found

    shadows = [predict(hardness + random.normal(0, 0.5, count)) for _ in range(FEWEST_SHADOWS)]
    return predict(hardness + learned + random.normal(0, 0.5, count)), np.stack(shadows)


def test_with_shadow_models_it_is_lira_and_finds_more():
    _, people = noise_cohort()
    probabilities, shadows = simulated_shadows(people)
    method, count, scores = score_patients(probabilities, people, shadows)
    assert (method, count) == (LIRA, FEWEST_SHADOWS)
    observed = by_patient(logit_confidences(probabilities, people.labels), people.patients)
    expected = by_patient(logit_confidences(shadows.mean(0), people.labels), people.patients)
    assert np.corrcoef(scores, observed - expected)[0, 1] > 0.95
    alone = by_patient(log_likelihoods(probabilities, people.labels), people.patients)
    gap = scores[people.is_member].min() - np.median(scores[~people.is_member])
    assert gap > 0
    assert np.median(alone[people.is_member]) < alone[~people.is_member].max()


@pytest.mark.parametrize("missing", ["a shadow model", "a prediction of a lesion"])
def test_without_enough_shadow_models_it_is_the_loss_threshold(missing):
    _, people = noise_cohort()
    probabilities, shadows = simulated_shadows(people)
    if missing == "a shadow model":
        shadows = shadows[1:]
    else:
        shadows[2, people.rows[-1]] = np.nan
    assert score_patients(probabilities, people, shadows)[:2] == (LOSS, 0)


def test_the_block_of_a_guarantee_has_its_limits():
    rates = rate(0.6, 0.5, 0.7), rate(0.0, 0.0, 0.1), rate(0.0, 0.0, 0.05)
    assert compare_with_guarantee(None, *rates) is None
    found = compare_with_guarantee(GUARANTEE, *rates)
    assert found["auc"] == pytest.approx(0.731059 + 0.000005, abs=1e-6)
    assert found["tpr"] == pytest.approx(0.0271828 + 0.00001, abs=1e-6)
    assert (found["below"], found["broken"]) == (True, False)


@pytest.mark.parametrize(
    ("found", "positives", "below", "broken"),
    [
        (rate(0.75, 0.70, 0.80), rate(0.0, 0.0, 0.1), False, False),
        (rate(0.85, 0.74, 0.90), rate(0.0, 0.0, 0.1), False, True),
        # e · 0.05 + δ = 0.1359 are allowed at the upper limit of the false positives.
        (rate(0.60, 0.50, 0.70), rate(0.2, 0.13, 0.3), False, False),
        (rate(0.60, 0.50, 0.70), rate(0.2, 0.14, 0.3), False, True),
    ],
)
def test_a_guarantee_is_broken_if_a_lower_limit_is_above_it(found, positives, below, broken):
    false = rate(0.0, 0.0, 0.05)
    block = compare_with_guarantee(GUARANTEE, found, positives, false)
    assert (block["below"], block["broken"]) == (below, broken)
