import numpy as np
import pytest

from graft.membership.scores import by_patient, log_likelihoods, logit_confidences

PROBABILITIES = np.array([[0.9, 0.1], [0.25, 0.75], [0.0, 1.0], [0.0, 1.0]])
LABELS = np.array([0, 0, 1, 0])


def test_scores_of_lesions_by_hand():
    assert log_likelihoods(PROBABILITIES, LABELS)[:3] == pytest.approx(np.log([0.9, 0.25, 1.0]))
    logits = logit_confidences(PROBABILITIES, LABELS)
    assert logits[:2] == pytest.approx(np.log([9, 1 / 3]))


def test_certain_predictions_stay_finite():
    assert np.isfinite(log_likelihoods(PROBABILITIES, LABELS)).all()
    logits = logit_confidences(PROBABILITIES, LABELS)
    assert logits[2] == pytest.approx(-logits[3], rel=1e-6)
    assert np.isfinite(logits).all()


def test_a_patient_has_the_mean_over_their_lesions():
    found = by_patient(np.array([1.0, 2.0, 6.0]), np.array([1, 0, 1]))
    assert found.tolist() == [2.0, 3.5]
