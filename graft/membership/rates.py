"""How well scores tell members from non-members: AUC, and true positives at few false ones."""

import math

import numpy as np
from scipy.special import betaincinv, ndtri

from graft.statistics.delong import placements

HALVINGS = 60  # of an interval of length 1: below the last bit

Rate = dict[str, float]  # value, low, high


def auc(members: np.ndarray, others: np.ndarray, confidence: float) -> Rate:
    """Compute the probability that a member scores higher than a non-member, with its interval.

    The interval solves |A - θ| = z·sd(θ) for θ with Hanley and McNeil's variance. Unlike DeLong's
    and the bootstrap's, it has a width if the scores separate all members. Newcombe (2006),
    Statistics in Medicine 25, 559-573, method 5.

    Args:
        members: (M,) scores.
        others: (N,) scores.
        confidence: of the interval.
    """
    is_member = np.arange(len(members) + len(others)) < len(members)
    placed = placements(is_member, np.concatenate([members, others]))
    value = float(placed[is_member].mean())
    z = float(ndtri((1 + confidence) / 2))
    counts = len(members), len(others)
    low = _lower_limit(value, *counts, z)
    high = 1 - _lower_limit(1 - value, *counts, z)
    return {"value": value, "low": low, "high": high}


def true_positives(
    members: np.ndarray, others: np.ndarray, rate: float, confidence: float
) -> tuple[Rate, Rate, int]:
    """Compute how many members score above the threshold with few enough false positives.

    Of N non-members, k = rate·N, rounded down, may be false positives. The threshold is the score
    of the next one: with fewer than 1 / rate non-members it is the highest, and k is 0. Rates
    between k/N and (k + 1)/N are not interpolated.

    Both intervals are exact (Clopper and Pearson 1934). That of the false positives holds although
    the threshold comes from the same non-members: the share of all non-members above their
    (k + 1)-th highest score has the distribution Beta(k + 1, N - k), whose quantile is the upper
    limit.

    Args:
        members: (M,) scores.
        others: (N,) scores, at least one.
        rate: of false positives, in (0, 1).
        confidence: of each interval.

    Returns:
        The rate of true positives, that of false positives, and the number of the latter.
    """
    allowed = int(rate * len(others) + 1e-9)
    threshold = np.sort(others)[::-1][allowed]
    found = int((members > threshold).sum())
    wrong = int((others > threshold).sum())
    low, high = clopper_pearson(found, len(members), confidence)
    positives = {"value": found / len(members), "low": low, "high": high}
    low, high = clopper_pearson(allowed, len(others), confidence)
    false = {"value": wrong / len(others), "low": low, "high": high}
    return positives, false, wrong


def clopper_pearson(count: int, total: int, confidence: float) -> tuple[float, float]:
    """Compute the exact interval of a rate: `count` of `total`."""
    tail = (1 - confidence) / 2
    low = betaincinv(count, total - count + 1, tail) if count else 0.0
    high = betaincinv(count + 1, total - count, 1 - tail) if count < total else 1.0
    return float(low), float(high)


def _lower_limit(value: float, members: int, others: int, z: float) -> float:
    """The θ below `value` with value - θ = z·sd(θ), by bisection."""
    low, high = 0.0, value
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if value - middle > z * _deviation(middle, members, others):
            low = middle
        else:
            high = middle
    return low


def _deviation(auc: float, members: int, others: int) -> float:
    """The standard deviation of an AUC: Hanley and McNeil, with the mean of both counts."""
    more = (members + others) / 2 - 1
    spread = 1 + more * (1 - auc) / (2 - auc) + more * auc / (1 + auc)
    return math.sqrt(auc * (1 - auc) * spread / (members * others))
