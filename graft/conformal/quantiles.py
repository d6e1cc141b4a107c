"""Class-conditional split conformal prediction: quantiles by class, and the sets they give.

The nonconformity score of a lesion and a class is 1 - p(class). The set of a lesion has each class
whose score is at most the quantile of that class. If a new lesion is exchangeable with those that
the quantile of its class was fitted on, its set has its true class with a probability of at least
1 - α. Vovk, Gammerman and Shafer (2005), Algorithmic Learning in a Random World, chapter 4.5;
Sadinle, Lei and Wasserman (2019), Least Ambiguous Set-Valued Classifiers With Bounded Error Levels,
JASA 114, for this score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from graft.statistics.scores import PROBABILITY_DECIMALS

# The answer unless a set has exactly one class. A prediction has it too if the operating point has
# another class than the set, and may be refused before.
CANNOT_TELL = "cannot tell"
EXACT = 9  # decimals of (n + 1)(1 - α), whose float may be just above a whole number


@dataclass(frozen=True)
class Conformal:
    """The quantiles of a model.

    Attributes:
        miscoverage: α, the share of cases whose set may lack their class.
        quantiles: by class, the largest score that is kept; None if the class has too few cases,
            so that every set has it.
        cases: by class, how many the quantile was fitted on.
        fitted_on: the sample numbers of all of them.
    """

    miscoverage: float
    quantiles: dict[str, float | None]
    cases: dict[str, int]
    fitted_on: tuple[int, ...]


def fit_quantile(scores: np.ndarray, miscoverage: float) -> float | None:
    """Return the ⌈(n + 1)(1 - α)⌉-th smallest of n scores, or None if n is too small for that.

    It is too small below 1/α - 1.
    """
    rank = ceil(round((len(scores) + 1) * (1 - miscoverage), EXACT))
    if rank > len(scores):
        return None
    return float(np.sort(scores)[rank - 1])


def fit_quantiles(
    labels: np.ndarray,
    probabilities: np.ndarray,
    samples: tuple[int, ...],
    classes: Sequence[str],
    miscoverage: float,
) -> Conformal:
    """Fit the quantile of each class to the cases of that class.

    Args:
        labels: (N,) class codes.
        probabilities: (N, C), calibrated, by networks that did not train on these cases.
        samples: the N sample numbers.
        classes: C names.
        miscoverage: α, the share of cases whose set may lack their class.
    """
    scores = nonconformity(probabilities)  # (N, C)
    quantiles = {}
    cases = {}
    for code, name in enumerate(classes):
        of_class = scores[labels == code, code]
        quantiles[name] = fit_quantile(of_class, miscoverage)
        cases[name] = len(of_class)
    return Conformal(miscoverage, quantiles, cases, samples)


def predict_sets(probabilities: np.ndarray, quantiles: Mapping[str, float | None]) -> np.ndarray:
    """Return which classes are in the set of each case: (N, C) bool.

    Args:
        probabilities: (N, C), calibrated as those that the quantiles were fitted to.
        quantiles: by class, in the order of the columns.
    """
    scores = nonconformity(probabilities)  # (N, C)
    kept = np.ones(scores.shape, bool)
    for code, quantile in enumerate(quantiles.values()):
        if quantile is not None:
            kept[:, code] = scores[:, code] <= quantile
    return kept


def answer(kept: np.ndarray, classes: Sequence[str]) -> str:
    """The class of a set (C,) that has exactly one, else CANNOT_TELL."""
    found = [name for name, is_kept in zip(classes, kept, strict=True) if is_kept]
    return found[0] if len(found) == 1 else CANNOT_TELL


def nonconformity(probabilities: np.ndarray) -> np.ndarray:
    """The score 1 - p of each case and class: (N, C)."""
    return (1 - probabilities).round(PROBABILITY_DECIMALS)
