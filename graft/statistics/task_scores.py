"""Scores of predicted ratings and numbers, each over R weightings of the same N cases at once."""

import numpy as np

from graft.statistics.scores import ordered_pairs, ranks, ratio


def concordance(ratings: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the share of pairs with different ratings that are predicted in their order: (R,).

    Equal predictions count half. With two ratings it is AUROC. Harrell et al. (1982), Evaluating
    the yield of medical tests, JAMA 247. NaN if all ratings are equal.

    Args:
        ratings: (N,).
        predicted: (N,), in any unit.
        weights: (R, N), 0 or more.
    """
    correct = np.zeros(len(weights))
    pairs = np.zeros(len(weights))
    for rating in np.unique(ratings)[1:]:
        up_to = ratings <= rating
        found = ranks(ratings == rating, predicted, weights * up_to)
        correct_here, pairs_here = ordered_pairs(*found)
        correct += correct_here
        pairs += pairs_here
    return ratio(correct, pairs)


def r_squared(numbers: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute 1 − Σ w(y − f)² / Σ w(y − ȳ)², the share of the variance that is explained: (R,).

    ȳ is the weighted mean of the numbers. A prediction of ȳ has 0, a worse one less. NaN if all
    numbers are equal. The arguments are those of `concordance`.
    """
    total = weights.sum(1)
    means = ratio(weights @ numbers, total)  # (R,)
    around = weights * (numbers - means[:, None]) ** 2
    variance = around.sum(1)
    variance[variance < np.finfo(float).eps * total * np.abs(numbers).max() ** 2] = 0
    return 1 - ratio(weights @ (numbers - predicted) ** 2, variance)


def mean_absolute_error(
    numbers: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Compute Σ w|y − f| / Σ w, in the unit of the numbers: (R,)."""
    return ratio(weights @ np.abs(numbers - predicted), weights.sum(1))
