"""Intervals and p-values from resamples of the patients, each drawn with all their lesions."""

import math
from collections.abc import Callable

import numpy as np

from graft.statistics.correction import PERCENTILE, Correction

BLOCK = 2**21  # numbers of a weight matrix in memory at once: 16 MiB
MOST_LEFT_OUT = 500  # groups of patients that a jackknife leaves out one by one
ROUNDING = 1e-9  # 40 · 0.025 is 1, not a little less

WeightedScores = Callable[[np.ndarray], dict[str, np.ndarray]]  # weights (r, N) -> name -> (r,)


def draw_patients(patients: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Count how often each resample draws each patient: (R, P), each row sums to P.

    A resample draws P patients with replacement, all with the same probability, so a row is
    multinomial. Efron and Tibshirani (1993), An Introduction to the Bootstrap.
    """
    shares = np.full(patients, 1 / patients)
    counts = np.zeros((resamples, patients), np.uint16)
    rows = max(1, BLOCK // max(1, patients))
    for start in range(0, resamples, rows):  # as 64-bit numbers they need four times the memory
        block = counts[start : start + rows]
        block[:] = generator.multinomial(patients, shares, size=len(block))
    return counts


def resample(
    scores: WeightedScores,
    draws: np.ndarray,
    patient: np.ndarray,
) -> dict[str, np.ndarray]:
    """Compute scores of each resample: name -> (R,).

    Args:
        scores: takes weights (r, N) and returns name -> (r,).
        draws: (R, P) from `draw_patients`; R may be 0.
        patient: (N,) the column of `draws` that each case belongs to.
    """
    cases = max(1, len(patient))
    rows = max(1, BLOCK // cases)
    resamples = max(1, len(draws))  # without resamples, one empty block supplies the names
    blocks = []
    for start in range(0, resamples, rows):
        counts = draws[start : start + rows, patient]  # (r, N)
        weights = counts.astype(np.float64)
        blocks.append(scores(weights))
    return _concatenate(blocks)


def jackknife(
    scores: WeightedScores,
    patient: np.ndarray,
    patients: int | None = None,
) -> dict[str, np.ndarray]:
    """Compute scores with one of the P patients left out at a time: name -> (P,).

    More than MOST_LEFT_OUT patients are left out in that many groups, which are as skewed as the
    patients are.

    Args:
        scores: takes weights (r, N) and returns name -> (r,).
        patient: (N,) numbers of the patients, from 0.
        patients: P, if it includes patients without a case. Two groups of one part have the same
            P, so that their values stay paired.
    """
    if not patients:
        patients = int(patient.max()) + 1
    groups = min(patients, MOST_LEFT_OUT)
    group = patient % groups  # (N,)
    rows = max(1, BLOCK // len(patient))
    number_of_blocks = math.ceil(groups / rows)
    blocks = []
    for left_out in np.array_split(np.arange(groups), number_of_blocks):
        kept = group != left_out[:, None]  # (r, N)
        weights = kept.astype(np.float64)
        blocks.append(scores(weights))
    return _concatenate(blocks)


def interval(
    values: np.ndarray,
    confidence: float,
    correction: Correction = PERCENTILE,
) -> tuple[float, float, int]:
    """Compute the interval of resampled values.

    Of R sorted values, the low end is the k-th with k = (R + 1)·share, rounded down, and the high
    end is the k-th from above. No end lies between two values, so that `p_value` is the inverse
    of this interval.

    Args:
        values: (R,), NaN where a resample has no value. These are left out.
        confidence: of the interval, in (0, 1).
        correction: of the ends.

    Returns:
        The low end, the high end, and the number of values left out. Both ends are NaN if no
        value remains.
    """
    rising = np.sort(_drop_nan(values))
    count = len(rising)
    left_out = len(values) - count
    if not count:
        return np.nan, np.nan, left_out
    falling = rising[::-1]
    tail = (1 - confidence) / 2
    share_below = correction.share_below(tail)
    share_above = correction.mirrored().share_below(tail)
    low = rising[_position(share_below, count)]
    high = falling[_position(share_above, count)]
    return float(low), float(high), left_out


def p_value(differences: np.ndarray, correction: Correction = PERCENTILE) -> float:
    """Compute the two-sided p-value of "no difference" from paired resampled differences (R,).

    p is 1 minus the confidence at which `interval` begins to include 0, so p is below 0.05 if the
    95 % interval excludes 0. With percentiles it is 2·min(1 + #{d ≤ 0}, 1 + #{d ≥ 0}) / (R + 1),
    at most 1. The added 1 keeps p above 0: Davison and Hinkley (1997), Bootstrap Methods and
    their Application, section 4.2. NaN if no difference is defined.
    """
    defined = _drop_nan(differences)
    count = len(defined)
    if not count:
        return np.nan
    share_below = _share_beyond((defined <= 0).sum(), count)
    share_above = _share_beyond((defined >= 0).sum(), count)
    tail_below = correction.tail_of(share_below)
    tail_above = correction.mirrored().tail_of(share_above)
    two_sided = 2 * min(tail_below, tail_above)
    least = 2 / (count + 1)
    at_least = max(two_sided, least)
    return float(min(1.0, at_least))


def _drop_nan(values: np.ndarray) -> np.ndarray:
    is_defined = ~np.isnan(values)
    return values[is_defined]


def _share_beyond(beyond: int, count: int) -> float:
    """Return (1 + beyond) / (count + 1), which stays below 1."""
    added = min(1 + beyond, count)
    return added / (count + 1)


def _concatenate(blocks: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Join the scores of all blocks: name -> (R,)."""
    joined = {}
    for name in blocks[0]:
        pieces = [block[name] for block in blocks]
        joined[name] = np.concatenate(pieces)
    return joined


def _position(share: float, count: int) -> int:
    """Return the position, from 0, of a share among `count` sorted values."""
    number = (count + 1) * share
    position = int(number + ROUNDING) - 1
    last = count - 1
    return min(max(position, 0), last)
