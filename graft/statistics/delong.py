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
    below = _rank(negatives, values)
    above = len(positives) - _rank(positives, values)
    return np.where(
        positive,
        ratio(below, len(negatives)),
        ratio(above, len(positives)),
    )


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
    sums = []
    variances = []
    for chosen in (positive, ~positive):
        if len(np.unique(patient[chosen])) < 2:
            return np.nan
        deviations = (placed[chosen] - placed[chosen].mean()) / chosen.sum()
        by_patient = np.bincount(patient[chosen], deviations, patient.max() + 1)
        sums.append(by_patient)
        variances.append(_unbiased(patient[chosen]) * (by_patient**2).sum())
    covariance = 2 * _unbiased(patient) * (sums[0] * sums[1]).sum()
    variance = variances[0] + variances[1] + covariance
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
    placed = placements(positive, values) - placements(positive, others)
    error = standard_error(positive, placed, patient)
    difference = placed[positive].mean() if positive.any() else np.nan
    if error == 0:
        p = 1.0 if difference == 0 else np.nan
        return {"low": difference, "high": difference, "p": p}
    half = ndtri((1 + confidence) / 2) * error
    low, high = np.clip([difference - half, difference + half], -1, 1)
    p = 2 * ndtr(-abs(difference / error))
    return {"low": float(low), "high": float(high), "p": float(p)}


def _rank(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Count the numbers of `ordered` below each value, ties half."""
    return (np.searchsorted(ordered, values) + np.searchsorted(ordered, values, side="right")) / 2


def _unbiased(patient: np.ndarray) -> float:
    """Return I / (I - 1) for I distinct patients."""
    patients = len(np.unique(patient))
    return patients / (patients - 1)
