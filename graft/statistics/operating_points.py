"""Operating points: thresholds with a wanted sensitivity or specificity on validation."""

from dataclasses import dataclass

import numpy as np

from graft.statistics.scores import THRESHOLD_DECIMALS, call, confusion, per_class, ratio


@dataclass(frozen=True)
class OperatingPoint:
    """The threshold that reaches a wanted rate; the disease is called at or above it."""

    wanted: float
    threshold: float
    fitted_on: tuple[int, ...]  # sample numbers


def choose_points(
    labels: np.ndarray,
    disease: np.ndarray,
    samples: tuple[int, ...],
    sensitivity: float,
    specificity: float,
) -> dict[str, OperatingPoint | None]:
    """Choose the highest threshold that reaches a sensitivity and the lowest for a specificity.

    Candidates are 0, the midpoints between neighbouring probabilities, and the midpoint between
    the highest probability and 1.

    Args:
        labels: (N,) 0 or 1, of the validation part.
        disease: (N,) probabilities of the disease.
        samples: the N sample numbers.
        sensitivity: wanted, in (0, 1).
        specificity: wanted, in (0, 1).

    Returns:
        `sensitivity` and `specificity`, each a point. It is None if no candidate reaches the wanted
        rate, or if the rate is not defined.
    """
    candidates = _candidates(disease)  # (T,) rising
    diseased = np.sort(disease[labels == 1])
    healthy = np.sort(disease[labels == 0])
    missed = np.searchsorted(diseased, candidates)  # (T,) below each candidate
    true_rejections = np.searchsorted(healthy, candidates)
    sensitivities = ratio(len(diseased) - missed, len(diseased))
    specificities = ratio(true_rejections, len(healthy))
    sensitive = candidates[sensitivities >= sensitivity]
    specific = candidates[specificities >= specificity]
    highest = sensitive[-1:]
    lowest = specific[:1]
    return {
        "sensitivity": _point(sensitivity, highest, samples),
        "specificity": _point(specificity, lowest, samples),
    }


def rates(
    labels: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
    threshold: float,
) -> dict[str, np.ndarray]:
    """Compute sensitivity, specificity and precision of two classes at a threshold: name -> (R,).

    The arguments are those of `graft.statistics.scores.score`.
    """
    called = call(probabilities, threshold)
    matrix = confusion(labels, called, weights, classes=2)
    by_class = per_class(matrix)
    return {
        "sensitivity": by_class["recall"][:, 1],
        "specificity": by_class["specificity"][:, 1],
        "precision": by_class["precision"][:, 1],
    }


def _candidates(disease: np.ndarray) -> np.ndarray:
    """Return the thresholds to choose from, rising."""
    distinct = np.unique(disease)
    next_higher = np.append(distinct[1:], 1)
    midpoints = (distinct + next_higher) / 2
    candidates = np.append(0, midpoints).round(THRESHOLD_DECIMALS)
    return np.unique(candidates)


def _point(
    wanted: float,
    threshold: np.ndarray,
    samples: tuple[int, ...],
) -> OperatingPoint | None:
    """Return the point of one threshold, None for an empty array."""
    if not len(threshold):
        return None
    return OperatingPoint(wanted, float(threshold[0]), samples)
