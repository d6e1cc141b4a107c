"""LiRA: a patient's confidence compared with that of models trained with or without the patient.

Carlini, Chien, Nasr, Song, Terzis and Tramèr, "Membership Inference Attacks From First
Principles", IEEE S&P 2022. Both variants model the confidence of each patient over trainings as
normal. With few shadow models they share one variance, as the paper does below 64 of them.
"""

import numpy as np

FOR_OWN_VARIANCE = 64  # shadow models of a patient
LEAST_DEVIATION = 1e-6


def offline_scores(observed: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Score patients by shadow models that were trained without them.

    Args:
        observed: (P,) confidences by the attacked model.
        without: (P, K) confidences by K shadow models, at least two.

    Returns:
        (P,) standard deviations above what is expected of a model trained without the patient.
        They rank patients as the probability Φ of the paper does.
    """
    return (observed - without.mean(1)) / _deviations(without)


def online_scores(observed: np.ndarray, without: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Score patients by shadow models that were trained without them, and by some with them.

    Args:
        observed: (P,) confidences by the attacked model.
        without: (P, K) confidences by K shadow models without the patient, at least two.
        inside: (P, L) confidences by L shadow models with the patient, at least two.

    Returns:
        (P,) logarithms of the likelihood ratio of being a member.
    """
    return _log_density(observed, inside) - _log_density(observed, without)


def _log_density(observed: np.ndarray, shadows: np.ndarray) -> np.ndarray:
    """The log-density of the normal distribution of each patient, up to a constant."""
    deviations = _deviations(shadows)
    return -(((observed - shadows.mean(1)) / deviations) ** 2) / 2 - np.log(deviations)


def _deviations(shadows: np.ndarray) -> np.ndarray:
    """The standard deviation of each patient over shadow models: (P,), of all if they are few."""
    variances = shadows.var(1, ddof=1)
    if shadows.shape[1] < FOR_OWN_VARIANCE:
        variances = np.full(len(shadows), variances.mean())
    return np.maximum(np.sqrt(variances), LEAST_DEVIATION)
