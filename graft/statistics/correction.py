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
        return float(ndtr(self.bias + _stretched(moved, self.acceleration)))

    def tail_of(self, share: float) -> float:
        """Return the tail whose `share_below` is this share."""
        moved = ndtri(share) - self.bias
        deviate = _stretched(moved, -self.acceleration) - self.bias
        if self.patients is None:
            return float(ndtr(deviate))
        return float(stdtr(self.patients - 1, deviate / _widening(self.patients)))

    def mirrored(self) -> "Correction":
        """Return the correction of the same values with the opposite sign."""
        return replace(self, bias=-self.bias, acceleration=-self.acceleration)

    def _deviate(self, tail: float) -> float:
        if self.patients is None:
            return float(ndtri(tail))
        return _widening(self.patients) * float(stdtrit(self.patients - 1, tail))


PERCENTILE = Correction()  # shifts nothing


def bca_correction(
    value: float, values: np.ndarray, jackknifed: np.ndarray, widen: bool = False
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
    away = (values[~np.isnan(values)] - value).round(DECIMALS)
    left = jackknifed[~np.isnan(jackknifed)]
    patients = len(jackknifed) if widen and len(jackknifed) > 1 else None
    if not len(away) or not len(left):
        return Correction(patients=patients)
    below = (away < 0).sum() + (away == 0).sum() / 2
    bias = float(ndtri(below / len(away)))
    if not abs(bias) <= MOST_BIAS:
        return Correction(patients=patients)
    return Correction(bias, _acceleration(left), patients)


def _acceleration(jackknifed: np.ndarray) -> float:
    off = (jackknifed.mean() - jackknifed).round(DECIMALS)
    spread = (off**2).sum()
    if not spread:
        return 0.0
    return float((off**3).sum() / (6 * spread**1.5))


def _widening(patients: int) -> float:
    return math.sqrt(patients / (patients - 1))


def _stretched(deviate: float, acceleration: float) -> float:
    """Return d / (1 - a·d), or its limit beyond the pole, which few patients may reach."""
    rest = 1 - acceleration * deviate
    if rest > 0:
        return deviate / rest
    return math.copysign(math.inf, deviate)
