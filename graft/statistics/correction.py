"""The BCa correction of an interval from resamples."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

MOST_BIAS = 1.0  # normal deviates: 16 % of the resamples are on one side of the value
DECIMALS = 12  # equal scores must tie, whatever their last bit


@dataclass(frozen=True)
class Correction:
    """The shift of an interval's ends away from the percentiles that the confidence names.

    bias: the normal deviate of the share of resamples below the value: 0 if that share is a half.
    acceleration: the rate at which the standard error changes with the value, which is a sixth of
        the skewness over the patients.
    patients: widens the interval as Student's t does for this number of patients, which a
        difference needs; None does not widen it.
    """

    bias: float = 0.0
    acceleration: float = 0.0
    patients: int | None = None

    def share_below(self, tail: float) -> float:
        """Return the share of resamples below the end of an interval that has `tail` below it."""
        moved = self.bias + self._deviate(tail)
        stretched = _stretched(moved, self.acceleration)
        share = ndtr(self.bias + stretched)
        return float(share)

    def tail_of(self, share: float) -> float:
        """Return the tail whose `share_below` is this share."""
        moved = ndtri(share) - self.bias
        stretched = _stretched(moved, -self.acceleration)
        deviate = stretched - self.bias
        if self.patients is None:
            return float(ndtr(deviate))
        narrowed = deviate / _widening(self.patients)
        degrees = self.patients - 1
        return float(stdtr(degrees, narrowed))

    def mirrored(self) -> "Correction":
        """Return the correction of the same values with the opposite sign."""
        return replace(self, bias=-self.bias, acceleration=-self.acceleration)

    def _deviate(self, tail: float) -> float:
        """Return the deviate, normal or Student's, that has `tail` below it."""
        if self.patients is None:
            return float(ndtri(tail))
        degrees = self.patients - 1
        deviate = float(stdtrit(degrees, tail))
        return _widening(self.patients) * deviate


PERCENTILE = Correction()  # shifts nothing


def bca_correction(
    value: float,
    values: np.ndarray,
    jackknifed: np.ndarray,
    widen: bool = False,
) -> Correction:
    """Compute the bias-corrected and accelerated (BCa) correction of a score.

    Efron (1987), Better bootstrap confidence intervals, Journal of the American Statistical
    Association 82. `widen` adds the expansion of Hesterberg (2015), What teachers should know
    about the bootstrap, The American Statistician 69.

    The resamples of some scores, such as a calibration error, are off the value. If their bias
    exceeds MOST_BIAS, a correction would move both ends to the last few resamples. Then the ends
    are not moved.

    Args:
        value: the score of all patients.
        values: (R,) of the resamples, NaN where the score is not defined.
        jackknifed: (P,) with each patient left out.
        widen: whether to widen the interval for a small number of patients.
    """
    resampled = values[~np.isnan(values)]
    without_one = jackknifed[~np.isnan(jackknifed)]
    patients = None
    if widen and len(jackknifed) > 1:
        patients = len(jackknifed)
    unmoved = Correction(patients=patients)
    if not len(resampled) or not len(without_one):
        return unmoved
    bias = _bias(value, resampled)
    if not abs(bias) <= MOST_BIAS:
        return unmoved
    acceleration = _acceleration(without_one)
    return Correction(bias, acceleration, patients)


def _bias(value: float, resampled: np.ndarray) -> float:
    """Return the normal deviate of the share of resamples below the value, ties counted half."""
    differences = (resampled - value).round(DECIMALS)
    lower = (differences < 0).sum()
    equal = (differences == 0).sum()
    below = lower + equal / 2
    share = below / len(differences)
    return float(ndtri(share))


def _acceleration(jackknifed: np.ndarray) -> float:
    """Return a sixth of the skewness of the scores without one patient; 0 if all are equal."""
    mean = jackknifed.mean()
    deviations = (mean - jackknifed).round(DECIMALS)
    squares = (deviations**2).sum()
    cubes = (deviations**3).sum()
    if not squares:
        return 0.0
    acceleration = cubes / (6 * squares**1.5)
    return float(acceleration)


def _widening(patients: int) -> float:
    """Return the factor that makes a standard deviation over the patients unbiased."""
    degrees = patients - 1
    return math.sqrt(patients / degrees)


def _stretched(deviate: float, acceleration: float) -> float:
    """Return d / (1 - a·d), or its limit beyond the pole, which few patients may reach."""
    remainder = 1 - acceleration * deviate
    if remainder > 0:
        return deviate / remainder
    return math.copysign(math.inf, deviate)
