"""The shares of the classes at a site, estimated from predictions without labels.

Saerens, Latinne and Decaestecker (2002), Adjusting the Outputs of a Classifier to New a Priori
Probabilities: A Simple Procedure, Neural Computation 14. It assumes that the lesions of a class
look the same at the site as they did in the training, and that probabilities are calibrated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graft.adaptation.site import UNKNOWN
from graft.common.seeds import generator
from graft.statistics.bootstrap import draw_patients, interval

STRENGTH = 10.0  # lesions with the old shares that are added to those of the site
STEPS = 2000  # of EM, at most
TOLERANCE = 1e-10  # of a share
RESAMPLES = 500
FEWEST = 10  # patients: the interval by fewer is too narrow


@dataclass(frozen=True)
class Prior:
    """The share of the disease.

    Attributes:
        old: that the model's probabilities imply, as the mean of its validation cases.
        new: a cautious estimate of that of the site, pulled towards `old` by STRENGTH lesions.
        low: the lower end of the interval of `new`, which is pulled as well.
        high: the upper end.
        distinguishable: whether there are at least FEWEST patients, and the interval of `new` minus
            `old` excludes 0.
    """

    old: float
    new: float
    low: float
    high: float
    distinguishable: bool


def estimate_shares(
    probabilities: np.ndarray,
    old: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    strength: float = STRENGTH,
) -> np.ndarray:
    """Estimate the shares (R, C) of the classes by EM, each from other weights of the lesions.

    With posteriors p'(c | x) proportional to p(c | x)·new(c)/old(c), EM repeats
    new(c) = (Σ w·p'(c | x) + m·old(c)) / (Σ w + m). The m lesions are a Dirichlet prior, which
    pulls the estimate from few scans towards the old shares. A label replaces the posterior.

    Args:
        probabilities: (N, C), calibrated for the old shares.
        old: (R, C) or (C,) shares.
        labels: (N,) class codes, UNKNOWN without a label.
        weights: (R, N).
        strength: m.
    """
    classes = probabilities.shape[1]
    old = np.broadcast_to(old, (len(weights), classes))
    known = labels != UNKNOWN
    counted = np.eye(classes)[labels[known]]  # (K, C)
    fixed = weights[:, known] @ counted + strength * old  # (R, C)
    free, open_weights = probabilities[~known], weights[:, ~known]
    total = weights.sum(1, keepdims=True) + strength
    new = old.copy()
    for _ in range(STEPS):
        ratios = new / old  # (R, C)
        evidence = free @ ratios.T  # (N, R)
        posteriors = (open_weights / evidence.T) @ free * ratios  # (R, C)
        updated = (posteriors + fixed) / total
        change = np.abs(updated - new).max(initial=0.0)
        new = updated
        if change < TOLERANCE:
            break
    return new


def estimate_prior(
    probabilities: np.ndarray,
    reference: Sequence[float],
    labels: np.ndarray,
    patients: np.ndarray,
    confidence: float,
    seed: int,
) -> Prior:
    """Estimate the share of the disease at a site, with an interval.

    The interval is of resampled patients of the site and of resampled validation cases.

    Args:
        probabilities: (N, 2), calibrated.
        reference: calibrated probabilities of the disease of validation cases.
        labels: (N,) class codes, UNKNOWN without a label.
        patients: (N,) numbers.
        confidence: of the interval.
        seed: of the resamples.
    """
    values = np.asarray(reference)
    old = values.mean()
    random = generator(seed, "adapt", "prior")
    numbers = np.unique(patients, return_inverse=True)[1]
    draws = draw_patients(numbers.max() + 1, RESAMPLES, random)
    olds = draw_patients(len(values), RESAMPLES, random) @ values / len(values)  # (R,)
    point = estimate_shares(probabilities, shares_of(old), labels, np.ones((1, len(numbers))))
    drawn = estimate_shares(probabilities, shares_of(olds), labels, draws[:, numbers].astype(float))
    low, high, _ = interval(drawn[:, 1], confidence)
    least, most, _ = interval(drawn[:, 1] - olds, confidence)
    new = float(point[0, 1])
    is_new = (least > 0 or most < 0) and draws.shape[1] >= FEWEST
    return Prior(float(old), new, low, high, bool(is_new))


def shares_of(disease: float | np.ndarray) -> np.ndarray:
    """The shares (..., 2) of both classes from that of the disease, neither of them 0."""
    inside = np.clip(disease, 1e-6, 1 - 1e-6)
    return np.stack([1 - inside, inside], -1)
