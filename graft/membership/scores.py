"""What an attacker computes of each patient from the predictions of a model."""

import numpy as np

LEAST = 1e-8  # probability; those of repeated trainings have eight decimals


def log_likelihoods(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute the log-likelihood of the true class of each lesion: (N,).

    Args:
        probabilities: (N, C).
        labels: (N,) class codes.
    """
    return np.log(np.maximum(_of_true_class(probabilities, labels), np.finfo(float).tiny))


def logit_confidences(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute log(p / (1 - p)) of the probability p of the true class of each lesion: (N,).

    Over trainings it is nearly normal, unlike p. Carlini, Chien, Nasr, Song, Terzis and Tramèr,
    "Membership Inference Attacks From First Principles", IEEE S&P 2022, section V-A.

    Args:
        probabilities: (N, C).
        labels: (N,) class codes.
    """
    of_true_class = np.clip(_of_true_class(probabilities, labels), LEAST, 1 - LEAST)
    return np.log(of_true_class) - np.log1p(-of_true_class)


def by_patient(values: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Compute the mean over the lesions of each patient: (P,).

    Args:
        values: (N,) of lesions.
        patients: (N,) codes from 0 to P - 1, each at least once.
    """
    return np.bincount(patients, weights=values) / np.bincount(patients)


def _of_true_class(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return probabilities[np.arange(len(labels)), labels]
