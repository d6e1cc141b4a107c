"""AUROC of predictions that come from several trainings, for R weightings of the cases at once."""

import numpy as np

from graft.scores import auroc, ranks, ratio


def pairs(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the (diseased, healthy) pairs of cases: how many are ranked rightly, ties half, and how many there are.

    Args:
        labels: (N,) class codes 0..C-1.
        probabilities: (N, C), of one model.
        weights: (R, N), 0 or more.

    Returns:
        Two arrays (R, K): with two classes K = 1, for the last; with more K = C, each class against the rest.
    """
    classes = probabilities.shape[1]
    won, number = [], []
    for code in [1] if classes == 2 else range(classes):
        positives, negatives = ranks(labels == code, probabilities[:, code], weights)
        number.append(positives.sum(1) * negatives.sum(1))
        won.append(np.nan_to_num(auroc(positives, negatives)) * number[-1])
    return np.stack(won, 1), np.stack(number, 1)


def area(won: np.ndarray, number: np.ndarray) -> np.ndarray:
    """AUROC (R,) from `pairs` (R, K), as graft.scores.score has it; NaN where a class has no pair."""
    return ratio(won, number).mean(1)


def spread(values: np.ndarray) -> float:
    """Standard deviation of several values, n − 1 in the denominator; NaN for one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
