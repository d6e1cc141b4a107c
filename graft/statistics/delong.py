"""DeLong's test of two AUROCs on the same cases, for patients with several lesions."""

import math

import numpy as np
from scipy.special import ndtr, ndtri

from graft.statistics.scores import ratio


def placements(positive: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Compute the share of the other class that each case is correctly ranked against: (N,).

    For a positive case it is the share of the negatives with lower values, for a negative case
    the share of the positives with higher ones, ties counted half. The mean over either class is
    the AUROC. NaN if the other class has no case.

    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44; by sorting, as in Sun and Xu (2014),
    IEEE Signal Processing Letters 21.
    """
    positives = np.sort(values[positive])
    negatives = np.sort(values[~positive])
    negatives_below = _count_below(negatives, values)  # (N,)
    positives_above = len(positives) - _count_below(positives, values)
    share_of_negatives = ratio(negatives_below, len(negatives))
    share_of_positives = ratio(positives_above, len(positives))
    return np.where(positive, share_of_negatives, share_of_positives)


def standard_error(positive: np.ndarray, placed: np.ndarray, patient: np.ndarray) -> float:
    """Compute the standard error, over patients, of an AUROC or of the difference of two.

    With D10 the sum of a patient's deviations from the mean over their positive cases, D01 over
    their negative ones, m and n cases of I10 and I01 patients, and I patients in all, the variance
    is

        I10/(I10 - 1)·Σ D10²/m² + I01/(I01 - 1)·Σ D01²/n² + 2·I/(I - 1)·Σ D10·D01/(mn)

    Obuchowski (1997), Biometrics 53. With one case per patient, none has both kinds, the last term
    is 0, and the rest is DeLong's variance.

    Args:
        positive: (N,) bool.
        placed: (N,) from `placements`, or the difference of two.
        patient: (N,) codes from 0.

    Returns:
        The standard error; NaN with fewer than two patients of a class.
    """
    negative = ~positive
    for chosen in (positive, negative):
        if len(np.unique(patient[chosen])) < 2:
            return np.nan
    d10 = _deviations_by_patient(placed, positive, patient)  # (P,) D10 / m
    d01 = _deviations_by_patient(placed, negative, patient)  # (P,) D01 / n
    squares_10 = (d10**2).sum()
    squares_01 = (d01**2).sum()
    products = (d10 * d01).sum()
    variance_10 = _unbiased(patient[positive]) * squares_10
    variance_01 = _unbiased(patient[negative]) * squares_01
    covariance = 2 * _unbiased(patient) * products
    variance = variance_10 + variance_01 + covariance
    return math.sqrt(max(variance, 0.0))


def delong(
    positive: np.ndarray,
    values: np.ndarray,
    others: np.ndarray,
    patient: np.ndarray,
    confidence: float,
) -> dict[str, float]:
    """Test AUROC by `values` minus AUROC by `others` on the same cases.

    Args:
        positive: (N,) bool.
        values: (N,) higher for positive cases, as are `others`.
        others: (N,).
        patient: (N,) codes from 0.
        confidence: of the interval, which is cut at -1 and 1.

    Returns:
        {low, high, p}: the normal interval and the two-sided p-value. They are NaN with fewer than
        two patients of a class; p is NaN if all patients have the same difference, unless it is 0.
    """
    placed_by_values = placements(positive, values)
    placed_by_others = placements(positive, others)
    placed = placed_by_values - placed_by_others
    error = standard_error(positive, placed, patient)
    difference = np.nan
    if positive.any():
        difference = placed[positive].mean()
    if error == 0:
        p = 1.0 if difference == 0 else np.nan
        return {"low": difference, "high": difference, "p": p}
    z = ndtri((1 + confidence) / 2)
    half_width = z * error
    low = np.clip(difference - half_width, -1, 1)
    high = np.clip(difference + half_width, -1, 1)
    p = 2 * ndtr(-abs(difference / error))
    return {
        "low": float(low),
        "high": float(high),
        "p": float(p),
    }


def _count_below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Count the numbers of `ordered` below each value, ties half."""
    below = np.searchsorted(ordered, values, side="left")
    below_or_equal = np.searchsorted(ordered, values, side="right")
    return (below + below_or_equal) / 2


def _deviations_by_patient(
    placed: np.ndarray,
    chosen: np.ndarray,
    patient: np.ndarray,
) -> np.ndarray:
    """Sum each patient's deviations from the mean of the chosen cases: (P,).

    Each deviation is divided by the number of chosen cases.
    """
    values = placed[chosen]
    mean = values.mean()
    deviations = (values - mean) / chosen.sum()
    patients = patient.max() + 1
    return np.bincount(patient[chosen], weights=deviations, minlength=patients)


def _unbiased(patient: np.ndarray) -> float:
    """Return I / (I - 1) for I distinct patients."""
    patients = len(np.unique(patient))
    return patients / (patients - 1)
