"""Scores of repeated trainings: AUROC of each, AUROC at equal size, and the gain over scratch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from graft.statistics.repeated_auroc import auroc_from_pairs, count_ranked_pairs

QUARTERS = (0.25, 0.5, 0.75)
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """The mean of a figure over T trainings, and its standard error; NaN for one training."""

    mean: float
    error: float
    count: int

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """Summarise one figure per training."""
        count = len(figures)
        deviation = float(np.std(figures, ddof=1)) if count > 1 else math.nan
        return cls(float(np.mean(figures)), deviation / math.sqrt(count), count)

    def interval(self) -> tuple[float, float]:
        """Return the interval at CONFIDENCE by Student's t."""
        if self.count < 2:
            return math.nan, math.nan
        half = float(student_t.ppf((1 + CONFIDENCE) / 2, self.count - 1)) * self.error
        return self.mean - half, self.mean + half

    def shown(self, sign: str = "") -> str:
        """Return the mean with its standard error in brackets."""
        return f"{self.mean:{sign}.3f} ({self.error:.3f})"


def size_quarters(sizes: np.ndarray) -> np.ndarray:
    """Return the quarter 0 to 3 of each size (N,), from the smallest to the largest."""
    return np.digitize(sizes, np.quantile(sizes, QUARTERS))


def auroc(diseased: np.ndarray, probability: np.ndarray) -> float:
    """Return the AUROC of the probability (N,) of the disease."""
    one_stratum = np.zeros(len(diseased), int)
    return auroc_within(diseased, probability, one_stratum)


def auroc_within(diseased: np.ndarray, probability: np.ndarray, strata: np.ndarray) -> float:
    """Return the share of pairs of one stratum that are ranked correctly; NaN without pairs.

    A pair is a diseased and a healthy case. Of cases of about the same size, size says little.

    Args:
        diseased: (N,) of bool.
        probability: (N,) of the disease.
        strata: (N,)
    """
    both = np.stack([1 - probability, probability], axis=1)
    right = np.zeros((1, 1))
    pairs = np.zeros((1, 1))
    for stratum in np.unique(strata):
        weights = (strata == stratum).astype(float)[None]
        found, total = count_ranked_pairs(diseased.astype(int), both, weights)
        right = right + found
        pairs = pairs + total
    return float(auroc_from_pairs(right, pairs)[0])


def verdict(gain: Spread) -> str:
    """Say whether the interval of a gain excludes 0."""
    low, high = gain.interval()
    if low > 0:
        return "helps"
    if high < 0:
        return "harms"
    return "no difference shown"


def gains(of_arm: Mapping[int, float], of_reference: Mapping[int, float]) -> Spread:
    """Return the gain over a reference, paired by training."""
    return Spread.of([of_arm[number] - of_reference[number] for number in of_reference])
