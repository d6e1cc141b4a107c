"""Intervals and p-values by drawing patients, each with all their lesions, again and again."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

BLOCK = 2**21  # numbers of a weight matrix held at once: 16 MiB
MOST_LEFT_OUT = 500  # times that a cohort is judged again for its skew
MOST_BIAS = (
    1.0  # normal deviates: 16 % of the resamples lie on one side of the value, 84 % on the other
)
DECIMALS = 12  # equal scores must tie, whatever their last bit
ROUNDING = 1e-9  # 40 · 0.025 is 1, not a little less


def draw(patients: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """How often each patient is drawn in each resample: (R, P), each row sums to P.

    P draws with replacement, each patient as likely as the next: a row is multinomial.
    Efron and Tibshirani (1993), An Introduction to the Bootstrap.
    """
    return generator.multinomial(patients, np.full(patients, 1 / patients), size=resamples).astype(
        np.uint16
    )


def resample(
    measure: Callable[[np.ndarray], dict], draws: np.ndarray, patient: np.ndarray
) -> dict[str, np.ndarray]:
    """What `measure` gives for each resample: name -> (R,).

    Args:
        measure: takes weights (r, N), gives name -> (r,).
        draws: (R, P) from `draw`; R may be 0.
        patient: (N,) the column of `draws` that each case belongs to.
    """
    rows = max(1, BLOCK // max(1, len(patient)))
    starts = range(0, max(1, len(draws)), rows)  # a block even of no resamples, for its names
    blocks = [measure(draws[start : start + rows, patient].astype(np.float64)) for start in starts]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def jackknife(
    measure: Callable[[np.ndarray], dict], patient: np.ndarray, patients: int | None = None
) -> dict[str, np.ndarray]:
    """What `measure` gives with each of the P patients left out in turn: name -> (P,).

    P is `patients`, which may count some more than those that have a case, so that groups of one part stay paired.
    More than MOST_LEFT_OUT patients are left out in so many groups, which are as skewed as the patients are.
    """
    groups = min(patients or int(patient.max()) + 1, MOST_LEFT_OUT)
    rows = max(1, BLOCK // len(patient))
    left_out = np.array_split(np.arange(groups), -(-groups // rows))
    blocks = [measure((patient % groups != some[:, None]).astype(np.float64)) for some in left_out]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


@dataclass(frozen=True)
class Bend:
    """How far an interval's ends are moved from the percentiles that the confidence names.

    bias: the normal deviate of the share of resamples below the value itself: 0 where that is half of them.
    acceleration: how fast the standard error changes with the value, a sixth of the skewness over the patients.
    patients: widen as Student's t does with so many patients, as a difference needs it; None leaves this out.
    """

    bias: float = 0.0
    acceleration: float = 0.0
    patients: int | None = None

    def share(self, tail: float) -> float:
        """The share of the resamples that shall lie below an end of an interval with `tail` below that end."""
        moved = self.bias + self._deviate(tail)
        return float(ndtr(self.bias + _stretched(moved, self.acceleration)))

    def tail(self, share: float) -> float:
        """`share` turned round."""
        moved = ndtri(share) - self.bias
        deviate = _stretched(moved, -self.acceleration) - self.bias
        if self.patients is None:
            return float(ndtr(deviate))
        return float(stdtr(self.patients - 1, deviate / self._widening()))

    def mirrored(self) -> "Bend":
        """The bend of the same values with their signs changed."""
        return replace(self, bias=-self.bias, acceleration=-self.acceleration)

    def _deviate(self, tail: float) -> float:
        if self.patients is None:
            return float(ndtri(tail))
        return self._widening() * float(stdtrit(self.patients - 1, tail))

    def _widening(self) -> float:
        return math.sqrt(self.patients / (self.patients - 1))


PERCENTILE = Bend()  # nothing is moved


def bend(value: float, values: np.ndarray, jackknifed: np.ndarray, widen: bool = False) -> Bend:
    """The bias-corrected and accelerated bend (BCa) of a score, from the resamples and the jackknife.

    Efron (1987), Better bootstrap confidence intervals, Journal of the American Statistical Association 82. `widen` is
    the expansion of Hesterberg (2015), What teachers should know about the bootstrap, The American Statistician 69.
    Where the resamples lie off the value by more than MOST_BIAS, as those of a calibration error may, a correction
    would take both ends into the last few of them: then nothing is moved.

    Args:
        value: of all patients.
        values: (R,) of the resamples, NaN where not defined.
        jackknifed: (P,) with each patient left out.
    """
    away = (values[~np.isnan(values)] - value).round(DECIMALS)
    left = jackknifed[~np.isnan(jackknifed)]
    patients = len(jackknifed) if widen and len(jackknifed) > 1 else None
    if not len(away) or not len(left):
        return Bend(patients=patients)
    bias = float(ndtri(((away < 0).sum() + (away == 0).sum() / 2) / len(away)))
    if not abs(bias) <= MOST_BIAS:
        return Bend(patients=patients)
    off = (left.mean() - left).round(DECIMALS)
    spread = (off**2).sum()
    return Bend(bias, float((off**3).sum() / (6 * spread**1.5)) if spread else 0.0, patients)


def interval(
    values: np.ndarray, confidence: float, bent: Bend = PERCENTILE
) -> tuple[float, float, int]:
    """Interval of resampled values (R,): low, high, and how many resamples had no value (NaN).

    These are left out; low and high are NaN where none is left. Of R resamples in order, the low end is the k-th with
    k = (R + 1)·share, rounded down, and the high end counts so from above: no end lies between two resamples, so that
    `p_value` is this interval turned round.
    """
    defined = np.sort(values[~np.isnan(values)])
    if not len(defined):
        return np.nan, np.nan, len(values)
    tail = (1 - confidence) / 2
    low, high = (
        _nth(share, len(defined)) for share in (bent.share(tail), bent.mirrored().share(tail))
    )
    return float(defined[low]), float(defined[-1 - high]), len(values) - len(defined)


def p_value(differences: np.ndarray, bent: Bend = PERCENTILE) -> float:
    """Two-sided p-value of "no difference" from paired resampled differences (R,); NaN where none is defined.

    It is 1 less the confidence at which `interval` begins to hold 0, so p is below 0.05 where the 95 % interval leaves
    out 0. With percentiles that is 2·min(1 + #{d ≤ 0}, 1 + #{d ≥ 0}) / (R + 1), at most 1. The added 1 keeps p above
    0: Davison and Hinkley (1997), Bootstrap Methods and their Application, section 4.2.
    """
    defined = differences[~np.isnan(differences)]
    if not len(defined):
        return np.nan
    count = len(defined)
    sides = (bent, (defined <= 0).sum()), (bent.mirrored(), (defined >= 0).sum())
    tail = min(way.tail(min(1 + beyond, count) / (count + 1)) for way, beyond in sides)
    return float(min(1.0, max(2 * tail, 2 / (count + 1))))


def _stretched(deviate: float, acceleration: float) -> float:
    """d / (1 - a·d), and beyond its pole, which three or four patients may reach, what it tends to there."""
    rest = 1 - acceleration * deviate
    return deviate / rest if rest > 0 else math.copysign(math.inf, deviate)


def _nth(share: float, count: int) -> int:
    """Where in `count` sorted values the share lies, from 0 on."""
    return min(max(int((count + 1) * share + ROUNDING) - 1, 0), count - 1)
