"""DeLong's test of two AUROCs on the same cases, with the lesions of a patient counted as alike as they are."""

import math

import numpy as np
from scipy.special import ndtr, ndtri

from graft.statistics.scores import ratio


def placements(positive: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The share of the other class that each case is on the right side of, ties counted half: (N,).

    Of a positive case the share of the negatives with lower values, of a negative case the share of the positives
    with higher ones; the mean over either class is the AUROC. NaN where the other class has no case.

    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44; by sorting, as in Sun and Xu (2014),
    IEEE Signal Processing Letters 21.
    """
    sick, well = np.sort(values[positive]), np.sort(values[~positive])
    below = (np.searchsorted(well, values) + np.searchsorted(well, values, side="right")) / 2
    above = (
        len(sick)
        - (np.searchsorted(sick, values) + np.searchsorted(sick, values, side="right")) / 2
    )
    return np.where(
        positive, ratio(below, np.float64(len(well))), ratio(above, np.float64(len(sick)))
    )


def standard_error(positive: np.ndarray, placed: np.ndarray, patient: np.ndarray) -> float:
    """Standard error of an AUROC, or of the difference of two, over the patients; NaN with fewer than two of a class.

    With D10 the sum of a patient's deviations from the mean over their positive cases, D01 over their negative ones,
    m and n cases of I10 and I01 patients, and I patients in all, the variance is

        I10/(I10 - 1)·Σ D10²/m² + I01/(I01 - 1)·Σ D01²/n² + 2·I/(I - 1)·Σ D10·D01/(mn)

    Obuchowski (1997), Biometrics 53. With one case a patient no one has both kinds, the last term is 0, and what is
    left is DeLong's variance.

    Args:
        positive: (N,) bool.
        placed: (N,) from `placements`, or the difference of two.
        patient: (N,) codes from 0 on.
    """
    sums, several = [], []
    for chosen in (positive, ~positive):
        if len(np.unique(patient[chosen])) < 2:
            return np.nan
        deviations = (placed[chosen] - placed[chosen].mean()) / chosen.sum()
        sums.append(np.bincount(patient[chosen], deviations, patient.max() + 1))
        several.append(_unbiased(patient[chosen]))
    both = 2 * _unbiased(patient) * (sums[0] * sums[1]).sum()
    variance = several[0] * (sums[0] ** 2).sum() + several[1] * (sums[1] ** 2).sum() + both
    return math.sqrt(max(variance, 0.0))


def _unbiased(patient: np.ndarray) -> float:
    """I / (I - 1) for I distinct patients."""
    patients = len(np.unique(patient))
    return patients / (patients - 1)


def delong(
    positive: np.ndarray,
    values: np.ndarray,
    others: np.ndarray,
    patient: np.ndarray,
    confidence: float,
) -> dict[str, float]:
    """Normal interval and two-sided p-value of AUROC by `values` less AUROC by `others`, on the same cases.

    Returns {low, high, p}; NaN with fewer than two patients of a class, or where no patient differs from the next.

    Args:
        positive: (N,) bool.
        values: (N,) higher for positive cases, as are `others`.
        patient: (N,) codes from 0 on.
        confidence: of the interval, cut at -1 and 1.
    """
    placed = placements(positive, values) - placements(positive, others)
    error = standard_error(positive, placed, patient)
    difference = placed[positive].mean() if positive.any() else np.nan
    if error == 0:
        return {"low": difference, "high": difference, "p": 1.0 if difference == 0 else np.nan}
    half = ndtri((1 + confidence) / 2) * error
    ends = np.clip([difference - half, difference + half], -1, 1)
    return {
        "low": float(ends[0]),
        "high": float(ends[1]),
        "p": float(2 * ndtr(-abs(difference / error))),
    }
