"""LiRA: a patient's confidence compared with that of models trained without the patient.

Carlini, Chien, Nasr, Song, Terzis and Tramèr, "Membership Inference Attacks From First
Principles", IEEE S&P 2022, the offline variant. The confidence of each patient over trainings is
taken as normal. With few shadow models all patients share one variance, as in the paper below 64 of
them.
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


def _deviations(shadows: np.ndarray) -> np.ndarray:
    """The standard deviation of each patient over shadow models: (P,), of all if they are few."""
    variances = shadows.var(1, ddof=1)
    if shadows.shape[1] < FOR_OWN_VARIANCE:
        variances = np.full(len(shadows), variances.mean())
    return np.maximum(np.sqrt(variances), LEAST_DEVIATION)
