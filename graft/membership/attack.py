"""The attack on one model: scores of its patients, rates, and the limits of its guarantee."""

from typing import Any

import numpy as np

from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.membership.bound import Guarantee
from graft.membership.lira import FOR_OWN_VARIANCE, offline_scores
from graft.membership.patients import Patients
from graft.membership.rates import Rate, auc, true_positives
from graft.membership.scores import by_patient, log_likelihoods, logit_confidences
from graft.networks.saved import Model

FALSE_POSITIVES = 0.01  # rate at which true positives are reported
FEWEST_SHADOWS = FOR_OWN_VARIANCE  # of a patient; with 3 LiRA was worse than the loss threshold
CHANCE = 0.5  # AUC of guessing
LOSS = "loss threshold"
LIRA = "LiRA, offline"


def attack_model(
    model: Model,
    domain: Domain,
    people: Patients,
    confidence: float,
    guarantee: Guarantee | None = None,
    shadows: np.ndarray | None = None,
) -> dict[str, Any]:
    """Infer from the predictions of a model which patients it was trained on.

    With shadow models for all patients it is LiRA. Otherwise the score of a patient is the mean
    log-likelihood of the true class over their lesions (Yeom, Giacomelli, Fredrikson and Jha,
    "Privacy Risk in Machine Learning", CSF 2018, adversary 2, per patient).

    Args:
        model: the attacked model.
        domain: with the lesions of the patients.
        people: the members and the non-members.
        confidence: of the intervals.
        guarantee: of the model towards the patients of the domain, if there is one.
        shadows: (K, lesions of the domain, C) predictions by models trained without the patient.

    Returns:
        An entry of attacks.json without its sentence.
    """
    covariates = domain.clinical(people.rows) if domain.kinds else None
    probabilities = model.predict(ImageRows(domain.images, people.rows), covariates)
    method, count, scores = score_patients(probabilities, people, shadows)
    members, others = scores[people.is_member], scores[~people.is_member]
    found = auc(members, others, confidence)
    positives, false, wrong = true_positives(members, others, FALSE_POSITIVES, confidence)
    return {
        "method": method,
        "shadows": count,
        "members": len(members),
        "non_members": len(others),
        "auc": found,
        "tpr": positives,
        "fpr": false,
        "false_positives": wrong,
        "succeeds": found["low"] > CHANCE,
        "bound": compare_with_guarantee(guarantee, found, positives, false),
    }


def score_patients(
    probabilities: np.ndarray, people: Patients, shadows: np.ndarray | None
) -> tuple[str, int, np.ndarray]:
    """Score patients by the predictions of their lesions: higher for likely members.

    Args:
        probabilities: (N, C) by the attacked model.
        people: P patients with N lesions.
        shadows: as in `attack_model`.

    Returns:
        The method, the number of shadow models, and the scores (P,).
    """
    without = None if shadows is None else shadows[:, people.rows]  # (K, N, C)
    if without is None or len(without) < FEWEST_SHADOWS or np.isnan(without).any():
        return LOSS, 0, loss_scores(probabilities, people)
    return LIRA, len(without), lira_scores(probabilities, people, without)


def loss_scores(probabilities: np.ndarray, people: Patients) -> np.ndarray:
    """The mean log-likelihood of each patient: (P,), from probabilities (N, C)."""
    return by_patient(log_likelihoods(probabilities, people.labels), people.patients)


def lira_scores(probabilities: np.ndarray, people: Patients, without: np.ndarray) -> np.ndarray:
    """Compare the mean confidence in each patient with that of shadow models: (P,).

    Args:
        probabilities: (N, C) by the attacked model.
        people: P patients with N lesions.
        without: (K, N, C) by models that were trained without the patient of a lesion.
    """
    observed = _confidences(probabilities, people)
    expected = np.stack([_confidences(predicted, people) for predicted in without], axis=1)
    return offline_scores(observed, expected)


def compare_with_guarantee(
    guarantee: Guarantee | None, found: Rate, positives: Rate, false: Rate
) -> dict[str, Any] | None:
    """Compare an attack with what the model's differential privacy allows.

    The guarantee is broken if the lower limit of the AUC is above the largest possible AUC, or
    that of the true positives above the largest possible rate at the upper limit of the false
    positives.

    Args:
        guarantee: towards the attacked patients.
        found: the AUC.
        positives: the rate of true positives.
        false: the rate of false positives.

    Returns:
        The block `bound`; None without a guarantee.
    """
    if guarantee is None:
        return None
    most = guarantee.most_true_positives(FALSE_POSITIVES)
    most_surely = guarantee.most_true_positives(false["high"])
    return {
        "epsilon": guarantee.epsilon,
        "delta": guarantee.delta,
        "auc": guarantee.largest_auc,
        "tpr": most,
        "below": found["value"] <= guarantee.largest_auc and positives["value"] <= most,
        "broken": found["low"] > guarantee.largest_auc or positives["low"] > most_surely,
    }


def _confidences(probabilities: np.ndarray, people: Patients) -> np.ndarray:
    return by_patient(logit_confidences(probabilities, people.labels), people.patients)
