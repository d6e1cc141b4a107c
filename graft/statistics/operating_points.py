"""Operating points: the threshold that a wanted sensitivity or specificity asks for on the validation part."""

from dataclasses import dataclass

import numpy as np

from graft.statistics.scores import THRESHOLD_DECIMALS, call, confusion, per_class, ratio


@dataclass(frozen=True)
class OperatingPoint:
    """The disease is called from the probability `threshold` on."""

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
    """For `sensitivity` the highest threshold that reaches it, for `specificity` the lowest.

    Candidates are 0, the middles between neighbouring probabilities, and the middle between the highest and 1. None
    where no candidate reaches what is wanted, or no case tells.

    Args:
        labels: (N,) 0 or 1, of the validation part.
        disease: (N,) probabilities of the disease.
        samples: the N sample numbers.
        sensitivity: wanted, in (0, 1).
        specificity: wanted, in (0, 1).
    """
    found = np.unique(disease)
    candidates = np.unique(
        np.concatenate([[0], (found + np.append(found[1:], 1)) / 2]).round(THRESHOLD_DECIMALS)
    )
    called = disease >= candidates[:, None]  # (T, N)
    reached = {
        "sensitivity": ratio(called[:, labels == 1].sum(1), np.sum(labels == 1)),
        "specificity": ratio((~called[:, labels == 0]).sum(1), np.sum(labels == 0)),
    }
    points: dict[str, OperatingPoint | None] = {}
    for name, wanted, pick in (
        ("sensitivity", sensitivity, max),
        ("specificity", specificity, min),
    ):
        enough = candidates[reached[name] >= wanted]
        points[name] = OperatingPoint(wanted, float(pick(enough)), samples) if len(enough) else None
    return points


def rates(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, threshold: float
) -> dict:
    """Sensitivity, specificity and precision of two classes at a threshold: name -> (R,); arguments as in `score`."""
    shares = per_class(confusion(labels, call(probabilities, threshold), weights, 2))
    names = {"sensitivity": "recall", "specificity": "specificity", "precision": "precision"}
    return {name: shares[kind][:, 1] for name, kind in names.items()}
