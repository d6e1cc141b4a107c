"""LiRA by hand, and on simulated confidences of members and non-members."""

import numpy as np
import pytest

from graft.membership.lira import offline_scores
from graft.membership.rates import auc

PATIENTS = 400
EFFECT = 1.0  # of membership on a confidence, in standard deviations over trainings
HARDNESS = 3.0  # the standard deviation of the patients' expected confidences


def simulate(shadows: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Confidences by the attacked model, and by shadow models without each patient."""
    random = np.random.default_rng(seed)
    expected = random.normal(0, HARDNESS, PATIENTS)
    is_member = np.arange(PATIENTS) < PATIENTS // 2
    observed = expected + EFFECT * is_member + random.normal(size=PATIENTS)
    without = expected[:, None] + random.normal(size=(PATIENTS, shadows))
    return is_member, observed, without


def area(scores: np.ndarray, is_member: np.ndarray) -> float:
    return auc(scores[is_member], scores[~is_member], 0.95)["value"]


def test_two_patients_by_hand():
    without = np.array([[1.0, 3.0], [4.0, 4.0]])  # means 2 and 4, variances 2 and 0: 1 on average
    observed = np.array([3.0, 4.5])
    assert offline_scores(observed, without) == pytest.approx([1.0, 0.5])


def test_it_finds_members_that_the_confidence_alone_does_not_show():
    is_member, observed, without = simulate(16)
    # Known expectations would give Φ(1/√2) = 0.760, and the confidence alone Φ(1/√20) = 0.588.
    assert area(observed, is_member) < 0.65
    assert area(offline_scores(observed, without), is_member) == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("shadows", [2, 3, 5])
def test_few_shadow_models_already_help(shadows):
    is_member, observed, without = simulate(shadows)
    gained = area(offline_scores(observed, without), is_member) - area(observed, is_member)
    assert gained > 0.05


def test_without_an_effect_it_finds_nobody():
    is_member, observed, without = simulate(5)
    observed = observed - EFFECT * is_member
    found = offline_scores(observed, without)
    assert 0.42 < area(found, is_member) < 0.58  # standard error 0.03


def test_shadow_models_that_agree_are_no_division_by_zero():
    scores = offline_scores(np.array([1.0, 2.0]), np.ones((2, 3)))
    assert np.isfinite(scores).all()
    assert scores[1] > scores[0]
