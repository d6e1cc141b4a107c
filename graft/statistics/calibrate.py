"""Calibration: maps from a model's probabilities to better ones, learnt on the validation part.

They change how sure a model says it is, and neither its threshold nor its calls.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, softmax

from graft.statistics.scores import LEAST_PROBABILITY, ratio

TEMPERATURES = (
    0.1,
    10.0,
)  # no further, whatever a small part says: at 0.1 the odds are raised to the 10th power
DECIMALS = 4  # of a temperature; the last bits of a sum depend on the machine


@dataclass(frozen=True)
class Temperature:
    """Softmax of the log-probabilities divided by `value`: below 1 surer, above 1 less sure."""

    value: float
    fitted_on: tuple[int, ...]  # sample numbers

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """(N, C) calibrated; the order of the cases and the likeliest class stay as they are."""
        return softmax(_logs(probabilities) / self.value, axis=1)


@dataclass(frozen=True)
class Isotonic:
    """A rising curve for each class against the rest, of the disease alone with two: `knots` (x, y) of its corners.

    Without knots it is the identity.
    """

    knots: tuple[tuple[np.ndarray, np.ndarray], ...]
    fitted_on: tuple[int, ...]  # sample numbers

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """(N, C) calibrated, linear between the corners; of more than two classes divided by their sum."""
        if not self.knots:
            return probabilities
        columns = probabilities[:, -len(self.knots) :].T  # the disease alone, or every class
        curves = np.stack(
            [np.interp(column, *knots) for column, knots in zip(columns, self.knots)], axis=1
        )
        if len(self.knots) == 1:
            return np.concatenate([1 - curves, curves], axis=1)
        return curves / curves.sum(1, keepdims=True)


def fit_temperature(
    labels: np.ndarray, probabilities: np.ndarray, samples: tuple[int, ...]
) -> Temperature:
    """The temperature within TEMPERATURES with the lowest log loss; 1 where there is one class only.

    Guo, Pleiss, Sun and Weinberger (2017), On Calibration of Modern Neural Networks, ICML. The log loss is
    convex in 1/T, so there is one minimum.

    Args:
        labels: (N,) class codes of the validation part.
        probabilities: (N, C).
        samples: the N sample numbers.
    """
    from scipy.optimize import minimize_scalar

    if len(np.unique(labels)) < 2:
        return Temperature(1.0, samples)
    logs, cases = _logs(probabilities), np.arange(len(labels))

    def log_loss(log_temperature: float) -> float:
        return -log_softmax(logs / np.exp(log_temperature), axis=1)[cases, labels].mean()

    ends = np.log(TEMPERATURES)
    inside = minimize_scalar(log_loss, bounds=ends, method="bounded", options={"xatol": 1e-8}).x
    best = (
        min((*ends, inside), key=log_loss) if np.ptp(logs, axis=1).any() else 0.0
    )  # of even odds any T is as good
    return Temperature(float(np.exp(best).round(DECIMALS)), samples)


def fit_isotonic(
    labels: np.ndarray, probabilities: np.ndarray, samples: tuple[int, ...]
) -> Isotonic:
    """The rising curve with the least squared error, class against the rest; the identity where a class has no case.

    It stays within 1 / (N + 2) and (N + 1) / (N + 2), Laplace's rule of succession: N cases that were all of one
    class make nobody surer than that, and log loss stays finite. Arguments as in `fit_temperature`.

    Zadrozny and Elkan (2002), Transforming Classifier Scores into Accurate Multiclass Probability Estimates, KDD.
    """
    from sklearn.isotonic import IsotonicRegression

    cases, classes = probabilities.shape
    if len(np.unique(labels)) < classes:
        return Isotonic((), samples)
    knots = []
    for code in [1] if classes == 2 else range(classes):
        least = 1 / (cases + 2)
        curve = IsotonicRegression(y_min=least, y_max=1 - least).fit(
            probabilities[:, code], labels == code
        )
        knots.append((curve.X_thresholds_, curve.y_thresholds_))
    return Isotonic(tuple(knots), samples)


def wilson(
    positive: np.ndarray, weights: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval of a share of lesions that stem from fewer patients: low and high, (B,) each.

    The number of lesions n is replaced by n² / Σm² over the patients, who have m each: as many as there would be if
    lesions of one patient were always alike. With one lesion a patient it is n.

    Wilson (1927), Probable Inference, JASA 22; Kish (1965), Survey Sampling, for the design effect Σm² / n.

    Args:
        positive: (B, P) positive lesions of each patient in each of B groups.
        weights: (B, P) lesions.
        confidence: of the interval.
    """
    from scipy.stats import norm

    lesions = weights.sum(1)
    share, count = ratio(positive.sum(1), lesions), ratio(lesions**2, (weights**2).sum(1))
    z2 = norm.ppf((1 + confidence) / 2) ** 2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = np.sqrt(z2 * (share * (1 - share) + z2 / (4 * count)) / count) / (1 + z2 / count)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def _logs(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, LEAST_PROBABILITY))
